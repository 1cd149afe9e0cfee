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


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ('{"type": bad}', "not JSON: expecting value at column 10"),
        ('{"type": "identify"', "not JSON: it ends before it is complete"),
        ('{"type": "identify", "userId": "u"},', "something follows the first value at column 36"),
        ('[{"type": "identify"}]', "a call is one JSON object, {...}; this is a list of several"),
        ('"x"', "a call is one JSON object, {...}"),
        ('{"userId": "u"}', "type is missing or is not one of identify, track"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_names_no_line_of_its_own(bad, words):
    """The reader gives the line's number; a second one, within the line, would only confuse."""
    ((number, told),) = lines(bad)
    assert number == 1
    assert words in told
    assert "line 1" not in told
    assert "line 2" not in told


def test_a_quote_that_is_never_closed_swallows_nobody_silently():
    """The rows that it took along are named; those before it count."""
    read = rows('user_id,name\nu1,Ann\nu2,"Bob\nu3,Cyd\nu4,Dan\n')
    assert read[0] == (2, "u1")
    number, told = read[1]
    assert number == 3
    assert 'a quote (") is opened and never closed; lines 3 to 5 were not taken' in told


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",,pro\n", "user_id and email say nothing: nobody knows who this is"),
        ("u1,,caf\udce9\n", "the text is not UTF-8; convert it first"),
        ('u1,,"a"b\n', "not CSV: ',' expected after '\"'"),
    ],
)
def test_a_bad_row_is_told_in_the_words_of_a_table(row, told):
    """Columns are named as the heading names them."""
    assert rows("user_id,email,plan\n" + row) == [(2, told)]


def test_rows_of_nothing_are_passed_over():
    """Spreadsheets leave rows of commas at the end of what they write."""
    assert rows("user_id,email\n,\nu1,\n , \n") == [(3, "u1")]


def test_a_csv_of_another_make_is_told_apart():
    """The heading is repeated, and what seems to part its cells is named."""
    with pytest.raises(ConfigError, match="parted by ';', not by commas"):
        rows("user_id;email\nu1;x\n")
