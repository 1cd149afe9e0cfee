"""What salespeople change in each CRM comes back, once, and nothing of ours is undone by it.

Over HTTP, in each of the four simulated CRMs. Where a safeguard can be taken out, the story is told
once more without it, and has to go wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmsync.store.tables import sync_log
from crmsync.sync.pull import pull
from tests.crms import CRMS, HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO
from tests.integration import sabotage
from tests.integration.selling import AN_HOUR, office, two_way, while_reading
from tests.workbench import count_rows, identify, ingest, new_project

__all__ = ["new_project"]

LONG_AGO = 86_400
"""Seconds: what changed then is in no list of changes any more."""
every_crm = pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite only: what is shown here is the CRMs'."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def without(monkeypatch):
    """Takes safeguards out of this process until the test ends."""

    def take_out(*safeguards):
        for name in safeguards:
            sabotage.take_out(name, monkeypatch)

    return take_out


def colleague(desk, *, active=True):
    """Somebody who does not have our people by default."""
    owners = [o for o in desk.connector.owners() if o.is_active is active and o.email]
    return owners[-1]


def logged(desk, code):
    """How many entries of the log have a code."""
    return count_rows(desk.works.store, sync_log, sync_log.c.error_code == code)


# --- values -------------------------------------------------------------------------------


@every_crm
def test_number_owner_and_stage_come_back_and_are_not_sent_again(new_project, crm):
    """A number that goes both ways, an owner by e-mail, a stage by label; then there is rest."""
    deals = {"pull": {"stage": crm.sales.stage}}
    with office(new_project, crm, {crm.name: two_way(crm, deals=deals)}) as desk:
        [record, other] = desk.send(2)
        ben = colleague(desk)
        desk.call(record, "+1 212 555 0199")
        desk.give(record, ben)
        desk.deal(record, crm.sales.stages[1])
        desk.pull()
        assert desk.trait("u0", "phone") == "+1 212 555 0199"
        assert desk.trait("u0", "rep") == ben.email
        assert desk.trait("u0", "stage") == crm.sales.stages[1]
        assert desk.trait("u1", "stage") is None
        desk.control.clear_ledger()
        desk.push()
        desk.pull()
        desk.push()
        assert desk.writes() == 0
        assert desk.records() == [record, other]


@every_crm
@pytest.mark.parametrize("safeguard", [None, "no_written_at"])
def test_a_page_from_before_our_write_does_not_undo_it(new_project, crm, without, safeguard):
    """It left the CRM before our newer number got there, and is taken after it."""
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        [record] = desk.send(1)
        desk.call(record, "1000")
        desk.pull()
        ingest(desk.works, [identify("u0", phone="2000")])
        slow = while_reading(desk.works, desk.push_now)
        without(*([safeguard] if safeguard else []))
        pull(slow, crm.name, anew=True)
        assert desk.trait("u0", "phone") == ("1000" if safeguard else "2000")


@pytest.mark.parametrize("safeguard", [None, "no_written_at"])
def test_an_index_that_lags_does_not_undo_our_write(new_project, without, safeguard):
    """HubSpot's search shows for a minute what was there before."""
    crm = HUBSPOT
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        [record] = desk.send(1)
        desk.call(record, "1000")
        desk.pull()
        desk.control.settings(search_lag_seconds=60.0)
        ingest(desk.works, [identify("u0", phone="2000")])
        desk.push_now()
        without(*([safeguard] if safeguard else []))
        pull(desk.works, crm.name)
        assert desk.trait("u0", "phone") == ("1000" if safeguard else "2000")
        if safeguard is None:
            desk.control.advance(61.0)
            desk.pull()
            desk.pull()
            assert desk.trait("u0", "phone") == "2000"
            assert desk.values(crm.sales.phone) == ["2000"]


def test_a_change_that_the_index_shows_late_is_not_missed(new_project):
    """HubSpot's search shows a later change of somebody else first."""
    crm = HUBSPOT
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        first, second = desk.send(2)
        desk.control.advance(AN_HOUR)
        desk.pull()
        desk.control.settings(search_lag_seconds=60.0)
        desk.call(first, "1000")
        desk.control.settings(search_lag_seconds=0.0)
        desk.call(second, "2000")
        desk.pull()
        assert desk.traits(2, "phone") == [None, "2000"]
        desk.control.advance(61.0)
        desk.pull()
        assert desk.traits(2, "phone") == ["1000", "2000"]


@pytest.mark.parametrize("crm", [SALESFORCE, ZOHO], ids=lambda crm: crm.name)
def test_a_change_that_was_committed_late_is_not_missed(new_project, crm):
    """It is stamped before another that was read already."""
    named = "object_type" if crm is SALESFORCE else "module"
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        first, second = desk.send(2)
        desk.control.advance(AN_HOUR)
        desk.call(second, "2000")
        desk.pull()
        desk.call(first, "1000")
        desk.control.act("backdate", **{named: crm.object_type}, id=first, seconds=200)
        desk.pull()
        assert desk.traits(2, "phone") == ["1000", "2000"]


@every_crm
def test_many_changes_of_one_moment_are_all_taken(new_project, crm):
    """Across the pages of a list, whose order says nothing of them."""
    page = {"query_page": 10} if crm is SALESFORCE else {}
    people = 30 if crm is SALESFORCE else 210
    with office(new_project, crm, {crm.name: two_way(crm)}, **page) as desk:
        records = desk.send(people)
        for n, record in enumerate(records):
            desk.call(record, f"{n}")
        desk.pull()
        assert desk.traits(people, "phone") == [str(n) for n in range(people)]


@every_crm
@pytest.mark.parametrize("safeguard", [None, "no_value_comparison"])
def test_our_own_write_is_recognised_by_its_value(new_project, crm, without, safeguard):
    """The CRM lists it as changed just now; that is no reason to undo what was said since."""
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        now = datetime.now(UTC)
        ingest(desk.works, [identify("u0", phone="2000", at=now - timedelta(hours=2))])
        desk.send(1)
        ingest(desk.works, [identify("u0", phone="3000", at=now - timedelta(hours=1))])
        without(*([safeguard] if safeguard else []))
        desk.pull()
        assert desk.trait("u0", "phone") == ("2000" if safeguard else "3000")


@pytest.mark.parametrize("crm", [SALESFORCE, ZOHO], ids=lambda crm: crm.name)
def test_what_changes_without_its_record_is_found_by_the_sweep(new_project, crm):
    """A formula's record does not move; everything is read again every `reread_seconds`."""
    named = "object_type" if crm is SALESFORCE else "module"
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        [record] = desk.send(1)
        place = {named: crm.object_type, "id": record}
        desk.control.act("backdate", **place, seconds=LONG_AGO)
        desk.pull()
        desk.pull()
        if crm is SALESFORCE:
            desk.control.act("recalculate", **place, field="Phone", value="3000")
        else:
            desk.control.act("set_silently", **place, values={"Phone": "3000"})
        desk.pull()
        assert desk.trait("u0", "phone") is None
        desk.all_again()
        desk.pull(due_only=True)
        assert desk.trait("u0", "phone") == "3000"


# --- names --------------------------------------------------------------------------------


@every_crm
def test_who_left_still_has_their_people(new_project, crm):
    """Their e-mail is known, and is what the trait says."""
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        [record] = desk.send(1)
        ben = colleague(desk)
        desk.give(record, ben)
        act = "deactivate_owner" if crm is HUBSPOT else "deactivate_user"
        desk.control.act(act, id=ben.id)
        desk.pull()
        assert desk.trait("u0", "rep") == ben.email


@every_crm
def test_an_owner_whom_we_do_not_know_yet_is_told_and_the_rest_goes_on(new_project, crm):
    """The number of the same person is taken, and other people; the owner once they are known."""
    with office(new_project, crm, {crm.name: two_way(crm)}) as desk:
        records = desk.send(2)
        desk.pull()
        new = hire(desk, "eve@acme.example")
        desk.give(records[0], new)
        for record in records:
            desk.call(record, "1000")
        before = desk.trait("u0", "rep")
        desk.pull()
        assert desk.trait("u0", "rep") == before
        assert desk.traits(2, "phone") == ["1000", "1000"]
        assert logged(desk, "UNKNOWN_NAME") == 1
        desk.forget_names()
        desk.pull()
        assert desk.trait("u0", "rep") == "eve@acme.example"


RENAMES = {
    "hubspot": lambda stage: ("rename_stage", {"id": stage.id, "label": "Bargaining"}),
    "salesforce": lambda stage: ("rename_stage", {"name": stage.label, "new": "Bargaining"}),
    "zoho": lambda stage: ("rename_stage", {"name": stage.label, "new_name": "Bargaining"}),
    "pipedrive": lambda stage: ("rename_stage", {"id": int(stage.id), "name": "Bargaining"}),
}
REMOVES = {
    "hubspot": lambda stage: ("delete_stage", {"id": stage.id}),
    "salesforce": lambda stage: ("deactivate_stage", {"name": stage.label}),
    "zoho": lambda stage: ("remove_stage", {"pipeline": "Standard", "name": stage.label}),
    "pipedrive": lambda stage: ("delete_stage", {"id": int(stage.id)}),
}


def change_stage(desk, changes):
    """Rename or remove the first of the CRM's two stages; names have not been read for long."""
    label = desk.crm.sales.stages[0]
    stage = next(one for one in desk.connector.stages() if one.label == label)
    act, details = changes[desk.crm.name](stage)
    desk.control.act(act, **details)
    desk.forget_names()
    desk.all_again()


def with_stages(new_project, crm):
    """Open an office in which a person's stage is read."""
    deals = {"pull": {"stage": crm.sales.stage}}
    return office(new_project, crm, {crm.name: two_way(crm, deals=deals)})


@every_crm
def test_a_renamed_stage_is_taken_with_the_sweep(new_project, crm):
    """Whether or not the CRM says that its deals changed."""
    with with_stages(new_project, crm) as desk:
        [record] = desk.send(1)
        desk.deal(record, crm.sales.stages[0])
        desk.pull()
        assert desk.trait("u0", "stage") == crm.sales.stages[0]
        change_stage(desk, RENAMES)
        desk.pull(due_only=True)
        assert desk.trait("u0", "stage") == "Bargaining"


@every_crm
def test_a_stage_that_is_removed_is_told_and_the_rest_goes_on(new_project, crm):
    """Who was in it stays where they were; another person's stage is taken."""
    with with_stages(new_project, crm) as desk:
        first, second = desk.send(2)
        desk.deal(first, crm.sales.stages[0])
        desk.pull()
        change_stage(desk, REMOVES)
        desk.deal(second, crm.sales.stages[1])
        assert desk.pull(due_only=True).rest is None
        assert desk.traits(2, "stage") == list(crm.sales.stages)
        # Salesforce still lists a stage that is out of use.
        assert logged(desk, "UNKNOWN_NAME") == (0 if crm is SALESFORCE else 1)


@pytest.mark.parametrize("crm", [HUBSPOT, PIPEDRIVE], ids=lambda crm: crm.name)
def test_a_deal_of_another_pipeline_speaks_like_any(new_project, crm):
    """Its stages have ids of their own."""
    with with_stages(new_project, crm) as desk:
        [record] = desk.send(1)
        desk.deal(record, "Upcoming")
        desk.pull()
        assert desk.trait("u0", "stage") == "Upcoming"


def hire(desk, email):
    """Make a new user of the CRM."""
    names = {"first_name": "Eve", "last_name": "New"}
    if desk.crm.name == "pipedrive":
        desk.control.act("add_user", name="Eve New", email=email)
    else:
        act = "add_owner" if desk.crm is HUBSPOT else "add_user"
        desk.control.act(act, email=email, **names)
    return next(owner for owner in desk.connector.owners() if owner.email == email)


# --- what does not fit --------------------------------------------------------------------


@every_crm
def test_a_field_that_is_deleted_stops_its_reading_alone(new_project, crm):
    """It is named; deals are read, what we send goes on, and nobody asks again and again."""
    name = "tier__c" if crm is SALESFORCE else "tier"
    more = {"pull": {"tier": name}, "deals": {"pull": {"stage": crm.sales.stage}}}
    with office(new_project, crm, {crm.name: two_way(crm, **more)}) as desk:
        crm.sales.add_field(desk.control, desk.connector, "tier")
        [record] = desk.send(1)
        assert desk.pull().rest is None
        crm.sales.remove_field(desk.control, "tier")
        desk.connector.describe(crm.object_type)
        desk.call(record, "1000")
        desk.deal(record, crm.sales.stages[0])
        rest = desk.pull().rest
        assert rest is not None
        assert "tier" in rest.message
        assert desk.trait("u0", "stage") == crm.sales.stages[0]
        ingest(desk.works, [identify("u0", last_name="Lind")])
        desk.push()
        assert [one[crm.last_name] for one in desk.held()] == ["Lind"]
        desk.control.clear_ledger()
        desk.pull(due_only=True)
        assert desk.reads() == 0
