"""The people that are pushed."""

from __future__ import annotations

from bench.contacts import CHANGING, FIELDS, fields, identify, is_as_told


def test_exactly_three_of_ten_fields_change_from_round_to_round() -> None:
    """Whoever it is, the next round differs in the three changing fields and in no other."""
    for person in range(200):
        before, after = fields(person, 4, "here"), fields(person, 5, "here")
        assert tuple(before) == tuple(FIELDS)
        assert {name for name in FIELDS if before[name] != after[name]} == set(CHANGING)


def test_people_differ_in_their_address() -> None:
    """No two people share an e-mail, neither within a population nor across two."""
    addresses = {fields(person, 0, where)["email"] for person in range(500) for where in "ab"}
    assert len(addresses) == 1000


def test_what_is_told_is_what_the_crm_should_hold() -> None:
    """The traits of the call are the values that are looked for in the CRM afterwards."""
    said, held = identify(7, 3, "here")["traits"], fields(7, 3, "here")
    assert {name: said[trait] for name, trait in FIELDS.items()} == held
    assert is_as_told(held, 3, "here")
    assert not is_as_told(held, 2, "here")
