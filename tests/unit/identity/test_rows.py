"""Rows of a CSV of people."""

from __future__ import annotations

import pytest

from crmsync.errors import EventRejected
from crmsync.identity.reading import Arrival
from crmsync.identity.rows import read_person_row
from crmsync.identity.rules import Rules, TraitType
from crmsync.model import EventType
from tests.unit.identity.story import NOON

RULES = Rules(trait_types={"seats": TraitType.NUMBER, "vip": TraitType.BOOLEAN})


def read(row):
    """Read a row that came at noon."""
    return read_person_row(row, Arrival("people.csv", NOON, RULES, live=False), [])


def test_a_row_identifies_a_person():
    """Id columns name the person, the others are traits, empty cells say nothing."""
    event = read(
        {
            "user_id": "7",
            "email": "Ann@B.example",
            "firstName": "Ann",
            "plan": "",
            "company": "Acme",
        }
    )
    assert (event.type, event.user_id, event.email) == (EventType.IDENTIFY, "7", "ann@b.example")
    assert event.traits == {
        "email": "ann@b.example",
        "first_name": "Ann",
        "company": {"id": None, "name": "Acme", "traits": {"name": "Acme"}},
    }
    assert event.at == NOON


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("seats", "5", 5),
        ("seats", "5.5", 5.5),
        ("company_size", "12", 12),
        ("vip", "Yes", True),
        ("vip", "0", False),
        ("created_at", "1780315200", "2026-06-01T12:00:00.000Z"),
        ("created_at", "20260601", "2026-06-01T00:00:00.000Z"),
        ("zip", "01234", "01234"),
        ("seats", "five", "five"),
    ],
)
def test_a_cell_is_read_as_its_declared_type(column, cell, value):
    """Numbers, booleans and times are read where declared; everything else stays text."""
    assert read({"user_id": "7", column: cell}).traits == {column: value}


def test_a_row_with_too_many_cells_is_read_by_its_header():
    """What `csv.DictReader` puts under None is no trait."""
    assert read({"user_id": "7", None: ["x"]}).traits == {}


def test_a_row_without_anybody_is_refused():
    """A row needs an id or an e-mail."""
    with pytest.raises(EventRejected, match="userId, email and anonymousId are all missing"):
        read({"user_id": "", "plan": "pro"})


def test_importing_a_row_again_says_it_again():
    """A row without a time has a new message id each time: it may follow other changes."""
    row = {"user_id": "7", "plan": "pro"}
    assert read(row).message_id != read(row).message_id
