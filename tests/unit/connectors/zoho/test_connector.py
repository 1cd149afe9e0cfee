"""The Zoho connector's calls, against answers as Zoho documents them."""

from __future__ import annotations

import threading
import time

import orjson
import pytest

from crmsync.connectors.auth.authorisation import Access, FixedToken
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.connector import Zoho
from crmsync.connectors.zoho.modules import DOUBTED_SECONDS
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
)
from tests.unit.connectors.zoho.answers import (
    API,
    CONTACTS,
    COQL,
    FIELDS,
    LAYOUTS,
    UPSERT,
    answered,
    calls,
    described,
    done,
    params,
    queries,
    refused,
    rows,
    sent,
)

NAMES = ["Last_Name", "Email", "Title"]


@pytest.fixture
def api(bare):
    """The same, with a description of contacts."""
    bare.get(FIELDS, described(*NAMES, "Ext_Id", "Modified_Time"))
    return bare


def upserts(*keys):
    """A batch of upserts by our key."""
    operations = [
        Operation(LinkId(n), Action.UPSERT, {"Last_Name": key}, match_value=key)
        for n, key in enumerate(keys)
    ]
    return Batch("Contacts", Action.UPSERT, operations, "Ext_Id")


def by_id(action, *ids, **fields):
    """A batch of writes by id."""
    operations = [Operation(LinkId(n), action, fields, crm_id=i) for n, i in enumerate(ids)]
    return Batch("Contacts", action, operations)


# --- writes -------------------------------------------------------------------------------


def test_an_upsert_is_one_call(api, zoho):
    """Path, token, key and trigger are those of the documentation; no workflow is set off."""
    api.post(UPSERT, answered(done("7", action="insert"), refused(api_name="Email")), status=207)
    results = zoho.write(upserts("a", "b"))
    [request] = calls(api, UPSERT)
    assert request.headers["Authorization"] == "Zoho-oauthtoken 1000.x"
    assert orjson.loads(request.body) == {
        "data": [{"Last_Name": "a", "Ext_Id": "a"}, {"Last_Name": "b", "Ext_Id": "b"}],
        "duplicate_check_fields": ["Ext_Id"],
        "trigger": [],
    }
    assert [(r.outcome, r.created) for r in results] == [
        (Outcome.SUCCEEDED, True),
        (Outcome.REJECTED, False),
    ]


@pytest.mark.parametrize("status", [200, 201, 202, 207, 400])
def test_only_the_entries_count(api, zoho, status):
    """A mixture has been seen under 200, and where all are refused the status is 400."""
    api.post(UPSERT, answered(refused(api_name="Email"), done("7")), status=status)
    results = zoho.write(upserts("a", "b"))
    assert [r.outcome for r in results] == [Outcome.REJECTED, Outcome.SUCCEEDED]


@pytest.mark.parametrize(
    ("action", "method", "url"),
    [(Action.UPDATE, "PUT", CONTACTS), (Action.CREATE, "POST", CONTACTS)],
)
def test_creates_and_updates(api, zoho, action, method, url):
    """Creates are POSTed, updates PUT, both without setting anything off."""
    api.add(method, url, answered(done("7")))
    crm_id = CrmId("7") if action is Action.UPDATE else None
    [result] = zoho.write(by_id(action, crm_id, Last_Name="Li"))
    named = {"id": "7"} if crm_id else {}
    assert sent(api, url) == [{"data": [{**named, "Last_Name": "Li"}], "trigger": []}]
    assert (result.crm_id, result.created) == ("7", action is Action.CREATE)


def test_a_deletion(bare, zoho):
    """By ids in the address; nothing is set off, and the module need not be described."""
    bare.delete(CONTACTS, answered(done("7"), refused(id="8")), status=207)
    results = zoho.write(by_id(Action.ARCHIVE, CrmId("7"), CrmId("8")))
    [request] = calls(bare, CONTACTS)
    assert params(request) == {"ids": "7,8", "wf_trigger": "false"}
    assert [r.outcome for r in results] == [Outcome.SUCCEEDED, Outcome.REJECTED]


ODD = [b"", b"[]", b"{}", b'{"data": {}}', b'{"data": [1]}', b"<html>", b'{"status": "success"}']


@pytest.mark.parametrize("body", ODD)
def test_a_success_of_another_shape_is_a_lost_answer(api, zoho, body):
    """It may have been carried out."""
    api.post(UPSERT, body)
    with pytest.raises(OutcomeUnknown):
        zoho.write(upserts("a"))


def test_nothing_in_answer_to_a_write_is_a_lost_answer(api, zoho):
    """Only reads are answered without a body."""
    api.post(UPSERT, b"", status=204)
    with pytest.raises(OutcomeUnknown):
        zoho.write(upserts("a"))


def test_a_whole_refusal_is_for_the_caller_to_split(api, zoho):
    """A call that was refused for the sake of some record."""
    api.post(UPSERT, orjson.dumps(refused(json_path="$.data[1].Email")), status=400)
    with pytest.raises(BatchRejected):
        zoho.write(upserts("a", "b"))


def test_a_key_that_is_not_unique_any_more_is_not_for_the_caller_to_split(api, zoho):
    """Each half would be refused as well, and cost credits."""
    why = refused(api_name="duplicate_check_fields", json_path="$.duplicate_check_fields[0]")
    api.post(UPSERT, orjson.dumps(why), status=400)
    results = zoho.write(upserts("a", "b"))
    assert [r.outcome for r in results] == [Outcome.REJECTED] * 2
    assert "no longer unique" in results[0].failure.hint


def test_a_module_that_is_gone_is_not_for_the_caller_to_split(bare, zoho):
    """Its records are refused with one call."""
    bare.get(FIELDS, orjson.dumps(refused("INVALID_MODULE")), status=400)
    results = zoho.write(upserts("a", "b"))
    assert [(r.outcome, r.failure.code) for r in results] == [
        (Outcome.REJECTED, "UNKNOWN_MODULE")
    ] * 2


def test_what_calls_cost(api, zoho, throttle):
    """A credit for ten records of a write, one for a list and a query; many records are heavy."""
    for count in (10, 11, 100):
        api.post(UPSERT, answered(*(done(str(n)) for n in range(count))))
        zoho.write(upserts(*(f"k{n}" for n in range(count))))
    api.get(CONTACTS, b"", status=204)
    zoho.read("Contacts", [Key("7")], [])
    api.post(COQL, b"", status=204)
    zoho.read("Contacts", [Key("k", "Ext_Id")], [])
    assert throttle.asked == [
        ("call", 1),
        ("call", 1),
        ("heavy", 2),
        ("heavy", 10),
        ("call", 1),
        ("heavy", 1),
    ]


def test_limits_are_those_of_the_lowest_edition():
    """Unless crmsync.yaml says what the account has."""
    amounts = {
        limit.name: (limit.amount, limit.unit, limit.scope)
        for limit in Zoho.limits(Connection("crm", "zoho", {}, limits={"concurrent_calls": 20}))
    }
    assert amounts == {
        "daily_credits": (5_000, "credit", "call"),
        "concurrent_calls": (20, "call", "call"),
        "concurrent_heavy_calls": (10, "call", "heavy"),
    }


def test_when_credits_are_used_up_the_wait_is_long(api, zoho):
    """A 429 does not say what is used up; the number of credits left, once told, does."""
    left = {"X-API-CREDITS-REMAINING": "3"}
    api.post(UPSERT, answered(done("7")), headers=left)
    zoho.write(upserts("a"))
    api.post(UPSERT, orjson.dumps(refused("TOO_MANY_REQUESTS")), status=429)
    with pytest.raises(RateLimited) as caught:
        zoho.write(upserts("a"))
    assert caught.value.retry_after_seconds == 5
    api.post(UPSERT, orjson.dumps(refused("TOO_MANY_REQUESTS")), status=429)
    with pytest.raises(RateLimited) as caught:
        zoho.write(upserts(*(f"k{n}" for n in range(100))))
    assert caught.value.retry_after_seconds == 3_600


def test_once_credits_have_come_back_the_wait_is_short_again(api, zoho):
    """Zoho says how many are left only while more than half of them are used."""
    api.post(UPSERT, answered(done("7")), headers={"X-API-CREDITS-REMAINING": "0"})
    api.post(UPSERT, answered(done("7")))
    api.post(UPSERT, orjson.dumps(refused("TOO_MANY_REQUESTS")), status=429)
    for _ in range(2):
        zoho.write(upserts("a"))
    with pytest.raises(RateLimited) as caught:
        zoho.write(upserts("a"))
    assert caught.value.retry_after_seconds == 5


# --- who we are ---------------------------------------------------------------------------


class Renewing:
    """Credentials that can be renewed."""

    def __init__(self):
        self.renewals = 0

    def access(self, _seconds):
        return Access("1000.old", 1, API)

    def renewed(self, _refused, _seconds):
        self.renewals += 1
        return Access("1000.new", 2, API)


def test_the_address_comes_with_the_token(api):
    """Each data centre has its own; a token is good in none of the others."""
    zoho = Zoho(Connection("crm", "zoho", {}), MemoryThrottle(()), Renewing())
    api.post(UPSERT, answered(done("7")))
    assert zoho.write(upserts("a"))[0].crm_id == "7"


def test_a_bare_token_without_an_address_asks_for_one():
    """Rather than guess a data centre and find the token dead there."""
    zoho = Zoho(Connection("crm", "zoho", {}), MemoryThrottle(()), FixedToken("1000.x"))
    with pytest.raises(ConnectionHalted) as caught:
        zoho.check()
    assert "base_url" in caught.value.hint


def test_a_dead_token_is_renewed_and_the_call_sent_again(api):
    """It was surely not carried out."""
    who = Renewing()
    api.post(UPSERT, orjson.dumps(refused("INVALID_TOKEN")), status=401)
    api.post(UPSERT, answered(done("7")))
    zoho = Zoho(Connection("crm", "zoho", {}), MemoryThrottle(()), who)
    assert zoho.write(upserts("a"))[0].outcome is Outcome.SUCCEEDED
    assert who.renewals == 1


def test_for_want_of_a_scope_nothing_is_renewed(api):
    """That is a 401 too; ten renewals in ten minutes are all that Zoho grants."""
    who = Renewing()
    api.post(UPSERT, orjson.dumps(refused("OAUTH_SCOPE_MISMATCH")), status=401)
    zoho = Zoho(Connection("crm", "zoho", {}), MemoryThrottle(()), who)
    with pytest.raises(ConnectionHalted) as caught:
        zoho.write(upserts("a"))
    assert (caught.value.cause, who.renewals) == ("missing_scope", 0)


# --- reads --------------------------------------------------------------------------------


def test_records_by_id(api, zoho):
    """A list of ids, and nothing where it has no body."""
    api.get(CONTACTS, rows({"id": "8", "Email": "ma@x.io"}, {"id": "7", "Email": "li@x.io"}))
    found = zoho.read("Contacts", [Key("7"), Key("9"), Key("8"), Key("7")], ["Email"])
    assert [record and record.fields for record in found] == [
        {"Email": "li@x.io"},
        None,
        {"Email": "ma@x.io"},
        {"Email": "li@x.io"},
    ]
    [request] = calls(api, CONTACTS)
    assert params(request) == {"ids": "7,9,8", "fields": "Modified_Time,Email"}
    api.get(CONTACTS, b"", status=204)
    assert zoho.read("Contacts", [Key("9")], ["Email"]) == [None]


def test_records_nobody_asked_for_are_left_out(api, zoho):
    """Should a list ever come without regard to its ids."""
    api.get(CONTACTS, rows({"id": "8", "Email": "ma@x.io"}))
    assert zoho.read("Contacts", [Key("7")], ["Email"]) == [None]


def test_more_fields_than_a_list_takes_are_read_in_two(bare, zoho):
    """50 at a time, put together; a record that is missing in one of them is not there."""
    names = [f"F{n}" for n in range(60)]
    bare.get(FIELDS, described(*names))
    first, second = dict.fromkeys(names[:50]), dict.fromkeys(names[50:])
    bare.get(CONTACTS, rows({"id": "7", **first, "F0": "a"}, {"id": "8", **first}))
    bare.get(CONTACTS, rows({"id": "7", **second, "F59": "z"}, {"id": "9", **second}))
    seven, *others = zoho.read("Contacts", [Key("7"), Key("8"), Key("9")], names)
    assert (seven.fields["F0"], seven.fields["F59"], others) == ("a", "z", [None, None])
    asked = [params(request)["fields"].split(",") for request in calls(bare, CONTACTS)]
    assert [len(fields) for fields in asked] == [50, 10]


def test_records_by_a_field(api, zoho):
    """A query for all values at once; case does not matter, the lowest id is taken."""
    api.post(COQL, rows({"id": "7", "Email": "Li@X.io"}, {"id": "8", "Email": "li@x.io"}))
    keys = [Key("li@x.io", "Email"), Key("no@x.io", "Email"), Key("LI@x.io", "Email")]
    found = zoho.read("Contacts", keys, ["Email", "Nope"])
    assert [record and record.crm_id for record in found] == ["7", None, "7"]
    assert found[0].fields == {"Email": "Li@X.io", "Nope": None}
    [query] = queries(api)
    assert query.startswith("select id, Email, Modified_Time from Contacts where Email in (")


def test_where_case_matters_to_a_unique_field(bare, zoho):
    """Two records may hold what differs in case alone."""
    bare.get(FIELDS, described("Ext_Id", Ext_Id={"unique": {"casesensitive": "true"}}))
    bare.post(COQL, rows({"id": "7", "Ext_Id": "A"}))
    found = zoho.read("Contacts", [Key("a", "Ext_Id"), Key("A", "Ext_Id")], ["Ext_Id"])
    assert [record and record.crm_id for record in found] == [None, "7"]


def test_many_holders_of_a_value_are_paged_through(api, zoho):
    """A value may have more holders than a page has rows: those of the others are not missed."""
    crowd = [{"id": str(n), "Email": "li@x.io"} for n in range(1, 201)]
    api.post(COQL, rows(*crowd, more=True))
    api.post(COQL, rows({"id": "201", "Email": "ma@x.io"}))
    found = zoho.read("Contacts", [Key("li@x.io", "Email"), Key("ma@x.io", "Email")], ["Email"])
    assert [record.crm_id for record in found] == ["1", "201"]
    assert "and id > 200)" in queries(api)[1]


def test_more_fields_than_a_query_takes(bare, zoho):
    """What does not fit beside id and key is read by id."""
    names = [f"F{n}" for n in range(60)]
    bare.get(FIELDS, described("Email", *names))
    bare.post(COQL, rows({"id": "7", "Email": "li@x.io", "F0": "a"}))
    bare.get(CONTACTS, rows({"id": "7", "F59": "z"}))
    [found] = zoho.read("Contacts", [Key("li@x.io", "Email")], ["Email", *names])
    assert (found.fields["F0"], found.fields["F59"]) == ("a", "z")
    assert params(calls(bare, CONTACTS)[0])["fields"].split(",")[0] == "F48"


def test_a_hundred_values_are_one_query(api, zoho):
    """In pairs of fifty."""
    api.post(COQL, b"", status=204)
    api.post(COQL, b"", status=204)
    keys = [Key(f"p{n}@x.io", "Email") for n in range(150)]
    assert zoho.read("Contacts", keys, ["Email"]) == [None] * 150
    assert [query.count(" in (") for query in queries(api)] == [2, 1]


def test_a_value_that_no_number_is_belongs_to_nobody(bare, zoho):
    """It is not asked for."""
    bare.get(FIELDS, described("Ref", Ref={"data_type": "integer"}))
    bare.post(COQL, rows({"id": "7", "Ref": 12}))
    keys = [Key("twelve", "Ref"), Key("12", "Ref")]
    assert [record and record.crm_id for record in zoho.read("Contacts", keys, ["Ref"])] == [
        None,
        "7",
    ]
    assert "Ref in (12)" in queries(bare)[0]
    assert zoho.read("Contacts", [Key("twelve", "Ref")], ["Ref"]) == [None]


def test_an_unknown_key_field_is_refused(api, zoho):
    """Before Zoho is asked."""
    with pytest.raises(BatchRejected) as caught:
        zoho.read("Contacts", [Key("a", "Nope")], ["Email"])
    assert caught.value.field == "Nope"
    assert api.calls


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": []}', b'{"data": [{}]}'])
def test_nothing_is_not_taken_for_nobody(api, zoho, body):
    """Only an answer without a body, as such, says that there is no record."""
    api.post(COQL, body)
    with pytest.raises(Unavailable):
        zoho.read("Contacts", [Key("a", "Email")], ["Email"])


# --- metadata -----------------------------------------------------------------------------


def test_a_module_is_described_once(bare, zoho):
    """However many threads need to know its fields at once."""
    asked = threading.Semaphore(0)

    def answer(_request):
        asked.release()
        # Long enough for any other thread that asks as well.
        asked.acquire(timeout=0.01)
        asked.acquire(timeout=0.3)
        return 200, {}, described(*NAMES, "Ext_Id")

    bare.add_callback("GET", FIELDS, answer)
    bare.post(UPSERT, answered(done("7")))
    threads = [threading.Thread(target=zoho.write, args=(upserts("a"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(calls(bare, FIELDS)) == 1


def test_a_field_made_since_is_found(bare, zoho, monkeypatch):
    """A field or choice that is not known is looked for anew, but not each time."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bare.get(FIELDS, described("Last_Name", "Ext_Id"))
    batch = by_id(Action.UPDATE, CrmId("7"), Title="x")
    assert zoho.write(batch)[0].failure.code == "UNKNOWN_FIELD"
    assert zoho.write(batch)[0].failure.code == "UNKNOWN_FIELD"
    assert len(calls(bare, FIELDS)) == 1
    now = DOUBTED_SECONDS + 1
    bare.replace("GET", FIELDS, body=described("Last_Name", "Ext_Id", "Title"))
    bare.put(CONTACTS, answered(done("7")))
    assert zoho.write(batch)[0].outcome is Outcome.SUCCEEDED


def test_a_description(bare, zoho):
    """What the layout demands is required, though the field itself does not say so."""
    bare.get(FIELDS, described("Last_Name", "Company", Last_Name={"system_mandatory": True}))
    demanded = [{"api_name": "Company", "required": True, "data_type": "text"}]
    layouts = {"layouts": [{"status": "active", "sections": [{"fields": demanded}]}]}
    bare.get(LAYOUTS, orjson.dumps(layouts))
    fields = zoho.describe("Leads").fields
    assert (fields["Company"].required, fields["Last_Name"].required) == (True, True)
    assert [params(call.request) for call in bare.calls] == [{"module": "Leads"}] * 2


def test_an_unknown_module(bare, zoho):
    """Names are case-sensitive plurals."""
    bare.get(FIELDS, orjson.dumps(refused("INVALID_MODULE")), status=400)
    with pytest.raises(ConfigError, match="no module 'contacts'"):
        zoho.describe("contacts")


KEY = FieldSchema("crmsync_id", "crmsync id", FieldType.TEXT, unique=True)
UNIQUE = {"unique": {"casesensitive": "false"}}


def test_making_the_match_field(bare, zoho):
    """Looked for, made, and looked at once more: Zoho chooses the name."""
    bare.get(FIELDS, described("Email"))
    made = orjson.dumps({"fields": [done("9")]})
    bare.post(FIELDS, made, status=201)
    bare.get(FIELDS, described("Email", "crmsync_id", crmsync_id=UNIQUE))
    zoho.create_field("Contacts", KEY)
    [request] = [r for r in calls(bare, FIELDS) if r.method == "POST"]
    assert params(request) == {"module": "Contacts"}
    assert orjson.loads(request.body)["fields"][0]["field_label"] == "crmsync_id"


def test_a_field_that_exists_is_left_as_it_is(bare, zoho):
    """Nothing is posted."""
    bare.get(FIELDS, described("crmsync_id"))
    zoho.create_field("Contacts", KEY)
    assert len(bare.calls) == 1


NOT_MADE = [
    ({"fields": [refused("LIMIT_EXCEEDED")]}, ["Email"], "LIMIT_EXCEEDED"),
    (refused("LIMIT_EXCEEDED"), ["Email"], "LIMIT_EXCEEDED"),
    ({"fields": [done("9")]}, ["Email", "Crmsync_Id1"], "another API name"),
    ({"fields": [done("9")]}, ["Email", "crmsync_id"], "not unique"),
    ({"fields": [refused("DUPLICATE_DATA")]}, ["Email"], "another API name"),
]


@pytest.mark.parametrize(("said", "after", "words"), NOT_MADE)
def test_a_field_that_is_not_made_as_wished(bare, zoho, said, after, words):
    """Refused, under another name, or not unique: the person is told which."""
    bare.get(FIELDS, described("Email"))
    bare.post(FIELDS, orjson.dumps(said), status=201 if "SUCCESS" in str(said) else 400)
    if words != "LIMIT_EXCEEDED":
        bare.get(FIELDS, described(*after))
    with pytest.raises(ConfigError, match=words):
        zoho.create_field("Contacts", KEY)


def test_check_names_the_account(bare, zoho):
    """And reads one contact: a token can be valid and lack every scope."""
    org = {"zgid": "600", "company_name": "Acme", "time_zone": "Europe/Berlin",
           "license_details": {"paid_type": "free"}}  # fmt: skip
    bare.get(f"{API}/crm/v8/org", orjson.dumps({"org": [org]}))
    bare.get(CONTACTS, b"", status=204)
    account = zoho.check()
    assert (account.id, account.name, account.detail) == ("600", "Acme", "free, Europe/Berlin")


def test_the_steps_of_making_the_field_by_hand_name_it():
    """`crmsync connect` prints them."""
    steps = Zoho.capabilities.field_steps.format(object="Contacts", field="crmsync_id")
    assert steps.count("crmsync_id") == 2
    assert "Contacts" in steps


@pytest.mark.parametrize("crm_id", [None, "", "x", [], True, 1.5, "7?a=b"])
def test_a_success_without_an_id_is_not_one(api, zoho, crm_id):
    """What cannot be a record's id is never linked to; the others of the answer count."""
    api.post(UPSERT, answered(done(crm_id), done("8")))
    first, second = zoho.write(upserts("a", "b"))
    assert (first.outcome, second.outcome) == (Outcome.UNKNOWN, Outcome.SUCCEEDED)


def test_rows_that_never_end(api, zoho):
    """A query that is answered with the same rows again is no answer."""
    same = orjson.dumps({"data": [{"id": "7", "Email": "x"}], "info": {"more_records": True}})
    for _ in range(2):
        api.post(COQL, same)
    with pytest.raises(Unavailable, match="does not end"):
        zoho.read("Contacts", [Key("x", "Email")], [])


def test_a_row_without_the_key_it_was_found_by_is_never_nobody(api, zoho):
    """It is asked for again later."""
    api.post(COQL, rows({"id": "7"}))
    with pytest.raises(Unavailable):
        zoho.read("Contacts", [Key("x", "Email")], [])


def test_a_read_refused_by_something_in_front_is_not_the_records_fault(api, zoho):
    """A 400 without one of Zoho's codes sets nothing aside."""
    api.post(COQL, b"<html>Bad Request</html>", status=400)
    with pytest.raises(Unavailable):
        zoho.read("Contacts", [Key("x", "Email")], [])


@pytest.mark.parametrize("fields", [b'{"fields": []}', b'{"fields": {}}'])
def test_a_module_without_fields_refuses_no_record(bare, zoho, fields):
    """It is a lost answer."""
    bare.get(FIELDS, fields)
    with pytest.raises(Unavailable):
        zoho.write(upserts("a"))


def test_an_odd_count_of_credits_is_ignored(api, zoho):
    """What is left is read from digits alone."""
    api.post(UPSERT, answered(done("7")), headers={"X-API-CREDITS-REMAINING": "\u00b2"})
    assert zoho.write(upserts("a"))[0].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("org", [b'{"org": [null]}', b'{"org": ["x"]}', b'{"org": [{}]}', b"{}"])
def test_an_account_of_another_shape(bare, zoho, org):
    """It is a lost answer."""
    bare.get(f"{API}/crm/v8/org", org)
    bare.get(CONTACTS, rows({"id": "7"}))
    with pytest.raises(Unavailable):
        zoho.check()


@pytest.mark.parametrize(
    ("data_type", "value"),
    [("double", "many"), ("double", ["a"]), ("datetime", "soon"), ("datetime", 7)],
)
def test_a_field_that_has_become_another_refuses_only_its_records(bare, zoho, data_type, value):
    """What was made for a text field is refused by itself; the rest of the batch is sent."""
    bare.get(FIELDS, described("Last_Name", "Title", Title={"data_type": data_type}))
    bare.post(CONTACTS, answered(done("8")))
    creates = [Operation(LinkId(n), Action.CREATE, f)
               for n, f in enumerate([{"Title": value}, {"Last_Name": "Li"}])]  # fmt: skip
    odd, fine = zoho.write(Batch("Contacts", Action.CREATE, creates))
    assert (odd.outcome, odd.failure.field) == (Outcome.REJECTED, "Title")
    assert str(value) not in odd.failure.message
    assert fine.outcome is Outcome.SUCCEEDED
