"""Sending batches, several at once, and turning whatever happens into one result per operation.

Runs in a small pool of threads that only speak HTTP; the database stays with the caller's thread.
No exception leaves `deliver`: the whole call's fate becomes the result of each of its operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from crmsync.connectors.base import Connector
from crmsync.connectors.departures import watch_writes
from crmsync.errors import (
    BackgroundSpent,
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)
from crmsync.model import Batch, Failure, Outcome, Result
from crmsync.planning.batches import halves

FIRST_REST_SECONDS = 1.0
"""Of a connection that answers to nothing; each further one in a row is longer."""
HALT_SECONDS = 900.0
"""How long a connection that needs a person rests before one slice tries it again."""

UNREACHABLE = "unreachable"
"""The cause of a rest because nobody answers."""
MISFIT = "mapping"
"""The cause of a rest that is the mapping's own, not the connection's."""
BACKFILL = "backfill"
"""The cause of a rest that is the backfill's alone: its share of a limit is used up."""
UNSENDABLE = "UNSENDABLE"
"""The code of what a connector fails to make a call of."""
RATE_BUDGET = "RATE_BUDGET"
"""The code of what was not sent, to keep within a limit."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rest:
    """The connection is to be left alone for a while."""

    seconds: float
    cause: str
    message: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A batch and what became of it."""

    batch: Batch
    results: Sequence[Result]
    calls: int
    rest: Rest | None = None


def deliver(connector: Connector, batch: Batch, may_start: Callable[[], bool]) -> Delivered:
    """Send one batch; what surely was not applied is halved until the record at fault is alone.

    Where the connector fails on every record of a batch, it is not the records': the sync rests.
    """
    delivered = _send(connector, batch, may_start)
    faults = [r.failure for r in delivered.results if r.failure and r.failure.code == UNSENDABLE]
    if len(faults) < max(2, len(batch.operations)):
        return delivered
    rest = Rest(HALT_SECONDS, MISFIT, faults[0].message)
    return Delivered(batch, _all(batch, Outcome.RETRY, faults[0]), 0, rest)


def _send(  # noqa: PLR0911 - one way out for each fate of a call
    connector: Connector, batch: Batch, may_start: Callable[[], bool]
) -> Delivered:
    if not may_start():
        return Delivered(batch, _all(batch, Outcome.RETRY, LEASE_ENDING), 0)
    departures = watch_writes()
    try:
        return Delivered(batch, connector.write(batch), 1)
    except BatchRejected as refusal:
        return _bisect(connector, batch, refusal, may_start)
    except OutcomeUnknown as lost:
        return Delivered(batch, _all(batch, Outcome.UNKNOWN, _lost(lost.user_message)), 1)
    except RetryLater as later:
        calls = int(later.was_sent)
        return Delivered(batch, _all(batch, Outcome.RETRY, _later(later)), calls, rest_of(later))
    except ConnectionHalted as halt:
        rest = Rest(HALT_SECONDS, halt.cause, halt.user_message)
        return Delivered(batch, _all(batch, Outcome.RETRY, _halted(halt)), 1, rest)
    except ConfigError as mistake:
        rest = Rest(HALT_SECONDS, MISFIT, mistake.user_message)
        return Delivered(batch, _all(batch, Outcome.RETRY, _misfit(mistake)), 0, rest)
    except Exception as fault:  # noqa: BLE001 - a bug in a connector must not lose what it may have sent
        if len(batch.operations) > 1 and not departures.has_left:
            return _in_halves(connector, batch, may_start, calls=0)
        # Without the trace: the frames of a connector hold records.
        kind = type(fault).__name__
        log.error("connector_fault", kind=kind, object_type=batch.object_type)  # noqa: TRY400
        if not departures.has_left:
            return Delivered(batch, _all(batch, Outcome.REJECTED, _unsendable(fault)), 0)
        return Delivered(batch, _all(batch, Outcome.UNKNOWN, _bug(fault)), 1)


LEASE_ENDING = Failure(
    code="LEASE_ENDING",
    message="not sent: we stop, the connection rests, or too little was left of the lease to be "
    "sure of one writer",
    hint="nothing to do: it is sent again",
)


def rest_of(later: RetryLater) -> Rest:
    """Return the rest that a call which may pass later asks for."""
    match later:
        case Unavailable():
            cause = UNREACHABLE
        case BackgroundSpent():
            cause = BACKFILL
        case _:
            cause = "busy"
    return Rest(later.retry_after_seconds, cause, later.user_message)


def _bisect(
    connector: Connector, batch: Batch, refusal: BatchRejected, may_start: Callable[[], bool]
) -> Delivered:
    """Deliver in halves what was refused: all of a batch, or what the refusal leaves unsettled."""
    settled = refusal.settled
    refused = [op for place, op in enumerate(batch.operations) if place not in settled]
    if not refused:
        return Delivered(batch, [settled[place] for place in range(len(batch.operations))], 1)
    part = _halve(connector, replace(batch, operations=refused), refusal, may_start)
    later = iter(part.results)
    places = range(len(batch.operations))
    results = [settled[place] if place in settled else next(later) for place in places]
    return Delivered(batch, results, part.calls, part.rest)


def _halve(
    connector: Connector, batch: Batch, refusal: BatchRejected, may_start: Callable[[], bool]
) -> Delivered:
    if len(batch.operations) == 1:
        failure = Failure(
            code=refusal.code,
            message=refusal.user_message,
            hint=refusal.hint,
            field=refusal.field,
            excerpt=refusal.excerpt,
        )
        return Delivered(batch, _all(batch, Outcome.REJECTED, failure), 1)
    return _in_halves(connector, batch, may_start, calls=1)


def _in_halves(
    connector: Connector, batch: Batch, may_start: Callable[[], bool], *, calls: int
) -> Delivered:
    """Send a batch in two parts, after so many calls for the whole of it."""
    first, second = (_send(connector, half, may_start) for half in halves(batch))
    return Delivered(
        batch,
        [*first.results, *second.results],
        first.calls + second.calls + calls,
        first.rest or second.rest,
    )


def _all(batch: Batch, outcome: Outcome, failure: Failure) -> list[Result]:
    return [Result(outcome, failure=failure)] * len(batch.operations)


def _lost(message: str) -> Failure:
    return Failure(
        code="ANSWER_LOST",
        message=message,
        hint="nothing to do: it is sent again and the record is read after the settle time",
    )


def _later(later: RetryLater) -> Failure:
    is_ours = isinstance(later, RateLimited) and not later.was_sent
    return Failure(
        code=RATE_BUDGET if is_ours else type(later).__name__.upper(),
        message=later.user_message,
        hint="nothing to do: the connection rests and goes on by itself",
    )


def _misfit(mistake: ConfigError) -> Failure:
    return Failure(
        code="MISFIT",
        message=mistake.user_message,
        hint="correct the file that it names; the sync rests until then",
    )


def _halted(halt: ConnectionHalted) -> Failure:
    return Failure(code=halt.cause.upper(), message=halt.user_message, hint=halt.hint)


def _unsendable(fault: Exception) -> Failure:
    return Failure(
        code=UNSENDABLE,
        message=f"the connector failed with {type(fault).__name__} before it sent anything",
        hint="please report this with the mapping's lines; the record waits for a new value",
    )


def _bug(fault: Exception) -> Failure:
    return Failure(
        code="CONNECTOR_FAULT",
        message=f"the connector failed with {type(fault).__name__}",
        hint="please report this; the record is looked at again after the settle time",
    )
