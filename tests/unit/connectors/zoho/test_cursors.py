"""Cursors: where a walk stands, and from where the next one begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.connectors.zoho.cursors import BEGINNING, OVERLAP, Cursor, Place
from crmsync.errors import ConfigError

NOW = datetime(2024, 7, 16, 9, 31, 2, tzinfo=UTC)
OLD = Place(NOW - OVERLAP, "17")
NEW = Place(NOW - OVERLAP + timedelta(seconds=1), "18")


def test_without_a_cursor_all_is_read():
    """From the beginning, and what is listed apart without a bound."""
    assert Cursor.read(None) == Cursor(BEGINNING, None, None)


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor(),
        Cursor(Place(NOW)),
        Cursor(OLD),
        Cursor(NEW, since=NOW - OVERLAP),
        Cursor(NEW, since=NOW - OVERLAP, listed=NOW),
    ],
)
def test_a_cursor_survives_as_text(cursor):
    """What is written is read."""
    assert Cursor.read(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "{}", "[]", "2024", '{"at": "soon"}', '{"at": 7}'])
def test_what_is_no_cursor_is_refused(text):
    """Rather than taken for the beginning, or for now."""
    with pytest.raises(ConfigError, match="read all of it again"):
        Cursor.read(text)


def test_what_is_settled_is_not_read_again():
    """What was changed five minutes ago cannot be joined by anything older."""
    cursor = Cursor().passed(OLD, NOW)
    assert cursor.ended() == cursor == Cursor(OLD)


def test_what_is_not_settled_is_read_again():
    """The next walk begins where this one left the settled part, however long it went on."""
    cursor = Cursor().passed(NEW, NOW)
    assert cursor.place == NEW
    later = cursor.passed(Place(NOW + OVERLAP, "19"), NOW + 3 * OVERLAP)
    assert later.ended() == Cursor(Place(NOW - OVERLAP))


def test_lists_are_read_again_for_as_long():
    """A deletion may be listed late as well."""
    assert Cursor(OLD).having_listed(NOW) == Cursor(OLD, listed=NOW - OVERLAP)
