"""The Salesforce connector's calls, against answers as Salesforce documents them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.salesforce import schemas
from crmsync.connectors.salesforce.connector import Salesforce
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)
from crmsync.model import Action, Batch, FieldSchema, FieldType, LinkId, Operation, Outcome
from tests.openapi.recorded import scripted
from tests.unit.connectors.salesforce.answers import (
    API,
    COLLECTION,
    COMPOSITE,
    CONTACT,
    CONTACTS,
    FIRST,
    ORG,
    SECOND,
    UPSERT,
    column,
    connector,
    error,
    refused,
    saved,
    updates,
    upserts,
)

DEAD = error("INVALID_SESSION_ID", "Session expired or invalid")


@pytest.fixture
def api():
    """Salesforce, scripted; every answer must be asked for."""
    with scripted("salesforce") as mock:
        yield mock


@pytest.fixture
def org(api):
    """The same, with contacts to be described."""
    api.get(CONTACTS, json=CONTACT)
    return api


def sent(api, place=-1):
    """The JSON body of a call."""
    return orjson.loads(api.calls[place].request.body)


def asked(api, place=-1):
    """The query of a call."""
    return parse_qs(urlsplit(api.calls[place].request.url).query)["q"][0]


def inner(place, status, body):
    """One answer inside a composite's."""
    return {
        "referenceId": f"call{place}",
        "httpStatusCode": status,
        "httpHeaders": {},
        "body": body,
    }


def many(count):
    """A batch of so many upserts."""
    return upserts(*(f"k{n}" for n in range(count)))


def rows(count):
    """Rows of so many records that were written."""
    return [saved(FIRST, created=True)] * count


# --- writes -------------------------------------------------------------------------------


def test_one_chunk_is_a_collection(org):
    """Path, token and headers are those of the guide; a composite is not needed."""
    org.patch(UPSERT, json=[saved(FIRST, created=True), refused("REQUIRED_FIELD_MISSING")])
    results = connector().write(upserts("a", "b"))
    request = org.calls[-1].request
    assert request.headers["Authorization"] == "Bearer 00D!t"
    assert "allowSave=false" in request.headers["Sforce-Duplicate-Rule-Header"]
    assert [r.outcome for r in results] == [Outcome.SUCCEEDED, Outcome.REJECTED]


def test_a_thousand_records_are_one_call(org):
    """Five collections, each with its own headers, in one composite; not all or none."""
    answers = [inner(place, 200, rows(200)) for place in range(5)]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    results = connector().write(many(1_000))
    assert [r.outcome for r in results] == [Outcome.SUCCEEDED] * 1_000
    body = sent(org)
    assert body["allOrNone"] is False
    calls = body["compositeRequest"]
    assert [len(call["body"]["records"]) for call in calls] == [200] * 5
    assert {call["url"] for call in calls} == {
        "/services/data/v59.0/composite/sobjects/Contact/Key__c"
    }
    assert all("Sforce-Duplicate-Rule-Header" in call["httpHeaders"] for call in calls)
    assert len(org.calls) == 2


def test_collections_of_a_composite_have_fates_of_their_own(org):
    """Outer 200: one is written, one surely not, one perhaps, one is not mentioned."""
    answers = [
        inner(2, 500, error("UNKNOWN_EXCEPTION")),
        inner(0, 200, rows(200)),
        inner(1, 403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests")),
    ]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    outcomes = [r.outcome for r in connector().write(many(800))]
    assert outcomes == (
        [Outcome.SUCCEEDED] * 200
        + [Outcome.RETRY] * 200
        + [Outcome.UNKNOWN] * 200
        + [Outcome.UNKNOWN] * 200
    )


def test_a_collection_that_is_refused_leaves_the_others_settled(org):
    """The caller splits what was refused, and no more."""
    answers = [inner(0, 200, rows(200)), inner(1, 400, error("JSON_PARSER_ERROR"))]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    with pytest.raises(BatchRejected) as caught:
        connector().write(many(250))
    assert list(caught.value.settled) == list(range(200))


def test_a_composite_that_may_not_at_all_halts(org):
    """Every collection says that the user may not."""
    answers = [inner(place, 403, error("API_DISABLED_FOR_ORG")) for place in range(2)]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    with pytest.raises(ConnectionHalted):
        connector().write(many(400))


def test_a_composite_that_is_refused_as_a_whole_is_judged_so(org):
    """Before anything was carried out."""
    org.post(COMPOSITE, json=error("REQUEST_LIMIT_EXCEEDED", "TotalRequests"), status=403)
    with pytest.raises(RateLimited):
        connector().write(many(201))


def test_a_refusal_of_one_is_its_result(org):
    """A 400 for a single operation is that operation's result, with who is there already."""
    said = error("DUPLICATE_VALUE", f"Email duplicates value on record with id: {FIRST[:15]}",
                 fields=["Email"])  # fmt: skip
    org.patch(UPSERT, json=said, status=400)
    [result] = connector().write(upserts("a"))
    assert (result.outcome, result.existing_id) == (Outcome.REJECTED, FIRST)


def test_a_race_is_tried_again(org):
    """An upsert refused for the very key it goes by."""
    said = f"duplicate value found: Key__c duplicates value on record with id: {FIRST}"
    org.patch(UPSERT, json=[refused("DUPLICATE_VALUE", said)])
    salesforce = connector()
    outcomes = [salesforce.write(upserts("a"))[0].outcome for _ in range(2)]
    assert outcomes == [Outcome.RETRY, Outcome.REJECTED]


@pytest.mark.parametrize(
    "body",
    [b"null", b"{}", b"1", b"[1, 2]", b"[null, null]", b'[{"id": "x"}, {}]', b"<html>", b"",
     b'[{"success": false}, {"success": false}]'],
)  # fmt: skip
def test_a_success_of_another_shape_is_unknown(org, body):
    """A 200 that is not what is documented is a lost answer."""
    org.patch(UPSERT, body=body)
    with pytest.raises(OutcomeUnknown):
        connector().write(upserts("a", "b"))


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"compositeResponse": null}', b'{"compositeResponse": [{}]}',
     b'{"compositeResponse": [{"referenceId": "call0"}]}'],
)  # fmt: skip
def test_a_composite_of_another_shape_is_unknown(org, body):
    """The same for several collections."""
    org.post(COMPOSITE, body=body)
    with pytest.raises(OutcomeUnknown):
        connector().write(many(201))


def test_a_field_that_is_not_there_costs_no_call(org):
    """Its records are refused by name, the others are sent."""
    org.patch(COLLECTION, json=[saved(SECOND)])
    operations = [
        Operation(LinkId(0), Action.UPDATE, {"Nope__c": "x"}, crm_id=FIRST),
        Operation(LinkId(1), Action.UPDATE, {"LastName": "x"}, crm_id=SECOND),
    ]
    results = connector().write(Batch("Contact", Action.UPDATE, operations))
    assert [r.outcome for r in results] == [Outcome.REJECTED, Outcome.SUCCEEDED]
    assert results[0].failure.field == "Nope__c"
    assert len(sent(org)["records"]) == 1


def test_a_field_that_goes_away_is_noticed_by_its_refusal(api, monkeypatch):
    """What was described is described anew, so that records are refused without a call each."""
    monkeypatch.setattr(schemas, "DOUBT_SECONDS", 0.0)
    left = [field for field in CONTACT["fields"] if field["name"] != "Email"]
    api.get(CONTACTS, json=CONTACT)
    api.get(CONTACTS, json=CONTACT | {"fields": left})
    api.patch(COLLECTION, json=error("INVALID_FIELD", "No such column 'Email'"), status=400)
    salesforce = connector()
    with pytest.raises(BatchRejected) as caught:
        salesforce.write(updates(FIRST, SECOND, Email="a@x.io"))
    assert caught.value.field == "Email"
    results = salesforce.write(updates(FIRST, SECOND, Email="a@x.io"))
    assert [r.failure.field for r in results] == ["Email", "Email"]
    assert len(api.calls) == 3


# --- sessions -----------------------------------------------------------------------------


class Renewing:
    """Credentials that give another token each time one is refused."""

    def __init__(self):
        self.given = 1

    def access(self, within_seconds):
        return Access(f"00D!{self.given}", self.given)

    def renewed(self, refused, within_seconds):
        self.given += 1
        return self.access(within_seconds)


def renewing():
    """A connector that can renew its token, and its credentials."""
    connection = Connection("sf", "salesforce", {}, base_url=ORG)
    who = Renewing()
    return Salesforce(connection, MemoryThrottle(Salesforce.limits(connection)), who), who


@pytest.mark.parametrize("status", [401, 500])
def test_a_dead_session_is_renewed_once(org, status):
    """Whatever status it comes with; the write was not carried out, so it is sent again."""
    org.patch(UPSERT, json=DEAD, status=status)
    org.patch(UPSERT, json=[saved(FIRST, created=False)])
    salesforce, who = renewing()
    assert salesforce.write(upserts("a"))[0].outcome is Outcome.SUCCEEDED
    assert who.given == 2
    assert org.calls[-1].request.headers["Authorization"] == "Bearer 00D!2"


@pytest.mark.parametrize("body", [orjson.dumps(DEAD), b"<html>Log in</html>"])
def test_a_session_that_stays_dead_ends_after_one_renewal(api, body):
    """Also through the library, which would ask for ever."""
    api.get(CONTACTS, body=body, status=401)
    salesforce, who = renewing()
    with pytest.raises(ConnectionHalted) as caught:
        salesforce.describe("Contact")
    assert caught.value.cause == "reauth_required"
    assert (len(api.calls), who.given) == (2, 2)


def test_a_session_that_no_token_cures_is_not_renewed(api):
    """The profile demands a stronger one."""
    said = error("INVALID_SESSION_ID", "This session is not valid for use with the REST API")
    api.get(CONTACTS, json=said, status=401)
    salesforce, who = renewing()
    with pytest.raises(ConnectionHalted) as caught:
        salesforce.describe("Contact")
    assert caught.value.cause == "refused"
    assert (len(api.calls), who.given) == (1, 1)


# --- reads --------------------------------------------------------------------------------


def shown(crm_id, **fields):
    """A record as a read shows it."""
    stamp = "2024-05-01T10:00:00.000+0000"
    return {"attributes": {"type": "Contact"}, "Id": crm_id, "SystemModstamp": stamp, **fields}


def page(*records, following=None):
    """A page of a query."""
    body = {"totalSize": len(records), "done": following is None, "records": list(records)}
    return body if following is None else body | {"nextRecordsUrl": following}


def test_records_are_read_by_id_2000_a_call(org):
    """Each id once, matched by the id that comes back; None where there is none."""
    org.post(f"{COLLECTION}/Contact", json=[shown(SECOND, Email="B@x.io"), None])
    org.get(f"{API}/queryAll/", json=page())
    keys = [Key(FIRST), Key(SECOND[:15]), Key(SECOND), Key("not-an-id")]
    found = connector().read("Contact", keys, ["Email", "Nope__c"])
    assert sent(org, 1) == {"ids": [FIRST, SECOND], "fields": ["Id", "Email", "SystemModstamp"]}
    assert [record and record.crm_id for record in found] == [None, SECOND, SECOND, None]
    assert found[1].fields == {"Email": "b@x.io", "Nope__c": None}
    assert found[1].modified_at.isoformat() == "2024-05-01T10:00:00+00:00"


def test_a_record_that_was_merged_is_its_survivor(org):
    """As long as the recycle bin tells which that is."""
    org.post(f"{COLLECTION}/Contact", json=[None])
    org.get(f"{API}/queryAll/", json=page({"Id": FIRST, "MasterRecordId": SECOND}))
    org.post(f"{COLLECTION}/Contact", json=[shown(SECOND, Email=None)])
    [record] = connector().read("Contact", [Key(FIRST)], ["Email"])
    assert record.crm_id == SECOND


def test_records_are_found_by_a_field(org):
    """Quoted, case ignored, the lowest id of several; an empty value finds nothing."""
    org.get(
        f"{API}/query/",
        json=page(shown(FIRST, Email="O'Hara@x.io"), shown(SECOND, Email="o'hara@x.io")),
    )
    keys = [Key("o'hara@X.io", "Email"), Key(" ", "Email"), Key("nobody@x.io", "Email")]
    found = connector().read("Contact", keys, ["Email"])
    assert [record and record.crm_id for record in found] == [FIRST, None, None]
    assert asked(org) == (
        "SELECT Id, Email, SystemModstamp FROM Contact WHERE Email IN"
        r" ('o\'hara@X.io','nobody@x.io') ORDER BY Id"
    )


def test_case_counts_where_the_field_says_so(org):
    """`abc` and `ABC` are two records then."""
    org.get(f"{API}/query/", json=page(shown(FIRST, Case__c="abc")))
    keys = [Key("ABC", "Case__c"), Key("abc", "Case__c")]
    found = connector().read("Contact", keys, [])
    assert [record and record.crm_id for record in found] == [None, FIRST]


def test_pages_are_followed_to_the_end(org):
    """However few rows Salesforce puts into one."""
    more = "/services/data/v59.0/query/01gXX-1"
    org.get(f"{API}/query/", json=page(shown(FIRST, Email="a@x.io"), following=more))
    org.get(f"{ORG}{more}", json=page(shown(SECOND, Email="b@x.io")))
    keys = [Key("a@x.io", "Email"), Key("b@x.io", "Email")]
    found = connector().read("Contact", keys, [])
    assert [record.crm_id for record in found] == [FIRST, SECOND]


def test_several_queries_are_one_call(org):
    """A thousand addresses: three queries in a composite, and the pages that are left over."""
    more = "/services/data/v59.0/query/01gXX-1"
    first = page(shown(FIRST, Email="person.number.0@example.com"), following=more)
    answers = [inner(0, 200, first), inner(1, 200, page()), inner(2, 200, page())]
    answers += [inner(3, 200, page())]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    org.get(f"{ORG}{more}", json=page(shown(SECOND, Email="person.number.1@example.com")))
    keys = [Key(f"person.number.{n}@example.com", "Email") for n in range(1_000)]
    found = connector().read("Contact", keys, ["LastName"])
    assert [r.crm_id for r in found if r] == [FIRST, SECOND]
    requests = org.calls[1].request
    assert requests.url == COMPOSITE
    assert len(org.calls) == 3


def test_a_query_inside_a_composite_that_fails_is_never_nobody(org):
    """Its records would be created again."""
    answers = [inner(0, 200, page()), inner(1, 500, error("UNKNOWN_EXCEPTION"))]
    org.post(COMPOSITE, json={"compositeResponse": answers})
    keys = [Key(f"{n:060}", "LastName") for n in range(300)]
    with pytest.raises(Unavailable):
        connector().read("Contact", keys, [])


def test_a_query_that_a_composite_leaves_out_is_never_nobody(org):
    """Nor is that of which nothing is said."""
    org.post(COMPOSITE, json={"compositeResponse": [inner(0, 200, page())]})
    keys = [Key(f"{n:060}", "LastName") for n in range(300)]
    with pytest.raises(Unavailable):
        connector().read("Contact", keys, [])


def test_hundreds_of_fields_are_read_in_two_steps(api):
    """By the field for the ids, then by id."""
    names = [f"A_field_with_a_long_name_{n}__c" for n in range(300)]
    wide = CONTACT | {"fields": [*CONTACT["fields"], *(column(name) for name in names)]}
    api.get(CONTACTS, json=wide)
    api.get(f"{API}/query/", json=page(shown(FIRST, Email="a@x.io")))
    api.post(f"{COLLECTION}/Contact", json=[shown(FIRST, **{names[7]: "x"})])
    keys = [Key("a@x.io", "Email"), Key("b@x.io", "Email")]
    found = connector().read("Contact", keys, names)
    assert found[0].fields[names[7]] == "x"
    assert found[1] is None


@pytest.mark.parametrize("name", ["Notes__c", "Nope__c", "Id; DROP"])
def test_a_field_that_cannot_be_looked_for_is_a_mistake_in_the_files(org, name):
    """A long text cannot be filtered by, and no name reaches a query that describe did not give."""
    with pytest.raises(ConfigError, match="records can be found by"):
        connector().read("Contact", [Key("a", name)], [])


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'[{"Id": "1"}, null]', b"[1, 2]", b"1"])
def test_a_read_of_another_shape_is_never_nobody(api, body):
    """It is asked again later."""
    unmerged = [field for field in CONTACT["fields"] if field["name"] != "MasterRecordId"]
    api.get(CONTACTS, json=CONTACT | {"fields": unmerged})
    api.post(f"{COLLECTION}/Contact", body=body)
    with pytest.raises(Unavailable):
        connector().read("Contact", [Key(FIRST), Key(SECOND)], [])


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'{"records": [{}], "done": true}'])
def test_a_query_of_another_shape_is_never_nobody(org, body):
    """The same through the library."""
    org.get(f"{API}/query/", body=body)
    with pytest.raises(Unavailable):
        connector().read("Contact", [Key("a", "Key__c")], [])


def test_an_error_of_the_library_holds_no_person(org):
    """Its own exceptions would tell address, query and body."""
    org.get(f"{API}/query/", json=error("MALFORMED_QUERY", "ann@x.io"), status=400)
    with pytest.raises(BatchRejected) as caught:
        connector().read("Contact", [Key("ann@x.io", "Email")], [])
    assert "ann" not in caught.value.user_message


# --- metadata and changes -----------------------------------------------------------------


def test_a_pull_goes_by_pages(org):
    """Each with the cursor to go on from: from there exactly, since it is long ago."""
    more = "/services/data/v59.0/query/01gXX-1"
    first, second = shown(FIRST), shown(SECOND) | {"SystemModstamp": "2024-05-01T10:00:09.000+0000"}
    org.get(f"{API}/queryAll/", json=page(first, following=more))
    org.get(f"{ORG}{more}", json=page(second))
    pages = list(connector().changes("Contact", "2024-05-01T09:00:00Z", ["Email"]))
    assert [one.cursor for one in pages] == [
        f"2024-05-01T10:00:00Z/{FIRST}", f"2024-05-01T10:00:09Z/{SECOND}"
    ]  # fmt: skip
    asked_first = parse_qs(urlsplit(org.calls[1].request.url).query)["q"][0]
    assert "SystemModstamp >= 2024-05-01T08:55:00Z ORDER BY SystemModstamp, Id" in asked_first


def test_a_list_of_changes_that_takes_too_long_is_asked_for_again(org):
    """It has nothing that could be made smaller, and is no reason to rest for long."""
    org.get(f"{API}/queryAll/", json=error("QUERY_TIMEOUT"), status=400)
    with pytest.raises(RetryLater) as later:
        list(connector().changes("Contact", "2024-05-01T09:00:00Z", ["Email"]))
    assert later.value.retry_after_seconds == 60


def test_check_names_the_org(api):
    """By a query, which takes what every other call takes."""
    org = {"Id": "00D5e0000000001EAA", "Name": "Acme", "OrganizationType": "Enterprise Edition",
           "IsSandbox": True}  # fmt: skip
    api.get(f"{API}/query/", json=page(org))
    account = connector().check()
    assert (account.name, account.detail) == ("Acme", "Enterprise Edition, a sandbox")


@pytest.mark.parametrize("name", ["Widget/x", "../query", "", "a b"])
def test_what_is_no_name_is_never_asked_for(api, name):
    """It would stand in a path."""
    with pytest.raises(ConfigError):
        connector().describe(name)
    assert not api.calls


def test_an_object_that_is_not_there_is_named(api):
    """With what to write instead."""
    api.get(f"{API}/sobjects/Widget/describe", json=error("NOT_FOUND"), status=404)
    with pytest.raises(ConfigError, match="Widget"):
        connector().describe("Widget")


def test_a_field_is_made_by_hand():
    """The REST API makes none; the steps are told."""
    with pytest.raises(ConfigError, match="External ID"):
        connector().create_field("Contact", FieldSchema("Key__c", "Key", FieldType.TEXT))
    steps = Salesforce.capabilities.field_steps.format(object="Contact", field="Key__c")
    assert "Contact" in steps
    assert "Key__c" in steps


def test_the_limits_are_those_of_the_lowest_tier():
    """And the connection's own where it has some."""
    own = Connection("sf", "salesforce", {}, limits={"daily_calls": 110_000})
    assert {limit.name: limit.amount for limit in Salesforce.limits(own)} == {
        "daily_calls": 110_000,
        "concurrent_calls": 5,
    }


def test_a_deadline_leaves_time_for_triggers():
    """Longer than that of other CRMs, in the order that must hold."""
    timing = Salesforce.timing
    times = timing.request_deadline_seconds, timing.lease_seconds, timing.settle_seconds
    assert times == (100, 180, 660)


def test_the_library_reaches_nothing_but_the_transport(api):
    """Its requests go to the org's own address, with our token and none of its headers."""
    api.get(CONTACTS, json=CONTACT)
    connector().describe("Contact")
    [call] = api.calls
    assert call.request.headers["Authorization"] == "Bearer 00D!t"
    assert "X-PrettyPrint" not in call.request.headers


def test_pages_that_lead_in_a_circle_end(org):
    """A page that names itself as the next one is no answer, and not asked for for ever."""
    more = "/services/data/v59.0/query/01gXX-1"
    org.get(f"{API}/query/", json=page(shown(FIRST, Email="a@x.io"), following=more))
    org.get(f"{ORG}{more}", json=page(following=more))
    with pytest.raises(Unavailable, match="does not end"):
        connector().read("Contact", [Key("a@x.io", "Email"), Key("b@x.io", "Email")], [])


def test_records_merged_in_a_circle_are_nobody(org):
    """Two that name each other as the survivor end the search for one."""
    org.post(f"{COLLECTION}/Contact", json=[None])
    org.get(f"{API}/queryAll/", json=page({"Id": FIRST, "MasterRecordId": SECOND}))
    org.post(f"{COLLECTION}/Contact", json=[None])
    org.get(f"{API}/queryAll/", json=page({"Id": SECOND, "MasterRecordId": FIRST}))
    org.post(f"{COLLECTION}/Contact", json=[None])
    assert connector().read("Contact", [Key(FIRST)], ["Email"]) == [None]


@pytest.mark.parametrize("master", ["", "x", "9" * 40])
def test_a_survivor_that_is_no_id_is_nobody(org, master):
    """It is not asked for again and again."""
    org.post(f"{COLLECTION}/Contact", json=[None])
    org.get(f"{API}/queryAll/", json=page({"Id": FIRST, "MasterRecordId": master}))
    assert connector().read("Contact", [Key(FIRST)], ["Email"]) == [None]


def test_an_object_without_fields_refuses_no_record(api):
    """A describe answer that holds none is a lost one: its records are not at fault."""
    api.get(CONTACTS, json={"name": "Contact", "fields": []})
    with pytest.raises(Unavailable):
        connector().write(updates(FIRST))
