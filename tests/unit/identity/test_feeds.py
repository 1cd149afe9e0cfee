"""Many calls at once."""

from __future__ import annotations

import json

import pytest

from crmsync.errors import EventRejected
from crmsync.identity.feeds import decode_json, read_batch, read_lines
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Rules
from crmsync.model import Event
from tests.unit.identity.story import NOON

ARRIVAL = Arrival("web", NOON, Rules())


def test_one_bad_call_takes_no_other_with_it():
    """Each call of a batch is an event or a refusal, in order."""
    calls = [
        {"type": "page", "userId": "u1"},
        "nonsense",
        {"type": "dance", "userId": "u1"},
        {"userId": "u1"},
        {"type": "track", "userId": "u1"},
        {"type": "page", "userId": "u2"},
    ]
    read = read_batch({"batch": calls}, ARRIVAL, [])
    assert [isinstance(one, Event) for one in read] == [True, False, False, False, False, True]
    assert [one.user_message.split(";")[0] for one in read[1:5]] == [
        "a call is one JSON object, {...}",
        "type is missing or is not one of identify, track, page, screen, group, alias",
        "type is missing or is not one of identify, track, page, screen, group, alias",
        "event is missing",
    ]


def test_a_batch_lends_its_calls_what_they_lack():
    """`sentAt` and `context` of a batch count for all its calls; a call's own go before."""
    calls = [
        {"type": "page", "userId": "u1", "timestamp": "2026-06-01T09:00:00Z"},
        {"type": "page", "userId": "u1", "context": {"ip": "own", "traits": {"plan": "pro"}}},
    ]
    context = {"ip": "shared", "bad": float("nan")}
    notes = []
    body = {"batch": calls, "sentAt": "2026-06-01T10:00:00Z", "context": context}
    first, second = read_batch(body, ARRIVAL, notes)
    assert first.at.hour == 11
    assert (first.context, second.context["ip"]) == ({"ip": "shared"}, "own")
    assert len(notes) == 1


@pytest.mark.parametrize("body", [{}, {"batch": {}}, {"batch": None}])
def test_a_batch_without_calls_is_refused(body):
    """There must be a list of calls."""
    with pytest.raises(EventRejected, match="batch is missing or is not a list"):
        read_batch(body, ARRIVAL, [])


def test_a_malformed_line_among_a_thousand_is_reported_by_number():
    """Line 500 is refused with the place of the mistake; the other 999 are taken."""
    lines = [json.dumps({"type": "page", "userId": f"u{n}"}).encode() for n in range(1, 1001)]
    lines[499] = b'{"type": "page", "userId": '
    read = list(read_lines(lines, ARRIVAL, []))
    refused = [(number, one) for number, one in read if isinstance(one, EventRejected)]
    assert len(read) == 1000
    assert [number for number, _ in refused] == [500]
    assert "not JSON: it ends before it is complete" in refused[0][1].user_message


def test_blank_lines_count_but_say_nothing():
    """Numbers are those of the file."""
    lines = [b"\n", b'{"type": "page", "userId": "u1"}\n', b"  \n"]
    assert [number for number, _ in read_lines(lines, ARRIVAL, [])] == [2]


def test_json_that_strict_parsers_refuse_is_still_read():
    """NaN and half surrogate pairs are parsed, so that they can be refused by field."""
    assert decode_json(b'{"a": NaN, "b": "\\ud800"}')["b"] == "\ud800"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff\xfe", "not UTF-8|not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"", "not JSON"),
        (b"1" * 5000, "huge number"),
        (b'{"a": \n x}', "line 2, column 2"),
        (b'{"a": "x', "unterminated string starting at column 7"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text, why):
    """Broken text is a refusal with the place, never a crash."""
    with pytest.raises(EventRejected, match=why):
        decode_json(text)
