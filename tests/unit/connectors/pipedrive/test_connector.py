"""The Pipedrive connector's calls, against answers as Pipedrive documents them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError, ConnectionHalted, OutcomeUnknown, Unavailable
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
    Timing,
)
from tests.unit.connectors.pipedrive.answers import (
    API,
    DEALS,
    FIELDS,
    KEY,
    OTHER,
    PERSONS,
    TIER,
    TOKEN,
    connector,
    custom,
    ok,
    tell_fields,
)


def sent(api, place=-1):
    """The JSON body of a call."""
    return orjson.loads(api.calls[place].request.body)


def write(api_connector, action, fields, crm_id=None, kind="persons"):
    """Write one record; return its result."""
    operation = Operation(LinkId(1), action, fields, crm_id=crm_id and CrmId(crm_id))
    [result] = api_connector.write(Batch(kind, action, [operation]))
    return result


# --- writes -------------------------------------------------------------------------------


def test_a_create_is_one_post(api):
    """The token in its own header, arrays of addresses, custom fields by hash, options by id."""
    tell_fields(api)
    api.post(PERSONS, ok({"id": 7}))
    fields = {"name": "Ann Lee", "email": "ann@x.io", "Tier": "Gold", KEY: "k1", "org_id": "77"}
    result = write(connector(), Action.CREATE, fields)
    assert (result.outcome, result.crm_id, result.created) == (Outcome.SUCCEEDED, "7", True)
    request = api.calls[-1].request
    assert request.headers["x-api-token"] == TOKEN
    assert "Authorization" not in request.headers
    assert sent(api) == {
        "name": "Ann Lee",
        "emails": [{"value": "ann@x.io", "primary": True}],
        "org_id": 77,
        "custom_fields": {TIER: 21, KEY: "k1"},
    }


def test_an_oauth_token_is_a_bearer_and_leads_to_the_company(api):
    """The API is at the `api_domain` that came with the token."""

    class Granted:
        def access(self, _seconds):
            return Access("v1u:x", 1, "https://acme.pipedrive.com")

        def renewed(self, _refused, _seconds):
            return None

    connection = Connection("p", "pipedrive", {"oauth": {}})
    crm = Pipedrive(connection, MemoryThrottle(Pipedrive.limits(connection)), Granted())
    tell_fields(api, url="https://acme.pipedrive.com/api/v2/personFields")
    assert "Tier" in crm.describe("persons").fields
    assert api.calls[0].request.headers["Authorization"] == "Bearer v1u:x"
    assert "x-api-token" not in api.calls[0].request.headers


def test_an_update_is_one_patch(api):
    """Without an address nothing is read before; null clears."""
    tell_fields(api)
    api.patch(f"{PERSONS}/7", ok({"id": 7}))
    result = write(connector(), Action.UPDATE, {"Tier": None}, "7")
    assert (result.outcome, result.crm_id, result.created) == (Outcome.SUCCEEDED, "7", False)
    assert sent(api) == {"custom_fields": {TIER: None}}


def test_an_address_is_changed_among_the_others(api):
    """One record is read for a token, and its other addresses are written back."""
    tell_fields(api)
    two = {"value": "two@x.io", "primary": False, "label": "home"}
    old = {"value": "old@x.io", "primary": True, "label": "work"}
    api.get(f"{PERSONS}/7", ok({"id": 7, "emails": [old, two], "phones": [], "is_deleted": False}))
    api.patch(f"{PERSONS}/7", ok({"id": 7}))
    fields = {"email": "new@x.io", "phone": "+44"}
    assert write(connector(), Action.UPDATE, fields, "7").outcome is Outcome.SUCCEEDED
    assert sent(api) == {
        "emails": [{"value": "new@x.io", "primary": True, "label": "work"}, two],
        "phones": [{"value": "+44", "primary": True}],
    }


def test_an_update_of_nothing_is_not_sent(api):
    """Pipedrive refuses an empty body."""
    assert not api.calls
    assert write(connector(), Action.UPDATE, {}, "7").outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"success":false,"error":"Person not found","code":"ERR_NOT_FOUND"}'),
        (410, b'{"success":false,"error":"Gone","errorCode":410}'),
    ],
)
def test_a_record_that_is_gone_is_refused(api, status, body):
    """Deleted, merged or hidden: they look alike."""
    tell_fields(api)
    api.patch(f"{PERSONS}/7", body, status=status)
    result = write(connector(), Action.UPDATE, {"name": "Ann"}, "7")
    assert result.outcome is Outcome.REJECTED
    assert result.failure
    assert result.failure.code == "ERR_NOT_FOUND"


def test_a_record_that_is_flagged_as_deleted_is_gone(api):
    """A deleted record can be read for 30 days; its addresses are nothing to go on."""
    tell_fields(api)
    api.get(f"{PERSONS}/7", ok({"id": 7, "emails": [], "is_deleted": True}))
    result = write(connector(), Action.UPDATE, {"email": "a@x.io"}, "7")
    assert result.failure
    assert result.failure.code == "ERR_NOT_FOUND"


def test_an_archive_is_a_delete_and_what_is_gone_is_as_wanted(api):
    """DELETE has no body; a 404 is what was wanted."""
    api.delete(f"{PERSONS}/7", ok({"id": 7}))
    api.delete(f"{PERSONS}/8", b'{"success":false,"error":"x","code":"ERR_NOT_FOUND"}', status=404)
    crm = connector()
    for crm_id in ("7", "8"):
        assert write(crm, Action.ARCHIVE, {}, crm_id).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"success":true}',
        b'{"success":true,"data":null}',
        b'{"success":true,"data":{}}',
        b'{"success":true,"data":[{"id":7}]}',
        b'{"success":false,"data":{"id":7}}',
    ],
)
def test_a_success_of_another_shape_is_unknown(api, body):
    """A 200 is no proof: without `success` and an id it is a lost answer."""
    tell_fields(api)
    api.post(PERSONS, body)
    with pytest.raises(OutcomeUnknown):
        write(connector(), Action.CREATE, {"name": "Ann"})


def test_a_refusal_names_the_mappings_field(api):
    """The hash in Pipedrive's words is the label in ours; the record waits for a person."""
    tell_fields(api)
    words = f"Validation failed: custom_fields: Expected 'number' for custom field '{TIER}'"
    body = {"success": False, "error": words, "code": "ERR_SCHEMA_VALIDATION_FAILED"}
    api.post(PERSONS, orjson.dumps(body), status=400)
    result = write(connector(), Action.CREATE, {"name": "Ann", "Tier": "Gold"})
    assert result.outcome is Outcome.REJECTED
    assert result.failure
    assert (result.failure.field, result.failure.code) == ("Tier", "ERR_SCHEMA_VALIDATION_FAILED")


def test_many_refusals_do_not_read_the_fields_again_and_again(api):
    """A list of fields costs as much as two writes."""
    tell_fields(api)
    words = f"Validation failed: custom_fields: Expected 'number' for custom field '{TIER}'"
    body = {"success": False, "error": words, "code": "ERR_SCHEMA_VALIDATION_FAILED"}
    api.post(PERSONS, orjson.dumps(body), status=400)
    crm = connector()
    for _ in range(5):
        write(crm, Action.CREATE, {"name": "Ann", "Tier": "Gold"})
    assert len([call for call in api.calls if call.request.method == "GET"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Nonsense", "x", "UNKNOWN_FIELD"),
        ("Tier", "Platinum", "UNFIT_VALUE"),
        ("first_name", "Ann", "READ_ONLY_FIELD"),
    ],
)
def test_what_cannot_pass_is_not_sent(api, name, value, code):
    """It costs no tokens, and says which field and what to do."""
    tell_fields(api)
    result = write(connector(), Action.CREATE, {"name": "Ann", name: value})
    assert result.failure
    assert (result.failure.code, result.failure.field) == (code, name)
    assert value not in result.failure.message


def test_an_ambiguous_label_says_to_use_the_hash(api):
    """For one record when it is written, for the sync when it is read."""
    tell_fields(api, custom(TIER, "Tier"), custom(OTHER, "Tier"))
    crm = connector()
    result = write(crm, Action.CREATE, {"name": "Ann", "Tier": "x"})
    assert result.failure
    assert result.failure.code == "AMBIGUOUS_FIELD"
    assert TIER in result.failure.message
    with pytest.raises(ConfigError, match="hash"):
        crm.read("persons", [Key("7")], ["Tier"])


def test_amounts_are_in_the_companys_own_currency(api):
    """Pipedrive takes no amount without one; it is asked for once."""
    tell_fields(api, custom(TIER, "Worth", "monetary"))
    api.get("https://api.pipedrive.com/v1/users/me", ok({"default_currency": "EUR"}))
    api.post(PERSONS, ok({"id": 7}))
    crm = connector()
    for _ in range(2):
        write(crm, Action.CREATE, {"name": "Ann", "Worth": 500})
    assert sent(api)["custom_fields"] == {TIER: {"value": 500, "currency": "EUR"}}
    assert len(api.calls) == 4


# --- metadata -----------------------------------------------------------------------------


def test_check_names_the_company(api):
    """Two reads: who we are, and one person."""
    me = {"company_id": 54, "company_name": "Acme", "company_domain": "acme"}
    api.get("https://api.pipedrive.com/v1/users/me", ok(me))
    api.get(PERSONS, ok([], additional_data={"next_cursor": None}))
    account = connector().check()
    assert (account.id, account.name) == ("54", "Acme")


def test_check_fails_where_contacts_may_not_be_read(api):
    """A token can be good for nothing but itself."""
    api.get("https://api.pipedrive.com/v1/users/me", ok({"company_id": 54}))
    refusal = b'{"success":false,"error":"Scope and URL mismatch","errorCode":403}'
    api.get(PERSONS, refusal, status=403)
    with pytest.raises(ConnectionHalted):
        connector().check()


def test_a_field_is_found_or_made(api):
    """Its label is what the mapping calls it."""
    api.get(FIELDS, ok([]))
    api.post(FIELDS, ok(custom(KEY, "crmsync_id")))
    api.get(FIELDS, ok([custom(KEY, "crmsync_id")]))
    crm, field = connector(), FieldSchema("crmsync_id", "x", FieldType.TEXT, unique=True)
    crm.create_field("persons", field)
    assert sent(api, 1) == {"field_name": "crmsync_id", "field_type": "varchar"}
    crm.create_field("persons", field)
    assert [call.request.method for call in api.calls] == ["GET", "POST", "GET", "GET"]


def test_of_two_that_were_made_at_once_the_later_one_is_taken_away(api):
    """Two people ran `connect` at the same moment: the field listed first is kept."""
    both = [custom(OTHER, "crmsync_id"), custom(KEY, "crmsync_id")]
    api.get(FIELDS, ok([]))
    api.post(FIELDS, ok(custom(KEY, "crmsync_id")))
    api.get(FIELDS, ok(both))
    api.delete(f"{FIELDS}/{KEY}", ok(custom(KEY, "crmsync_id")))
    connector().create_field("persons", FieldSchema("crmsync_id", "x", FieldType.TEXT))
    assert api.calls[-1].request.method == "DELETE"


@pytest.mark.parametrize("kind", [FieldType.BOOLEAN, FieldType.DATETIME])
def test_types_that_pipedrive_lacks_are_said_so(api, kind):
    """There are no yes/no fields and no times."""
    tell_fields(api)
    with pytest.raises(ConfigError, match=f"no fields of the type {kind}"):
        connector().create_field("persons", FieldSchema("X", "X", kind))


# --- reads --------------------------------------------------------------------------------


def test_a_hundred_ids_are_one_call_and_one_is_a_cheaper_one(api):
    """10 tokens for a hundred, one for one; what is deleted is not there."""
    tell_fields(api)
    api.get(PERSONS, ok([{"id": 2, "name": "B"}, {"id": 1, "name": "A", "is_deleted": True}]))
    api.get(f"{PERSONS}/2", ok({"id": 2, "name": "B"}))
    crm = connector()
    found = crm.read("persons", [Key("1"), Key("2"), Key("x")], ["name"])
    assert [record and record.fields for record in found] == [None, {"name": "B"}, None]
    assert api.calls[-1].request.params == {"ids": "1,2", "limit": "100"}
    [record] = crm.read("persons", [Key("2")], ["name"])
    assert record
    assert record.fields == {"name": "B"}


def test_archived_deals_are_there(api):
    """They are missing from the list of deals, and have one of their own."""
    tell_fields(api, url=f"{API}/dealFields")
    api.get(DEALS, ok([{"id": 1, "title": "A"}]))
    api.get(f"{DEALS}/archived", ok([{"id": 2, "title": "B"}]))
    found = connector().read("deals", [Key("1"), Key("2")], ["title"])
    assert [record and record.fields["title"] for record in found] == ["A", "B"]
    assert api.calls[-1].request.params["ids"] == "2"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"success":true}',
        b'{"success":false}',
        b'{"success":false,"data":[]}',
        b'{"success":true,"data":[1]}',
        b'{"success":true,"data":[{"name":"x"}]}',
        b'{"success":true,"data":{"id":1}}',
        b'{"success":true,"data":[{"id":1,"emails":7}]}',
    ],
)
def test_a_list_of_another_shape_is_no_answer(api, body):
    """Never an empty one: "not found" would make a duplicate."""
    tell_fields(api)
    api.get(PERSONS, body)
    with pytest.raises(Unavailable):
        connector().read("persons", [Key("1"), Key("2")], ["email"])


def test_an_unknown_object_type_is_named():
    """A mistake in a file."""
    with pytest.raises(ConfigError, match="leads"):
        connector().describe("leads")


# --- odd answers --------------------------------------------------------------------------


@pytest.mark.parametrize("crm_id", ["", "x", [], True, 1.5, "7?a=b", -1])
def test_a_success_without_an_id_is_a_lost_answer(api, crm_id):
    """What cannot be a record's id is never linked to."""
    tell_fields(api)
    api.post(PERSONS, ok({"id": crm_id}))
    with pytest.raises(OutcomeUnknown):
        write(connector(), Action.CREATE, {"name": "Ann"})


def test_an_answer_about_another_record_is_a_lost_one(api):
    """A change of 7 is not answered by 8."""
    tell_fields(api)
    api.patch(f"{PERSONS}/7", ok({"id": 8}))
    with pytest.raises(OutcomeUnknown):
        write(connector(), Action.UPDATE, {"name": "Ann"}, "7")


@pytest.mark.parametrize(
    "odd",
    [{"field_name": None, "field_type": None}, {"options": 7}, {"options": [{}]}],
)
def test_fields_of_another_shape(api, odd):
    """They are a lost answer."""
    told = {name: value for name, value in custom(KEY, "k").items() if odd.get(name, 0) is not None}
    api.get(FIELDS, ok([told | {n: v for n, v in odd.items() if v is not None}]))
    with pytest.raises(Unavailable):
        connector().describe("persons")


@pytest.mark.parametrize(
    "odd",
    [{"emails": 7}, {"emails": ["x"]}, {"custom_fields": "x"}, {"id": "x"}, {"id": None}],
)
def test_a_record_of_another_shape_is_never_nobody(api, odd):
    """Looking for one by a key ends in a lost answer, and nothing of the page is believed."""
    tell_fields(api)
    api.get(PERSONS, ok([{"id": 1, "emails": [], "custom_fields": {}} | odd]))
    with pytest.raises(Unavailable):
        connector().read("persons", [Key("a@x.io", "email")], [])


@pytest.mark.parametrize("date", ["Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_broken_clock_is_not_believed(api, date):
    """A look-up looks back from our own time then."""
    api.get(FIELDS, ok([custom(KEY, "crmsync_id")]), headers={"Date": date})
    api.get(PERSONS, ok([]), headers={"Date": date})
    api.get(PERSONS, ok([]), headers={"Date": date})
    crm = connector(timing=Timing(settle_seconds=0.0))
    assert crm.read("persons", [Key("a@x.io", "email")], []) == [None]
    since = parse_qs(urlsplit(api.calls[-1].request.url).query)["updated_since"][0]
    assert abs(datetime.fromisoformat(since) - datetime.now(UTC)) < timedelta(hours=12)


@pytest.mark.parametrize("body", [b"{}", b'{"message": "Bad Request"}', b"<html>"])
def test_a_refusal_by_something_in_front_sets_no_record_aside(api, body):
    """A 400 that is not Pipedrive's own says nothing against the record."""
    tell_fields(api)
    api.post(PERSONS, body, status=400)
    with pytest.raises(OutcomeUnknown):
        write(connector(), Action.CREATE, {"name": "Ann"})


def test_a_company_without_an_id_is_not_one(api):
    """A success that does not say whose it is proves no credentials."""
    api.get("https://api.pipedrive.com/v1/users/me", ok({}))
    api.get(PERSONS, ok([]))
    with pytest.raises(Unavailable):
        connector().check()
