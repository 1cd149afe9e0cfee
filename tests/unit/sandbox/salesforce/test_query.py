"""SOQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.salesforce.conftest import UPSERT, collection

PEOPLE: list[dict[str, Any]] = [
    {"LastName": "Ash", "FirstName": "Ann", "Email": "Ann@X.io", "Birthdate": "2000-01-01"},
    {"LastName": "Birch", "Email": "b_b@x.io", "HasOptedOutOfEmail": True, "LeadSource": "Web"},
    {"LastName": "O'Hara", "Email": "50%@x.io", "Title": "a\\b"},
    {"LastName": "Zed", "Title": 'two\nlines "x"', "LeadSource": "Other"},
]


@pytest.fixture
def names(api, sandbox):
    """Four contacts, the first two of one account, and a way to ask for last names."""
    account = api.create("Account", Name="Acme", AccExt__c="A-1", NumberOfEmployees=5)
    people = [{**person} for person in PEOPLE]
    for person in people[:2]:
        person["AccountId"] = account
    sandbox.control.act("add_field", object_type="Contact", name="Score__c", type="double")
    people[0]["Score__c"], people[1]["Score__c"] = 1.5, 20
    for person in people:
        api.create("Contact", **person)

    def ask(condition):
        found = api.query("SELECT LastName FROM Contact WHERE " + condition)  # noqa: S608 - SOQL
        assert found["totalSize"] == len(found["records"])
        return "".join(sorted(row["LastName"][0] for row in found["records"]))

    return ask


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("LastName = 'ASH'", "A"),
        ("Email = 'ann@x.io'", "A"),
        ("LastName != 'Ash'", "BOZ"),
        ("FirstName != 'Ann'", "BOZ"),
        ("FirstName = null", "BOZ"),
        ("FirstName != NULL", "A"),
        ("LastName > 'B'", "BOZ"),
        ("LastName >= 'birch' AND LastName < 'P'", "BO"),
        ("LastName <= 'birch'", "AB"),
        ("LastName IN ('Ash', 'zed')", "AZ"),
        ("LastName NOT IN ('Ash','Zed')", "BO"),
        ("LastName = 'Ash' OR LastName = 'Zed'", "AZ"),
        ("(LastName = 'Ash' OR LastName = 'Zed') AND FirstName = null", "Z"),
        ("NOT LastName = 'Ash'", "BOZ"),
        ("NOT (LastName = 'Ash' OR LastName = 'Zed')", "BO"),
        ("LastName LIKE '%r%'", "BO"),
        ("LastName LIKE 'as_'", "A"),
        ("Email LIKE 'b\\_%'", "B"),
        ("Email LIKE 'a\\_n%'", ""),
        ("LastName LIKE 'O\\%'", ""),
        ("Email LIKE '50\\%%'", "O"),
        ("LastName = 'O\\'Hara'", "O"),
        ("Title = 'a\\\\b'", "O"),
        ("Title LIKE 'a\\\\%'", "O"),
        ("Title = 'two\\nlines \\\"x\\\"'", "Z"),
        ("HasOptedOutOfEmail = TRUE", "B"),
        ("HasOptedOutOfEmail = false", "AOZ"),
        ("Birthdate = 2000-01-01", "A"),
        ("Birthdate < 2000-01-02", "A"),
        ("Score__c > 1.4", "AB"),
        ("Score__c = 20", "B"),
        ("Score__c IN (1.5, 2e1)", "AB"),
        ("CreatedDate > 2020-01-01T00:00:00Z", "ABOZ"),
        ("CreatedDate < 2020-01-01T00:00:00%2B02:00", ""),
        ("Account.Name = 'acme'", "AB"),
        ("Account.Name = null", "OZ"),
        ("Account.NumberOfEmployees = 5", "AB"),
        ("Account.Owner.IsActive = true", "AB"),
        ("Owner.Username = 'integration@acme.example'", "ABOZ"),
        ("account.accext__c = 'a-1'", "AB"),
        ("Id = '0035e0000000001AAA'", "A"),
        ("Id IN ('0035e0000000001', '0035e0000000002AAA')", "AB"),
        ("LastName = 'Ash'\n  and\tId <> '0035e0000000002AAA'", "A"),
        ("LeadSource = 'Web'", "B"),
    ],
)
def test_conditions_find(names, condition, found):
    """Text without case, null where nothing is, times in any zone, parents by their fields."""
    assert names(condition.replace("%2B", "+")) == found


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT * FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName = 'x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName = 'O'Hara'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName = 'a\\z'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Id='a' AND Id='b' OR Id='c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-13-01T00:00:00Z", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01T00:00:00", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT -1", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Id, id FROM Contact", "INVALID_FIELD"),
        ("SELECT Nope.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Account.Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Nope", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Nope = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE HasOptedOutOfEmail = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2024-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE LastName > null", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE HasOptedOutOfEmail > true", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_wrong_queries_are_refused(api, soql, code):
    """What cannot be read, and what means nothing in this org, by code."""
    assert api.refused("GET", "query", params={"q": soql}) == (400, code)


def test_a_plus_that_is_not_encoded_is_a_blank(api):
    """So a time with an offset cannot be read, as on any server."""
    path = "query?q=SELECT+Id+FROM+Contact+WHERE+CreatedDate+>+2024-01-01T00:00:00+02:00"
    assert api.refused("GET", path) == (400, "MALFORMED_QUERY")


def test_rows_are_sorted(api, names):
    """Nulls first unless they are to be last; by several fields; by a parent's."""

    def order(clause):
        found = api.query("SELECT LastName FROM Contact ORDER BY " + clause)  # noqa: S608 - SOQL
        return "".join(row["LastName"][0] for row in found["records"])

    assert order("LastName DESC") == "ZOBA"
    assert order("LeadSource, LastName DESC") == "OAZB"
    assert order("LeadSource ASC NULLS LAST, LastName") == "ZBAO"
    assert order("Account.Name NULLS LAST, LastName") == "ABOZ"
    assert order("Score__c DESC NULLS LAST, LastName") == "BAOZ"


def test_limit_and_offset_cut(api, names):
    """The total is that of what is left."""
    found = api.query("SELECT Id, LastName FROM Contact ORDER BY LastName LIMIT 2 OFFSET 1")
    assert [row["LastName"] for row in found["records"]] == ["Birch", "O'Hara"]
    assert found["totalSize"] == 2


def test_parents_are_shown_inside(api, names):
    """With attributes of their own; null where there is none."""
    soql = "SELECT LastName, Account.Name, Account.Owner.Email FROM Contact ORDER BY LastName"
    rows = api.query(soql)["records"]
    assert rows[0]["Account"]["attributes"]["type"] == "Account"
    assert rows[0]["Account"]["Name"] == "Acme"
    assert rows[0]["Account"]["Owner"]["Email"] == "integration.crmsync@acme.example"
    assert rows[3]["Account"] is None
    assert "Id" not in rows[0]


def test_records_are_counted(api, names):
    """COUNT() has a total and no rows."""
    counted = api.query("SELECT COUNT() FROM Contact WHERE Account.Name = 'Acme'")
    assert counted == {"totalSize": 2, "done": True, "records": []}


def test_stages_are_a_catalogue(api):
    """The deal stages, by query."""
    rows = api.query("SELECT MasterLabel, IsWon FROM OpportunityStage ORDER BY SortOrder")[
        "records"
    ]
    assert rows[0]["MasterLabel"] == "Prospecting"
    assert [row["MasterLabel"] for row in rows if row["IsWon"]] == ["Closed Won"]


def test_deals_of_a_person_are_reached_through_roles(api):
    """A contact role's parents have the stage and the owner."""
    contact = api.create("Contact", LastName="L", Ext__c="p-1")
    deal = api.create("Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-01")
    api.create("OpportunityContactRole", OpportunityId=deal, ContactId=contact, IsPrimary=True)
    (row,) = api.query(
        "SELECT Contact.Ext__c, Opportunity.StageName, Opportunity.Owner.Email "
        "FROM OpportunityContactRole WHERE Opportunity.SystemModstamp >= 2020-01-01T00:00:00Z"
    )["records"]
    assert (row["Contact"]["Ext__c"], row["Opportunity"]["StageName"]) == ("p-1", "Prospecting")


def test_queries_come_in_pages(api, sandbox):
    """As large as the server likes; the locator goes on until it is done."""
    sandbox.control.settings(query_page=3)
    api.ok("PATCH", UPSERT, collection(*({"Ext__c": f"{n}", "LastName": "L"} for n in range(7))))
    page = api.query("SELECT Ext__c FROM Contact ORDER BY Ext__c")
    seen, pages = [], 1
    while not page["done"]:
        assert page["totalSize"] == 7
        assert page["nextRecordsUrl"].startswith("/services/data/v59.0/query/01g")
        assert page["nextRecordsUrl"].endswith(f"-{3 * pages}")
        seen += page["records"]
        page, pages = api.ok("GET", page["nextRecordsUrl"]), pages + 1
    assert "nextRecordsUrl" not in page
    assert [row["Ext__c"] for row in seen + page["records"]] == [str(n) for n in range(7)]
    assert pages == 3


def test_a_caller_can_ask_for_smaller_pages(api):
    """Never below 200."""
    for start in (0, 200):
        rows = ({"Ext__c": f"{start + n}", "LastName": "L"} for n in range(200))
        api.ok("PATCH", UPSERT, collection(*rows))
    headers = {"Sforce-Query-Options": "batchSize=50"}
    page = api.ok("GET", "query?q=SELECT+Id+FROM+Contact", headers=headers)
    assert len(page["records"]) == 200


def test_locators_expire(api, sandbox):
    """After two days, or on order; an unknown one never was good."""
    sandbox.control.settings(query_page=1)
    for name in ("A", "B"):
        api.create("Contact", LastName=name)
    expired = (400, "INVALID_QUERY_LOCATOR")
    more = api.query("SELECT Id FROM Contact")["nextRecordsUrl"]
    api.ok("GET", more)
    sandbox.control.advance(172_801)
    assert api.refused("GET", more, headers={}) == expired
    more = api.query("SELECT Id FROM Contact")["nextRecordsUrl"]
    sandbox.control.act("expire_queries")
    assert api.refused("GET", more) == expired
    assert api.refused("GET", "query/01g5e0000000009AAA-1") == expired


def test_query_all_sees_the_recycle_bin(api):
    """Deleted rows too, until it is emptied."""
    contact = api.create("Contact", LastName="A")
    api.ok("DELETE", f"sobjects/Contact/{contact}")
    soql = "SELECT Id, IsDeleted FROM Contact WHERE IsDeleted = true"
    assert api.query(soql)["totalSize"] == 0
    found = api.ok("GET", "queryAll", params={"q": soql})
    assert [row["Id"] for row in found["records"]] == [contact]


def test_ids_are_compared_with_case(api):
    """The 10th and the 36th id differ in nothing else."""
    rows = api.ok(
        "POST",
        "composite/sobjects",
        collection(*({"Name": f"A{n}"} for n in range(36)), kind="Account"),
    )
    tenth, last = rows[9]["id"], rows[35]["id"]
    assert tenth[:15].lower() == last[:15].lower()
    api.create("Contact", LastName="L", AccountId=last)
    soql = "SELECT COUNT() FROM Contact WHERE AccountId = '{}'"
    assert api.query(soql.format(last))["totalSize"] == 1
    assert api.query(soql.format(tenth))["totalSize"] == 0


def test_an_index_finds_what_a_look_at_all_would(api, names):
    """By external id and by e-mail, also when the key has changed since."""
    contact = api.create("Contact", LastName="New", Ext__c="k-1", Email="n@x.io")
    assert names("Ext__c IN ('K-1', 'k-2') AND LastName = 'new'") == "N"
    api.ok("PATCH", f"sobjects/Contact/{contact}", {"Ext__c": "k-2", "Email": "m@x.io"})
    assert names("Ext__c = 'k-1'") == ""
    assert names("Ext__c = 'k-2'") == "N"
    assert names("Email = 'n@x.io'") == ""
    assert names("Email = null") == "Z"
