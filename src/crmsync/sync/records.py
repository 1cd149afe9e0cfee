"""From claimed links to what their records should hold, and from there to operations.

    claims ─► desired records (mapping) ─► look at the CRM where we must ─► operations, or nothing
    to do

Reads profiles' facts and the CRM; writes nothing.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crmsync.connectors.base import Connector, Key
from crmsync.errors import BatchRejected, ConfigError
from crmsync.identity.facts import facts
from crmsync.mapping.compiled import Conflict, Mode, SyncMapping
from crmsync.mapping.render import Desired, render
from crmsync.model import (
    Action,
    CrmId,
    Failure,
    LinkId,
    ObjectSchema,
    Operation,
    Profile,
    ProfileId,
    Record,
    RunId,
    Value,
)
from crmsync.planning.changes import Change, desired_record, difference, normalisers, observed
from crmsync.planning.normalise import Normaliser
from crmsync.store.links import Claim
from crmsync.store.settlements import record_taken

TRIED_ALONE = 16
"""Records read one by one before a mapping is said not to fit: a CRM's answers to all are alike."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pass writes to, and how it finds records there."""

    mapping: SyncMapping
    connector: Connector
    schema: ObjectSchema
    upsert_key: str | None
    """The match field by which the CRM itself finds or makes a record, if it can."""
    look_by: tuple[str, ...]
    """The match fields by which we must look before a write, in order."""
    only_if_empty: tuple[str, ...]
    """The fields that a value of the CRM's own keeps us from writing."""
    names: tuple[str, ...]
    """Every field that is written or read."""
    canonical: Mapping[str, Normaliser]
    """What makes each field's values canonical."""

    @classmethod
    def of(cls, mapping: SyncMapping, connector: Connector, schema: ObjectSchema) -> Target:
        """Decide how records are found; `ConfigError` where the CRM lacks a match field."""
        for name, _ in mapping.match:
            if name not in schema.fields:
                raise ConfigError(
                    f"{mapping.sync}: {mapping.connection} has no field '{name}' on "
                    f"{mapping.object_type} to match by; `crmsync connect {mapping.connection}` "
                    "makes it where the CRM lets us"
                )
        key = _upsert_key(mapping, connector, schema)
        gentle = tuple(f.name for f in mapping.fields if f.conflict is Conflict.ONLY_IF_EMPTY)
        keys = tuple(name for name, _ in mapping.match)
        careful = mapping.mode is not Mode.UPSERT or gentle or key is None
        look_by = keys if careful else tuple(name for name in keys if name != key)
        fields = [f.name for f in mapping.fields]
        names = tuple(dict.fromkeys([*fields, *keys, *mapping.leave_fields]))
        canonical = normalisers(names, schema.fields)
        return cls(mapping, connector, schema, key, look_by, gentle, names, canonical)


@dataclass(slots=True)
class Draft:
    """One claimed link on its way to an operation."""

    claim: Claim
    run: RunId
    """The run that its result belongs to."""
    match: Mapping[str, str] = field(default_factory=dict)
    """The match keys that render, in the order in which they are tried."""
    desired: dict[str, Value] = field(default_factory=dict)
    known: dict[str, Value] = field(default_factory=dict)
    """What the record holds: the snapshot, or what was just read."""
    crm_id: CrmId | None = None
    changes: dict[str, Change] = field(default_factory=dict)
    failure: Failure | None = None
    in_scope: bool = True
    adopted: bool = False
    """A record was found that we had no link to."""
    is_taken: bool = False
    """The record that was found belongs to another profile."""


def draft(
    target: Target,
    claims: Sequence[Claim],
    profiles: Mapping[ProfileId, Profile],
    run_of: Callable[[Claim], RunId],
) -> list[Draft]:
    """Render what every claimed record should hold."""
    drafts = []
    for claim in claims:
        one = Draft(claim, run_of(claim), known=claim.snapshot, crm_id=claim.crm_id)
        profile = profiles.get(claim.profile_id)
        if profile is None:
            one.in_scope = False
        else:
            company = profiles.get(profile.company_id) if profile.company_id else None
            try:
                _fill(one, target, render(target.mapping, facts(profile, company)))
            except Exception as fault:  # noqa: BLE001 - one record must not hold up all others
                one.failure = _unrendered(fault)
        drafts.append(one)
    return drafts


def look(target: Target, drafts: Sequence[Draft], between_reads: Callable[[], None]) -> None:
    """Read the records that must be known before they are written, as many in a call as it takes.

    A key that the CRM refuses is its own record's failure.
    """
    stale = [d for d in drafts if d.crm_id and not d.failure and _is_stale(target, d)]
    for d, record in _read(target, stale, lambda d: Key(str(d.crm_id)), between_reads):
        d.known = observed(d.desired, d.known, record.fields)
    for name in target.look_by:
        homeless = [d for d in drafts if _is_homeless(d) and name in d.match]
        for d, record in _read(target, homeless, _key_by(name), between_reads):
            d.crm_id, d.adopted = record.crm_id, True
            d.known = observed(d.desired, {}, record.fields)


def leave_to_owners(drafts: Sequence[Draft], owners: Mapping[CrmId, LinkId]) -> None:
    """Keep found records that belong to other links from being written; one draft to a record."""
    taken = dict(owners)
    for d in drafts:
        mine = d.claim.link_id
        if d.adopted and d.crm_id is not None and taken.setdefault(d.crm_id, mine) != mine:
            d.failure, d.is_taken = record_taken(d.crm_id), True


def operation(target: Target, d: Draft) -> Operation | None:
    """Return the write that closes the gap, or None where there is none to send."""
    for name in target.only_if_empty:
        if d.known.get(name) is not None:
            d.desired.pop(name, None)
    d.changes = difference(d.desired, d.known)
    link, mode = d.claim.link_id, target.mapping.mode
    if d.crm_id is not None:
        if mode is Mode.INSERT or not d.changes:
            return None
        changed = {name: new for name, (_, new) in d.changes.items()}
        return Operation(link, Action.UPDATE, changed, crm_id=d.crm_id)
    if not _is_homeless(d) or mode is Mode.UPDATE:
        return None
    whole = {name: new for name, (_, new) in d.changes.items() if new is not None}
    if target.upsert_key is not None and target.upsert_key in d.match:
        return Operation(link, Action.UPSERT, whole, match_value=d.match[target.upsert_key])
    return Operation(link, Action.CREATE, whole)


def _fill(one: Draft, target: Target, wanted: Desired) -> None:
    one.in_scope = wanted.in_scope
    raw = {**wanted.match, **wanted.fields} if wanted.in_scope else wanted.fields
    record = desired_record(raw, wanted.unusable, target.canonical)
    if isinstance(record, Failure):
        one.failure = record
        return
    one.desired = record
    one.match = wanted.match


def _unrendered(fault: Exception) -> Failure:
    return Failure(
        code="RENDER_FAULT",
        message=f"the record could not be rendered: {type(fault).__name__}",
        hint="please report this with the mapping's line; the record waits for a new value",
    )


def _is_homeless(d: Draft) -> bool:
    """Whether a record is still to be found or made for it."""
    return d.crm_id is None and d.in_scope and d.failure is None and bool(d.match)


def _is_stale(target: Target, d: Draft) -> bool:
    """Whether the snapshot of a linked record is not enough to decide by."""
    return d.claim.verify or any(
        name in d.desired and name not in d.known for name in target.only_if_empty
    )


def _key_by(name: str) -> Callable[[Draft], Key]:
    return lambda d: Key(d.match[name], name)


def _read(
    target: Target,
    drafts: Sequence[Draft],
    key_of: Callable[[Draft], Key],
    between_reads: Callable[[], None],
) -> Iterator[tuple[Draft, Record]]:
    """Yield the drafts whose record was found.

    What is refused is halved until the key at fault is alone: at most two reads for each key of the
    part, and its record is then set aside, so that they are not spent again.
    Raises BatchRejected where it seems to be the mapping that does not fit, and not the keys.
    """

    def read(part: Sequence[Draft]) -> list[Record | None]:
        between_reads()
        keys = [key_of(d) for d in part]
        return target.connector.read(target.mapping.object_type, keys, target.names)

    size = target.connector.capabilities.records_per_read
    parts = deque(drafts[start : start + size] for start in range(0, len(drafts), size))
    fits = len(drafts) == 1
    while parts:
        part = [d for d in parts.popleft() if d.failure is None]
        if not part:
            continue
        try:
            records = read(part)
        except BatchRejected as refusal:
            if not fits:
                _try_some(drafts, read)
            if len(part) == 1:
                part[0].failure = refused_key(refusal)
            else:
                middle = len(part) // 2
                parts.extendleft([part[middle:], part[:middle]])
        else:
            yield from ((d, found) for d, found in zip(part, records, strict=True) if found)
        fits = True


def _try_some(drafts: Sequence[Draft], read: Callable[[Sequence[Draft]], object]) -> None:
    """Read some records one by one; raise BatchRejected when every one of them is refused.

    By chance, so that a run of bad keys at one place, or the same ones as the last time, cannot
    pass for a mapping that does not fit.
    """
    tried = random.sample(drafts, min(len(drafts), TRIED_ALONE))
    for d in tried:
        try:
            read([d])
        except BatchRejected as refusal:
            d.failure = refused_key(refusal)
    if all(d.failure is not None for d in tried):
        for d in tried:
            d.failure = None
        raise BatchRejected(
            "the records cannot be read by their match key", code="UNREADABLE", hint="check --live"
        )


def refused_key(refusal: BatchRejected) -> Failure:
    """Return why a record could not even be looked for."""
    return Failure(refusal.code, refusal.user_message, refusal.hint, refusal.field, refusal.excerpt)


def _upsert_key(mapping: SyncMapping, connector: Connector, schema: ObjectSchema) -> str | None:
    can = connector.capabilities
    if Action.UPSERT not in can.records_per_call:
        return None
    for name, _ in mapping.match:
        described = schema.fields.get(name)
        if name in can.upserts_by or (described is not None and described.unique):
            return name
    return None
