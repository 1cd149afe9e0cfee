"""What is read back from Pipedrive, against answers as it documents them and against odd ones."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from crmsync.errors import BatchRejected, ConnectionHalted, OutcomeUnknown, Unavailable
from crmsync.model import CrmId
from tests.unit.connectors.pipedrive.answers import (
    API,
    DEALS,
    FIELDS,
    KEY,
    PERSONS,
    TIER,
    connector,
    custom,
    ok,
    tell_fields,
)


def test_changes_are_asked_for_in_whole_seconds_and_with_an_overlap(api):
    """Five minutes behind the cursor, oldest first."""
    tell_fields(api)
    entry = {"id": 1, "name": "A", "update_time": "2026-01-01T12:00:01Z"}
    api.get(PERSONS, ok([entry], additional_data={"next_cursor": None}))
    [page] = connector().changes("persons", "2026-01-01T12:00:00Z", ["name"])
    assert api.calls[-1].request.params["updated_since"] == "2026-01-01T11:55:00Z"
    assert api.calls[-1].request.params["sort_by"] == "update_time"
    assert page.cursor == "2026-01-01T12:00:01Z"


def test_several_lists_are_one_by_time(api):
    """No page's cursor is past a deal of another list, archived or deleted, that is still to come.

    Of a deal that is in two lists, as when it is archived meanwhile, the later one counts.
    """
    tell_fields(api, url=f"{API}/dealFields")
    days = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 6)]
    more = {"additional_data": {"next_cursor": "c2"}}
    api.get(DEALS, ok([{"id": 1, "title": "A", "update_time": days[2]}], **more))
    api.get(f"{DEALS}/archived", ok([{"id": 3, "title": "C", "update_time": days[1]}]))
    deleted = {"id": 4, "title": "D", "update_time": days[4], "is_deleted": True}
    api.get(DEALS, ok([deleted]))
    api.get(DEALS, ok([{"id": 3, "title": "c", "update_time": days[3]}]))
    [page] = connector().changes("deals", days[0], ["title"])
    titles = [(record.crm_id, record.fields.get("title")) for record in page.records]
    assert sorted(titles) == [("1", "A"), ("3", "c"), ("4", None)]
    assert [record.crm_id for record in page.records if record.is_deleted] == ["4"]
    assert page.cursor == days[4]
    asked = [parse_qs(urlsplit(call.request.url).query) for call in api.calls[1:4]]
    assert [query.get("status") for query in asked] == [None, None, ["deleted"]]


def test_a_deleted_deal_need_not_have_its_fields(api):
    """That is no reason to doubt that they are there: one list of fields."""
    tell_fields(api, custom(TIER, "Tier"), url=f"{API}/dealFields")
    at = "2026-01-02T00:00:00Z"
    api.get(DEALS, ok([]))
    api.get(f"{DEALS}/archived", ok([]))
    api.get(DEALS, ok([{"id": 4, "update_time": at, "is_deleted": True}]))
    [page] = connector().deals(at, ["Tier"])
    assert [(deal.crm_id, deal.is_deleted) for deal in page.deals] == [("4", True)]
    assert [call.request.path_url for call in api.calls].count("/api/v2/dealFields?limit=500") == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "waiting"},
        {"status": None},
        {"person_id": "x"},
        {"person_id": {"value": 7}},
        {"value": "much"},
        {"add_time": "yesterday"},
        {"add_time": 7},
    ],
)
def test_a_deal_of_another_shape_is_no_answer(api, odd):
    """It is never taken for an open one, or for nobody's."""
    tell_fields(api, url=f"{API}/dealFields")
    entry = {"id": 1, "status": "open", "person_id": 7, "value": 5, "update_time": None}
    api.get(DEALS, ok([entry | odd]))
    api.get(f"{DEALS}/archived", ok([]))
    api.get(DEALS, ok([]))
    with pytest.raises(Unavailable):
        list(connector().deals("2026-01-01T00:00:00Z", []))


def test_what_is_deleted_is_no_stage_and_no_user_at_work(api):
    """Nor is a stage whose pipeline went between the two calls; e-mail addresses are folded."""
    api.get(f"{API}/pipelines", ok([{"id": 1, "name": "P"}, {"id": 2, "is_deleted": True}]))
    there = [{"id": 1, "pipeline_id": 1, "name": "S", "order_nr": 2}]
    gone = [{"id": 2, "pipeline_id": 2}, {"id": 3, "pipeline_id": 1, "is_deleted": True}]
    api.get(f"{API}/stages", ok([*there, *gone]))
    [stage] = connector().stages()
    assert (stage.id, stage.label, stage.pipeline, stage.position) == ("1", "S", "P", 2)
    users = [
        {"id": 1, "name": "A", "email": " A@x.io", "active_flag": True, "is_deleted": False},
        {"id": 2, "name": "B", "email": None, "active_flag": True, "is_deleted": True},
    ]
    api.get("https://api.pipedrive.com/v1/users", ok(users))
    owners = connector().owners()
    assert [(one.email, one.is_active) for one in owners] == [("a@x.io", True), ("", False)]


def test_users_may_not_be_read(api):
    """The scope that they need is among those named."""
    body = {"success": False, "error": "Scope and URL mismatch", "errorCode": 403}
    api.get("https://api.pipedrive.com/v1/users", orjson.dumps(body), status=403)
    with pytest.raises(ConnectionHalted) as caught:
        connector().owners()
    assert caught.value.cause == "missing_scope"
    assert "users:read" in caught.value.hint


@pytest.mark.parametrize("users", [{}, "x", [7], [{"name": "A"}]])
def test_users_of_another_shape_are_no_answer(api, users):
    """An empty list is null in v1, and nothing else is."""
    api.get("https://api.pipedrive.com/v1/users", ok(users or {"id": 1}))
    with pytest.raises(Unavailable):
        connector().owners()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(400, {"error": "merge_with_id must be an integer", "errorCode": 400}), (200, {"data": {}})],
)
def test_a_merge_that_was_not_confirmed_is_not_done(api, status, answer):
    """Refused, it says so; without an id it is a lost answer. It is sent once."""
    url = "https://api.pipedrive.com/v1/persons/2/merge"
    api.put(url, orjson.dumps({"success": status == 200, **answer}), status=status)
    with pytest.raises((BatchRejected, OutcomeUnknown)):
        connector().merge("persons", CrmId("1"), CrmId("2"))
    assert orjson.loads(api.calls[-1].request.body) == {"merge_with_id": 1}


def test_a_list_that_leads_in_a_circle_ends(api):
    """The same cursor again is no answer: of records, and of fields."""
    tell_fields(api)
    for _ in range(2):
        api.get(PERSONS, ok([{"id": 1}], additional_data={"next_cursor": "again"}))
    with pytest.raises(Unavailable, match="does not end"):
        list(connector().changes("persons", None, []))
    for _ in range(2):
        api.get(FIELDS, ok([custom(KEY, "k")], additional_data={"next_cursor": "again"}))
    with pytest.raises(Unavailable, match="does not end"):
        connector().describe("persons")


def test_a_page_of_another_shape_is_no_answer(api):
    """By the time of its records it could not even be put in order."""
    tell_fields(api)
    api.get(PERSONS, ok([{"id": 1, "update_time": 7}]))
    with pytest.raises(Unavailable):
        list(connector().changes("persons", None, []))


def test_an_open_deal_was_never_closed(api):
    """Whatever is left of a time at which it once was; of a decided one either time will do."""
    tell_fields(api, url=f"{API}/dealFields")
    at = "2026-01-02T00:00:00Z"
    again = {"id": 1, "status": "open", "close_time": at, "won_time": at}
    won = {"id": 2, "status": "won", "close_time": None, "won_time": at}
    api.get(DEALS, ok([again, won]))
    found = {deal.crm_id: deal for deal in connector().deals_by_id([CrmId("1"), CrmId("2")], [])}
    assert found[CrmId("1")].closed_at is None
    assert found[CrmId("2")].closed_at == datetime(2026, 1, 2, tzinfo=UTC)
