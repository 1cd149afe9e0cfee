"""From claimed links to what their records should hold, and from there to operations.

    claims ─► desired records (mapping) ─► look at the CRM where we must (`looking`) ─► operations,
    or nothing to do

Pure, but for the profiles' facts that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from crmsync.connectors.base import Connector
from crmsync.errors import ConfigError
from crmsync.identity.facts import facts
from crmsync.mapping.compiled import Conflict, Mode, SyncMapping
from crmsync.mapping.render import Desired, render
from crmsync.model import (
    Action,
    CrmId,
    Directory,
    Failure,
    LinkId,
    ObjectSchema,
    Operation,
    Profile,
    ProfileId,
    RunId,
    Value,
)
from crmsync.planning.changes import (
    Change,
    desired_record,
    difference,
    normalisers,
    phone_fields,
)
from crmsync.planning.names import Names, NoSuchName
from crmsync.planning.normalise import Normaliser
from crmsync.store.leases import CRASHES_BEFORE_PARKING, Claim
from crmsync.store.settlements import record_taken

NO_SUCH_OWNER = "NO_SUCH_OWNER"
"""The code of a record that is to belong to somebody whom the CRM does not have."""
_TIE = "@"
"""Before another object's name: no CRM's field begins so."""


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
    phones: tuple[str, ...]
    owner_fields: tuple[str, ...]
    """The fields that hold ids of the CRM's users, whom we know by e-mail."""
    ties: Mapping[str, str]
    """Other object: the field that names its record, or what stands for it in a snapshot."""

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
        owners = tuple(
            name
            for name in names
            if name in schema.fields and schema.fields[name].directory is Directory.OWNERS
        )
        references = connector.capabilities.reference_fields.get(mapping.object_type, {})
        ties = {other: references.get(other, tie_name(other)) for other, _ in mapping.associations}
        return cls(
            mapping,
            connector,
            schema,
            key,
            look_by,
            gentle,
            names,
            canonical,
            phone_fields(names, schema.fields),
            owners,
            ties,
        )


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
    is_lost: bool = False
    """The record that it was linked to is gone."""
    is_converted: bool = False
    """It was a lead, which became a contact."""
    successor: CrmId | None = None
    """The contact that it became, where the CRM says."""
    is_early: bool = False
    """Another sync decides first."""
    has_more: bool = False
    """When this is written there is another difference, which takes another call."""

    @property
    def is_over(self) -> bool:
        """Whether its link ends here."""
        return self.is_lost or self.is_converted


@dataclass(frozen=True, slots=True)
class Around:
    """What has to be known of claimed links besides their profiles."""

    names: Names | None = None
    """The CRM's users, where a field names one."""
    frozen: Mapping[LinkId, Collection[str]] = field(default_factory=dict)
    """Fields that both sides leave alone."""
    elsewhere: Collection[ProfileId] = ()
    """Who has a record by a sync that keeps them from this one."""
    waiting: Collection[ProfileId] = ()
    """Who may be about to get one."""
    firms: Mapping[str, Mapping[ProfileId, CrmId]] = field(default_factory=dict)
    """Other object: the records of companies."""


NOTHING_AROUND = Around()


def draft(
    target: Target,
    claims: Sequence[Claim],
    profiles: Mapping[ProfileId, Profile],
    run_of: Callable[[Claim], RunId],
    around: Around = NOTHING_AROUND,
) -> list[Draft]:
    """Render what every claimed record should hold."""
    drafts = []
    for claim in claims:
        one = Draft(claim, run_of(claim), known=claim.snapshot, crm_id=claim.crm_id)
        profile = profiles.get(claim.profile_id)
        if claim.is_deadly:
            one.failure = _deadly()  # nothing else is done with it: anything may be what ends us
        elif profile is None or profile.id in around.elsewhere:
            one.in_scope = False
        elif one.crm_id is None and profile.id in around.waiting:
            one.is_early = True
        else:
            company = profiles.get(profile.company_id) if profile.company_id else None
            try:
                _fill(one, target, render(target.mapping, facts(profile, company)), around)
                _tie(one, target, profile, around)
            except Exception as fault:  # noqa: BLE001 - one record must not hold up all others
                one.failure = _unrendered(fault)
        drafts.append(one)
    return drafts


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
    d.changes = difference(d.desired, d.known, target.phones)
    link, mode = d.claim.link_id, target.mapping.mode
    if d.crm_id is not None:
        ties = sorted(name for name in d.changes if is_tie(name))
        if ties and len(ties) == len(d.changes):
            return _association(d, d.crm_id, ties)
        _postpone(d, ties)
        if mode is Mode.INSERT or not d.changes:
            return None
        changed = {name: new for name, (_, new) in d.changes.items()}
        return Operation(link, Action.UPDATE, changed, crm_id=d.crm_id)
    if not is_homeless(d) or mode is Mode.UPDATE:
        return None
    _postpone(d, [name for name in d.changes if is_tie(name)])
    whole = {name: new for name, (_, new) in d.changes.items() if new is not None}
    if target.upsert_key is not None and target.upsert_key in d.match:
        return Operation(link, Action.UPSERT, whole, match_value=d.match[target.upsert_key])
    return Operation(link, Action.CREATE, whole)


def _fill(one: Draft, target: Target, wanted: Desired, around: Around) -> None:
    one.in_scope = wanted.in_scope
    raw = {**wanted.match, **wanted.fields} if wanted.in_scope else wanted.fields
    record = desired_record(raw, wanted.unusable, target.canonical)
    if isinstance(record, Failure):
        one.failure = record
        return
    for name in around.frozen.get(one.claim.link_id, ()):
        record.pop(name, None)
    for name in target.owner_fields:
        if record.get(name) is not None and around.names is not None:
            try:
                record[name] = around.names.owner_id(record[name])
            except NoSuchName:
                one.failure = _no_such_owner(name)
                return
    one.desired = record
    one.match = wanted.match


def _tie(one: Draft, target: Target, profile: Profile, around: Around) -> None:
    """Have a person's record name, or be tied to, their company's."""
    if not one.in_scope or one.failure or profile.company_id is None:
        return
    for other, name in target.ties.items():
        firm = around.firms.get(other, {}).get(profile.company_id)
        if firm is not None:
            one.desired[name] = firm


def _association(d: Draft, crm_id: CrmId, ties: Sequence[str]) -> Operation:
    """Tie a record to one other at a time; the next comes next."""
    name, *others = ties
    _postpone(d, others)
    other = {name.removeprefix(_TIE): d.desired[name]}
    return Operation(d.claim.link_id, Action.ASSOCIATE, other, crm_id=crm_id)


def _postpone(d: Draft, ties: Sequence[str]) -> None:
    """Leave for the next write what takes a call of its own."""
    for name in ties:
        del d.changes[name], d.desired[name]
    d.has_more = bool(ties)


def tie_name(other: str) -> str:
    """Return what stands in a snapshot for the record of another object that one is tied to."""
    return f"{_TIE}{other}"


def is_tie(name: str) -> bool:
    """Whether this is no field but a tie to another record."""
    return name.startswith(_TIE)


def _no_such_owner(name: str) -> Failure:
    return Failure(
        code=NO_SUCH_OWNER,
        message=f"{name}: the CRM has no active user with this e-mail",
        hint="correct the trait, add the user in the CRM, or give the field a `map` with a default",
        field=name,
    )


def _deadly() -> Failure:
    return Failure(
        code="WORKER_VANISHED",
        message=f"{CRASHES_BEFORE_PARKING} workers in a row vanished at work on this record, the "
        "last of them on nothing else",
        hint="see what the worker's last words were, and how much memory it had. Mend the cause "
        "or change the value, then replay",
    )


def _unrendered(fault: Exception) -> Failure:
    return Failure(
        code="RENDER_FAULT",
        message=f"the record could not be rendered: {type(fault).__name__}",
        hint="please report this with the mapping's line; the record waits for a new value",
    )


def is_homeless(d: Draft) -> bool:
    """Whether a record is still to be found or made for it."""
    return d.crm_id is None and d.in_scope and d.failure is None and bool(d.match)


def _upsert_key(mapping: SyncMapping, connector: Connector, schema: ObjectSchema) -> str | None:
    can = connector.capabilities
    if Action.UPSERT not in can.records_per_call:
        return None
    for name, _ in mapping.match:
        described = schema.fields.get(name)
        if name in can.upserts_by or (described is not None and described.unique):
            return name
    return None
