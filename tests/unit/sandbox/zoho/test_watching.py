"""Notification channels, and what they deliver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmsync.sandbox import ControlFailed
from tests.receiver import receiving

CHANNEL = "1000000068001"
ALL = ["Contacts.create", "Contacts.edit", "Contacts.delete", "Deals.all"]


@pytest.fixture
def receiver():
    """Somebody's address."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def watch(api, receiver):
    """Asks for a channel; returns the response."""

    def ask(method="POST", **more):
        own = {"channel_id": CHANNEL, "events": ALL, "token": "t", "notify_url": receiver.url}
        body = {name: value for name, value in {**own, **more}.items() if value is not None}
        return api.call(method, "/actions/watch", {"watch": [body]})

    return ask


def later(control, **delta):
    """A moment by the sandbox's clock, as Zoho is told it."""
    at = datetime.fromtimestamp(control.now(), UTC) + timedelta(**delta)
    return at.isoformat(timespec="seconds")


def ends(api):
    """When the channel ends; None where there is none."""
    response = api.get("/actions/watch", channel_id=CHANNEL)
    if response.status_code == 204:
        return None
    return {datetime.fromisoformat(one["channel_expiry"]) for one in response.json()["watch"]}


# --- channels -------------------------------------------------------------------------------


def test_a_channel_is_listed_by_module(api, watch):
    """One entry for each, with its own events."""
    response = watch()
    assert response.status_code == 201
    [entry] = response.json()["watch"]
    assert entry["code"] == "SUCCESS"
    assert [one["resource_name"] for one in entry["details"]["events"]] == ["Contacts", "Deals"]
    contacts, deals = api.get("/actions/watch").json()["watch"]
    assert (contacts["events"], deals["events"]) == (ALL[:3], ALL[3:])
    [alone] = api.get("/actions/watch", module="Deals").json()["watch"]
    assert alone == deals
    assert api.get("/actions/watch", channel_id="5").status_code == 204


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, {"hours": 1}), ({"days": 7}, {"days": 7}), ({"days": 8}, {"hours": 1})],
)
def test_a_channel_lives_an_hour_or_up_to_a_week(api, control, watch, asked, granted):
    """More than a week is silently taken for an hour."""
    watch(channel_expiry=later(control, **asked) if asked else None)
    [at] = ends(api)
    wanted = datetime.fromisoformat(later(control, **granted))
    assert abs(at - wanted) < timedelta(seconds=10)
    control.advance(timedelta(**granted).total_seconds() + 10)
    assert ends(api) is None


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"channel_id": None}, "channel_id"),
        ({"channel_id": "mine"}, "channel_id"),
        ({"events": None}, "events"),
        ({"events": ["Widgets.edit"]}, "events"),
        ({"events": ["Deals.rename"]}, "events"),
        ({"token": "x" * 51}, "token"),
        ({"notify_url": "https://somebody.example/hook"}, "notify_url"),
        ({"channel_expiry": "2020-01-01T00:00:00+00:00"}, "channel_expiry"),
        ({"channel_expiry": "soon"}, "channel_expiry"),
    ],
)
def test_a_wrong_channel_is_refused(api, watch, wrong, name):
    """And says which member is wrong."""
    response = watch(**wrong)
    assert response.status_code == 202
    [entry] = response.json()["watch"]
    assert (entry["status"], entry["details"]["api_name"]) == ("error", name)
    assert ends(api) is None


def test_a_channel_that_is_not_there(api, watch):
    """It can be neither replaced nor taken down."""
    [entry] = watch("PUT").json()["watch"]
    assert entry["code"] == "NOT_SUBSCRIBED"
    response = api.call("DELETE", "/actions/watch", params={"channel_ids": CHANNEL})
    assert (response.status_code, response.json()["code"]) == (400, "NOT_SUBSCRIBED")
    missing = api.call("DELETE", "/actions/watch").json()
    assert missing["code"] == "REQUIRED_PARAM_MISSING"


def test_a_channel_is_replaced_and_taken_down(api, watch):
    """PUT puts another in its place."""
    watch()
    assert watch("PUT", events=["Leads.all"]).status_code == 200
    [entry] = api.get("/actions/watch").json()["watch"]
    assert entry["events"] == ["Leads.all"]
    assert api.call("DELETE", "/actions/watch", params={"channel_ids": CHANNEL}).ok
    assert ends(api) is None


# --- callbacks ------------------------------------------------------------------------------


def test_a_callback(api, watch, receiver, control):
    """What was done to which record, with the token and nothing that signs it."""
    watch(return_affected_field_values=True)
    contact = api.contact("Li")
    control.edit("Contacts", contact, Title="Dr")
    control.act("delete", module="Contacts", id=contact)
    made, changed, gone = (one.json() for one in receiver.wait(3))
    assert [one["operation"] for one in (made, changed, gone)] == ["insert", "update", "delete"]
    assert all((one["ids"], one["token"]) == ([contact], "t") for one in (made, changed, gone))
    assert changed["affected_fields"] == [{contact: ["Title", "Modified_Time"]}]
    assert changed["affected_values"] == [{"record_id": contact, "values": {"Title": "Dr"}}]
    assert (gone["affected_fields"], gone["channel_id"]) == ([], CHANNEL)
    assert "authorization" not in receiver.received[0].headers


def test_only_what_was_asked_for_is_told(api, watch, receiver, control):
    """Neither other modules nor other deeds, nor anything once the channel has ended."""
    watch(events=["Deals.edit"])
    deal = {"Deal_Name": "D", "Stage": "Upcoming", "Pipeline": "Renewals"}
    deal_id = api.write("POST", "/Deals", deal)[0]["details"]["id"]
    api.contact()
    control.edit("Deals", deal_id, Stage="Closed Won")
    [told] = receiver.wait(1)
    assert (told.json()["module"], told.json()["operation"]) == ("Deals", "update")
    control.advance(3_700)
    control.edit("Deals", deal_id, Amount=5)
    assert control.act("pending_deliveries") == 0
    assert len(receiver.received) == 1


def test_a_merge_and_a_conversion_are_told(api, watch, receiver, control):
    """The loser is deleted and the master changed; the lead is changed."""
    master, loser = api.contact(), api.contact()
    lead = control.seed("Leads", [{"Last_Name": "Li", "Company": "X"}])[0]
    watch(events=["Contacts.delete", "Contacts.edit", "Leads.edit"])
    control.act("merge", module="Contacts", master=master, losers=[loser])
    control.act("convert_lead", id=lead)
    told = [(one.json()["operation"], one.json()["ids"]) for one in receiver.wait(3)]
    assert told == [("delete", [loser]), ("update", [master]), ("update", [lead])]


def test_a_reset_forgets_channels(api, watch, control):
    """And whatever was not delivered yet."""
    watch()
    control.act("delivery_faults", delay_seconds=100)
    api.contact()
    assert control.act("pending_deliveries") == 1
    control.reset()
    assert control.act("pending_deliveries") == 0
    assert ends(api) is None


# --- merging, and what else somebody does ---------------------------------------------------


def merge(api, master, *losers):
    """Merge contacts through the API; return the response."""
    asked = {"data": [{"id": one} for one in losers], "master_record_fields": []}
    return api.call("POST", f"/Contacts/{master}/actions/merge", {"merge": [asked]})


def test_merging_through_the_api(api, control):
    """As in Zoho's own pages."""
    master, *losers = (api.contact() for _ in range(3))
    response = merge(api, master, *losers)
    assert response.status_code == 201
    assert response.json()["merge"][0]["details"]["id"] == master
    assert {control.record("Contacts", one)["merged_into"] for one in losers} == {master}


def test_what_cannot_be_merged(api):
    """Who is not there, nobody, oneself, too many."""
    master, loser = api.contact(), api.contact()
    response = merge(api, "554023000009999999", loser)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_DATA")
    for losers in (["554023000009999999"], [master]):
        [entry] = merge(api, master, *losers).json()["merge"]
        assert entry["details"]["json_path"] == "$.merge[0].data[0].id"
    assert merge(api, master).json()["code"] == "MANDATORY_NOT_FOUND"
    [entry] = merge(api, master, loser, loser, loser).json()["merge"]
    assert entry["code"] == "LIMIT_EXCEEDED"
    assert api.get(f"/Contacts/{loser}").ok


@pytest.mark.parametrize(("shown", "status"), [(False, 204), (True, 200)])
def test_queries_hide_converted_leads(api, control, shown, status):
    """Unless they ask for them, or the setting has it otherwise."""
    [lead] = control.seed("Leads", [{"Last_Name": "Li", "Company": "X"}])
    contact = control.act("convert_lead", id=lead)["Contacts"]
    control.settings(coql_shows_converted=shown)
    select = "select id, Converted_Contact from Leads where"
    assert api.coql(f"{select} Last_Name = 'Li'").status_code == status
    [row] = api.coql(f"{select} Converted__s = true").json()["data"]
    assert row["Converted_Contact"] == {"id": contact}


def test_what_changes_without_a_trace(api, control):
    """A value, without the time of change; what is no field is refused."""
    contact = api.contact()
    before = control.record("Contacts", contact)
    control.advance(60)
    control.act("set_silently", module="Contacts", id=contact, values={"Title": "Dr"})
    after = control.record("Contacts", contact)
    assert after["properties"]["Title"] == "Dr"
    assert after["modified_at"] == before["modified_at"]
    with pytest.raises(ControlFailed, match="no field Nope"):
        control.act("set_silently", module="Contacts", id=contact, values={"Nope": 1})


def test_stages_come_and_go(api, control):
    """One is taken out of its pipeline, another is shown in another language."""
    layout = api.get("/settings/layouts", module="Deals").json()["layouts"][0]["id"]

    def shown():
        told = api.get("/settings/pipeline", layout_id=layout).json()["pipeline"]
        return {p["actual_value"]: [one["display_value"] for one in p["maps"]] for p in told}

    control.act("remove_stage", pipeline="Renewals", name="Upcoming")
    control.act("translate_stage", name="Closed Won", text="Gewonnen")
    assert shown()["Renewals"] == ["Gewonnen", "Closed Lost"]
    with pytest.raises(ControlFailed, match="no stage"):
        control.act("remove_stage", pipeline="Renewals", name="Upcoming")
    with pytest.raises(ControlFailed, match="no stage"):
        control.act("translate_stage", name="Nope", text="x")
