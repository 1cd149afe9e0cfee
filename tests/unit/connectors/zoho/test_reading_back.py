"""What is read back, against answers that the simulated Zoho does not give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Webhooks
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.connector import Zoho
from crmsync.connectors.zoho.cursors import Cursor, Place
from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, OutcomeUnknown, Unavailable
from crmsync.model import CrmId, DealStatus
from tests.unit.connectors.zoho.answers import (
    API,
    CONTACTS,
    COQL,
    FIELDS,
    LAYOUTS,
    calls,
    described,
    done,
    params,
    queries,
    refused,
    rows,
    sent,
)

DELETED = f"{CONTACTS}/deleted"
PIPELINE = f"{API}/crm/v8/settings/pipeline"
USERS = f"{API}/crm/v8/users"
WATCH = f"{API}/crm/v8/actions/watch"
MERGE = f"{CONTACTS}/7/actions/merge"
ZOHOS_TIME = "Tue, 16 Jul 2024 10:00:00 GMT"
AT = datetime(2024, 7, 16, 9, 31, 2, tzinfo=UTC)
SHOWN = "2024-07-16T15:01:02+05:30"
"""The same moment, as an account in India shows it."""


@pytest.fixture
def api(bare):
    """Zoho, with a description of contacts."""
    bare.get(FIELDS, described("Last_Name", "Modified_Time"))
    return bare


def gone(*ids):
    """An answer that lists deletions."""
    return rows(*({"id": crm_id, "deleted_time": SHOWN} for crm_id in ids))


# --- changes --------------------------------------------------------------------------------


def test_what_changed(api, zoho, throttle):
    """By time and id, from where the last walk had come; what is settled by Zoho's clock is."""
    time = {"Date": ZOHOS_TIME}
    first = rows({"id": "7", "Last_Name": "Li", "Modified_Time": SHOWN}, more=True)
    api.post(COQL, first, headers=time)
    second = rows({"id": "8", "Last_Name": "Ma", "Modified_Time": SHOWN})
    api.post(COQL, second, headers=time)
    api.get(DELETED, status=204)
    cursor = str(Cursor(Place(AT - timedelta(hours=1), "6"), listed=AT))
    pages = list(zoho.changes("Contacts", cursor, ["Last_Name"]))
    assert [page.records[0].crm_id for page in pages] == ["7", "8"]
    assert [Cursor.read(page.cursor).place.after_id for page in pages] == ["7", "8"]
    assert Cursor.read(pages[-1].cursor).since is None
    one, two = queries(api)
    assert "Modified_Time = '2024-07-16T08:31:02+00:00' and id > 6" in one
    assert "Modified_Time = '2024-07-16T09:31:02+00:00' and id > 7" in two
    [listing] = calls(api, DELETED)
    assert listing.headers["If-Modified-Since"] == "2024-07-16T09:31:02+00:00"
    assert throttle.asked[1:] == [("heavy", 3), ("heavy", 3), ("call", 2)]


@pytest.mark.parametrize("date", [None, "soon"])
def test_without_zohos_time_ours_counts(api, zoho, date):
    """An answer need not say what time it is."""
    now = datetime.now(UTC)
    row = {"id": "7", "Last_Name": "Li", "Modified_Time": now.isoformat(timespec="seconds")}
    api.post(COQL, rows(row), headers={"Date": date} if date else {})
    api.get(DELETED, status=304)
    [page] = zoho.changes("Contacts", None, [])
    assert now - timedelta(minutes=6) < Cursor.read(page.cursor).place.at < now


def test_a_list_goes_on_by_token_where_there_is_one(api, zoho):
    """Page numbers reach the first 2,000 alone; a token stands in the place of a number."""
    api.post(COQL, status=204)
    info = {"more_records": True, "next_page_token": "abc"}
    page = orjson.loads(gone("7")) | {"info": info}
    api.get(DELETED, orjson.dumps(page))
    api.get(DELETED, gone("6"))
    found = [r.crm_id for page in zoho.changes("Contacts", None, []) for r in page.records]
    assert found == ["7", "6"]
    first, second = (params(request) for request in calls(api, DELETED))
    assert (first.get("page"), first.get("page_token")) == ("1", None)
    assert (second.get("page"), second.get("page_token")) == (None, "abc")


@pytest.mark.parametrize(
    "code", ["DISCRETE_PAGINATION_LIMIT_EXCEEDED", "PAGINATION_LIMIT_EXCEEDED"]
)
def test_a_list_that_is_too_long_is_read_as_far_as_it_goes(api, zoho, code):
    """Rather than fail for ever: who is beyond is found to be gone when written to."""
    api.post(COQL, status=204)
    api.get(DELETED, orjson.dumps(orjson.loads(gone("7")) | {"info": {"more_records": True}}))
    api.get(DELETED, orjson.dumps(refused(code)), status=400)
    pages = list(zoho.changes("Contacts", None, []))
    assert [len(page.records) for page in pages] == [1, 0]
    assert Cursor.read(pages[-1].cursor).listed is not None


def test_another_refusal_of_a_list_is_one(api, zoho):
    """It is not taken for its end."""
    api.post(COQL, status=204)
    api.get(DELETED, orjson.dumps(refused("INVALID_DATA")), status=400)
    with pytest.raises(BatchRejected):
        list(zoho.changes("Contacts", None, []))


def test_a_list_that_repeats_itself_ends(api, zoho):
    """The same page for ever."""
    api.post(COQL, status=204)
    api.get(DELETED, orjson.dumps(orjson.loads(gone("7")) | {"info": {"more_records": True}}))
    with pytest.raises(Unavailable, match="does not end"):
        list(zoho.changes("Contacts", None, []))


@pytest.mark.parametrize(
    ("url", "row"),
    [
        (COQL, {"id": "7"}),
        (COQL, {"id": "7", "Modified_Time": "soon"}),
        (DELETED, {"id": "7"}),
        (DELETED, {"id": "7", "deleted_time": None}),
    ],
)
def test_another_shape_is_no_change(api, zoho, url, row):
    """What cannot be read is asked for again later."""
    if url == COQL:
        api.post(COQL, rows(row))
    else:
        api.post(COQL, status=204)
        api.get(DELETED, rows(row))
    with pytest.raises(Unavailable, match="another shape"):
        list(zoho.changes("Contacts", None, []))


def test_another_refusal_of_a_query_is_none_of_a_field(api, zoho):
    """Only the refusal of a column says that a field is gone."""
    api.post(COQL, orjson.dumps(refused("SYNTAX_ERROR", near="x")), status=400)
    with pytest.raises(BatchRejected):
        list(zoho.changes("Contacts", None, []))


def test_a_cursor_of_nobody(api, zoho):
    """It says what to do."""
    with pytest.raises(ConfigError, match="read all of it again"):
        list(zoho.changes("Contacts", "x", []))


# --- deals ----------------------------------------------------------------------------------

LAYOUT = {"id": "5", "status": "active"}
STAGES = [
    {"actual_value": "New", "display_value": "New", "forecast_type": "Open"},
    {"actual_value": "Won", "display_value": "Won", "forecast_type": "Closed Won"},
    {"actual_value": "Odd", "display_value": "Odd", "forecast_type": "Nobody knows"},
]


def pipelines(*stages, name="P", number="1"):
    """An answer that describes one pipeline."""
    told = {"id": number, "actual_value": name, "display_value": name, "maps": list(stages)}
    return orjson.dumps({"pipeline": [told]})


def layouts(*found):
    """An answer that describes layouts."""
    return orjson.dumps({"layouts": list(found)})


def test_pipelines_of_every_layout_in_use(bare, zoho):
    """Each layout has its own; one that is not in use has none."""
    others = [{"id": "6"}, {"id": "7", "status": "inactive"}]
    bare.get(LAYOUTS, layouts(LAYOUT, *others))
    bare.get(PIPELINE, pipelines(*STAGES))
    bare.get(PIPELINE, pipelines(*STAGES[:1], name="Q", number="2"))
    found = [(stage.pipeline, stage.id, stage.position) for stage in zoho.stages()]
    assert found == [("P", "New", 0), ("P", "Won", 1), ("P", "Odd", 2), ("Q", "New", 0)]
    assert [params(request)["layout_id"] for request in calls(bare, PIPELINE)] == ["5", "6"]


def test_an_account_without_deals(bare, zoho):
    """It is told, and not taken for one without stages."""
    bare.get(LAYOUTS, orjson.dumps(refused("INVALID_MODULE")), status=400)
    with pytest.raises(ConfigError, match="the module Deals"):
        zoho.stages()


@pytest.mark.parametrize("body", [{"pipeline": [{}]}, {"pipeline": [7]}, {"pipeline": {"id": 1}}])
def test_pipelines_of_another_shape(bare, zoho, body):
    """Asked for again later."""
    bare.get(LAYOUTS, layouts(LAYOUT))
    bare.get(PIPELINE, orjson.dumps(body))
    with pytest.raises(Unavailable, match="another shape"):
        zoho.stages()


def test_a_stage_made_since_is_looked_for_now_and_then(bare, zoho, monkeypatch):
    """Not for each deal, and not each time."""
    now = 0.0
    monkeypatch.setattr("crmsync.connectors.zoho.pipelines.time.monotonic", lambda: now)
    names = ("Stage", "Pipeline", "Modified_Time")
    bare.get(FIELDS, described(*names))
    bare.get(LAYOUTS, layouts(LAYOUT))
    bare.get(PIPELINE, pipelines(*STAGES[:1]))
    deals = rows(*({"id": str(n), "Stage": "Won", "Pipeline": "P"} for n in range(3)))
    bare.get(f"{API}/crm/v8/Deals", deals)
    ids = [CrmId(str(n)) for n in range(3)]
    assert {deal.status for deal in zoho.deals_by_id(ids, [])} == {DealStatus.OPEN}
    assert {deal.status for deal in zoho.deals_by_id(ids, [])} == {DealStatus.OPEN}
    assert len(calls(bare, PIPELINE)) == 1
    now = 400.0
    bare.replace("GET", PIPELINE, body=pipelines(*STAGES))
    assert {deal.status for deal in zoho.deals_by_id(ids, [])} == {DealStatus.WON}
    assert len(calls(bare, PIPELINE)) == 2


def test_what_the_field_says_of_its_stages_is_believed(bare, zoho):
    """By value or label, without a call for pipelines; those of which it says nothing need them."""
    won = {"actual_value": "Won", "display_value": "Gewonnen", "forecast_type": "Closed Won"}
    silent = {"actual_value": "New", "display_value": "Neu"}
    stage = {"data_type": "picklist", "pick_list_values": [won, silent]}
    bare.get(FIELDS, described("Stage", Stage=stage))
    ids = [CrmId("1"), CrmId("2")]
    shown = [
        {"id": crm_id, "Stage": text} for crm_id, text in zip(ids, ("Won", "Gewonnen"), strict=True)
    ]
    bare.get(f"{API}/crm/v8/Deals", rows(*shown))
    for deal in zoho.deals_by_id(ids, ["Stage"]):
        assert (deal.status, deal.fields) == (DealStatus.WON, {"Stage": "Won"})
    assert (calls(bare, LAYOUTS), calls(bare, PIPELINE)) == ([], [])
    bare.get(LAYOUTS, layouts(LAYOUT))
    bare.get(PIPELINE, pipelines({**silent, "forecast_type": "Closed Lost"}))
    bare.replace("GET", f"{API}/crm/v8/Deals", body=rows({"id": "1", "Stage": "New"}))
    [deal] = zoho.deals_by_id(ids[:1], ["Stage"])
    assert deal.status is DealStatus.LOST


@pytest.mark.parametrize("stage", ["Odd", "", None])
def test_a_stage_that_says_nothing_is_open(bare, zoho, stage):
    """A deal is not taken for decided without a reason."""
    bare.get(FIELDS, described("Stage"))
    bare.get(LAYOUTS, layouts(LAYOUT))
    bare.get(PIPELINE, pipelines(*STAGES))
    bare.get(f"{API}/crm/v8/Deals", rows({"id": "7", "Stage": stage}))
    [deal] = zoho.deals_by_id([CrmId("7")], ["Stage"])
    assert (deal.status, deal.fields) == (DealStatus.OPEN, {"Stage": stage or None})


def test_a_deal_of_another_shape(bare, zoho):
    """Asked for again later."""
    bare.get(FIELDS, described("Stage", "Created_Time"))
    bare.get(LAYOUTS, layouts(LAYOUT))
    bare.get(PIPELINE, pipelines(*STAGES))
    bare.get(f"{API}/crm/v8/Deals", rows({"id": "7", "Stage": "New", "Created_Time": "soon"}))
    with pytest.raises(Unavailable, match="another shape"):
        zoho.deals_by_id([CrmId("7")], [])


def test_a_user_without_an_address(bare, zoho):
    """A name and an address need not be told."""
    bare.get(USERS, orjson.dumps({"users": [{"id": "1", "status": "active"}]}))
    bare.get(USERS, status=204)
    [owner] = zoho.owners()
    assert (owner.email, owner.name, owner.is_active) == ("", "", True)


@pytest.mark.parametrize("body", [{"users": [{}]}, {"users": [7]}, {"users": 7}])
def test_users_of_another_shape(bare, zoho, body):
    """Asked for again later."""
    bare.get(USERS, orjson.dumps(body))
    with pytest.raises(Unavailable, match="another shape"):
        zoho.owners()


# --- merging --------------------------------------------------------------------------------


def merged(*entries):
    """The answer to a merge."""
    return orjson.dumps({"merge": list(entries)})


@pytest.mark.parametrize("code", ["SUCCESS", "SCHEDULED"])
def test_a_merge_is_one_call(bare, zoho, throttle, code):
    """Done, or to be done: Zoho may take its time."""
    bare.post(MERGE, merged({**done("7"), "code": code}), status=201)
    assert zoho.merge("Contacts", CrmId("7"), CrmId("8")) == "7"
    assert sent(bare, MERGE) == [{"merge": [{"data": [{"id": "8"}], "master_record_fields": []}]}]
    assert throttle.asked == [("call", 1)]


@pytest.mark.parametrize(
    ("body", "status"),
    [(merged(refused("NOT_ALLOWED")), 400), (orjson.dumps(refused("NOT_ALLOWED")), 400)],
)
def test_a_merge_that_zoho_refuses(bare, zoho, body, status):
    """Both are there: somebody has to look at it."""
    bare.post(MERGE, body, status=status)
    bare.get(CONTACTS, rows({"id": "7"}, {"id": "8"}))
    with pytest.raises(BatchRejected) as caught:
        zoho.merge("Contacts", CrmId("7"), CrmId("8"))
    assert caught.value.code == "NOT_ALLOWED"


@pytest.mark.parametrize("body", [merged(), merged(7), b"{}"])
def test_a_merge_of_which_nothing_is_said(bare, zoho, body):
    """Perhaps done."""
    bare.post(MERGE, body, status=201)
    with pytest.raises(OutcomeUnknown):
        zoho.merge("Contacts", CrmId("7"), CrmId("8"))


# --- notifications --------------------------------------------------------------------------


@pytest.fixture
def hooked(throttle):
    """A connector that takes webhooks."""
    hooks = Webhooks("https://x.example/hooks/crm", "secret")
    connection = Connection("crm", "zoho", {"token": "1000.x"}, base_url=API, webhooks=hooks)
    return Zoho(connection, MemoryThrottle(()), FixedToken("1000.x"))


def watched(*entries):
    """An answer about channels."""
    return orjson.dumps({"watch": list(entries)})


def granted(expiry):
    """The entry of a channel that was set up."""
    return {**done("1"), "details": {"events": [{"channel_expiry": expiry}]}}


def test_a_channel_that_was_granted_less_says_so(bare, hooked):
    """A week was asked for; whatever is told is when it ends."""
    bare.get(WATCH, status=204)
    bare.post(WATCH, watched(granted(SHOWN)), status=201)
    assert hooked.watch(["Contacts"]).ends_at == AT
    [asked] = orjson.loads(calls(bare, WATCH)[-1].body)["watch"]
    assert asked["events"] == ["Contacts.create", "Contacts.delete", "Contacts.edit"]
    assert (asked["token"], asked["notify_on_related_action"]) == ("secret", False)


@pytest.mark.parametrize(
    "entry",
    [{"notify_url": "https://x.example/hooks/crm"}, {"channel_expiry": None}, {"events": []}],
)
def test_a_channel_that_is_not_right_is_replaced(bare, hooked, entry):
    """One of an older version, or one of which Zoho does not say when it ends."""

    def found(request):
        number = params(request)["channel_id"]
        own = {"events": ["Contacts.edit"], "notify_url": "u", "channel_expiry": SHOWN}
        return 200, {}, watched({"channel_id": number, **own, **entry})

    bare.add_callback("GET", WATCH, found)
    bare.put(WATCH, watched(granted(SHOWN)))
    assert "from now on" in hooked.watch(["Contacts"]).detail


def test_other_peoples_channels_are_left_alone(bare, hooked):
    """Whatever Zoho lists, only the one of our number is ours."""
    other = {"channel_id": "5", "events": [], "notify_url": "u", "channel_expiry": SHOWN}
    bare.get(WATCH, watched(other))
    hooked.unwatch()
    assert [request.method for request in calls(bare, WATCH)] == ["GET"]


@pytest.mark.parametrize("entry", [{}, {"channel_id": None, "events": 7}, 7])
def test_channels_of_another_shape(bare, hooked, entry):
    """Asked for again later."""

    def found(request):
        number = params(request)["channel_id"]
        known = isinstance(entry, dict) and "channel_id" in entry
        return 200, {}, watched({**entry, "channel_id": number} if known else entry)

    bare.add_callback("GET", WATCH, found)
    with pytest.raises(Unavailable, match="another shape"):
        hooked.watch(["Contacts"])


@pytest.mark.parametrize("entry", [{**done("1")}, 7])
def test_an_answer_about_a_channel_of_another_shape(bare, hooked, entry):
    """Whether it was set up is seen the next time."""
    bare.get(WATCH, status=204)
    bare.post(WATCH, watched(entry), status=201)
    with pytest.raises(Unavailable, match="another shape"):
        hooked.watch(["Contacts"])


def test_a_channel_that_is_refused(bare, hooked):
    """In an entry or as a whole, with Zoho's reason."""
    bare.get(WATCH, status=204)
    wrong = refused("INVALID_DATA", api_name="notify_url", json_path="$.watch[0].notify_url")
    bare.post(WATCH, watched(wrong), status=202)
    with pytest.raises(ConfigError, match=r"INVALID_DATA.*notify_url"):
        hooked.watch(["Contacts"])
    bare.replace("POST", WATCH, body=orjson.dumps(refused("LIMIT_EXCEEDED")), status=400)
    with pytest.raises(ConfigError, match="LIMIT_EXCEEDED"):
        hooked.watch(["Contacts"])


def test_a_halt_is_not_mistaken_for_a_missing_scope(bare, hooked):
    """What is wrong with the connection is told as such."""
    bare.get(WATCH, orjson.dumps(refused("NO_PERMISSION")), status=403)
    with pytest.raises(ConnectionHalted):
        hooked.watch(["Contacts"])
