"""The walk through changes, against a search that behaves as HubSpot's does."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import orjson
import pytest

from crmsync.connectors.hubspot import search as hubspot_search
from crmsync.connectors.hubspot.search import BEGINNING, OVERLAP_MS, Place, next_place, query
from crmsync.connectors.hubspot.values import EPOCH

FIELDS = ["dealstage"]
PAGE = 10
LEFT_OUT = 25


def at(ms):
    """A time as HubSpot writes it."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def search(records, body):
    """Answer a search over (id, modified ms) as the vendor does."""
    assert len(orjson.dumps(body)) <= hubspot_search.BODY_CHARACTERS
    found = list(records)
    for rule in body["filterGroups"][0]["filters"]:
        column = 0 if rule["propertyName"] == "hs_object_id" else 1
        if rule["operator"] == "NOT_IN":
            found = [record for record in found if str(record[column]) not in rule["values"]]
            continue
        value = int(rule["value"])
        keep = {"GTE": value.__le__, "EQ": value.__eq__, "GT": value.__lt__}[rule["operator"]]
        found = [record for record in found if keep(record[column])]
    by_id = body["sorts"][0]["propertyName"] == "hs_object_id"
    chance = random.Random(1)  # noqa: S311 (ties come in no order)
    found.sort(key=lambda record: record[0] if by_id else (record[1], chance.random()))
    page = found[: body["limit"]]
    answer: dict[str, Any] = {
        "results": [{"id": str(i), "properties": {"hs_lastmodifieddate": at(ms)}} for i, ms in page]
    }
    if len(page) < len(found):
        answer["paging"] = {"next": {"after": str(len(page))}}
    return answer


def walk(records, place=BEGINNING, *, between=lambda _step: None):
    """Return the ids in the order seen, how far it reached, and the number of searches."""
    seen, reached, steps = [], place, 0
    while place is not None:
        steps += 1
        assert steps < 200, "the walk does not end"
        payload = search(records, query("deals", place, FIELDS))
        seen += [int(entry["id"]) for entry in payload["results"]]
        place, reached = next_place("deals", place, payload, FIELDS)
        between(steps)
    return seen, reached, steps


@pytest.fixture(autouse=True, params=["by number", "by length"])
def small_numbers(monkeypatch, request):
    """Pages of 10, and queries that leave out some 25 ids, to meet the limits with few records."""
    monkeypatch.setattr(hubspot_search, "PAGE_RECORDS", PAGE)
    if request.param == "by number":
        monkeypatch.setattr(hubspot_search, "LEFT_OUT", LEFT_OUT)
        return
    ids = frozenset(range(100, 100 + LEFT_OUT))
    longest = len(orjson.dumps(query("deals", Place(1_000_000, seen=ids), FIELDS)))
    monkeypatch.setattr(hubspot_search, "BODY_CHARACTERS", longest)


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
def test_every_change_is_seen_however_many_share_a_time(times):
    """Also through a millisecond with more records than a query can leave out, none is missed."""
    records = [(100 + n, ms) for n, ms in enumerate(times)]
    seen, _, _ = walk(records)
    assert set(seen) == {crm_id for crm_id, _ in records}


def test_pages_do_not_overlap():
    """Records that share the last time of a page are not read again: no search is wasted."""
    records = [(100 + n, n // 7) for n in range(100)]
    seen, _, steps = walk(records)
    assert (len(seen), steps) == (100, 10)


def test_a_record_that_changes_meanwhile_hides_no_other():
    """It moves to the end; what comes after it moves up, and is seen all the same."""
    records = [(100 + n, n) for n in range(40)]

    def somebody_works(step):
        records[step] = (records[step][0], 1_000 + step)

    seen, _, _ = walk(records, between=somebody_works)
    assert set(seen) == {100 + n for n in range(40)}


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


def test_a_cursor_reaches_to_before_the_walk_began():
    """What the index showed late, while a long walk had passed its time, is within the overlap."""
    begun_ms = 10_000_000
    assert Place(9_000_000, seen=frozenset({7})).kept(begun_ms) == Place(9_000_000)
    assert Place(10_900_000).kept(begun_ms) == Place(begun_ms)
    assert Place(9_000_000, after_id=7).kept(begun_ms) == Place(9_000_000, after_id=7)
    recently = begun_ms - OVERLAP_MS
    assert Place(recently, after_id=7).kept(begun_ms) == Place(recently)
