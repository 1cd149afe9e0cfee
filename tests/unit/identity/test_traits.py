"""Traits as sent -> traits as held."""

from __future__ import annotations

import pytest

from crmsync.identity.rules import NoteCode, Rules, TraitType
from tests.unit.identity.story import call


@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ({"firstName": "Ann", "lastName": "Bee"}, {"first_name": "Ann", "last_name": "Bee"}),
        ({"custom": {"tier": 1, "x": None}}, {"custom_tier": 1, "custom_x": None}),
        ({"custom": "yes"}, {"custom": "yes"}),
        ({"plan": None}, {"plan": None}),
        ({"email": " Ann@B.Example "}, {"email": "ann@b.example"}),
        ({"createdAt": 1780315200}, {"created_at": "2026-06-01T12:00:00.000Z"}),
        ({"created_at": "2026-06-01"}, {"created_at": "2026-06-01T00:00:00.000Z"}),
        ({"signup_at": 1780315200000}, {"signup_at": 1780315200000}),
        ({"is_admin": True, "tags": ["a"]}, {"is_admin": True, "tags": ["a"]}),
        ({"avatar": "https://b.example/a.png"}, {"avatar": "https://b.example/a.png"}),
        ({"company_size": 4}, {"company_size": 4}),
    ],
)
def test_brings_traits_to_one_shape(sent, held):
    """Standard names have one spelling, custom is flat, any other trait is as it was sent."""
    assert call("identify", userId="u1", traits=sent).traits == held


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"email": "nobody"}, "traits.email is not an e-mail address"),
        ({"email": 5}, "traits.email is not an e-mail address"),
        ({"avatar": "/me.png"}, "traits.avatar is not an absolute http or https URL"),
        ({"avatar": "javascript:alert(1)"}, "traits.avatar is not an absolute"),
        ({"created_at": "soon"}, "traits.created_at is not an ISO 8601 time"),
        ({"sessions": 99}, "traits.sessions is kept by crmsync itself"),
        ({"last_seen": "x"}, "traits.last_seen is kept by crmsync itself"),
        ({"": 1}, "a trait has an empty name"),
        ({"n" * 201: 1}, "a trait has a name of more than 200"),
        ({"company": {"size": 5}}, "traits.company has neither an id nor a name"),
        ({"company": 5}, "traits.company has neither an id nor a name"),
    ],
)
def test_leaves_out_what_cannot_be_right(sent, why):
    """A wrong standard trait is left out with a note; the rest of the call counts (G6, G8)."""
    notes = []
    event = call("identify", notes=notes, userId="u1", traits={**sent, "plan": "pro"})
    assert event.traits == {"plan": "pro"}
    assert notes[-1].code is NoteCode.VALUE_DROPPED
    assert notes[-1].detail.startswith(why)


@pytest.mark.parametrize(
    ("sent", "company", "own"),
    [
        ({"company": "Acme"}, {"id": None, "name": "Acme", "traits": {"name": "Acme"}}, {}),
        ({"company_name": "Acme"}, {"id": None, "name": "Acme", "traits": {"name": "Acme"}}, {}),
        (
            {"company": {"id": 7, "name": "Acme", "employee_count": 5, "position": "CEO"}},
            {"id": "7", "name": "Acme", "traits": {"name": "Acme", "size": 5}},
            {"company_position": "CEO"},
        ),
        (
            {"company_size": 5, "company_name": "Acme", "company_industry": "food"},
            {"id": None, "name": "Acme", "traits": {"name": "Acme", "size": 5, "industry": "food"}},
            {},
        ),
        (
            {"company": {"id": "c1"}, "company_name": "Acme"},
            {"id": "c1", "name": "Acme", "traits": {"name": "Acme"}},
            {},
        ),
        ({"company": None}, None, {}),
    ],
)
def test_sets_apart_what_is_said_of_the_company(sent, company, own):
    """A company as text, as an object or in flat traits becomes one statement about it."""
    assert call("identify", userId="u1", traits=sent).traits == {"company": company, **own}


def test_a_group_call_carries_traits_of_the_company():
    """Names of a company's traits have one spelling too, and its id is not among them."""
    event = call(
        "group", userId="u1", groupId="g1", traits={"id": "g1", "employees": 9, "name": "A"}
    )
    assert event.traits == {"size": 9, "name": "A"}
    assert event.group_id == "g1"


def test_a_declared_date_is_read_from_what_clients_send():
    """A trait declared as date or datetime is brought to its canonical text."""
    rules = Rules(trait_types={"born": TraitType.DATE, "signup_at": TraitType.DATETIME})
    event = call(
        "identify", rules, userId="u", traits={"born": "2001-02-03T04:05:06Z", "signup_at": 0}
    )
    assert event.traits == {"born": "2001-02-03", "signup_at": "1970-01-01T00:00:00.000Z"}
