"""Lists: pages, orders and filters."""

from __future__ import annotations

import pytest

from crmsync.sandbox.pipedrive.wire import rfc3339

ADA = 18_270_001


def pages(api, path, **query):
    """Return the pages of a list, as ids."""
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = api.call("GET", path, params={**query, **more}).json()
        assert answer["success"] is True, answer
        found.append([item["id"] for item in answer["data"]])
        cursor = answer["additional_data"]["next_cursor"]
        if cursor is None:
            return found


def test_a_list_comes_in_pages(api, control):
    """An opaque cursor leads from page to page and is null on the last, full or not."""
    control.seed("persons", [{"name": f"P{n}"} for n in range(1, 7)])
    assert pages(api, "persons", limit=3) == [[1, 2, 3], [4, 5, 6]]
    assert pages(api, "persons", limit=4, sort_direction="desc") == [[6, 5, 4, 3], [2, 1]]
    assert pages(api, "persons") == [[1, 2, 3, 4, 5, 6]]
    assert pages(api, "organizations") == [[]]


def test_what_changes_between_pages_is_not_lost(api, control):
    """Sorted by modification time, a record that changes moves to the end and comes again."""
    control.seed("persons", [{"name": f"P{n}"} for n in range(1, 5)])
    query = {"sort_by": "update_time", "limit": 2}
    first = api.call("GET", "persons", params=query).json()
    control.advance(5)
    api.ok("PATCH", "persons/1", {"name": "New"})
    cursor = first["additional_data"]["next_cursor"]
    assert pages(api, "persons", **query, cursor=cursor)[:1] == [[3, 4]]
    assert pages(api, "persons", **query) == [[2, 3], [4, 1]]


def test_the_default_page_is_a_hundred_and_the_largest_five_hundred(api, control):
    """More than 500 is refused."""
    control.seed("persons", [{"name": f"P{n}"} for n in range(501)])
    assert [len(page) for page in pages(api, "persons")] == [100] * 5 + [1]
    assert [len(page) for page in pages(api, "persons", limit=500)] == [500, 1]
    assert "limit" in api.refused("GET", "persons?limit=501")
    assert "limit" in api.refused("GET", "persons?limit=0")


@pytest.mark.parametrize(
    "query",
    [
        "cursor=garbage",
        "cursor=W10",
        "cursor=eyJmaWVsZCI6ImlkIiwidmFsdWUiOiJ4IiwiaWQiOjF9",
        "cursor=eyJvZmZzZXQiOjF9",
        "start=0",
        "sort=id",
        "sort_by=name",
        "sort_direction=up",
        "owner_id=ann",
        "updated_since=2026-11-22T09:00:00.000Z",
        "updated_since=2026-11-22T09:00:00.5Z",
        "updated_since=2026-11-22",
        "updated_since=1763800000000",
        "updated_until=2026-11-22 09:00:00",
        "updated_since=2026-13-22T09:00:00Z",
        "include_option_labels=1",
        "ids=1,x",
        "ids=" + "1" * 5000,
        "ids=" + ",".join(["1"] * 101),
        "deal_id=x",
    ],
)
def test_a_query_is_refused(api, query):
    """Parameters are checked as strictly as bodies; fractions of a second are refused."""
    api.refused("GET", f"persons?{query}")


def test_a_cursor_belongs_to_its_order(api, control):
    """It cannot go on under another."""
    control.seed("persons", [{"name": "A"}, {"name": "B"}])
    cursor = api.call("GET", "persons?limit=1").json()["additional_data"]["next_cursor"]
    api.refused("GET", f"persons?limit=1&sort_by=update_time&cursor={cursor}")


def test_updated_since_includes_and_updated_until_excludes(api, control):
    """Whole seconds; several records may share one."""
    for name in ("A", "B", "C"):
        api.person(name)
        control.advance(10)
    times = [record["modified_at"] for record in control.records("persons")]
    for sort_by in ("id", "update_time"):
        query = {"sort_by": sort_by, "updated_since": times[1]}
        assert pages(api, "persons", **query) == [[2, 3]]
        assert pages(api, "persons", **query, sort_direction="desc") == [[3, 2]]
        assert pages(api, "persons", **query, updated_until=times[2]) == [[2]]


def test_add_time_sorts_too(api):
    """It may be given with a create, and then says nothing about the id."""
    for day in (3, 1, 2):
        api.person(add_time=rfc3339(86_400 * day))
    assert pages(api, "persons", sort_by="add_time", limit=2) == [[2, 3], [1]]


def test_filters(api):
    """By ids, owner, organization and deal."""
    organization = api.ok("POST", "organizations", {"name": "X"})["id"]
    one, two = api.person(org_id=organization), api.person(owner_id=ADA + 1)
    deal = api.deal(person_id=two)
    assert pages(api, "persons", ids=f"{two},99") == [[two]]
    assert pages(api, "persons", ids=f"{two},{one}") == [[one, two]]
    assert pages(api, "persons", owner_id=ADA + 1) == [[two]]
    assert pages(api, "persons", org_id=organization) == [[one]]
    assert pages(api, "persons", deal_id=deal) == [[two]]
    assert pages(api, "deals", person_id=two) == [[deal]]
    assert pages(api, "deals", person_id=one) == [[]]
    assert api.call("GET", "persons?filter_id=1").status_code == 404


def test_deals_that_are_archived_or_deleted_are_elsewhere(api, control):
    """The plain list has neither; each has a place, deletions for 30 days."""
    live, archived, deleted = api.deal(), api.deal(is_archived=True), api.deal()
    api.ok("DELETE", f"deals/{deleted}")
    assert pages(api, "deals") == [[live]]
    assert pages(api, "deals", ids=f"{live},{archived},{deleted}") == [[live]]
    assert pages(api, "deals/archived") == [[archived]]
    assert pages(api, "deals", status="deleted") == [[deleted]]
    assert pages(api, "deals", status="open,deleted") == [[live, deleted]]
    assert pages(api, "deals", status="won") == [[]]
    assert "status" in api.refused("GET", "deals?status=gone")
    control.advance(30 * 86_400)
    assert pages(api, "deals", status="deleted") == [[]]
