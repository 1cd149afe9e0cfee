"""What a mapping can read of a profile."""

from __future__ import annotations

import hashlib

import pytest

from crmsync.identity.facts import (
    CHANGED_WITH,
    COMPANY_FACTS,
    KNOWN_FACTS,
    changed_with,
    company_changed_with,
    facts,
    traits_behind,
)
from crmsync.identity.traits import RESERVED
from crmsync.model import Profile, ProfileId, ProfileKind
from tests.unit.identity.story import Story, at


def person(**traits):
    """Make a person who holds these traits."""
    return Profile(ProfileId("p1"), traits=traits)


def test_the_facts_of_a_person():
    """Traits, statistics and times stand side by side under their names."""
    story = Story()
    body = {"userId": "u1", "timestamp": at("09:00")}
    story.tell(
        ("identify", {**body, "traits": {"email": "ann@b.example", "name": "Ann Bee", "seats": 3}}),
        ("group", {**body, "groupId": "g1", "traits": {"name": "Acme", "tier": "gold"}}),
        ("page", {**body, "timestamp": at("10:00")}),
        ("track", {**body, "event": "plan_upgraded", "properties": {"revenue": 49}}),
    )
    profile = story.find("user_id", "u1")
    digest = hashlib.sha256(b"ann@b.example").hexdigest()
    assert facts(profile, story.world.profiles[profile.company_id]) == {
        "profile_id": "p01",
        "user_id": "u1",
        "email": "ann@b.example",
        "name": "Ann Bee",
        "first_name": "Ann",
        "last_name": "Bee",
        "avatar": f"https://www.gravatar.com/avatar/{digest}",
        "seats": 3,
        "company": "Acme",
        "company_name": "Acme",
        "company_id": "g1",
        "company_tier": "gold",
        "sessions": 2,
        "visits": 2,
        "pages_viewed": 1,
        "goals_completed": 1,
        "revenue": 49,
        "first_seen": "2026-06-01T09:00:00.000Z",
        "last_seen": "2026-06-01T10:00:00.000Z",
        "identified_at": "2026-06-01T09:00:00.000Z",
        "created_at": "2026-06-01T09:00:00.000Z",
    }


def test_the_facts_of_a_company():
    """A company's facts are its traits and its ids."""
    company = Profile(ProfileId("c1"), ProfileKind.COMPANY, user_id="g1", traits={"name": "Acme"})
    assert facts(company) == {"profile_id": "c1", "group_id": "g1", "name": "Acme"}


def test_somebody_without_visits_has_counts_of_zero():
    """Counts start at 0; everything else without a value is absent."""
    assert facts(person()) == {
        "profile_id": "p1", "sessions": 0, "visits": 0, "pages_viewed": 0, "goals_completed": 0,
        "revenue": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("traits", "name", "first", "last"),
    [
        ({"name": "Ann Bee"}, "Ann Bee", "Ann", "Bee"),
        ({"name": " Ann  van Bee "}, " Ann  van Bee ", "Ann", "van Bee"),
        ({"name": "Ann"}, "Ann", "Ann", None),
        ({"first_name": "Ann", "last_name": "Bee"}, "Ann Bee", "Ann", "Bee"),
        ({"first_name": "Ann"}, "Ann", "Ann", None),
        ({"last_name": "Bee"}, "Bee", None, "Bee"),
        ({"name": "A. Bee", "first_name": "Ann"}, "A. Bee", "Ann", None),
        ({}, None, None, None),
    ],
)
def test_names_are_derived_both_ways(traits, name, first, last):
    """`name` comes from its parts when unset, the parts from `name` when both are unset (G7)."""
    found = facts(person(**traits))
    assert (found.get("name"), found.get("first_name"), found.get("last_name")) == (
        name,
        first,
        last,
    )


def test_an_own_avatar_and_creation_date_go_before_the_defaults():
    """Defaults stand in only where nothing was said (G8, G9)."""
    story = Story()
    own = {"avatar": "https://b.example/a.png", "created_at": "2020-01-01"}
    story.tell(("identify", {"email": "ann@b.example", "traits": own}))
    profile = story.find("email", "ann@b.example")
    found = facts(profile)
    assert found["avatar"] == "https://b.example/a.png"
    assert found["created_at"] == "2020-01-01T00:00:00.000Z"
    assert profile.created_at.year == 2020


def test_every_fact_kept_by_crmsync_is_known_and_reserved():
    """No trait can pose as a statistic, and mappings are checked against all of them."""
    computed = facts(person()).keys() | {"user_id", "first_seen", "last_seen", "identified_at"}
    assert computed <= RESERVED <= KNOWN_FACTS.keys()
    assert {"name", "size", "profile_id", "group_id"} <= COMPANY_FACTS.keys()


def test_changed_with_covers_every_derived_fact():
    """Setting any trait changes no fact outside what `changed_with` says."""
    bases = [{}, {"name": "Ann Bee"}, {"first_name": "Ann"}, {"last_name": "Bee"}]
    for base in bases:
        for trait in [*CHANGED_WITH, "plan", "avatar", "created_at"]:
            before = facts(person(**base))
            after = facts(person(**{**base, trait: "x@y.example"}))
            differing = {n for n in before | after if before.get(n) != after.get(n)}
            assert differing <= changed_with(trait)


def test_the_traits_behind_facts_are_those_of_both_kinds():
    """A fact of a person may be a trait of their company."""
    assert traits_behind(["score", "company_tier"]) == {"score", "company_tier", "tier"}


def test_a_companys_facts_change_its_peoples():
    """The names of a person's facts follow from those of the company."""
    assert company_changed_with(["name", "size", "group_id"]) == {
        "company",
        "company_name",
        "company_size",
        "company_id",
    }
