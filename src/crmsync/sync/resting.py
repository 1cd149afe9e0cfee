"""How long a connection, or one sync, is left alone when something is wrong with all of it."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Connection

from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RetryLater,
)
from crmsync.mapping.compiled import SyncMapping
from crmsync.store import schemas, state
from crmsync.store.state import SyncState
from crmsync.sync.context import Store
from crmsync.sync.delivery import (
    BACKFILL,
    FIRST_REST_SECONDS,
    HALT_SECONDS,
    MISFIT,
    UNREACHABLE,
    Rest,
    rest_of,
)

LONGEST_REST_SECONDS = 60.0
"""Of a connection that cannot be reached; what the CRM itself asks for may be longer."""

log = structlog.get_logger()


def rest_for(
    trouble: RetryLater | OutcomeUnknown | ConnectionHalted | BatchRejected | ConfigError,
) -> Rest:
    """Return the rest that trouble with a whole sync asks for."""
    match trouble:
        case RetryLater():
            return rest_of(trouble)
        case OutcomeUnknown():
            return Rest(FIRST_REST_SECONDS, UNREACHABLE, trouble.user_message)
        case ConnectionHalted():
            return Rest(HALT_SECONDS, trouble.cause, trouble.user_message)
        case _:  # nothing can be read, described or matched: the mapping does not fit the CRM
            return Rest(HALT_SECONDS, MISFIT, trouble.user_message)


def leave_alone(store: Store, mapping: SyncMapping, rest: Rest) -> None:
    """Keep every worker from the connection for a while, or from a mapping that does not fit it.

    Each cause raises one alarm, by the first that meets it: further rests are for information until
    the connection does again what it is asked.
    """
    database = store.database

    def work(connection: Connection) -> bool:
        misses = _misses(connection, mapping, rest)
        until = database.now(connection) + timedelta(seconds=_patience(rest, misses))
        if rest.cause == MISFIT:
            schemas.forget_schema(connection, mapping.connection, mapping.object_type)
            state.rest_sync(
                connection,
                SyncState(mapping.sync, mapping.connection, mapping.object_type, None, None, None),
                until,
                rest.message,
            )
        elif rest.cause == BACKFILL:
            state.hold_backfill(connection, mapping.connection, until)
        else:
            return state.pause(connection, mapping.connection, until, rest.cause, rest.message)
        return True

    tell = log.warning if database.transact(work) else log.info
    tell("rest", sync=mapping.sync, cause=rest.cause, why=rest.message)


def _misses(connection: Connection, mapping: SyncMapping, rest: Rest) -> int:
    """Return how often in a row nobody answered, this time included; 0 where somebody did."""
    return state.count_miss(connection, mapping.connection) if rest.cause == UNREACHABLE else 0


def _patience(rest: Rest, misses: int) -> float:
    """Return how long to rest: longer each time in a row that nobody answered."""
    if not misses:
        return rest.seconds
    return max(rest.seconds, min(LONGEST_REST_SECONDS, 2.0 ** (misses - 1)))
