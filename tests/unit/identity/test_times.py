"""Instants as clients send them and as crmsync writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crmsync.identity.times import iso, parse_time

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [
        "2026-06-01T12:00:00Z",
        "2026-06-01T12:00:00.000Z",
        "2026-06-01T14:00:00+02:00",
        "2026-06-01T12:00:00",
        " 2026-06-01 12:00 ",
        1780315200,
        1780315200.0,
        1780315200000,
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_reads_what_clients_send(sent):
    """ISO 8601 with and without zone, epoch seconds and milliseconds name the same instant."""
    assert parse_time(sent) == NOON
    assert parse_time(sent).tzinfo is UTC


@pytest.mark.parametrize(
    "sent", ["", "yesterday", "2026-13-01", True, None, [], 1e300, "0001-01-01T00:00:00+10:00"]
)
def test_refuses_what_is_no_time_without_repeating_it(sent):
    """What cannot be read raises, and the message does not hold the value."""
    with pytest.raises(ValueError, match=r"not|neither") as refusal:
        parse_time(sent)
    assert str(sent) not in str(refusal.value) or sent in ("", [])


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-06-01T12:00:00.000Z"),
        (NOON.replace(microsecond=999_999), "2026-06-01T12:00:00.999Z"),
        (NOON.replace(microsecond=7), "2026-06-01T12:00:00.000Z"),
        (NOON.replace(year=1), "0001-06-01T12:00:00.000Z"),
    ],
)
def test_writes_milliseconds_and_z(moment, text):
    """The canonical form always has milliseconds, cut and not rounded."""
    assert iso(moment) == text
