"""The keys: that they open what is stored."""

from __future__ import annotations

from crmsync.store import seals
from crmsync.sync.context import Store
from crmsync.sync.doctor.finding import OURS, Finding


def check_keys(store: Store) -> Finding:
    """Open some of the oldest and the newest of everything that is encrypted."""
    with store.database.read() as connection:
        closed = seals.unreadable(connection, store.vault)
    if closed:
        return OURS.fault(
            "keys",
            f"no key in CRMSYNC_KEYS opens some of the stored {', '.join(closed)}",
            "put back the key that was taken out, behind the newest one",
        )
    return OURS.ok("keys", "they open what is stored")
