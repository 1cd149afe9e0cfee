"""What the control API reads of an org and does to it."""

from __future__ import annotations

import pytest

from crmsync.sandbox import ControlFailed, SettingsError
from tests.sandboxes import running
from tests.unit.sandbox.salesforce.conftest import KEYS, codes


def test_records_are_told_as_held(api, sandbox):
    """With their history, deleted ones too."""
    (row,) = api.upsert({"Ext__c": "p-1", "LastName": "L"})
    api.upsert({"Ext__c": "p-1", "LastName": "M"})
    record = sandbox.control.record("Contact", row["id"])
    assert record["properties"]["LastName"] == "M"
    assert (record["writes"], record["archived_at"], record["merged_into"]) == (2, None, None)
    assert [change["value"] for change in record["history"]["LastName"]] == ["M", "L"]
    api.ok("DELETE", f"sobjects/Contact/{row['id']}")
    assert sandbox.control.record("Contact", row["id"])["archived_at"].endswith("+0000")
    assert sandbox.control.about()["objects"]["Contact"] == 0


def test_a_rolled_back_write_leaves_no_history(api, sandbox):
    """As if it had never been."""
    (row,) = api.upsert({"Ext__c": "p-1", "LastName": "L"})
    api.upsert({"Ext__c": "p-1", "LastName": "M"}, {"Ext__c": "p-2"}, allOrNone=True)
    (record,) = sandbox.control.records("Contact")
    assert (record["id"], record["writes"]) == (row["id"], 1)


def test_the_history_can_be_left_out(api, sandbox):
    """For benchmarks."""
    sandbox.control.settings(keep_history=False)
    api.upsert({"Ext__c": "p-1", "LastName": "L"})
    assert sandbox.control.records("Contact")[0]["writes"] == 0


def test_people_write_directly(api, sandbox):
    """Past locks and limits, in their own name; wrong values are refused."""
    control = sandbox.control
    (contact,) = control.seed("Contact", [{"LastName": "L", "Ext__c": "p-1"}])
    control.edit("Contact", contact, Title="Boss")
    read = api.read("Contact", contact)
    assert (read["Title"], read["Name"]) == ("Boss", "L")
    assert read["LastModifiedById"] != read["OwnerId"]
    assert api.upsert({"Ext__c": "p-1", "LastName": "M"})[0]["created"] is False
    with pytest.raises(ControlFailed, match="invalid email address"):
        control.edit("Contact", contact, Email="x")
    with pytest.raises(ControlFailed, match="has no field Nope"):
        control.seed("Contact", [{"Nope": 1}])
    with pytest.raises(ControlFailed, match="no object type Nope"):
        control.seed("Nope", [{}])


def test_a_merge_takes_the_losers_key_along(api, sandbox):
    """The next upsert with it makes a new contact; the loser says who won."""
    winner, loser = (row["id"] for row in api.upsert(
        {"Ext__c": "p-1", "LastName": "A"}, {"Ext__c": "p-2", "LastName": "B"}))  # fmt: skip
    deal = api.create("Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01")
    role = api.create("OpportunityContactRole", OpportunityId=deal, ContactId=loser)
    sandbox.control.act("merge", object_type="Contact", winner=winner, loser=loser)
    assert sandbox.control.record("Contact", loser)["merged_into"] == winner
    assert sandbox.control.record("Contact", winner)["properties"]["Ext__c"] == "p-1"
    assert api.read("OpportunityContactRole", role)["ContactId"] == winner
    soql = "SELECT Id, Ext__c FROM Contact WHERE IsDeleted = true AND MasterRecordId != null"
    (row,) = api.ok("GET", "queryAll", params={"q": soql})["records"]
    assert (row["Id"], row["Ext__c"]) == (loser, "p-2")
    assert api.refused("PATCH", f"sobjects/Contact/{loser}", {})[1] == "ENTITY_IS_DELETED"
    again = api.upsert({"Ext__c": "p-2", "LastName": "B"})[0]
    assert (again["created"], again["id"] != loser) == (True, True)


def test_a_merge_needs_two_live_records_of_a_type_that_merges(api, sandbox):
    """Anything else is refused."""
    contact = api.create("Contact", LastName="L")
    for loser in (contact, "0035e0000000009AAA"):
        with pytest.raises(ControlFailed):
            sandbox.control.act("merge", object_type="Contact", winner=contact, loser=loser)


def test_a_converted_lead_is_not_written(api, sandbox):
    """It points to what it became."""
    lead = api.create("Lead", LastName="L", Company="C", Email="a@x.io")
    made = sandbox.control.act("convert_lead", id=lead)
    read = api.read("Lead", lead)
    assert (read["IsConverted"], read["ConvertedContactId"]) == (True, made["contact_id"])
    assert api.read("Contact", made["contact_id"])["AccountId"] == made["account_id"]
    (error,) = api.call("PATCH", f"sobjects/Lead/{lead}", {"LastName": "M"}).json()
    assert error == {
        "message": "cannot reference converted lead",
        "errorCode": "CANNOT_UPDATE_CONVERTED_LEAD",
        "fields": [],
    }


def test_records_go_and_come_back(api, sandbox):
    """Deleted, undeleted with their key, deleted and gone for good."""
    control = sandbox.control
    (row,) = api.upsert({"Ext__c": "p-1", "LastName": "L"})
    control.act("delete", object_type="Contact", id=row["id"])
    assert api.refused("GET", f"sobjects/Contact/{row['id']}")[0] == 404
    control.act("undelete", object_type="Contact", id=row["id"])
    assert api.upsert({"Ext__c": "p-1", "LastName": "L"})[0]["id"] == row["id"]
    control.act("delete", object_type="Contact", id=row["id"])
    assert control.act("purge") == 1
    assert control.records("Contact") == []


def test_a_touch_moves_the_stamp_only(api, sandbox):
    """SystemModstamp, not LastModifiedDate."""
    contact = api.create("Contact", LastName="L")
    sandbox.control.advance(60)
    sandbox.control.act("touch", object_type="Contact", id=contact)
    read = api.read("Contact", contact)
    assert read["SystemModstamp"] > read["LastModifiedDate"] == read["CreatedDate"]


def test_triggers_change_what_was_written(api, sandbox):
    """The readback differs from what was sent."""
    details = {"object_type": "Contact", "field": "Department", "value": "Sales"}
    sandbox.control.act("add_trigger", **details)
    contact = api.create("Contact", LastName="L", Department="IT")
    assert api.read("Contact", contact)["Department"] == "Sales"


def test_validation_rules_refuse(api, sandbox):
    """By a pattern over a field's text."""
    details = {"object_type": "Contact", "field": "Title", "pattern": "^Dr", "message": "No titles"}
    sandbox.control.act("add_validation_rule", **details)
    rows = api.upsert({"Ext__c": "a", "LastName": "L", "Title": "Dr. X"},
                      {"Ext__c": "b", "LastName": "L"})  # fmt: skip
    assert codes(rows) == ["FIELD_CUSTOM_VALIDATION_EXCEPTION", None]
    assert rows[0]["errors"][0]["message"] == "No titles"


def test_users_come_and_go(api, sandbox):
    """A new one owns records until they are deactivated."""
    user = sandbox.control.act("add_user", email="d@acme.example", last_name="New")
    contact = api.create("Contact", LastName="L", OwnerId=user)
    sandbox.control.act("deactivate_user", id=user)
    api.ok("PATCH", f"sobjects/Contact/{contact}", {"Title": "x"})
    body = {"LastName": "L", "OwnerId": user}
    assert api.refused("POST", "sobjects/Contact", body)[1] == "INACTIVE_OWNER_OR_USER"


def test_a_snapshot_is_taken_and_restored(api, sandbox):
    """Records, custom fields, keys and the recycle bin, in another process."""
    control = sandbox.control
    control.act("add_field", object_type="Contact", name="More__c", type="picklist", options=["A"])
    rows = api.upsert({"Ext__c": "a", "LastName": "L", "More__c": "A"},
                      {"Ext__c": "b", "LastName": "L"})  # fmt: skip
    api.ok("DELETE", f"sobjects/Contact/{rows[1]['id']}")
    snapshot = control.snapshot()
    control.reset()
    assert control.about()["objects"]["Contact"] == 0
    control.restore(snapshot)
    assert api.read("Contact", rows[0]["id"])["More__c"] == "A"
    assert api.upsert({"Ext__c": "a", "LastName": "L"})[0]["created"] is False
    fresh = api.upsert({"Ext__c": "b", "LastName": "L"})[0]
    assert fresh["created"] is True
    assert fresh["id"] not in {row["id"] for row in rows}
    assert control.record("Contact", rows[1]["id"])["archived_at"] is not None


def test_a_reset_keeps_settings(api, sandbox):
    """The fields they name are there again, and the tokens are good again."""
    sandbox.control.act("expire_access_tokens")
    sandbox.control.reset()
    assert sandbox.control.settings()["external_id_fields"] == list(KEYS)
    assert codes(api.upsert({"Ext__c": "a", "LastName": "L"})) == [None]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"external_id_fields": ["Contact.Bare"]}, "Contact.Bare: .* ends in __c"),
        ({"external_id_fields": ["Nope.Ext__c"]}, "Nope.Ext__c: name a field as"),
        ({"hidden_fields": ["Contact.Nope"]}, "Contact.Nope: Contact has no such field"),
        ({"tier": "gold"}, "tier"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_wrong_settings_are_refused(api, sandbox, wrong, words):
    """With what is wrong, at once; the old ones stay in force."""
    with pytest.raises(ControlFailed, match=words):
        sandbox.control.settings(duplicate_rule="block", **wrong)
    settings = sandbox.control.settings()
    assert (settings["external_id_fields"], settings["duplicate_rule"]) == (list(KEYS), "off")
    twice = [{"Ext__c": key, "LastName": "L", "Email": "a@x.io"} for key in "ab"]
    assert codes(api.upsert(*twice)) == [None, None]


@pytest.mark.parametrize("wrong", [{"tier": "gold"}, {"hidden_fields": ["Contact.Nope"]}])
def test_a_wrong_setting_at_the_start_is_a_settings_error(wrong):
    """Said before anything listens."""
    with pytest.raises(SettingsError), running("salesforce", **wrong):
        pass


@pytest.mark.parametrize(
    ("action", "details", "words"),
    [
        ("add_field", {"name": "X"}, "ends in __c"),
        ("add_field", {"name": "Ext__c"}, "already"),
        ("change_field", {"name": "X"}, "has no field X"),
        ("change_field", {"name": "Title", "colour": "red"}, "colour"),
        ("remove_field", {"name": "Title"}, "standard fields stay"),
        ("add_validation_rule", {"field": "Title", "pattern": "("}, "not a regular expression"),
    ],
)
def test_wrong_actions_are_refused(sandbox, action, details, words):
    """With what is wrong."""
    with pytest.raises(ControlFailed, match=words):
        sandbox.control.act(action, object_type="Contact", **details)


def test_secrets_are_not_in_the_ledger(api, sandbox):
    """Neither tokens nor assertions."""
    api.token(grant_type="refresh_token", refresh_token="5Aep861-sandbox-refresh-token")  # noqa: S106
    api.token(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion="a.b.c-secret")
    told = str(sandbox.control.ledger())
    assert "5Aep861" not in told
    assert "a.b.c-secret" not in told
