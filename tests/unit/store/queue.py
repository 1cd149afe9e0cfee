"""Short ways to put links into the queue and to take them out, for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crmsync.model import Outcome, ProfileId, RunId, RunTrigger
from crmsync.store import bulk, leases, links, runs, settlements
from crmsync.store.leases import Claim, Lease
from crmsync.store.links import PRIORITY_LIVE, Mark
from crmsync.store.settlements import Settlement
from crmsync.store.tables import links as table
from crmsync.sync.context import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=120)
SETTLE = timedelta(seconds=300)


def seconds(number: float) -> datetime:
    """Return a moment so many seconds after the tests' present."""
    return NOW + timedelta(seconds=number)


def mark(
    store: Store,
    *names: str,
    due: datetime | None = NOW,
    trigger: RunTrigger = RunTrigger.REALTIME,
    priority: int = PRIORITY_LIVE,
) -> None:
    """Mark the links of profiles."""
    marks = [Mark("crm", "contacts", ProfileId(name), due, trigger, priority) for name in names]
    store.database.transact(lambda connection: links.mark(connection, marks))


def claim(store: Store, now: datetime = NOW, limit: int = 1_000, lease: timedelta = LEASE) -> Lease:
    """Claim what is due."""
    return store.database.transact(
        lambda connection: leases.claim(
            connection, store.vault, "crm", "contacts", now=now, lease=lease, limit=limit
        )
    )


def a_run(store: Store) -> RunId:
    """Open a run."""
    return store.database.transact(
        lambda c: runs.open_run(c, "contacts", "crm", "contacts", RunTrigger.REALTIME, NOW, NOW)
    )


def acked(store: Store, one: Claim, **changes: Any) -> Settlement:
    """Return the settlement of a claim that went well."""
    given = {"acked": True, "crm_id": one.crm_id or f"crm-{one.profile_id}", **changes}
    return Settlement(one, a_run(store), "update", given.pop("outcome", Outcome.SUCCEEDED), **given)


def settle(store: Store, lease: Lease, results: Sequence[Settlement], now: datetime = NOW) -> int:
    """Settle; return how many came too late."""
    done = store.database.transact(
        lambda connection: settlements.settle(
            connection, store.vault, lease, results, now=now, verify_late_at=now + SETTLE
        )
    )
    return done.fenced


def settle_all(store: Store, lease: Lease, now: datetime = NOW) -> int:
    """Settle everything claimed as done."""
    return settle(store, lease, [acked(store, one) for one in lease.claims], now)


def row(store: Store, name: str) -> Any:
    """Return a profile's primary link as it stands."""
    with store.database.read() as connection:
        query = select(table).where(table.c.profile_id == name, table.c.is_primary)
        return connection.execute(query).one()


def names(lease: Lease) -> list[str]:
    """Return whose links were claimed, in order."""
    return [str(one.profile_id) for one in lease.claims]


def put(store, name: str, **values) -> None:
    """Bring a link into a state as somebody else may leave it."""
    changed = [{"id": row(store, name).id, **values}]
    store.database.transact(lambda c: bulk.update(c, table, changed))
