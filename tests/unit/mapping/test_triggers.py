"""When a change is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crmsync.mapping.triggers import (
    REALTIME,
    Trigger,
    TriggerKind,
    cron_complaint,
    next_due,
    next_ticks,
)
from crmsync.model import RunTrigger

HOURLY, DAILY = Trigger(TriggerKind.HOURLY), Trigger(TriggerKind.DAILY)
WORKDAYS = Trigger(TriggerKind.CRON, cron="0 6 * * 1-5")
UPGRADE = Trigger(TriggerKind.EVENT, events=frozenset({"plan_upgraded"}))
LINGER = timedelta(seconds=2)


def at(text: str) -> datetime:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("trigger", "now", "due"),
    [
        (REALTIME, "2026-01-02T10:00:00", "2026-01-02T10:00:02"),
        (HOURLY, "2026-01-02T10:00:00", "2026-01-02T11:00:00"),
        (HOURLY, "2026-01-02T10:59:59.999999", "2026-01-02T11:00:00"),
        (DAILY, "2026-01-02T00:00:00", "2026-01-03T00:00:00"),
        (DAILY, "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        (WORKDAYS, "2026-01-02T06:00:00", "2026-01-05T06:00:00"),
        (WORKDAYS, "2026-01-02T05:59:59.5", "2026-01-02T06:00:00"),
    ],
)
def test_the_next_time_is_strictly_later(trigger, now, due):
    """A change made on the hour waits for the next: this hour's tick may have run."""
    assert next_due(trigger, at(now), LINGER) == at(due)


def test_an_event_trigger_has_no_time():
    """It waits until the event comes."""
    assert next_due(UPGRADE, at("2026-01-02"), LINGER) is None
    assert next_ticks(UPGRADE, at("2026-01-02"), 5) == []
    assert next_ticks(REALTIME, at("2026-01-02"), 5) == []


def test_ticks_are_in_utc_whatever_the_zone_of_the_asker():
    """Half-hour zones included."""
    zone = timezone(timedelta(hours=5, minutes=30))
    now = at("2026-01-02T10:30:00").astimezone(zone)
    expected = [at("2026-01-02T11:00:00"), at("2026-01-02T12:00:00")]
    assert next_ticks(HOURLY, now, 2) == expected
    assert next_ticks(DAILY, now, 1) == [at("2026-01-03")]
    assert next_ticks(Trigger(TriggerKind.CRON, cron="0 * * * *"), now, 2) == expected


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 6 * * 1-5", None),
        ("*/5 * * * *", None),
        ("0 0 29 2 *", None),
        ("0 0 L * MON", None),
        ("61 * * * *", "bad minute in the cron expression"),
        ("0 0 30 2 *", "bad day-of-month in the cron expression"),
        ("0 0 LW * */6", "this cron expression never comes due"),
        ("* * * * * *", "a cron expression has five fields"),
        ("@daily", "a cron expression has five fields"),
        ("", "a cron expression has five fields"),
        ("1," * 60 + "1 * * * *", "a cron expression has five fields"),
    ],
)
def test_a_cron_expression_is_checked_when_it_is_read(expression, complaint):
    """One that never comes due is as wrong as one that cannot be read."""
    found = cron_complaint(expression)
    assert (found or "").startswith(complaint or "")
    assert (found is None) is (complaint is None)


def test_kinds_are_those_of_runs():
    """A tick opens a run of its kind."""
    assert [RunTrigger(kind) for kind in TriggerKind]


def test_a_trigger_writes_itself_as_the_file_does():
    """For `crmsync schedule`."""
    assert [str(t) for t in (REALTIME, WORKDAYS, UPGRADE)] == [
        "realtime",
        "cron 0 6 * * 1-5",
        "event plan_upgraded",
    ]
