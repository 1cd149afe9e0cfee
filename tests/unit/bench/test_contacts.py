"""The people that are pushed."""

from __future__ import annotations

import pytest

from bench.contacts import CHANGING, TRAITS, identify, number_of, traits
from bench.crms import CRMS, Crm

EVERY_CRM = pytest.mark.parametrize("crm", CRMS.values(), ids=CRMS)


def test_exactly_three_of_ten_traits_change_from_round_to_round() -> None:
    """Whoever it is, the next round differs in the three changing traits and in no other."""
    for person in range(200):
        before, after = traits(person, 4, "here"), traits(person, 5, "here")
        assert tuple(before) == TRAITS
        assert {name for name in TRAITS if before[name] != after[name]} == set(CHANGING)


@EVERY_CRM
def test_ten_fields_of_every_crm_are_mapped_and_three_change(crm: Crm) -> None:
    """What is measured of one CRM is measured of all: ten fields, of which three change."""
    before, after = crm.record(traits(3, 4, "here")), crm.record(traits(3, 5, "here"))
    assert list(before) == list(crm.fields)
    assert len(before) == len(TRAITS)
    changed = {name for name in before if before[name] != after[name]}
    assert {crm.fields[name] for name in changed} == set(CHANGING)


def test_people_differ_in_their_address() -> None:
    """No two people share an e-mail, neither within a population nor across two."""
    addresses = {traits(person, 0, where)["email"] for person in range(500) for where in "ab"}
    assert len(addresses) == 1000


def test_an_address_tells_whose_it_is() -> None:
    """The number of a person is found again in their address."""
    for person in range(200):
        assert number_of(traits(person, 1, "here")["email"]) == person


def test_what_is_told_is_what_the_crm_should_hold() -> None:
    """The traits of the call are the values that are looked for in the CRM afterwards."""
    assert identify(7, 3, "here")["traits"] == traits(7, 3, "here")
