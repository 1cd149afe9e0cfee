"""Each takes one safeguard out of the push, so that a test can show what it is there for.

Used by `worker_main.py` in a process of its own, by name; nothing of it exists in the product.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crmsync.connectors.pipedrive.lookup import LookUp
from crmsync.model import Action
from crmsync.planning.restoring import Restoration
from crmsync.store import cursors, hints, leases, link_records, schema, settlements
from crmsync.store.tables import cursors as cursors_table
from crmsync.store.tables import links as links_table
from crmsync.store.tokens import RowTokens
from crmsync.sync import (
    delivery,
    drain,
    guard,
    outcomes,
    pull_task,
    push,
    records,
    restoring,
    taking,
)
from tests.chaos.counting import no_shared_count, small_slices
from tests.integration.deafness import no_health_checks, no_hearing, no_reconnecting


def leases_never_end() -> None:
    """Let a claim hold a link for a year, as a queue that only deletes what was done would."""
    claim, renew = leases.claim, leases.renew
    year = timedelta(days=365)
    leases.claim = lambda *given, **named: claim(*given, **{**named, "lease": year})
    leases.renew = lambda connection, lease, until: renew(connection, lease, until + year)


def leases_end_at_once() -> None:
    """Let every worker claim what another one is working on."""
    original = leases.claim

    def claim(*given: Any, **named: Any) -> Any:
        return original(*given, **{**named, "lease": timedelta(0)})

    leases.claim = claim


def crashes_forgotten() -> None:
    """Never know that a worker vanished at work on a link."""
    leases._crashes = lambda _row: 0


def deadly_record() -> None:
    """Be killed, as by the system for want of memory, at work on whose last name is Deadly."""
    original = records._fill

    def fill(one: Any, target: Any, wanted: Any, *given: Any) -> None:
        if "Deadly" in wanted.fields.values():
            os.kill(os.getpid(), signal.SIGKILL)
        original(one, target, wanted, *given)

    records._fill = fill


def search_alone() -> None:
    """Have Pipedrive's search say whether a record exists, however late it is."""
    LookUp._from_index = lambda *_: None  # type: ignore[method-assign]
    LookUp._changed_since = lambda *_: iter(())  # type: ignore[method-assign]


def no_upsert_key() -> None:
    """Create a record wherever no link is known, without a key by which the CRM could find it."""
    original = records.operation

    def operation(target: Any, d: Any) -> Any:
        planned = original(target, d)
        if planned is None or planned.action is not Action.UPSERT:
            return planned
        fields = {k: v for k, v in planned.fields.items() if k != target.upsert_key}
        return replace(planned, action=Action.CREATE, fields=fields, match_value=None)

    vars(push)["operation"] = operation  # where the push looks it up


def no_fence() -> None:
    """Settle by the link's id alone, whoever holds its lease by now."""

    def held(connection: Any, _lease: Any, ids: Any) -> Any:
        rows = connection.execute(select(links_table).where(links_table.c.id.in_(ids)))
        return {row.id: row for row in rows}

    settlements._held = held


def no_verify() -> None:
    """Forget that a write of unknown outcome may still be applied."""
    original = outcomes._uncertain

    def uncertain(*given: Any, **named: Any) -> Any:
        return replace(original(*given, **named), verify_at=None)

    outcomes._uncertain = uncertain
    outcomes._verify_after = lambda *_: None


def no_create_intent() -> None:
    """Create again at once what may have been created already."""
    push._may_still_land = lambda *_: False


def no_renewal_lease() -> None:
    """Let everybody renew a token at once."""
    RowTokens.claim = lambda *_: "everybody's"  # type: ignore[method-assign]


def die_before_keeping() -> None:
    """Be killed between a token answer and its keeping."""
    RowTokens.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]


# --- of reading back -----------------------------------------------------------------------


def no_written_at() -> None:
    """Believe what was read, though something was sent since."""
    original = link_records.lock

    def lock(*given: Any) -> Any:
        found = original(*given)
        for linked in found.values():
            linked.written_at = None
        return found

    link_records.lock = lock


def no_value_comparison() -> None:
    """Take whatever is listed as changed for a change of somebody else's."""
    original = link_records.lock

    def lock(*given: Any) -> Any:
        found = original(*given)
        for linked in found.values():
            linked.known = {}
        return found

    link_records.lock = lock


def cursor_ahead() -> None:
    """Save how far was read before what was read is taken."""

    def take(reader: Any, records: Any, began: Any, step: Any, **how: Any) -> Any:
        reader.sync.store.database.transact(step)
        return taking.take(reader, records, began, lambda _: True, **how)

    vars(pull_task)["take"] = take


def no_reading_lease() -> None:
    """Let everybody read at once."""
    original = cursors.begin_reading

    def begin_reading(connection: Any, subject: Any, *given: Any, **named: Any) -> Any:
        free = {"lease_token": None, "lease_until": None}
        connection.execute(cursors_table.update().values(**free))
        return original(connection, subject, *given, **named)

    cursors.begin_reading = begin_reading


def no_reading_fence() -> None:
    """Take a page that was read, whoever reads by now."""
    original = cursors.read_up_to

    def read_up_to(*given: Any) -> bool:
        original(*given)
        return True

    cursors.read_up_to = read_up_to


def no_second_read() -> None:
    """Take what was told of, and not ask whether somebody else has read it since."""
    hints._gone = lambda *_: set()


def no_comparison_before_undo() -> None:
    """Put back whatever a run wrote, whoever wrote there since."""

    def judge(writes: Any, found: Any, _same: Any) -> Restoration:
        return Restoration({name: (found.get(name), w.before) for name, w in writes.items()})

    vars(restoring)["judge"] = judge  # where it is looked up


def no_guard() -> None:
    """Let a run do whatever it would do."""
    guard.Circuit.trips = lambda *_: False  # type: ignore[method-assign]


def leaking() -> None:
    """Keep a third of a megabyte of each claim that took anything."""
    claim, kept = leases.claim, []

    def keeping(*given: Any, **named: Any) -> Any:
        lease = claim(*given, **named)
        if lease.claims:
            kept.append(os.urandom(300_000))
        return lease

    leases.claim = keeping


def never_superseded() -> None:
    """Go on by a mapping that others have replaced."""
    vars(drain)["is_superseded"] = lambda *_: False  # where a worker looks it up


def no_rest() -> None:
    """Try again at once whatever a CRM answers."""
    original = delivery.Rest.__init__

    def init(self: Any, _seconds: float, *given: Any) -> None:
        original(self, 0.0, *given)

    delivery.Rest.__init__ = init  # type: ignore[method-assign]
    vars(push)["leave_alone"] = lambda *_: None
    vars(outcomes)["backoff"] = lambda *_: timedelta(0)


def newer_release() -> None:
    """Be of the release after this one, whose migrations lie elsewhere."""
    schema.MIGRATIONS = Path(os.environ["NEWER_MIGRATIONS"])


BY_NAME: Mapping[str, Callable[[], None]] = {
    f.__name__: f
    for f in (
        leases_never_end, leases_end_at_once, crashes_forgotten, deadly_record, search_alone,
        no_upsert_key, no_fence, no_verify, no_create_intent, no_renewal_lease, die_before_keeping,
        no_written_at, no_value_comparison, cursor_ahead, no_reading_lease, no_reading_fence,
        no_comparison_before_undo, no_guard, no_hearing, newer_release, leaking,
        no_shared_count, small_slices, no_second_read, no_reconnecting, no_health_checks,
        never_superseded, no_rest,
    )
}  # fmt: skip


def take_out(name: str, patch: pytest.MonkeyPatch) -> None:
    """Take a safeguard out of this process until the patch is undone."""
    for module, names in {
        link_records: ("lock",),
        cursors: ("begin_reading", "read_up_to"),
        pull_task: ("take",),
        restoring: ("judge",),
        guard.Circuit: ("trips",),
        delivery.Rest: ("__init__",),
        push: ("leave_alone",),
        outcomes: ("backoff",),
    }.items():
        for original in names:
            patch.setattr(module, original, vars(module)[original])
    BY_NAME[name]()
