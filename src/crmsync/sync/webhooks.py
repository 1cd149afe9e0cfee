"""What CRMs tell us by webhooks: taken in, and kept going.

    delivery ─► proved by the connector ─► events that are news ─► hints ─► ring

A delivery is a reason to read a record and nothing more, so that neither its order nor its age
matters; one that gets lost is made up for by the next poll. Nothing here waits for a CRM but
`set_up`, `take_down` and `keep_up`, which are called by commands and workers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from crmsync.connectors.base import Connector, Delivery, Watch
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RetryLater,
)
from crmsync.mapping.compiled import SyncMapping
from crmsync.store import hints, state, watches
from crmsync.sync.context import Works

DEALS = "deals"
"""What a hint calls deals, whatever the CRM does."""
GATHERING = timedelta(seconds=1)
"""How long a record waits to be read: a burst is one read, and the CRM's index catches up."""
LOOK_EVERY = timedelta(days=1)
"""Pipedrive deletes a webhook that failed for three days, and tells nobody."""
TRY_AGAIN_AFTER = timedelta(minutes=15)
"""Where looking led to nothing; meanwhile nobody else looks."""
TROUBLE = (RetryLater, OutcomeUnknown, ConnectionHalted, BatchRejected, ConfigError)
"""Why a CRM could not be asked to tell us."""

log = structlog.get_logger()


# --- taking in -----------------------------------------------------------------------------


def address_of(works: Works, name: str) -> str | None:
    """Return where a connection's deliveries go, as its CRM sees it; None where it takes none."""
    known = works.configuration.connections.get(name)
    if known is None or known.webhooks is None or not _mappings(works, name):
        return None
    return known.webhooks.url


def receive(works: Works, name: str, delivery: Delivery) -> int:
    """Take a delivery in one commit; return how many of its events are news.

    Raises `Forged` for one that proves nothing, `StoreUnavailable` where it cannot be kept. Calls
    no CRM: the proof is in the delivery.
    """
    wanted = told_of(works, name)
    told = [h for h in _connector(works, name).hints(delivery) if h.object_type in wanted]
    if not told:
        return 0
    database = works.store.database

    def take(connection: Connection) -> int:
        now = database.now(connection)
        return hints.take(connection, name, told, due=now + GATHERING, now=now)

    news = database.transact(take)
    if news:
        works.ring(name)
    return news


def told_of(works: Works, name: str) -> list[str]:
    """Return what a connection's CRM is to tell of, as hints name it: what anybody reads back."""
    mappings = _mappings(works, name)
    types = {mapping.object_type for mapping in mappings if mapping.pulls}
    return sorted(types | ({DEALS} if any(mapping.deals for mapping in mappings) else set()))


# --- keeping it going ----------------------------------------------------------------------


def set_up(works: Works, name: str) -> Watch:
    """Have a connection's CRM tell us of what is read back; from now on workers see to it.

    Raises what a call to the CRM does; `ConfigError` says what a person has to do.
    """
    wanted = told_of(works, name)
    if not wanted:
        raise ConfigError(
            f"no mapping reads anything back from '{name}' (`pull:`, `deals:`), so that there is"
            " nothing to be told of"
        )
    watch = _connector(works, name).watch(wanted)
    database = works.store.database
    database.transact(
        lambda connection: watches.save(
            connection, name, _next_look(watch, database.now(connection))
        )
    )
    return watch


def take_down(works: Works, name: str) -> None:
    """Have a connection's CRM tell us nothing more; raises what a call to it does."""
    works.store.database.transact(lambda connection: watches.forget(connection, name))
    _connector(works, name).unwatch()


def keep_up(works: Works, name: str) -> None:
    """See to it now and then that a CRM still tells us what it was asked to: one worker of all."""
    if address_of(works, name) is None or not told_of(works, name):
        return
    database = works.store.database
    with database.read() as connection:
        now = database.now(connection)
        look_at = watches.look_at(connection, name)
        is_paused = state.find_pause(connection, name, now) is not None
    if look_at is None or look_at > now or is_paused:
        return
    if not database.transact(
        lambda c: watches.claim(c, name, database.now(c), database.now(c) + TRY_AGAIN_AFTER)
    ):
        return
    try:
        watch = set_up(works, name)
    except TROUBLE as trouble:
        log.warning("webhooks_not_kept_up", connection=name, why=trouble.user_message)
    else:
        log.info("webhooks_kept_up", connection=name, detail=watch.detail)


def _next_look(watch: Watch, now: datetime) -> datetime:
    """Return when to look again: at half of its time, so that a try may fail."""
    daily = now + LOOK_EVERY
    return daily if watch.ends_at is None else min(daily, now + (watch.ends_at - now) / 2)


def _connector(works: Works, name: str) -> Connector:
    return works.open_sync(_mappings(works, name)[0]).connector


def _mappings(works: Works, name: str) -> list[SyncMapping]:
    return [mapping for mapping in works.configuration.mappings if mapping.connection == name]
