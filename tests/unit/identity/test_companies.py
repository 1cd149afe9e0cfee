"""Which company a call speaks of, and who belongs to it."""

from __future__ import annotations

from crmsync.identity.facts import facts
from crmsync.model import ProfileKind
from tests.unit.identity.story import Story, at

COMPANY = ProfileKind.COMPANY


def of(story, user_id="u1"):
    """Give the facts of a person with their company."""
    person = story.find("user_id", user_id)
    return facts(person, story.world.profiles.get(person.company_id))


def test_a_group_call_makes_the_company_and_lets_the_person_belong():
    """The company's traits are its own; the person's facts show them."""
    story = Story()
    outcome = story.tell(
        ("group", {"userId": "u1", "groupId": "g1", "traits": {"name": "Acme", "employees": 9}})
    )
    [company] = story.all(COMPANY)
    person = story.find("user_id", "u1")
    assert (company.user_id, company.traits) == ("g1", {"name": "Acme", "size": 9})
    assert person.company_id == company.id
    assert outcome.owners == [person.id]
    assert {"company", "company_name", "company_size", "company_id"} <= outcome.touched[
        person.id
    ].changed
    assert outcome.touched[company.id].changed == {"profile_id", "group_id", "name", "size"}
    shown = of(story)
    assert (shown["company"], shown["company_size"], shown["company_id"]) == ("Acme", 9, "g1")


def test_a_group_call_without_a_person_is_about_the_company_alone():
    """Its owner is the company's profile."""
    story = Story()
    outcome = story.tell(("group", {"groupId": "g1", "traits": {"name": "Acme"}}))
    [company] = story.all(COMPANY)
    assert outcome.owners == [company.id]
    assert story.all() == []


def test_a_company_known_by_name_gets_its_id_later():
    """A provisional company is upgraded by the first call with name and id; nobody moves."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"company": "  ACME   gmbh "}}))
    [company] = story.all(COMPANY)
    outcome = story.tell(
        ("identify", {"userId": "u2", "traits": {"company": {"id": "c1", "name": "Acme GmbH"}}})
    )
    assert story.all(COMPANY) == [company]
    assert company.user_id == "c1"
    assert "group_id" in outcome.touched[company.id].changed
    assert of(story, "u1")["company_id"] == "c1"


def test_a_name_joins_its_provisional_company_to_the_one_with_an_id():
    """When an id's company turns out to bear the name, the provisional one merges into it."""
    story = Story()
    story.tell(
        ("identify", {"userId": "u1", "traits": {"company": "Acme"}}),
        ("group", {"userId": "u2", "groupId": "g1"}),
    )
    provisional, company = story.find("company_name", "acme"), story.find("group_id", "g1")
    outcome = story.tell(("group", {"groupId": "g1", "traits": {"name": "Acme"}}))
    [merge] = outcome.merges
    assert (merge.winner, merge.loser, merge.evidence) == (
        company.id,
        provisional.id,
        "company_name",
    )
    assert story.find("user_id", "u1").company_id == company.id


def test_two_companies_with_ids_never_become_one():
    """A shared name stays with the first of them."""
    story = Story()
    for group_id in ("g1", "g2"):
        story.tell(("group", {"groupId": group_id, "traits": {"name": "Acme"}}))
    assert len(story.all(COMPANY)) == 2
    assert story.find("company_name", "acme").user_id == "g1"


def test_group_id_and_company_id_are_one_space():
    """`company.id` and `groupId` of the same value are the same company."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"company": {"id": "7"}}}))
    story.tell(("group", {"userId": "u2", "groupId": "7"}))
    assert len(story.all(COMPANY)) == 1


def test_a_renamed_company_keeps_its_old_name_as_a_name():
    """Whoever is said to belong to the old name belongs to the renamed company."""
    story = Story()
    story.tell(("group", {"groupId": "g1", "traits": {"name": "Acme"}}))
    story.tell(("group", {"groupId": "g1", "traits": {"name": "Apex"}}))
    story.tell(("identify", {"userId": "u1", "traits": {"company": "Acme"}}))
    assert of(story)["company"] == "Apex"


def test_the_newest_statement_decides_where_a_person_belongs():
    """A late older call does not move them back."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "timestamp": at("11:00"),
                             "traits": {"company": "New"}}))  # fmt: skip
    outcome = story.tell(("group", {"userId": "u1", "timestamp": at("10:00"), "groupId": "old",
                                    "traits": {"name": "Old"}}))  # fmt: skip
    assert of(story)["company"] == "New"
    assert outcome.touched[story.find("user_id", "u1").id].changed == {
        "identified_at",
        "created_at",
    }


def test_leaving_a_company_clears_its_facts():
    """`company: null` unsets it, and every fact of the company left counts as changed."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"company": {"name": "Acme", "tier": 1}}}))
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"company": None}}))  # fmt: skip
    person = story.find("user_id", "u1")
    assert person.company_id is None
    assert {"company", "company_name", "company_tier", "company_size"} <= outcome.touched[
        person.id
    ].changed
    assert "company" not in of(story)


def test_only_what_changed_of_the_company_changes_for_the_person():
    """A second colleague with nothing new has no changed company fact."""
    story = Story()
    body = {"userId": "u1", "traits": {"company": {"id": "c1", "name": "Acme", "size": 5}}}
    story.tell(("identify", body))
    grown = {**body["traits"]["company"], "size": 6}
    outcome = story.tell(("identify", {"userId": "u1", "traits": {"company": grown}}))  # fmt: skip
    assert outcome.touched[story.find("user_id", "u1").id].changed == {"company_size"}


def test_flat_company_traits_without_a_company_stay_the_persons():
    """`company_size` of an unnamed company is kept as the person's own trait."""
    story = Story()
    story.tell(("identify", {"userId": "u1", "traits": {"company_size": 5}}))
    assert of(story)["company_size"] == 5
    assert story.all(COMPANY) == []
