"""Search: lag, filters, caps."""

from __future__ import annotations

import pytest

CONTACTS = "/crm/v3/objects/contacts"
SEARCH = f"{CONTACTS}/search"
PEOPLE = [
    {"email": "ann@x.io", "firstname": "Ann", "lifecyclestage": "lead", "closedate": "2026-01-01"},
    {"email": "bob@x.io", "firstname": "Bob", "lifecyclestage": "customer"},
    {"email": "cy@y.io", "company": "Big Blue"},
]


def one(name, operator, **values):
    """Make the body of a search with one filter."""
    filters = [{"propertyName": name, "operator": operator, **values}]
    return {"filterGroups": [{"filters": filters}], "sorts": ["email"], "properties": ["email"]}


def found(api, body):
    """Return the first parts of the addresses found."""
    results = api.ok("POST", SEARCH, body)["results"]
    return [result["properties"]["email"].partition("@")[0] for result in results]


@pytest.mark.parametrize(
    ("given", "values", "expected"),
    [
        (("firstname", "EQ"), {"value": "ANN"}, ["ann"]),
        (("firstname", "NEQ"), {"value": "ann"}, ["bob", "cy"]),
        (("firstname", "IN"), {"values": ["ann", "bob"]}, ["ann", "bob"]),
        (("firstname", "IN"), {"values": ["Ann"]}, []),
        (("firstname", "NOT_IN"), {"values": ["ann"]}, ["bob"]),
        (("firstname", "HAS_PROPERTY"), {}, ["ann", "bob"]),
        (("firstname", "NOT_HAS_PROPERTY"), {}, ["cy"]),
        (("lifecyclestage", "EQ"), {"value": "lead"}, ["ann"]),
        (("lifecyclestage", "EQ"), {"value": "LEAD"}, []),
        (("company", "CONTAINS_TOKEN"), {"value": "blue"}, ["cy"]),
        (("email", "CONTAINS_TOKEN"), {"value": "*y.io"}, ["cy"]),
        (("company", "NOT_CONTAINS_TOKEN"), {"value": "blue"}, ["ann", "bob"]),
        (("hs_object_id", "GT"), {"value": "100001"}, ["bob", "cy"]),
        (("hs_object_id", "LTE"), {"value": "100001"}, ["ann"]),
        (("hs_object_id", "BETWEEN"), {"value": "100002", "highValue": "100003"}, ["bob", "cy"]),
        (("createdate", "GTE"), {"value": "1763800000000"}, ["ann", "bob", "cy"]),
        (("createdate", "LT"), {"value": "1763800000000"}, []),
        (("closedate", "EQ"), {"value": "1767225600000"}, ["ann"]),
        (("associations.companies", "HAS_PROPERTY"), {}, []),
    ],
)
def test_operators_compare_by_type(api, control, given, values, expected):
    """Text without case, options with it, numbers and times as such."""
    control.seed("contacts", PEOPLE)
    assert found(api, one(*given, **values)) == expected


def test_groups_are_alternatives_of_conjunctions(api, control):
    """Filters of a group must all hold, of groups any."""
    control.seed("contacts", PEOPLE)
    ann, bob, cy = (
        {"propertyName": "email", "operator": "EQ", "value": person["email"]} for person in PEOPLE
    )
    body = {**one("email", "EQ", value="x"), "filterGroups": [{"filters": [ann, bob]}]}
    assert found(api, body) == []
    assert found(api, {**body, "filterGroups": [{"filters": [x]} for x in (ann, cy)]}) == [
        "ann",
        "cy",
    ]


def test_results_are_sorted_and_paged(api, control):
    """One rule sorts; the offset of the next page is a string."""
    control.seed("contacts", PEOPLE)
    rule = [{"propertyName": "email", "direction": "DESCENDING"}]
    body = {"sorts": rule, "properties": ["email"], "limit": 2}
    first = api.ok("POST", SEARCH, body)
    assert (first["total"], first["paging"]["next"]["after"]) == (3, "2")
    assert found(api, body) == ["cy", "bob"]
    assert found(api, {**body, "after": "2"}) == ["ann"]


@pytest.mark.parametrize(
    "body",
    [
        {"query": "x" * 3000},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [one("email", "HAS_PROPERTY")["filterGroups"][0]["filters"] * 7]},
        {"limit": 201},
        {"after": "9999", "limit": 2},
        {"sorts": ["email", "firstname"]},
        {"sorts": ["nope"]},
        one("nope", "HAS_PROPERTY"),
        one("email", "LIKE", value="a"),
        one("email", "EQ"),
        one("createdate", "GTE", value="soon"),
    ],
)
def test_what_goes_beyond_a_cap_is_refused(api, body):
    """Each cap is a 400."""
    if "filterGroups" in body and isinstance(body["filterGroups"][0], list):
        body = {"filterGroups": [{"filters": body["filterGroups"][0]}]}
    response = api.call("POST", SEARCH, body)
    assert response.status_code == 400


def test_changes_are_seen_only_after_a_while(api, control):
    """A created or changed record reaches search later than direct reads; order is kept."""
    control.settings(search_lag_seconds=5, search_lag_jitter_seconds=0)
    contact = api.contact("a@x.io", firstname="Ann")
    body = one("firstname", "EQ", value="ann")
    assert found(api, body) == []
    control.advance(5)
    assert found(api, body) == ["a"]
    api.ok("PATCH", f"{CONTACTS}/{contact}", {"properties": {"firstname": "Eve"}})
    assert found(api, body) == ["a"]
    control.advance(5)
    assert found(api, body) == []
    assert found(api, one("firstname", "EQ", value="eve")) == ["a"]


def test_archived_records_never_appear(api, control):
    """An archived record is gone at once."""
    contact = api.contact("a@x.io")
    api.call("DELETE", f"{CONTACTS}/{contact}")
    assert found(api, {"properties": ["email"]}) == []


def test_unknown_properties_are_left_out(api):
    """Search says nothing of requested properties that do not exist."""
    api.contact("a@x.io")
    (result,) = api.ok("POST", SEARCH, {"properties": ["nope", "email"]})["results"]
    assert "nope" not in result["properties"]


def test_every_kind_of_write_moves_the_cursor_property(api, control):
    """Own writes and edits by people alike are later in the order of modification."""
    control.settings(settling_seconds=0)
    first, second = api.contact("a@x.io"), api.contact("b@x.io")
    control.advance(1)
    control.edit("contacts", first, firstname="A")
    body = {"sorts": ["lastmodifieddate"], "properties": ["email"]}
    assert found(api, body) == ["b", "a"]
    control.advance(1)
    api.ok("PATCH", f"{CONTACTS}/{second}", {"properties": {"firstname": "B"}})
    assert found(api, body) == ["a", "b"]
