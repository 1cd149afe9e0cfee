"""The HubSpot connector's calls, against answers as HubSpot documents them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.hubspot import schemas
from crmsync.connectors.hubspot.connector import HubSpot
from crmsync.connectors.hubspot.search import OVERLAP_MS
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    Directory,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
)
from tests.openapi.recorded import scripted

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "hubspot"
API = "https://api.hubapi.com"
CONTACTS = f"{API}/crm/v3/objects/contacts"
PROPERTIES = f"{API}/crm/v3/properties/contacts"


def fixture(name):
    """The text of an answer."""
    return (FIXTURES / name).read_bytes()


@pytest.fixture
def api():
    """HubSpot, scripted; every answer must be asked for."""
    with scripted("hubspot") as mock:
        yield mock


def connector(*, version="v3", **settings):
    """A connector with a token."""
    connection = Connection("hs", "hubspot", {"token": "pat-x"}, **settings)
    throttle = MemoryThrottle(HubSpot.limits(connection))
    return HubSpot(connection, throttle, FixedToken("pat-x"), version=version)


def upserts(*keys):
    """A batch of upserts by our key."""
    operations = [
        Operation(LinkId(n), Action.UPSERT, {"email": f"{key}@x.io"}, match_value=key)
        for n, key in enumerate(keys)
    ]
    return Batch("contacts", Action.UPSERT, operations, "crmsync_id")


def sent(api, place=0):
    """The JSON body of a call."""
    return orjson.loads(api.calls[place].request.body)


def test_an_upsert_is_one_call(api):
    """Path, token and inputs are those of the documentation; each input has its own trace id."""
    api.post(f"{CONTACTS}/batch/upsert", fixture("upsert-207.json"), status=207)
    results = connector().write(upserts("a", "b"))
    request = api.calls[0].request
    assert request.headers["Authorization"] == "Bearer pat-x"
    assert sent(api) == {
        "inputs": [
            {
                "id": key,
                "idProperty": "crmsync_id",
                "objectWriteTraceId": str(place),
                "properties": {"email": f"{key}@x.io", "crmsync_id": key},
            }
            for place, key in enumerate(["a", "b"])
        ]
    }
    assert [r.outcome for r in results] == [Outcome.SUCCEEDED, Outcome.REJECTED]
    assert (results[0].crm_id, results[0].created) == ("512", False)
    assert results[1].failure
    assert (results[1].failure.code, results[1].failure.field) == ("INVALID_EMAIL", "email")


def test_a_whole_refusal_is_for_the_caller_to_split(api):
    """A 400 for many says code, field and words, and nothing personal in its text."""
    body = orjson.loads(fixture("upsert-207.json"))["errors"][0]
    api.post(f"{CONTACTS}/batch/upsert", orjson.dumps(body), status=400)
    with pytest.raises(BatchRejected) as caught:
        connector().write(upserts("a", "b"))
    assert (caught.value.code, caught.value.field) == ("INVALID_EMAIL", "email")
    assert "bob" in caught.value.excerpt
    assert "bob" not in caught.value.user_message


def test_a_refusal_of_one_is_its_result(api):
    """A 400 or 409 for a single operation is that operation's result."""
    body = {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 6001"}
    api.post(f"{CONTACTS}/batch/upsert", orjson.dumps(body), status=409)
    [result] = connector().write(upserts("a"))
    assert (result.outcome, result.existing_id) == (Outcome.REJECTED, "6001")


def test_an_archive_has_no_body(api):
    """204 means that every record is gone."""
    api.post(f"{CONTACTS}/batch/archive", b"", status=204)
    operations = [Operation(LinkId(1), Action.ARCHIVE, {}, crm_id=CrmId("7"))]
    [result] = connector().write(Batch("contacts", Action.ARCHIVE, operations))
    assert (result.outcome, result.crm_id) == (Outcome.SUCCEEDED, "7")
    assert sent(api) == {"inputs": [{"id": "7"}]}


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"results": 1}',
        b'{"results": null}',
        b'{"results": [1]}',
        b'{"results": [{"objectWriteTraceId": "0"}]}',
        b'{"results": [], "errors": [1]}',
        b"<html>",
        b"",
    ],
)
def test_a_success_of_another_shape_is_unknown(api, body):
    """A 200 that is not what is documented is a lost answer."""
    api.post(f"{CONTACTS}/batch/upsert", body, status=200)
    with pytest.raises(OutcomeUnknown):
        connector().write(upserts("a", "b"))


def test_what_need_not_be_sent_is_not(api):
    """Updates of nothing make no call; among others they keep their place."""
    empty = Operation(LinkId(1), Action.UPDATE, {}, crm_id=CrmId("7"))
    full = Operation(LinkId(2), Action.UPDATE, {"email": "a@x.io"}, crm_id=CrmId("8"))
    [result] = connector().write(Batch("contacts", Action.UPDATE, [empty]))
    assert result.outcome is Outcome.SKIPPED
    answer = {"results": [{"id": "8", "properties": {}, "objectWriteTraceId": "0"}]}
    api.post(f"{CONTACTS}/batch/update", orjson.dumps(answer))
    first, second = connector().write(Batch("contacts", Action.UPDATE, [empty, full]))
    assert (first.outcome, second.outcome) == (Outcome.SKIPPED, Outcome.SUCCEEDED)
    assert len(sent(api)["inputs"]) == 1


def test_a_429_waits_as_its_policy_says(api):
    """The ten-second policy asks for ten seconds."""
    api.post(f"{CONTACTS}/batch/upsert", fixture("rate-limited.json"), status=429)
    with pytest.raises(RateLimited) as caught:
        connector().write(upserts("a"))
    assert caught.value.retry_after_seconds == 10


def test_a_connection_lost_in_a_test_double_is_ambiguous(api):
    """Where nobody can say whether the request left, a write is taken to have left."""
    api.post(f"{CONTACTS}/batch/upsert", body=ConnectionError("gone"))
    with pytest.raises(OutcomeUnknown):
        connector().write(upserts("a"))


# --- merging ------------------------------------------------------------------------------


def merging(api, *answers, **left):
    """Answer merges in turn, and what is left of which id."""
    for status, body in answers:
        api.post(f"{CONTACTS}/merge", orjson.dumps(body), status=status)
    for old, new in left.items():
        body = {"id": new, "properties": {}}
        api.get(f"{CONTACTS}/{old.strip('_')}", orjson.dumps(body))


REFUSED = (400, {"category": "VALIDATION_ERROR", "message": "no"})


def test_a_merge_is_refused_for_good_where_both_are_there(api):
    """Two records that HubSpot does not merge stay two."""
    merging(api, REFUSED, _1="1", _2="2")
    with pytest.raises(BatchRejected):
        connector().merge("contacts", CrmId("1"), CrmId("2"))


def test_a_merge_by_an_old_id_goes_on_with_the_new_one(api):
    """The record that is left of an earlier merge is merged in its place."""
    merging(api, REFUSED, (200, {"id": "4", "properties": {}}), _1="3", _2="2")
    assert connector().merge("contacts", CrmId("1"), CrmId("2")) == "4"
    assert sent(api, 3) == {"primaryObjectId": "3", "objectIdToMerge": "2"}


# --- reads --------------------------------------------------------------------------------


def test_a_read_finds_merged_records_by_their_old_id(api):
    """An id merged away finds the survivor; an unknown one is None; values have their types."""
    api.get(PROPERTIES, fixture("properties.json"))
    archived = {"results": [{"id": "9", "archived": True, "properties": {}}]}
    api.post(f"{CONTACTS}/batch/read?archived=true", orjson.dumps(archived))
    api.post(f"{CONTACTS}/batch/read", fixture("read-207.json"), status=207)
    survivor, nobody = connector().read("contacts", [Key("501"), Key("9")], ["visits"])
    assert (survivor.crm_id, survivor.fields, nobody) == ("512", {"visits": 12}, None)
    assert survivor.former_ids == ("500", "501")
    assert survivor.modified_at.isoformat() == "2026-02-03T04:05:06+00:00"


def test_an_id_that_batches_do_not_know_is_asked_for_alone(api):
    """Only there ids that were merged away are sure to work; the survivor may not list them."""
    missing = {"category": "OBJECT_NOT_FOUND", "message": "x", "context": {"ids": ["501"]}}
    nothing = orjson.dumps({"results": [], "numErrors": 1, "errors": [missing]})
    survivor = {"id": "512", "properties": {"visits": "12"}}
    api.get(PROPERTIES, fixture("properties.json"))
    api.post(f"{CONTACTS}/batch/read?archived=true", nothing, status=207)
    api.post(f"{CONTACTS}/batch/read", nothing, status=207)
    api.get(f"{CONTACTS}/501", orjson.dumps({"id": "512", "properties": {}}))
    api.post(f"{CONTACTS}/batch/read", orjson.dumps({"results": [survivor]}))
    [record] = connector().read("contacts", [Key("501")], ["visits"])
    assert (record.crm_id, record.fields, record.former_ids) == ("512", {"visits": 12}, ("501",))


def test_a_404_of_something_in_front_is_no_word_of_hubspots(api):
    """A record is gone only where HubSpot says so: a page of a proxy's is no answer."""
    missing = {"category": "OBJECT_NOT_FOUND", "message": "x", "context": {"ids": ["501"]}}
    nothing = orjson.dumps({"results": [], "numErrors": 1, "errors": [missing]})
    api.post(f"{CONTACTS}/batch/read?archived=true", nothing, status=207)
    api.post(f"{CONTACTS}/batch/read", nothing, status=207)
    api.get(f"{CONTACTS}/501", b"<html>", status=404)
    with pytest.raises(ConfigError):
        connector().read("contacts", [Key("501")], [])


def test_an_empty_success_of_a_read_is_not_believed(api):
    """Neither records nor errors: Unavailable, lest records be taken for deleted."""
    api.post(f"{CONTACTS}/batch/read", b'{"results": []}')
    with pytest.raises(Unavailable):
        connector().read("contacts", [Key("501")], ["visits"])


def test_field_types_are_read_once(api, monkeypatch):
    """Two reads share one description; one that is old is read anew."""
    description = api.get(PROPERTIES, fixture("properties.json"))
    api.post(f"{CONTACTS}/batch/read", fixture("read-207.json"), status=207)
    hs = connector()
    for _ in range(2):
        hs.read("contacts", [Key("512")], ["visits"])
    assert description.call_count == 1
    monkeypatch.setattr(schemas, "SCHEMA_SECONDS", -1.0)
    hs.read("contacts", [Key("512")], ["visits"])
    assert description.call_count == 2


def test_a_field_that_is_missing_from_an_answer_is_looked_for(api):
    """Where the account has it, it is empty; where not, nobody takes it for empty."""
    description = api.get(PROPERTIES, fixture("properties.json"))
    entry = {"id": "512", "properties": {"visits": "12"}}
    api.post(f"{CONTACTS}/batch/read", orjson.dumps({"results": [entry]}))
    hs = connector()
    [record] = hs.read("contacts", [Key("512")], ["visits", "phone"])
    assert record.fields == {"visits": 12, "phone": None}
    with pytest.raises(ConfigError, match="'unheard_of'"):
        hs.read("contacts", [Key("512")], ["visits", "unheard_of"])
    assert description.call_count == 2


def test_a_field_that_a_batch_complains_of_is_named(api):
    """A 207 without records that names a property is about the property, not the records."""
    api.get(PROPERTIES, fixture("properties.json"))
    error = {"category": "VALIDATION_ERROR", "context": {"propertyName": ["unheard_of"]}}
    answer = orjson.dumps({"results": [], "numErrors": 1, "errors": [error]})
    api.post(f"{CONTACTS}/batch/read", answer, status=207)
    with pytest.raises(ConfigError, match="'unheard_of'"):
        connector().read("contacts", [Key("512")], ["unheard_of"])


# --- metadata -----------------------------------------------------------------------------


def test_properties_become_fields(api):
    """Type, options, uniqueness and whether they may be written, through the SDK's models."""
    api.get(PROPERTIES, fixture("properties.json"))
    fields = connector().describe("contacts").fields
    assert {name: field.type for name, field in fields.items()} == {
        "email": FieldType.EMAIL,
        "phone": FieldType.PHONE,
        "crmsync_id": FieldType.TEXT,
        "hubspot_owner_id": FieldType.REFERENCE,
        "lifecyclestage": FieldType.PICKLIST,
        "interests": FieldType.MULTI_PICKLIST,
        "newsletter": FieldType.BOOLEAN,
        "visits": FieldType.NUMBER,
        "vip": FieldType.BOOLEAN,
        "birthday": FieldType.DATE,
        "createdate": FieldType.DATETIME,
        "score": FieldType.NUMBER,
        "place": FieldType.TEXT,
    }
    assert [name for name, field in fields.items() if field.unique] == ["email", "crmsync_id"]
    assert [name for name, field in fields.items() if not field.writable] == ["createdate", "score"]
    assert fields["lifecyclestage"].options == (("lead", "Lead"), ("customer", "Customer"))
    assert fields["email"].max_length == 65_536


@pytest.mark.parametrize("status", [201, 409])
def test_a_property_is_made_in_the_objects_own_group(api, status):
    """The body is what HubSpot asks for; one that exists is no error."""
    api.post(f"{API}/crm/v3/properties/companies", b'{"name": "crmsync_id"}', status=status)
    field = FieldSchema("crmsync_id", "crmsync id", FieldType.TEXT, unique=True)
    connector().create_field("companies", field)
    assert sent(api) == {
        "name": "crmsync_id",
        "label": "crmsync id",
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
        "hasUniqueValue": True,
        "options": [],
    }


def test_fields_that_hold_ids_of_owners_and_stages_say_so(api):
    """By what HubSpot says they refer to; several owners in one field are no id."""
    owner = {"type": "enumeration", "referencedObjectType": "OWNER"}
    answer = [
        {"name": "hubspot_owner_id", "fieldType": "select", **owner},
        {"name": "our_own_manager", "fieldType": "select", **owner},
        {"name": "hs_all_owner_ids", "fieldType": "checkbox", **owner},
        {"name": "dealstage", "type": "enumeration", "fieldType": "radio"},
    ]
    for name in ("deals", "contacts"):
        api.get(f"{API}/crm/v3/properties/{name}", orjson.dumps({"results": answer}))
    hs = connector()
    found = {field.name: field.directory for field in hs.describe_deals().fields.values()}
    assert found == {
        "hubspot_owner_id": Directory.OWNERS,
        "our_own_manager": Directory.OWNERS,
        "hs_all_owner_ids": None,
        "dealstage": Directory.STAGES,
    }
    assert hs.describe("contacts").fields["dealstage"].directory is None


def test_a_property_that_is_refused_says_why(api):
    """A refusal of a new property is a mistake in the set-up."""
    detail = {"code": "PROPERTY_INVALID", "message": "no"}
    body = {"category": "VALIDATION_ERROR", "message": "no", "errors": [detail]}
    api.post(PROPERTIES, orjson.dumps(body), status=400)
    with pytest.raises(ConfigError, match="PROPERTY_INVALID"):
        connector().create_field("contacts", FieldSchema("x", "X", FieldType.TEXT))


def test_custom_objects_need_a_hand():
    """The property group of a custom object is not known, so its field is made by a person."""
    with pytest.raises(ConfigError, match="by hand"):
        connector().create_field("2-345", FieldSchema("x", "X", FieldType.TEXT))


def test_check_reads_the_account_and_a_contact(api):
    """Two reads: who we are, and whether the scopes allow anything."""
    details = {"portalId": 7, "uiDomain": "app.hubspot.com", "accountType": "STANDARD"}
    api.get(f"{API}/account-info/v3/details", orjson.dumps(details | {"timeZone": "UTC"}))
    api.get(f"{CONTACTS}?limit=1", b'{"results": []}')
    account = connector().check()
    assert (account.id, account.name, account.detail) == ("7", "app.hubspot.com", "STANDARD, UTC")


def test_both_families_of_paths(api):
    """One setting moves records and properties to the dated paths."""
    api.get(f"{API}/crm/properties/2026-09/deals", fixture("properties.json"))
    api.post(f"{API}/crm/objects/2026-09/deals/batch/read", fixture("read-207.json"), status=207)
    [found] = connector(version="2026-09").read("deals", [Key("512")], ["visits"])
    assert found.crm_id == "512"


def test_an_object_type_is_quoted(api):
    """A name out of a mapping cannot lead to another path."""
    api.post(f"{API}/crm/v3/objects/..%2Fx%3Fy/batch/upsert", b'{"results": []}')
    [result] = connector().write(Batch("../x?y", Action.UPSERT, upserts("a").operations, "k"))
    assert result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("crm_id", [None, "", "x", [], True, 1.5, -1])
def test_a_success_without_an_id_is_a_lost_answer(api, crm_id):
    """What cannot be a record's id is never linked to."""
    entry = {"id": crm_id, "objectWriteTraceId": "0", "properties": {}}
    api.post(f"{CONTACTS}/batch/upsert", orjson.dumps({"results": [entry]}))
    with pytest.raises(OutcomeUnknown):
        connector().write(upserts("a"))


@pytest.mark.parametrize(
    "body",
    [b"null", b"[]", b"{}", b'{"results": 7}', b'{"results": [null]}', b'{"results": "x"}',
     b'{"results": []}', b'{"results": [{"name": "a", "options": [null]}]}'],
)  # fmt: skip
def test_properties_of_another_shape(api, body):
    """They are a lost answer, and never an object without fields."""
    api.get(PROPERTIES, body)
    with pytest.raises(Unavailable):
        connector().describe("contacts")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"error": "bad request"}'])
def test_a_refusal_by_something_in_front_sets_no_record_aside(api, body):
    """A 400 that is not HubSpot's own says nothing against the one record of a call."""
    api.post(f"{CONTACTS}/batch/upsert", body, status=400)
    with pytest.raises(OutcomeUnknown):
        connector().write(upserts("a"))


def test_a_search_that_leads_in_a_circle_ends(api):
    """The same place again is no answer."""
    entry = {"id": "7", "properties": {"tier": "x"}}
    same = orjson.dumps({"results": [entry], "paging": {"next": {"after": "200"}}})
    api.get(PROPERTIES, orjson.dumps({"results": [{"name": "tier", "type": "string"}]}))
    for _ in range(2):
        api.post(f"{CONTACTS}/search", same)
    with pytest.raises(Unavailable, match="does not end"):
        connector().read("contacts", [Key("x", "tier")], [])


@pytest.mark.parametrize("place", ["5000", "6000", "5000:9"])
def test_a_pull_that_leads_in_a_circle_ends(api, place):
    """A page that leads back to itself, or further back, is no answer; the error says so."""
    properties = {"hs_lastmodifieddate": "1970-01-01T00:00:05Z", "hs_merged_object_ids": None}
    entry = {"id": "9", "properties": properties}
    same = {"results": [entry], "paging": {"next": {"after": "10"}}}
    api.post(f"{API}/crm/v3/objects/companies/search", orjson.dumps(same))
    api.get(f"{API}/crm/v3/properties/companies", fixture("properties.json"))
    never = 10**15
    # Five minutes past what is meant, as a cursor is.
    since = place if ":" in place else str(int(place) + OVERLAP_MS)
    hs = connector()
    hs.describe("companies")
    with pytest.raises(Unavailable, match="over and over"):
        list(hs.changes("companies", f"{since};{never};{never}", []))


def test_an_account_without_an_id_is_not_one(api):
    """A 200 that does not say whose it is, as a proxy may give, proves no credentials."""
    api.get(f"{API}/account-info/v3/details", b"{}")
    api.get(CONTACTS, b'{"results": []}')
    with pytest.raises(Unavailable):
        connector().check()
