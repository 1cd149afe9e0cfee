"""Reading files: a bad line is refused with its number, and the next one is taken."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from crmsync.cli import feeds
from crmsync.errors import ConfigError, EventRejected
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Rules

ARRIVAL = Arrival("file", datetime(2026, 11, 1, tzinfo=UTC), Rules(), live=False)


def lines(*texts):
    """Read JSON lines: [(number, user id or reason)]."""
    stream = io.BytesIO("\n".join(texts).encode("utf-8", "surrogatepass"))
    return [_told(n, read) for n, read in feeds.json_events(stream, ARRIVAL, [])]


def rows(text):
    """Read a CSV: [(number, user id or reason)]."""
    read = feeds.csv_people(io.StringIO(text, newline=""), ARRIVAL, [])
    return [_told(n, one) for n, one in read]


def _told(number, read):
    return number, read.user_message if isinstance(read, EventRejected) else read.user_id


def call(user_id, **traits):
    """One line of an identify call."""
    return json.dumps({"type": "identify", "userId": user_id, "traits": traits})


def test_a_malformed_line_in_a_thousand_keeps_nobody_else_out():
    """999 of 1,000 lines are events; line 500 is refused by number."""
    read = lines(*(call(f"u{n}") if n != 500 else '{"type": bad' for n in range(1, 1001)))
    assert len(read) == 1000
    assert [n for n, told in read if told != f"u{n}"] == [500]
    assert read[499][1].startswith("not JSON")


@pytest.mark.parametrize(
    "bad",
    ["[]", "7", '{"type": "dance", "userId": "u"}', '{"type": "identify"}', "\x00", "{" * 100_000],
)
def test_what_is_no_call_is_refused_and_the_next_line_taken(bad):
    """Wrong shapes, NUL and absurd nesting are refusals, not the end."""
    first, second = lines(bad, call("u2"))
    assert first[1] != "u2"
    assert second == (2, "u2")


@pytest.mark.parametrize("value", ["NaN", '"\\ud800"', '"\\u0000"', '"' + "x" * 2_000_000 + '"'])
def test_a_trait_that_cannot_be_kept_does_not_cost_its_call(value):
    """NaN, half a surrogate pair, NUL and 2 MB of text are left out or cleaned; the call counts."""
    line = '{"type": "identify", "userId": "u1", "traits": {"odd": ' + value + "}}"
    assert lines(line) == [(1, "u1")]


def test_a_line_without_end_is_skipped_in_bounded_memory(monkeypatch):
    """What is longer than the limit is refused, and the line after it keeps its number."""
    monkeypatch.setattr(feeds, "MAX_LINE_BYTES", 100)
    assert lines("x" * 950, call("u2")) == [
        (1, "the line is longer than 8 MiB; send the call in parts"),
        (2, "u2"),
    ]


def test_a_csv_of_people_becomes_identify_events():
    """The heading names ids and traits; a row with too many cells is refused by number."""
    read = rows('user_id,plan\nu1,pro\nu2,"a\nb"\nu3,x,y\n')
    assert [number for number, _ in read] == [2, 4, 5]
    assert [told for _, told in read][:2] == ["u1", "u2"]
    assert "3 cells under 2 names" in read[2][1]


@pytest.mark.parametrize(
    ("heading", "words"),
    [("plan,size", "user_id"), ("email,plan,plan", "twice: plan"), ("", "user_id")],
)
def test_a_csv_that_is_not_about_people_is_refused_at_once(heading, words):
    """Without a column that names people, or with a name twice, nothing is read."""
    with pytest.raises(ConfigError, match=words):
        rows(heading + "\n1,2\n")
