"""Search: what the index knows, which is not always what is there."""

from __future__ import annotations

import pytest

EXACT = "persons/search?fields=email&exact_match=true"


def found(api, path, **query):
    """Return the items of a search."""
    return [hit["item"] for hit in api.ok("GET", path, params=query)["items"]]


def ids(api, path, **query):
    """Return the ids of a search."""
    return [item["id"] for item in found(api, path, **query)]


def test_an_exact_match_ignores_case(api):
    """Of the whole address, any of them, and of all who have it."""
    one = api.person(emails=[{"value": "Ann@X.io"}])
    two = api.person(emails=[{"value": "b@x.io"}, {"value": "ann@x.io"}])
    api.person(emails=[{"value": "joann@x.io"}])
    assert ids(api, EXACT, term="aNN@x.io") == [one, two]
    assert ids(api, EXACT, term="nn@x.io") == []


def test_an_item_is_not_a_record(api):
    """It has addresses as text, the owner in an object and custom values without their codes."""
    code = api.field("F")["field_code"]
    organization = api.ok("POST", "organizations", {"name": "X"})["id"]
    api.person(emails=[{"value": "a@x.io"}], org_id=organization, custom_fields={code: "key-1"})
    (item,) = found(api, EXACT, term="a@x.io")
    assert item == {
        "id": 1,
        "type": "person",
        "name": "Ann Lee",
        "emails": ["a@x.io"],
        "phones": [],
        "owner": {"id": 18_270_001},
        "organization": {"id": organization, "name": "X"},
        "custom_fields": ["key-1"],
        "notes": [],
        "visible_to": 3,
    }


def test_the_index_lags(api, control):
    """Creates, changes and deletions are unknown to search for a while."""
    control.settings(search_lag_seconds=60)
    person = api.person(emails=[{"value": "a@x.io"}])
    control.advance(59)
    assert ids(api, EXACT, term="a@x.io") == []
    control.advance(1)
    assert ids(api, EXACT, term="a@x.io") == [person]
    api.ok("PATCH", f"persons/{person}", {"emails": [{"value": "b@x.io"}]})
    assert ids(api, EXACT, term="a@x.io") == [person]
    assert ids(api, EXACT, term="b@x.io") == []
    control.advance(60)
    assert ids(api, EXACT, term="a@x.io") == []
    assert ids(api, EXACT, term="b@x.io") == [person]
    api.ok("DELETE", f"persons/{person}")
    assert ids(api, EXACT, term="b@x.io") == [person]
    control.advance(60)
    assert ids(api, EXACT, term="b@x.io") == []


def test_a_shorter_lag_does_not_bring_old_values_back(api, control):
    """The newest change known stays known, whatever comes late."""
    control.settings(search_lag_seconds=60)
    person = api.person(emails=[{"value": "old@x.io"}])
    control.settings(search_lag_seconds=0)
    api.ok("PATCH", f"persons/{person}", {"emails": [{"value": "new@x.io"}]})
    control.advance(120)
    assert ids(api, EXACT, term="new@x.io") == [person]
    assert ids(api, EXACT, term="old@x.io") == []


def test_a_plain_search_finds_parts(api):
    """In every searched field, or in those named; custom fields of some types only."""
    text, day = api.field("F")["field_code"], api.field("D", "date")["field_code"]
    one = api.person("Ann Lee", phones=[{"value": "+44 123"}])
    two = api.person("Bob", custom_fields={text: "anno", day: "2026-01-01"})
    assert ids(api, "persons/search", term="ann") == [one, two]
    assert ids(api, "persons/search", term="ann", fields="name,phone") == [one]
    assert ids(api, "persons/search", term="123") == [one]
    assert ids(api, "persons/search", term="2026") == []


def test_each_type_has_its_items(api):
    """Organizations and deals look otherwise, and take filters of their own."""
    person = api.person()
    address = {"value": "1 Main St"}
    organization = api.ok("POST", "organizations", {"name": "Acme", "address": address})["id"]
    deal = api.deal("Acme deal", person_id=person, org_id=organization)
    (found_organization,) = found(api, "organizations/search", term="main")
    assert found_organization["address"] == "1 Main St"
    (found_deal,) = found(api, "deals/search", term="acme", person_id=person, status="open")
    assert found_deal["id"] == deal
    assert found_deal["stage"] == {"id": 1, "name": "Qualified"}
    assert found_deal["person"] == {"id": person, "name": "Ann Lee"}
    assert ids(api, "deals/search", term="acme", status="won") == []
    assert ids(api, "persons/search", term="ann", organization_id=organization) == []


def test_hits_come_in_pages(api):
    """With a cursor, null at the end."""
    for _ in range(3):
        api.person()
    first = api.call("GET", "persons/search?term=ann&limit=2").json()
    assert len(first["data"]["items"]) == 2
    cursor = first["additional_data"]["next_cursor"]
    last = api.call("GET", f"persons/search?term=ann&limit=2&cursor={cursor}").json()
    assert [hit["item"]["id"] for hit in last["data"]["items"]] == [3]
    assert last["additional_data"]["next_cursor"] is None


@pytest.mark.parametrize(
    "query", ["", "term=a", "term=ann&fields=emails", "term=ann&exact_match=1", "term=ann&q=1"]
)
def test_a_search_is_refused(api, query):
    """Short terms, unknown fields and parameters are."""
    api.refused("GET", f"persons/search?{query}")


def test_one_character_will_do_where_it_is_exact(api):
    """The shortest term is shorter then."""
    person = api.person("A")
    assert ids(api, "persons/search", term="a", exact_match="true") == [person]
