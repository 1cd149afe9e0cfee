"""Initial adoption: the records that are there already become people's own, before any is written.

    people without a record, page by page ─► match keys (mapping) ─► bulk reads, key by key ─►
    links with what the records hold

Reads the CRM and writes none of it; without `write` it only reports. What differs is sent by the
next push. Whoever has a record is passed over, so that the same command goes on after an
interruption, and a thousand profiles are held at a time, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from crmsync.connectors.base import Key
from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, RetryLater
from crmsync.identity.facts import facts
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.render import render
from crmsync.model import Failure, Profile, ProfileId, Value
from crmsync.planning.changes import desired_record, observed
from crmsync.store import adopted_links, hints, links, profiles
from crmsync.store.adopted_links import Found, Standing
from crmsync.sync.context import Sync, Works
from crmsync.sync.delivery import Rest
from crmsync.sync.looking import read_each
from crmsync.sync.marking import concerns
from crmsync.sync.records import Target
from crmsync.sync.resting import leave_alone, rest_for
from crmsync.sync.schemas import live_schema
from crmsync.sync.subjects import reads_back
from crmsync.sync.surroundings import elsewhere

PAGE = 1_000
"""Profiles looked for at once."""
EXAMPLES = 5
"""People named for each thing that a person should look at."""

MISSING, SHARED, REFUSED, OUTSIDE = "missing", "shared", "refused", "outside"


@dataclass(slots=True)
class Adoption:
    """What looking for everybody's record came to."""

    seen: int = 0
    """Profiles looked at."""
    found: Counter[str] = field(default_factory=Counter)
    """Records found, by the CRM's field that they were found by."""
    counts: Counter[str] = field(default_factory=Counter)
    """`MISSING`: no record. `SHARED`: the record is another profile's, or was found for two.
    `REFUSED`: the CRM refuses the key. `OUTSIDE`: not a sync's own by its `only` or
    `unless_linked`. And by `Standing`: who was passed over."""
    adopted: int = 0
    """Links that were written."""
    examples: dict[str, list[ProfileId]] = field(default_factory=dict)
    """Some of those who are `SHARED` or `REFUSED`."""
    rest: Rest | None = None
    """Why it stopped early."""

    def count(self, what: str, person: ProfileId) -> None:
        """Count somebody whose record cannot be adopted."""
        self.counts[what] += 1
        if what in {SHARED, REFUSED} and self.counts[what] <= EXAMPLES:
            self.examples.setdefault(what, []).append(person)


@dataclass(slots=True)
class _Candidate:
    """Somebody whose record is looked for."""

    profile_id: ProfileId
    match: Mapping[str, str]
    desired: Mapping[str, Value]
    failure: Failure | None = None
    found: Found | None = None
    found_by: str = ""


def adopt(
    works: Works,
    mapping: SyncMapping,
    *,
    write: bool,
    go_on: Callable[[], bool] = lambda: True,
    progress: Callable[[Adoption], None] = lambda _: None,
) -> Adoption:
    """Look for the record of everybody a mapping is about; with `write`, keep the links."""
    adoption = Adoption()
    sync = works.open_sync(mapping)
    after = ProfileId("")
    try:
        target = Target.of(mapping, sync.connector, live_schema(sync))
        while go_on():
            with works.store.database.read() as connection:
                page = profiles.page(connection, mapping.source, after=after, limit=PAGE)
            if not page:
                break
            _adopt_page(sync, target, page, adoption, write=write)
            progress(adoption)
            after = page[-1].id
    except (RetryLater, ConnectionHalted, BatchRejected, ConfigError) as trouble:
        adoption.rest = rest_for(trouble)
        leave_alone(works.store, mapping, adoption.rest)
    return adoption


def _adopt_page(
    sync: Sync, target: Target, page: Sequence[Profile], adoption: Adoption, *, write: bool
) -> None:
    with sync.store.database.read() as connection:
        candidates = _candidates(connection, sync, target, page, adoption)
    for name, _ in sync.mapping.match:
        open_ = [c for c in candidates if not c.found and not c.failure and name in c.match]
        for one, record in read_each(target, open_, _key_by(name), lambda: None):
            known = observed(one.desired, {}, record.fields)
            one.found, one.found_by = Found(one.profile_id, record.crm_id, known), name
    with sync.store.database.read() as connection:
        own = _unshared(connection, sync, candidates)
    taken = sync.store.database.transact(lambda c: _write(c, sync, own)) if write else own
    adoption.adopted += len(taken) if write else 0
    _count(adoption, candidates, own, taken)
    adoption.seen += len(page)


def _candidates(
    connection: Connection,
    sync: Sync,
    target: Target,
    page: Sequence[Profile],
    adoption: Adoption,
) -> list[_Candidate]:
    """Return whose record is to be looked for."""
    mapping = sync.mapping
    known = {person.id: person for person in page if concerns(mapping, person, facts(person))}
    firms = profiles.load(connection, {p.company_id for p in known.values() if p.company_id})
    place = mapping.connection, mapping.object_type
    standings = adopted_links.standings(connection, *place, known.keys())
    others, undecided = elsewhere(connection, sync, known.keys())
    candidates = []
    for person in known.values():
        wanted = render(mapping, facts(person, firms.get(person.company_id or ProfileId(""))))
        if person.id in standings:
            adoption.count(standings[person.id], person.id)
        elif not wanted.in_scope or person.id in others | undecided:
            adoption.count(OUTSIDE, person.id)
        else:
            raw = {**wanted.match, **wanted.fields}
            desired = desired_record(raw, wanted.unusable, target.canonical)
            # Values that do not fit keep nobody from their record: the push tells of them.
            fit = {} if isinstance(desired, Failure) else desired
            candidates.append(_Candidate(person.id, wanted.match, fit))
    return candidates


def _unshared(connection: Connection, sync: Sync, candidates: Sequence[_Candidate]) -> list[Found]:
    """Return the records that were found for one profile alone and are nobody's yet."""
    found = [one.found for one in candidates if one.found]
    claims = Counter(one.crm_id for one in found)
    mapping = sync.mapping
    owners = links.owners_of(connection, mapping.connection, mapping.object_type, claims.keys())
    return [one for one in found if claims[one.crm_id] == 1 and one.crm_id not in owners]


def _write(connection: Connection, sync: Sync, found: Sequence[Found]) -> list[Found]:
    """Keep the links, and have the records read back where the mapping does."""
    store, mapping = sync.store, sync.mapping
    now = store.database.now(connection)
    place = mapping.connection, mapping.object_type
    taken = adopted_links.adopt(connection, store.vault, *place, found, now)
    if reads_back(mapping):
        records = {(mapping.object_type, one.crm_id) for one in taken}
        hints.ask(connection, mapping.connection, records, now)
    return taken


def _count(
    adoption: Adoption,
    candidates: Sequence[_Candidate],
    own: Sequence[Found],
    taken: Sequence[Found],
) -> None:
    unshared = {one.profile_id for one in own}
    adopted = {one.profile_id for one in taken}
    for one in candidates:
        if one.failure is not None:
            adoption.count(REFUSED, one.profile_id)
        elif one.found is None:
            adoption.count(MISSING, one.profile_id)
        elif one.profile_id not in unshared:
            adoption.count(SHARED, one.profile_id)
        elif one.profile_id not in adopted:  # a worker has taken it up meanwhile
            adoption.count(Standing.BUSY, one.profile_id)
        else:
            adoption.found[one.found_by] += 1


def _key_by(name: str) -> Callable[[_Candidate], Key]:
    return lambda one: Key(one.match[name], name)
