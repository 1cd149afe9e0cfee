"""COQL: what it finds, and what it does not understand."""

from __future__ import annotations

import pytest

from crmsync.sandbox.zoho.coql.grammar import Criterion, Pair, Unreadable, parse


@pytest.fixture
def people(api, control):
    """Three contacts of two accounts, and one without any; returns their ids by name."""
    control.act("add_field", module="Contacts", field_label="Score", data_type="integer")
    rows = [
        {"Last_Name": "Ada", "Email": "ada@x.io", "Score": 10, "Account_Name": {"name": "Acme"}},
        {"Last_Name": "Ben", "Email": "ben@x.io", "Score": 20, "Account_Name": {"name": "Acme"}},
        {"Last_Name": "Cleo", "Email": "cleo@y.io", "Account_Name": {"name": "Bolt's"}},
        {"Last_Name": "Dan", "Date_of_Birth": "1990-01-02", "Email_Opt_Out": True},
    ]
    ids = {}
    for row in rows:
        ids[row["Last_Name"]] = api.contact(**row)
        control.advance(60)
    return ids


def contacts(where, *rest):
    """A query for the last names of contacts, oldest first."""
    return " ".join(["select Last_Name from Contacts where", where, "order by id asc", *rest])


def found(response):
    """The last names of the rows of an answer."""
    return [row["Last_Name"] for row in response.json()["data"]] if response.content else []


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("Email = 'ada@x.io'", ["Ada"]),
        ("Email = 'ADA@X.IO'", ["Ada"]),
        ("Email != 'ada@x.io'", ["Ben", "Cleo"]),
        ("Email in ('ada@x.io', 'cleo@y.io', 'no')", ["Ada", "Cleo"]),
        ("Email not in ('ada@x.io')", ["Ben", "Cleo"]),
        ("Email like '%@x.io'", ["Ada", "Ben"]),
        ("Email not like '%@x.io'", ["Cleo"]),
        ("Email is null", ["Dan"]),
        ("Email IS NOT NULL", ["Ada", "Ben", "Cleo"]),
        ("Score > 10", ["Ben"]),
        ("Score >= 10", ["Ada", "Ben"]),
        ("Score < 20", ["Ada"]),
        ("Score between 5 and 15", ["Ada"]),
        ("Date_of_Birth >= '1990-01-01'", ["Dan"]),
        ("Email_Opt_Out = true", ["Dan"]),
        ("Account_Name.Account_Name = 'acme'", ["Ada", "Ben"]),
        ("Account_Name.Account_Name = 'Bolt\\'s'", ["Cleo"]),
        ("Owner.email = 'ada@org.example'", ["Ada", "Ben", "Cleo", "Dan"]),
        ("Score = 10 or Score = 20", ["Ada", "Ben"]),
        ("(Email is not null and (Score > 5 and Score < 15))", ["Ada"]),
        ("((Score = 10 and Email is null) or (Score = 20 and Email is not null))", ["Ben"]),
        ("Email = 'ada@x.io' and Score = 99", []),
    ],
)
def test_criteria_find_records(api, people, where, names):
    """Text compares without case; what is empty is found by `is null` alone."""
    response = api.coql(contacts(where))
    assert response.status_code == (200 if names else 204), response.text
    assert found(response) == names


@pytest.mark.parametrize("at", ["id = '{}'", "id = {}", "id in ('{}')", "id >= {}"])
def test_ids_are_found_as_text_and_as_numbers(api, people, at):
    """Both spellings mean the same record."""
    response = api.coql(contacts(at.format(people["Dan"])))
    assert found(response) == ["Dan"]


def test_times_are_compared_as_instants(api, control, people):
    """Whatever their offset; without one the organisation's holds."""
    query = "select Last_Name from Contacts where Modified_Time >= '{}' order by id asc"
    held = control.record("Contacts", people["Cleo"])["modified_at"]
    assert found(api.coql(query.format(held))) == ["Cleo", "Dan"]
    control.settings(time_zone="+00:00")
    in_utc = control.record("Contacts", people["Cleo"])["modified_at"]
    assert in_utc != held
    assert found(api.coql(query.format(in_utc))) == ["Cleo", "Dan"]
    assert found(api.coql(query.format(in_utc[:19]))) == ["Cleo", "Dan"]


def test_rows_have_ids_of_lookups_and_what_paths_lead_to(api, control, people):
    """The name of a lookup has to be asked for; `id` always comes."""
    query = (
        "select Account_Name, Account_Name.Account_Name, Owner, Score from Contacts "
        "where Email = 'cleo@y.io'"
    )
    body = api.coql(query).json()
    (account,) = [
        a for a in control.records("Accounts") if a["properties"]["Account_Name"][0] == "B"
    ]
    assert body["data"] == [
        {
            "Account_Name": {"id": account["id"]},
            "Account_Name.Account_Name": "Bolt's",
            "Owner": {"id": api.get("/users", type="CurrentUser").json()["users"][0]["id"]},
            "Score": None,
            "id": people["Cleo"],
        }
    ]
    assert body["info"] == {"count": 1, "more_records": False}


def test_rows_are_sorted_and_cut(api, people):
    """By several keys, with an offset and a limit in either spelling."""
    query = "select Last_Name from Contacts where id > 1 order by {} {}"
    assert found(api.coql(query.format("Account_Name.Account_Name desc, id desc", ""))) == [
        "Cleo", "Ben", "Ada", "Dan",
    ]  # fmt: skip
    for cut in ("limit 1, 2", "limit 2 offset 1"):
        response = api.coql(query.format("id asc", cut))
        assert found(response) == ["Ben", "Cleo"]
        assert response.json()["info"] == {"count": 2, "more_records": True}


def test_changes_are_found_at_once_and_deleted_records_not_at_all(api, control, people):
    """No index lags here."""
    control.settings(search_lag_seconds=600)
    api.contact("Eve", Email="eve@x.io")
    assert found(api.coql("select Last_Name from Contacts where Email = 'eve@x.io'")) == ["Eve"]
    api.call("DELETE", f"/Contacts/{people['Ada']}")
    assert found(api.coql("select Last_Name from Contacts where Email = 'ada@x.io'")) == []


@pytest.mark.parametrize(
    "query",
    [
        "select id from Contacts where Score = 1 and Score = 2 and Score = 3",
        "select id from Contacts where (Score = 1 and Score = 2 or Score = 3)",
        "select * from Contacts where Score = 1",
        "select id from Contacts where Score = 'it's'",
        "select id from Contacts where",
        "select id from Contacts where Score = 1 limit",
        "select id, from Contacts where Score = 1",
        "delete from Contacts",
        "",
    ],
)
def test_what_is_no_coql_is_a_syntax_error(api, people, query):
    """Three criteria in a row are none; the details tell the place."""
    response = api.coql(query)
    assert (response.status_code, response.json()["code"]) == (400, "SYNTAX_ERROR")
    assert set(response.json()["details"]) == {"line", "column", "near"}


def test_the_place_of_a_syntax_error_is_told():
    """Line and column from 1, and what stands there."""
    with pytest.raises(Unreadable) as refused:
        parse("select id from X\nwhere a = 1 and b = 2 and c = 3")
    place = (refused.value.line, refused.value.column, refused.value.near)
    assert place == (2, 23, "and c = 3")


def test_pairs_nest():
    """However deep."""
    query = parse("select id from X where (a = 1 and (b = 'x' or c is null))")
    second = Pair(Criterion(("b",), "=", ("x",)), False, Criterion(("c",), "is null", ()))
    assert query.where == Pair(Criterion(("a",), "=", (1,)), True, second)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("O\\'Neil", "O'Neil"), ("a\\\\b", "a\\b"), ("\u5b8b % _", "\u5b8b % _"), ("", "")],
)
def test_backslashes_escape(written, meant):
    """Quotes and backslashes in values survive."""
    where = parse(contacts(f"a = '{written}'")).where
    assert where.values == (meant,)


@pytest.mark.parametrize(
    ("query", "code", "details"),
    [
        ("select id from Contacts", "SYNTAX_ERROR", {"clause": "where"}),
        ("select id from Nope where id > 1", "INVALID_QUERY", {"module": "Nope"}),
        ("select Nope from Contacts where id > 1", "INVALID_QUERY", {"column_name": "Nope"}),
        (
            "select Email.x from Contacts where id > 1",
            "INVALID_QUERY",
            {"column_name": "Email.x"},
        ),
        (
            "select Account_Name.Parent_Account.Account_Name from Contacts where id > 1",
            "INVALID_QUERY",
            {"column_name": "Account_Name.Parent_Account.Account_Name"},
        ),
        (
            "select id from Contacts where Score = 'x'",
            "INVALID_QUERY",
            {"column_name": "Score", "expected_data_type": "integer"},
        ),
        (
            "select id from Contacts where Modified_Time > 'today'",
            "INVALID_QUERY",
            {"column_name": "Modified_Time", "expected_data_type": "datetime"},
        ),
        (
            "select id from Contacts where Score like '1%'",
            "INVALID_QUERY",
            {"column_name": "Score", "operator": "like"},
        ),
        (
            "select id from Contacts where Description = 'x'",
            "INVALID_QUERY",
            {"column_name": "Description", "data_type": "textarea"},
        ),
        (
            "select Email, id, Email from Contacts where id > 1",
            "DUPLICATE_DATA",
            {"column_name": "Email"},
        ),
        (
            "select id from Contacts where id > 1 limit 2001",
            "LIMIT_EXCEEDED",
            {"limit": 2000, "clause": "limit"},
        ),
        (
            "select id from Contacts where id > 1 limit 99000, 2000",
            "LIMIT_EXCEEDED",
            {"limit": 100000, "clause": "offset"},
        ),
        (
            contacts(f"Email in ({', '.join(['1'] * 51)})"),
            "LIMIT_EXCEEDED",
            {"limit": 50, "clause": "in"},
        ),
        (
            " ".join(
                ["select", ", ".join(f"F{n}" for n in range(51)), "from Contacts where id > 1"]
            ),
            "LIMIT_EXCEEDED",
            {"limit": 50, "clause": "select"},
        ),
        (
            contacts(f"{'(id > 1 and ' * 25}id > 1{')' * 25}"),
            "LIMIT_EXCEEDED",
            {"limit": 25, "clause": "where"},
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(api, people, query, code, details):
    """Each with its code and what it is about."""
    response = api.coql(query)
    refusal = response.json()
    assert (response.status_code, refusal["code"], refusal["details"]) == (400, code, details)


def test_a_query_needs_the_scope_of_its_module_too(api, control):
    """ZohoCRM.coql.READ alone reads nothing."""
    control.settings(scopes=["ZohoCRM.coql.READ", "ZohoCRM.modules.Leads.READ"])
    assert api.coql("select id from Leads where id > 1").status_code == 204
    refused = api.coql("select id from Contacts where id > 1")
    assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


@pytest.mark.parametrize(
    ("body", "code"), [({}, "MANDATORY_NOT_FOUND"), ({"select_query": 5}, "INVALID_DATA")]
)
def test_a_body_without_a_query_is_refused(api, body, code):
    """`select_query` has to be there, and text."""
    assert api.call("POST", "/coql", body).json()["code"] == code
