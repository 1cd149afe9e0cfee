"""When a change is due to be sent: at once, on the hour, daily, by cron, or with an event.

All schedules are in UTC. A trigger knows no clock: the present time is a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from cronsim import CronSim, CronSimError

_CRON_FIELDS: Final = 5
_CRON_LENGTH: Final = 100
_MIDNIGHT: Final = datetime(2024, 1, 1, tzinfo=UTC)


class TriggerKind(StrEnum):
    """What sets a trigger off; the values are those of `model.RunTrigger`."""

    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    CRON = "cron"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger of a mapping or of a field."""

    kind: TriggerKind
    cron: str = ""
    """Five fields, in UTC; only for `CRON`."""
    events: frozenset[str] = frozenset()
    """Names of tracked events; only for `EVENT`."""

    def __str__(self) -> str:
        """Write it as the file does, for `crmsync schedule`."""
        if self.kind is TriggerKind.CRON:
            return f"cron {self.cron}"
        if self.kind is TriggerKind.EVENT:
            return f"event {', '.join(sorted(self.events))}"
        return str(self.kind)


REALTIME: Final = Trigger(TriggerKind.REALTIME)
_STEPS: Final = {TriggerKind.HOURLY: timedelta(hours=1), TriggerKind.DAILY: timedelta(days=1)}


def next_due(trigger: Trigger, now: datetime, linger: timedelta) -> datetime | None:
    """Return when a change made now is to be sent; None where it waits for an event.

    `linger` is how long a real-time change waits for others, so that a burst is one write.
    """
    if trigger.kind is TriggerKind.REALTIME:
        return now + linger
    return next(iter(next_ticks(trigger, now, 1)), None)


def next_ticks(trigger: Trigger, after: datetime, count: int) -> list[datetime]:
    """Return the next ticks of a schedule, strictly later than `after`; none without a schedule."""
    if trigger.cron:
        return list(islice(CronSim(trigger.cron, after.astimezone(UTC)), count))
    step = _STEPS.get(trigger.kind)
    if step is None:
        return []
    last = after.astimezone(UTC) - (after - _MIDNIGHT) % step
    return [last + step * ahead for ahead in range(1, count + 1)]


def cron_complaint(expression: str) -> str | None:
    """Say what is wrong with a cron expression, if anything."""
    if len(expression.split()) != _CRON_FIELDS or len(expression) > _CRON_LENGTH:
        return "a cron expression has five fields: minute hour day-of-month month day-of-week"
    try:
        next(CronSim(expression, _MIDNIGHT))
    except CronSimError as error:
        return f"{str(error)[:1].lower()}{str(error)[1:]} in the cron expression"
    except StopIteration:
        return "this cron expression never comes due"
    return None
