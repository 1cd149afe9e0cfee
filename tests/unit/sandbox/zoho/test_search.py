"""Search: from an index that lags behind."""

from __future__ import annotations

import pytest


@pytest.fixture
def people(api, control):
    """Three contacts."""
    control.act("add_field", module="Contacts", field_label="No", data_type="integer")
    api.contact("Li", First_Name="Ann", Email="ann@x.io", Phone="+49 30 1", No=7)
    api.contact("Ma (jr), a\\b", Email="ma@x.io")
    api.contact(
        "Wu",
        Email="wu@y.io",
        Secondary_Email="ann@x.io",
        No=9,
        Email_Opt_Out=True,
        Date_of_Birth="2000-01-01",
    )


def found(response):
    """The last names of an answer."""
    return sorted(row["Last_Name"] for row in response.json()["data"]) if response.content else []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"criteria": "(Email:equals:ANN@x.io)"}, ["Li"]),
        ({"criteria": "(Email:starts_with:ma)"}, ["Ma (jr), a\\b"]),
        ({"criteria": "(Last_Name:equals:Ma \\(jr\\)\\, a\\\\b)"}, ["Ma (jr), a\\b"]),
        ({"criteria": "((Last_Name:equals:Li)or(Last_Name:equals:Wu))"}, ["Li", "Wu"]),
        ({"criteria": "((Last_Name:in:Li,Wu) and (Email:not_equal:wu@y.io))"}, ["Li"]),
        ({"criteria": "(Created_Time:greater_than:2000-01-01T00:00:00+00:00)"}, []),
        ({"criteria": "(No:less_than:8)"}, ["Li"]),
        ({"criteria": "((No:greater_equal:7) and (No:less_equal:9))"}, ["Li", "Wu"]),
        ({"criteria": "(Date_of_Birth:greater_than:1999-12-31)"}, ["Wu"]),
        ({"criteria": "(Email_Opt_Out:equals:true)"}, ["Wu"]),
        ({"email": "ann@x.io"}, ["Li", "Wu"]),
        ({"phone": "+49 30 1"}, ["Li"]),
        ({"word": "ann"}, ["Li", "Wu"]),
        ({"email": "nobody@x.io"}, []),
    ],
)
def test_records_are_found(api, people, query, names):
    """By criteria, by any e-mail address or telephone number, or by a word."""
    response = api.get("/Contacts/search", **query)
    assert response.status_code == (200 if names else 204)
    assert found(response) == names


@pytest.mark.parametrize(
    "criteria",
    ["Email:equals:x", "(Email:equals:x", "(Nope:equals:x)", "(Email:is:x)", "(a)(b)", "((", "()"],
)
def test_criteria_that_cannot_be_read_are_refused(api, criteria):
    """The parameter is named."""
    response = api.get("/Contacts/search", criteria=criteria)
    assert (response.status_code, response.json()["details"]) == (400, {"param_name": "criteria"})


def test_fifteen_criteria_are_all(api):
    """One more is refused."""
    for count in (15, 16):
        criteria = "(" + "or".join(["(Last_Name:equals:Li)"] * count) + ")"
        status = api.get("/Contacts/search", criteria=criteria).status_code
        assert status == (204 if count == 15 else 400)


def test_something_has_to_be_searched_for(api):
    """Without any of the parameters there is nothing to do."""
    assert api.get("/Contacts/search").json()["code"] == "REQUIRED_PARAM_MISSING"


def test_the_index_lags(api, control):
    """New records and new values are found only after a while; lists have them at once."""
    control.settings(search_lag_seconds=30)
    record_id = api.contact(Email="old@x.io")
    assert found(api.get("/Contacts/search", email="old@x.io")) == []
    assert api.get("/Contacts", fields="Email").status_code == 200
    control.advance(31)
    api.write("PUT", f"/Contacts/{record_id}", {"Email": "new@x.io"})
    assert found(api.get("/Contacts/search", email="old@x.io")) == ["Li"]
    assert found(api.get("/Contacts/search", email="new@x.io")) == []
    control.advance(31)
    assert found(api.get("/Contacts/search", email="new@x.io")) == ["Li"]


def test_results_come_in_pages_up_to_two_thousand(api, people):
    """As lists do."""
    query = {"criteria": "(Email:not_equal:x)", "per_page": 2, "fields": "Last_Name"}
    first = api.get("/Contacts/search", **query).json()
    assert first["info"] == {"per_page": 2, "count": 2, "page": 1, "more_records": True}
    assert set(first["data"][0]) == {"id", "Last_Name"}
    assert len(api.get("/Contacts/search", **query, page=2).json()["data"]) == 1
    far = api.get("/Contacts/search", **query, page=1001)
    assert far.json()["code"] == "DISCRETE_PAGINATION_LIMIT_EXCEEDED"
