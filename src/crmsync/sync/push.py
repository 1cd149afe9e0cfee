"""The push: claim → render → diff → batch → write → settle, for one sync, in slices.

A slice of links is leased, what their records should hold is rendered and compared with what they
hold, and the differences go out in batches, several in flight. Results are settled as they come, in
commits that count only while the lease is ours. Called by the workers and by `crmsync push`.
The rules it keeps are in docs/reliability.md; what a result leads to is in `outcomes.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice

import structlog
from sqlalchemy import Connection

from crmsync.connectors.throttle import in_background
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    RetryLater,
)
from crmsync.model import Action, Batch, Directory, LinkId, Operation, RunId
from crmsync.planning.batches import batches
from crmsync.store import holds, leases, links, profiles, runs, settlements, state
from crmsync.store.settlements import Settlement
from crmsync.sync import outcomes, quarantine
from crmsync.sync.breaker import by_losses
from crmsync.sync.context import Sync
from crmsync.sync.flight import Flight, Progress, Tally, ignore
from crmsync.sync.guard import Circuit, terms_of
from crmsync.sync.looking import look
from crmsync.sync.naming import names_of
from crmsync.sync.records import (
    NO_SUCH_OWNER,
    Draft,
    Target,
    draft,
    leave_to_owners,
    operation,
)
from crmsync.sync.resting import leave_alone, rest_for
from crmsync.sync.schemas import live_schema
from crmsync.sync.slices import Slice, is_backfill
from crmsync.sync.surroundings import around

SLICE = 1_000
"""Links leased at once, at most."""
CALLS_BETWEEN = 100
"""Write calls of a backfill, after which what is due at once is let through: where a call takes one
record, a slice may take minutes."""
log = structlog.get_logger()


def push(
    sync: Sync,
    *,
    go_on: Callable[[], bool] = lambda: True,
    stopping: Callable[[], bool] = lambda: False,
    run: RunId | None = None,
    progress: Progress = ignore,
) -> Tally:
    """Send what is due of one sync, slice after slice while `go_on()`, until nothing is due.

    Once `stopping()`, no further call is begun: what was leased for them is given back.

    With `run`, all results belong to that run (a command); else each to the run of its trigger, and
    a sync that is paused or held is left alone.
    """
    tally, circuit = Tally(), Circuit(sync)
    try:
        target = Target.of(sync.mapping, sync.connector, live_schema(sync))
        with Flight(sync, target, tally, progress, stopping) as flight:
            while not (tally.rest or circuit.held or stopping()) and go_on():
                with quarantine.turn() as is_ours:
                    slice_ = _claim(sync, run, suspects=is_ours)
                    if slice_.is_suspect:
                        with flight.alone():
                            _fly(sync, target, slice_, flight, circuit, run)
                        continue
                if slice_.claims:
                    _fly(sync, target, slice_, flight, circuit, run)
                elif is_ours:
                    break
                else:
                    quarantine.wait()
    except (RetryLater, ConnectionHalted, BatchRejected, ConfigError) as trouble:
        tally.rest = rest_for(trouble)
    tally.held = circuit.held
    circuit.reset()
    if tally.has_written:
        database, name = sync.store.database, sync.mapping.connection
        database.transact(lambda c: state.reached(c, name, database.now(c)))
    if tally.rest is not None:
        leave_alone(sync.store, sync.mapping, tally.rest)
    return tally


def _claim(
    sync: Sync,
    run: RunId | None,
    priorities: Sequence[int] = links.PRIORITIES,
    *,
    suspects: bool = False,
) -> Slice:
    """Lease what is due, with the profiles as they are now and the runs it belongs to."""
    database, vault = sync.store.database, sync.store.vault
    mapping = sync.mapping
    began = time.monotonic()

    def work(connection: Connection) -> Slice:
        now = database.now(connection)
        waits = state.backfill_hold(connection, mapping.connection, now)
        terms = terms_of(mapping.guard)
        stopped = run is None and holds.is_stopped(connection, mapping.sync, terms)
        lease = leases.claim(
            connection,
            vault,
            mapping.connection,
            mapping.object_type,
            now=now,
            lease=timedelta(seconds=sync.timing.lease_seconds),
            limit=0 if stopped else SLICE,
            priorities=[links.PRIORITY_LIVE] if waits else priorities,
            suspects=suspects,
        )
        people = profiles.load(connection, {claim.profile_id for claim in lease.claims})
        firms = {p.company_id for p in people.values() if p.company_id}
        run_ids = {
            key: run or runs.open_run(connection, mapping.sync, mapping.connection,
                                      mapping.object_type, *key, now)
            for key in {Slice.window(claim) for claim in lease.claims}
        }  # fmt: skip
        return Slice(
            lease=lease,
            profiles=people | profiles.load(connection, firms),
            run_ids=run_ids,
            began=began,
            ends_at=began + sync.timing.lease_seconds,
            unsettled=len(lease.claims),
        )

    return database.transact(work)


def _fly(  # noqa: PLR0913, PLR0917 - all that one slice meets on its way
    sync: Sync,
    target: Target,
    slice_: Slice,
    flight: Flight,
    circuit: Circuit,
    run: RunId | None,
) -> None:
    """Turn a slice into batches and hand them over.

    It is given back if the CRM cannot be read, or where it trips the circuit.
    """
    is_patient = is_backfill(slice_.claims)
    with flight.holding(slice_):
        now = slice_.now()  # before looking: what has landed by then is seen
        try:
            with in_background(when=is_patient):
                drafts = _drafts(sync, target, slice_)
                look(target, drafts, flight.keep)
        except (RetryLater, ConnectionHalted, BatchRejected, ConfigError):
            _give_back(sync, slice_)
            raise
        _leave_to_owners(sync, drafts)
        idle, todo = _sorted_out(sync, target, drafts, now)
        if circuit.trips(slice_, drafts, todo):
            _give_back(sync, slice_)
            return
        flight.board(slice_, idle, [])
        groups = chain.from_iterable(
            batches(target.mapping.object_type, some, records_per_call, target.upsert_key)
            for some, records_per_call in by_losses(
                _side_by_side(target, todo),
                lambda planned: todo[planned.link_id][1].claim.losses,
                target.connector.capabilities.records_per_call,
            )
        )
        while some := list(islice(groups, CALLS_BETWEEN)):
            flight.board(slice_, [], _with_intents(sync, slice_, some, todo))
            if is_patient:
                _let_through(sync, target, flight, circuit, run)


def _drafts(sync: Sync, target: Target, slice_: Slice) -> list[Draft]:
    """Render what the records should hold; an owner whom we do not know may have just joined."""
    known = around(sync, target, slice_)
    drafts = draft(target, slice_.claims, slice_.profiles, slice_.run_of, known)
    if any(d.failure and d.failure.code == NO_SUCH_OWNER for d in drafts):
        known = replace(known, names=names_of(sync, {Directory.OWNERS}, anew=True))
        drafts = draft(target, slice_.claims, slice_.profiles, slice_.run_of, known)
    return drafts


def _let_through(
    sync: Sync, target: Target, flight: Flight, circuit: Circuit, run: RunId | None
) -> None:
    """Send what became due at once in the midst of a backfill."""
    if circuit.held is not None:
        return
    urgent = _claim(sync, run, [links.PRIORITY_LIVE])
    if urgent.claims:
        # It has been given back; what keeps it from being read, the next claim meets again.
        with suppress(RetryLater, ConnectionHalted, BatchRejected, ConfigError):
            _fly(sync, target, urgent, flight, circuit, run)


def _sorted_out(
    sync: Sync, target: Target, drafts: Sequence[Draft], looked_at: datetime
) -> tuple[list[Settlement], dict[LinkId, tuple[Operation, Draft]]]:
    """Return what is settled without a call, and what is to be sent, by link."""
    idle: list[Settlement] = []
    todo: dict[LinkId, tuple[Operation, Draft]] = {}
    for d in drafts:
        planned = None if d.failure or d.is_over else operation(target, d)
        if d.is_over:
            idle.append(outcomes.over(d))
        elif d.is_early:
            idle.append(outcomes.waiting(d, looked_at, sync.timing))
        elif planned is None:
            idle.append(outcomes.unchanged(d, looked_at, sync.timing))
        elif planned.action is Action.CREATE and _may_still_land(sync, d, looked_at):
            idle.append(outcomes.settling(d, looked_at, sync.timing))
        else:
            todo[planned.link_id] = planned, d
    return idle, todo


def _side_by_side(
    target: Target, todo: Mapping[LinkId, tuple[Operation, Draft]]
) -> list[Operation]:
    """Put records next to each other that the CRM locks one and the same record for.

    What can wait stays behind what cannot: a call that holds both is not made in the background.
    """
    name = target.connector.capabilities.together.get(target.mapping.object_type)
    if name is None:
        return [planned for planned, _ in todo.values()]

    def place(entry: tuple[Operation, Draft]) -> tuple[bool, str]:
        _, d = entry
        locked = str(d.desired.get(name) or d.known.get(name) or "")
        return is_backfill([d.claim]), locked

    return [planned for planned, _ in sorted(todo.values(), key=place)]


def _leave_to_owners(sync: Sync, drafts: Sequence[Draft]) -> None:
    """Never write to a record that is another profile's, however it was found."""
    found = {d.crm_id for d in drafts if d.adopted and d.crm_id is not None}
    if found:
        mapping = sync.mapping
        with sync.store.database.read() as connection:
            owners = links.owners_of(connection, mapping.connection, mapping.object_type, found)
        leave_to_owners(drafts, owners)


def _with_intents(
    sync: Sync,
    slice_: Slice,
    groups: Sequence[Batch],
    todo: Mapping[LinkId, tuple[Operation, Draft]],
) -> list[tuple[Batch, list[Draft]]]:
    """Say of every create, before it is sent, that it may land from now on.

    Return what may be sent, with its drafts: a create whose lease is lost is its new owner's.
    """
    creates = {
        planned.link_id
        for batch in groups
        if batch.action is Action.CREATE
        for planned in batch.operations
    }
    lost = creates - _record_intents(sync, slice_, creates) if creates else set()
    held = (
        replace(batch, operations=[op for op in batch.operations if op.link_id not in lost])
        for batch in groups
    )
    return [
        (batch, [todo[op.link_id][1] for op in batch.operations])
        for batch in held
        if batch.operations
    ]


def _record_intents(sync: Sync, slice_: Slice, creates: Collection[LinkId]) -> set[LinkId]:
    database = sync.store.database
    return database.transact(
        lambda connection: leases.record_create_intents(
            connection, slice_.lease, creates, database.now(connection)
        )
    )


def _may_still_land(sync: Sync, d: Draft, now: datetime) -> bool:
    """Whether an earlier create of an unknown outcome may still appear in the CRM."""
    intent = d.claim.last_intent_at
    return intent is not None and now < intent + timedelta(seconds=sync.timing.landed_seconds)


def _give_back(sync: Sync, slice_: Slice) -> None:
    settled = timedelta(seconds=sync.timing.settle_seconds)
    sync.store.database.transact(
        lambda connection: settlements.give_back(
            connection, slice_.lease, sync.store.database.now(connection) + settled
        )
    )
