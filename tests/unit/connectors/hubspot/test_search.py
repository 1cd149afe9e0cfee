"""The walk through changes, against a search that behaves as HubSpot's does."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from crmsync.connectors.hubspot import search as hubspot_search
from crmsync.connectors.hubspot.search import BEGINNING, OVERLAP_MS, Place, next_place, query
from crmsync.connectors.hubspot.wire import EPOCH

CAP, PAGE = 30, 10


def at(ms):
    """A time as HubSpot writes it."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def search(records, body):
    """Answer a search over (id, modified ms) as the vendor does, its cap included."""
    found = list(records)
    for rule in body["filterGroups"][0]["filters"]:
        value = int(rule["value"])
        column = 0 if rule["propertyName"] == "hs_object_id" else 1
        keep = {"GTE": value.__le__, "EQ": value.__eq__, "GT": value.__lt__}[rule["operator"]]
        found = [record for record in found if keep(record[column])]
    by_id = body["sorts"][0]["propertyName"] == "hs_object_id"
    chance = random.Random(1)  # noqa: S311 (ties come in no order)
    found.sort(key=lambda record: record[0] if by_id else (record[1], chance.random()))
    start = int(body.get("after", 0))
    assert start + body["limit"] <= CAP, "paged beyond the cap"
    page = found[start : start + body["limit"]]
    answer: dict[str, Any] = {
        "results": [{"id": str(i), "properties": {"hs_lastmodifieddate": at(ms)}} for i, ms in page]
    }
    if start + body["limit"] < len(found):
        answer["paging"] = {"next": {"after": str(start + body["limit"])}}
    return answer


def walk(records, place=BEGINNING):
    """Return the ids in the order seen, and the last cursor."""
    seen, cursor, steps = [], place, 0
    while place is not None:
        steps += 1
        assert steps < 200, "the walk does not end"
        payload = search(records, query("deals", place, ["dealstage"]))
        seen += [int(entry["id"]) for entry in payload["results"]]
        place, reached = next_place("deals", place, payload)
        cursor = max(cursor, reached)
    return seen, cursor


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch):
    """A cap of 30 and pages of 10, to meet the cap with few records."""
    monkeypatch.setattr(hubspot_search, "CAP", CAP)
    monkeypatch.setattr(hubspot_search, "PAGE_RECORDS", PAGE)


@pytest.mark.parametrize(
    "times",
    [
        [],
        [5],
        list(range(1, 11)),
        list(range(1, 200)),
        [7] * 100,
        [1, 2, 3] + [7] * 100 + [8, 9],
        [7] * 30,
        [7] * 31,
        [7] * 29 + [8] * 100 + [9] * 29,
        [n // 25 for n in range(1, 300)],
    ],
    ids=len,
)
def test_every_change_is_seen_whatever_the_cap(times):
    """Past the cap, and through a millisecond with more records than the cap, none is missed."""
    records = [(100 + n, ms) for n, ms in enumerate(times)]
    seen, _ = walk(records)
    assert set(seen) == {crm_id for crm_id, _ in records}


def test_a_cursor_goes_on_where_it_stopped():
    """A cursor begins some minutes earlier, except amid one millisecond, where ids go on."""
    assert Place.read("1000000") == Place(1_000_000 - OVERLAP_MS)
    assert Place.read("100") == Place(0)
    assert Place.read(str(Place(1_000_000, 7))) == Place(1_000_000, 7)


def test_contacts_have_another_name_for_the_time():
    """The last-modified property differs between contacts and the rest, however they are spelt."""
    for name, field in [
        ("contacts", "lastmodifieddate"),
        ("0-1", "lastmodifieddate"),
        ("CONTACT", "lastmodifieddate"),
        ("deals", "hs_lastmodifieddate"),
        ("2-345", "hs_lastmodifieddate"),
    ]:
        assert query(name, BEGINNING, [])["properties"] == [field]


@pytest.mark.parametrize("place", [Place(5_000, offset=10), Place(5_000, after_id=9)])
def test_a_walk_that_does_not_get_on_ends(place):
    """A page that leads back to itself is an error of reading."""
    entry = {"id": "9", "properties": {"hs_lastmodifieddate": at(5_000)}}
    same = {"results": [entry], "paging": {"next": {"after": "10"}}}
    with pytest.raises(ValueError, match="get on"):
        next_place("deals", place, same)
