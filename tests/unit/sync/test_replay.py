"""What is set right by a replay besides refusals: frozen fields, and records that were deleted."""

from __future__ import annotations

import pytest

from crmsync.model import Owner
from crmsync.store import profiles
from crmsync.store.failing import FROZEN, NOTICED
from crmsync.store.links import LinkState
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from crmsync.sync.replay import choose, failure_groups, replay
from tests.unit.sync.people import NAMES, held, make_due, mapping
from tests.unit.sync.test_pull import OWNER, pushed, settle
from tests.workbench import identify, ingest, link_rows, the_sync

REASSERTED = mapping("lastname: last_name", drift="reassert", pull="{contact_owner: owner}")


@pytest.fixture
def sales(crm):
    """The CRM, with an owner field."""
    crm.schemas["contacts"]["owner"] = OWNER
    return crm


def freeze(works, sales):
    """Let another system turn our value back until the field is left alone; return the record."""
    record = pushed(works, last_name="Lee")
    for _ in range(4):
        sales.edit("contacts", record, lastname="lee")
        pull(works, "crm")
        push(the_sync(works))
        settle(works)
    return record


def causes(works):
    """Return what is wrong, by code."""
    return {group.code: (name, group) for name, group in failure_groups(works)}


def the_person(works):
    """Return the id of the only person."""
    with works.store.database.read() as connection:
        return profiles.find(connection, "u1").id


@pytest.mark.parametrize("by", ["group", "profile_id"])
def test_a_frozen_field_thaws_for_its_cause_or_its_person(works_with, sales, by):
    """It is told as long as it lasts; after the replay our value is written again."""
    works = works_with(REASSERTED)
    freeze(works, sales)
    name, group = causes(works)["FROZEN"]
    assert (group.state, group.field, group.count) == (FROZEN, "lastname", 1)
    assert group.hint
    assert held(sales)[0]["lastname"] == "lee"
    chosen = choose(works, **{by: name if by == "group" else the_person(works)})
    assert [link.state for link in chosen] == [FROZEN]
    replay(works, chosen)
    push(the_sync(works))
    assert held(sales)[0]["lastname"] == "Lee"
    assert "FROZEN" not in causes(works)


def test_a_frozen_field_is_no_matter_of_all_that_is_dead(works_with, sales):
    """`--all-dead` sends again what was refused, and thaws nothing."""
    works = works_with(REASSERTED)
    freeze(works, sales)
    assert choose(works, dead_only=True) == []


def lose(works, sales):
    """Send one person, and have their record deleted in the CRM."""
    record = pushed(works, first_name="Ann")
    sales.delete("contacts", record)
    pull(works, "crm")
    make_due(works)
    push(the_sync(works))


def test_a_deleted_record_is_made_again_for_a_person_alone(works_with, sales):
    """Not for a cause, which may be thousands; and of what a person asks for, one new record."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    lose(works, sales)
    name, group = causes(works)["RECORD_DELETED"]
    assert (group.state, group.dead) == (LinkState.SUPPRESSED, False)
    assert choose(works, group=name) == []
    assert choose(works) == []
    chosen = choose(works, profile_id=the_person(works))
    assert [link.is_deleted for link in chosen] == [True]
    replay(works, chosen)
    push(the_sync(works))
    assert [one["firstname"] for one in held(sales) if one] == ["Ann"]
    assert link_rows(works.store, "state") == [(LinkState.ACTIVE,)]
    assert causes(works) == {}


def test_what_was_noticed_is_told_with_what_to_do(works_with, sales):
    """Somebody changed a field of ours: nothing fails, and nothing is to be sent again."""
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.edit("contacts", record, firstname="Zoe")
    for _ in range(2):
        pull(works, "crm", anew=True)
    name, group = causes(works)["DRIFT"]
    assert (group.state, group.field, group.count) == (NOTICED, "firstname", 1)
    assert "reassert" in group.hint
    assert choose(works, group=name) == []


def test_a_refusal_keeps_its_words_when_the_record_is_read_back_later(works_with, sales):
    """A later entry of the same record says nothing of the refusal."""
    works = works_with(mapping(f"email: email, {NAMES}", pull="{contact_owner: owner}"))
    sales.owners = [Owner("18", "ada@acme.example", "Ada")]
    record = pushed(works, first_name="Ann")
    sales.save("contacts", None, {"email": "taken@acme.example"})
    ingest(works, [identify("u1", email="taken@acme.example")])
    make_due(works)
    push(the_sync(works))
    settle(works)
    sales.edit("contacts", record, owner="18")
    assert pull(works, "crm").counts["taken"] == 1
    ((_, group),) = failure_groups(works)
    assert group.state == LinkState.DEAD
    assert group.message
