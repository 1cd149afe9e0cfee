"""Deals: stages, and a status that is none."""

from __future__ import annotations

import pytest


def test_a_deal_starts_in_the_first_stage(api):
    """Where nothing is said: the first pipeline, open, no value, the company's currency."""
    deal = api.ok("POST", "deals", {"title": "D"})
    assert (deal["pipeline_id"], deal["stage_id"], deal["status"]) == (1, 1, "open")
    assert (deal["value"], deal["currency"]) == (0, "EUR")
    assert deal["stage_change_time"] == deal["add_time"]
    assert (deal["won_time"], deal["is_archived"], deal["is_deleted"]) == (None, False, False)


def test_a_stage_brings_its_pipeline(api):
    """A pipeline brings its first stage; both have to agree."""
    assert api.ok("POST", "deals", {"title": "D", "stage_id": 7})["pipeline_id"] == 2
    deal = api.ok("POST", "deals", {"title": "D", "pipeline_id": 2})
    assert deal["stage_id"] == 6
    moved = api.ok("PATCH", f"deals/{deal['id']}", {"stage_id": 2})
    assert (moved["pipeline_id"], moved["stage_id"]) == (1, 2)
    words = api.refused("POST", "deals", {"title": "D", "pipeline_id": 1, "stage_id": 7})
    assert "Stage 7 is not in pipeline 1" in words


def test_stage_changes_are_timed(api, control):
    """Other changes leave that time alone."""
    deal = api.ok("POST", "deals", {"title": "D"})
    control.advance(10)
    path = f"deals/{deal['id']}"
    first = deal["stage_change_time"]
    assert api.ok("PATCH", path, {"value": 5, "stage_id": 1})["stage_change_time"] == first
    assert api.ok("PATCH", path, {"stage_id": 2})["stage_change_time"] > first


def test_a_won_deal_keeps_its_stage(api, control):
    """Won and lost are a status with times; reopening clears them."""
    path = f"deals/{api.deal(stage_id=3)}"
    won = api.ok("PATCH", path, {"status": "won"})
    assert (won["status"], won["stage_id"]) == ("won", 3)
    assert won["won_time"] == won["close_time"] == won["update_time"]
    control.advance(10)
    assert api.ok("PATCH", path, {"value": 9})["won_time"] == won["won_time"]
    lost = api.ok("PATCH", path, {"status": "lost", "lost_reason": "price"})
    assert (lost["won_time"], lost["lost_reason"]) == (None, "price")
    assert lost["lost_time"] > won["won_time"]
    reopened = api.ok("PATCH", path, {"status": "open"})
    assert [reopened[key] for key in ("won_time", "lost_time", "close_time", "lost_reason")] == [
        None
    ] * 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"value": "200"}, "value: Expected 'number'"),
        ({"currency": "eur"}, "currency: Expected the code"),
        ({"status": "deleted"}, "status: Expected one of open, won, lost"),
        ({"lost_reason": "price"}, "lost_reason: allowed only when status is lost"),
        ({"status": "won", "lost_time": "2026-01-01T00:00:00Z"}, "lost_time: allowed only"),
        ({"won_time": "2026-01-01T00:00:00Z"}, "won_time: allowed only when status is won"),
        ({"status": "won", "won_time": "2026-01-01 00:00:00"}, "won_time: Expected a time"),
        ({"archive_time": "2026-01-01T00:00:00Z"}, "archive_time: Expected a time in the format"),
        ({"expected_close_date": "01.02.2026"}, "expected_close_date: Expected a date"),
        ({"probability": 101}, "probability: Expected a number between 0 and 100"),
        ({"is_deleted": True}, "is_deleted: Expected false"),
        ({"stage_id": 99}, "stage_id: Stage with id 99 was not found"),
        ({"stage_id": "Qualified"}, "stage_id: Expected 'integer'"),
        ({"pipeline_id": 9}, "pipeline_id: Pipeline with id 9 was not found"),
        ({"person_id": 9}, "person_id: Person with id 9 was not found"),
        ({"user_id": 1}, "'user_id' is not allowed"),
    ],
)
def test_a_deal_is_refused(api, body, words):
    """Creates and updates alike."""
    assert words in api.refused("POST", "deals", {"title": "D", **body})
    assert words in api.refused("PATCH", f"deals/{api.deal()}", body)


def test_origin_and_channel_are_odd(api):
    """A create forgets `origin_id`, an update refuses it; `channel_id` is taken by both."""
    deal = api.ok("POST", "deals", {"title": "D", "origin_id": "x", "channel_id": "c"})
    assert (deal["origin_id"], deal["channel_id"]) == (None, "c")
    assert "origin_id" in api.refused("PATCH", f"deals/{deal['id']}", {"origin_id": "x"})


def test_archiving_has_a_time(api):
    """It is written as v1 does and read as v2 does."""
    body = {"title": "D", "is_archived": True, "archive_time": "2026-01-02 03:04:05"}
    deal = api.ok("POST", "deals", body)
    assert (deal["is_archived"], deal["archive_time"]) == (True, "2026-01-02T03:04:05Z")
    back = api.ok("PATCH", f"deals/{deal['id']}", {"is_archived": False})
    assert (back["is_archived"], back["archive_time"]) == (False, None)


def test_the_plan_limits_open_deals(api, control):
    """One too many is a 403; closed and deleted ones do not count."""
    control.settings(open_deals_limit=1)
    first = api.deal()
    response = api.call("POST", "deals", {"title": "D"})
    assert response.status_code == 403
    assert response.json()["code"] == "feature_capping_deals_limit"
    assert response.json()["error"] == "Couldn't add the deal. Open deals limit reached."
    api.ok("PATCH", f"deals/{first}", {"status": "won"})
    second = api.deal()
    assert api.call("PATCH", f"deals/{first}", {"status": "open"}).status_code == 403
    api.ok("DELETE", f"deals/{second}")
    api.ok("PATCH", f"deals/{first}", {"status": "open"})


def test_a_deleted_deal_says_so(api):
    """By its flag and its status."""
    deal = api.deal()
    api.ok("DELETE", f"deals/{deal}")
    read = api.ok("GET", f"deals/{deal}")
    assert (read["is_deleted"], read["status"]) == (True, "deleted")
