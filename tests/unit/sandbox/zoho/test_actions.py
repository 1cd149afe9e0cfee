"""What happens to an organisation from outside: people, admins, time."""

from __future__ import annotations

import json

import pytest

from crmsync.sandbox import ControlFailed
from tests.sandboxes import running

DEAL = {"Deal_Name": "D", "Stage": "Upcoming", "Pipeline": "Renewals"}


def test_a_merge_leaves_losers_among_the_deleted(api, control, ext_id):
    """The master takes what it lacks, but no unique value; lookups follow."""
    master = api.contact("Li", Title="Dr", **{ext_id: "p-1"})
    loser = api.contact("Ma", Title="Prof", Phone="1", **{ext_id: "p-2"})
    deal = api.write("POST", "/Deals", {**DEAL, "Contact_Name": {"id": loser}})[0]["details"]["id"]
    control.act("merge", module="Contacts", master=master, losers=[loser])
    held = control.record("Contacts", master)["properties"]
    assert (held["Title"], held["Phone"], held[ext_id]) == ("Dr", "1", "p-1")
    assert control.record("Contacts", loser)["merged_into"] == master
    assert control.record("Deals", deal)["properties"]["Contact_Name"] == {"id": master}
    (entry,) = api.get("/Contacts/deleted").json()["data"]
    assert entry["id"] == loser
    assert master not in str(entry)
    assert api.get(f"/Contacts/{loser}").status_code == 204
    (made,) = api.upsert("Contacts", {"Last_Name": "Ma", ext_id: "p-2"})
    assert made["action"] == "insert"


def test_a_converted_lead_is_out_of_reach(api, control):
    """It becomes a contact and an account; its list hides it, writes are refused."""
    lead = api.write("POST", "/Leads", {"Last_Name": "Li", "Company": "X", "Email": "li@x.io"})
    lead_id = lead[0]["details"]["id"]
    ids = control.act("convert_lead", id=lead_id)
    assert control.record("Contacts", ids["Contacts"])["properties"]["Email"] == "li@x.io"
    assert api.get("/Leads", fields="Email").status_code == 204
    for converted in ("true", "both"):
        (row,) = api.get("/Leads", fields="Converted__s", converted=converted).json()["data"]
        assert row["Converted__s"] is True
    row = {"Last_Name": "Li", "Email": "li@x.io"}
    assert api.upsert("Leads", row)[0]["code"] == "ID_ALREADY_CONVERTED"


@pytest.mark.parametrize(
    ("state", "row", "code"),
    [
        ("locked", {"Deal_Name": "E"}, "RECORD_LOCKED"),
        ("waiting", {"Deal_Name": "E"}, "NOT_APPROVED"),
        ("blueprint", {"Stage": "Closed Won"}, "RECORD_IN_BLUEPRINT"),
        ("blueprint", {"Deal_Name": "E"}, "SUCCESS"),
    ],
)
def test_states_refuse_writes(api, control, state, row, code):
    """A blueprint refuses the stage alone; without the state all is as usual."""
    deal_id = api.write("POST", "/Deals", DEAL)[0]["details"]["id"]
    control.act("set_states", module="Deals", id=deal_id, states=[state])
    assert api.write("PUT", f"/Deals/{deal_id}", row)[0]["code"] == code
    control.act("set_states", module="Deals", id=deal_id, states=[])
    assert api.write("PUT", f"/Deals/{deal_id}", row)[0]["code"] == "SUCCESS"


def test_records_come_back_from_the_recycle_bin(api, control, ext_id):
    """Unless another has taken their unique value meanwhile."""
    record_id = api.contact(**{ext_id: "p-1"})
    control.act("delete", module="Contacts", id=record_id)
    control.act("undelete", module="Contacts", id=record_id)
    assert api.get(f"/Contacts/{record_id}").status_code == 200
    control.act("delete", module="Contacts", id=record_id)
    api.contact(**{ext_id: "p-1"})
    with pytest.raises(ControlFailed, match="DUPLICATE_DATA"):
        control.act("undelete", module="Contacts", id=record_id)


def test_modification_times_move_alone(api, control):
    """Touched, or set back as in a row that becomes visible late."""
    record_id = api.contact()
    made = control.record("Contacts", record_id)["modified_at"]
    control.advance(60)
    control.act("touch", module="Contacts", id=record_id)
    assert control.record("Contacts", record_id)["modified_at"] > made
    control.act("backdate", module="Contacts", id=record_id, seconds=3_600)
    assert control.record("Contacts", record_id)["modified_at"] < made


def test_times_have_the_offset_that_holds_then(api, control):
    """Summer and winter differ, so text does not sort as time does."""
    control.settings(time_zone="Europe/Berlin")
    offsets = set()
    for _ in range(2):
        record_id = api.contact()
        offsets.add(control.record("Contacts", record_id)["modified_at"][-6:])
        control.advance(182 * 86_400)
    assert offsets == {"+01:00", "+02:00"}


def test_a_field_can_change_its_name(api, control, ext_id):
    """The old name is then ignored without a word; the records keep their values."""
    record_id = api.contact(**{ext_id: "p-1"})
    control.act("rename_field", module="Contacts", api_name=ext_id, new_name="Other")
    assert control.record("Contacts", record_id)["properties"]["Other"] == "p-1"
    (found,) = api.upsert("Contacts", {"Other": "p-1", ext_id: "lost"})
    assert (found["duplicate_field"], found["details"]["id"]) == ("Other", record_id)
    control.act("remove_field", module="Contacts", api_name="Other")
    body = {"data": [{"Last_Name": "X"}], "duplicate_check_fields": ["Other"]}
    assert api.call("POST", "/Contacts/upsert", body).status_code == 400


def test_options_and_stages_change(api, control):
    """A removed option is refused; a renamed stage changes deals without a modification."""
    control.act("remove_option", module="Contacts", api_name="Lead_Source", value="Chat")
    (refused,) = api.write("POST", "/Contacts", {"Last_Name": "Li", "Lead_Source": "Chat"})
    assert refused["code"] == "INVALID_DATA"
    deal_id = api.write("POST", "/Deals", DEAL)[0]["details"]["id"]
    before = control.record("Deals", deal_id)["modified_at"]
    control.advance(60)
    control.act("rename_stage", name="Upcoming", new_name="Soon")
    held = control.record("Deals", deal_id)
    assert (held["properties"]["Stage"], held["modified_at"]) == ("Soon", before)
    assert api.write("POST", "/Deals", {**DEAL, "Stage": "Soon"})[0]["code"] == "SUCCESS"
    assert api.write("POST", "/Deals", DEAL)[0]["code"] == "INVALID_DATA"


def test_people_come_and_go(api, control):
    """Who was deleted stays the owner of what was theirs."""
    user = control.act("add_user", email="eve@org.example", first_name="Eve")
    record_id = api.contact(Owner={"id": user["id"]})
    control.act("delete_user", id=user["id"])
    assert api.get(f"/Contacts/{record_id}").json()["data"][0]["Owner"]["name"] == "Eve"
    with pytest.raises(ControlFailed, match="no user"):
        control.act("deactivate_user", id="1")


def test_people_write_in_zohos_own_pages(api, control):
    """Workflows run, the source is the pages, and mistakes are told."""
    (record_id,) = control.seed("Contacts", [{"Last_Name": "Li"}])
    control.edit("Contacts", record_id, Title="Dr")
    held = control.record("Contacts", record_id)
    assert (held["writes"], held["workflow_runs"]) == (2, 2)
    assert [entry["sourceType"] for entry in held["history"]["Title"]] == ["UI"]
    assert list(held["history"]["Last_Name"][0]) == ["value", "timestamp", "sourceType", "sourceId"]
    for values, text in (({"Last_Nam": "x"}, "no field Last_Nam"), ({}, "MANDATORY_NOT_FOUND")):
        with pytest.raises(ControlFailed, match=text):
            control.seed("Contacts", [values])
    with pytest.raises(ControlFailed, match="no module"):
        control.records("contacts")


@pytest.mark.parametrize(
    ("action", "details", "text"),
    [
        ("merge", {"module": "Contacts", "master": "{id}", "losers": ["{id}"]}, "into itself"),
        ("merge", {"module": "Contacts", "master": "{id}", "losers": ["1"]}, "no live record"),
        ("undelete", {"module": "Contacts", "id": "{id}"}, "in the recycle bin"),
        ("set_states", {"module": "Contacts", "id": "{id}", "states": ["x"]}, "there are locked"),
        ("rename_stage", {"name": "x", "new_name": "y"}, "no stage x"),
        ("remove_field", {"module": "Contacts", "api_name": "x"}, "no field x"),
        ("spend_credits", {"credits": 1}, "credits"),
    ],
)
def test_what_cannot_be_done_is_told(api, control, action, details, text):
    """The control API answers with the reason."""
    record_id = api.contact()
    filled = json.loads(json.dumps(details).replace("{id}", record_id))
    with pytest.raises(ControlFailed, match=text):
        control.act(action, **filled)


def test_a_snapshot_holds_in_another_process(api, control, ext_id):
    """Records, deleted ones and custom fields; ids go on where they were."""
    api.contact(**{ext_id: "p-1"}, Account_Name={"name": "Acme"})
    control.act("delete", module="Contacts", id=api.contact("Gone"))
    snapshot = control.snapshot()
    with running("zoho") as other:
        other.control.restore(snapshot)
        assert other.control.about()["objects"] == control.about()["objects"]
        assert other.control.snapshot() == snapshot
        with pytest.raises(ControlFailed, match="DUPLICATE_DATA"):
            other.control.seed("Contacts", [{"Last_Name": "X", ext_id: "p-1"}])
        (new_id,) = other.control.seed("Contacts", [{"Last_Name": "New"}])
    assert new_id not in str(snapshot["modules"])


def test_a_reset_opens_a_new_organisation(api, control, ext_id):
    """Records, fields and tokens are as on the first day."""
    api.contact()
    control.act("expire_access_tokens")
    control.reset()
    assert control.about()["objects"]["Contacts"] == 0
    assert ext_id not in api.get("/settings/fields", module="Contacts").text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "INVALID_TOKEN"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "INTERNAL_ERROR"),
        (503, "<html>"),
    ],
)
def test_failures_on_order_are_zohos(api, control, status, text):
    """The network in front of it answers in HTML."""
    control.fault("answer", status=status)
    response = api.get("/org")
    assert response.status_code == status
    assert text in response.text
