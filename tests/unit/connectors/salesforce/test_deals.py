"""Deals, owners and stages, against answers as Salesforce documents them and otherwise."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from crmsync.errors import ConfigError, RetryLater, Unavailable
from crmsync.model import CrmId
from tests.openapi.recorded import scripted
from tests.unit.connectors.salesforce.answers import API, COMPOSITE, column, connector, error

OPPORTUNITY = {
    "name": "Opportunity",
    "fields": [
        column("Id", "id"),
        column("StageName", "picklist"),
        column("IsClosed", "boolean"),
        column("IsWon", "boolean"),
        column("CloseDate", "date"),
        column("CreatedDate", "datetime"),
        column("IsDeleted", "boolean"),
        column("SystemModstamp", "datetime"),
    ],
}
"""As a user is shown it who may not see amounts."""
DEAL, PERSON = CrmId("0065e00000AbCdEAAV"), CrmId("0035e00000AbCdEAAV")
STAMP = "2024-05-01T10:00:00.000+0000"
EMPTY = {"totalSize": 0, "done": True, "records": []}
CURSOR = "2024-05-01T10:00:00Z 2024-05-01T09:00:00Z"


@pytest.fixture
def org():
    """Salesforce, scripted, with opportunities to be described."""
    with scripted("salesforce") as mock:
        mock.get(f"{API}/sobjects/Opportunity/describe", json=OPPORTUNITY)
        yield mock


def inner(*answers):
    """The body of a composite's answer, from (status, body)."""
    return {
        "compositeResponse": [
            {"referenceId": f"call{place}", "httpStatusCode": status, "httpHeaders": {},
             "body": body}
            for place, (status, body) in enumerate(answers)
        ]
    }  # fmt: skip


def page(**more):
    """A page with one deal."""
    roles = {"totalSize": 1, "done": True, "records": [{"ContactId": PERSON}]}
    row = {"Id": DEAL, "StageName": "Won", "IsClosed": True, "IsWon": True, "CloseDate":
           "2024-05-01", "CreatedDate": STAMP, "IsDeleted": False, "SystemModstamp": STAMP,
           "OpportunityContactRoles": roles}  # fmt: skip
    return {"totalSize": 1, "done": True, "records": [row | more]}


def pulled(cursor=None):
    """All pages of a pull."""
    return list(connector().deals(cursor, ["StageName"]))


def test_the_first_pull_reads_deals_with_their_roles(org):
    """What the user may not see is not asked for."""
    org.get(f"{API}/queryAll/", json=page())
    [only] = pulled()
    [deal] = only.deals
    assert (deal.people, deal.amount, deal.fields) == ((PERSON,), None, {"StageName": "Won"})
    asked = parse_qs(urlsplit(org.calls[1].request.url).query)["q"][0]
    assert "Amount" not in asked
    assert "(SELECT ContactId FROM OpportunityContactRoles WHERE IsDeleted = false" in asked


def test_later_pulls_ask_for_roles_in_the_same_call(org):
    """Of deals that did not change themselves; each question begins at its own place."""
    org.post(COMPOSITE, json=inner((200, page()), (200, EMPTY)))
    pulled(CURSOR)
    calls = orjson.loads(org.calls[1].request.body)["compositeRequest"]
    deals, roles = (parse_qs(urlsplit(call["url"]).query)["q"][0] for call in calls)
    assert all("/queryAll?" in call["url"] for call in calls)
    assert "FROM Opportunity WHERE SystemModstamp >= 2024-05-01T09:55:00Z ORDER BY" in deals
    assert (
        "FROM OpportunityContactRole WHERE SystemModstamp >= 2024-05-01T08:55:00Z"
        " AND Opportunity.SystemModstamp < 2024-05-01T09:55:00Z ORDER BY"
    ) in roles


@pytest.mark.parametrize(
    ("roles", "raised"),
    [
        ((500, error("UNKNOWN_EXCEPTION")), Unavailable),
        ((400, error("INVALID_QUERY_LOCATOR")), RetryLater),
        ((400, error("INVALID_TYPE", "sObject type 'OpportunityContactRole' is not supported")),
         ConfigError),
    ],
)  # fmt: skip
def test_a_part_that_fails_is_never_nobody(org, roles, raised):
    """Deals without their people would empty what is known of these."""
    org.post(COMPOSITE, json=inner((200, page()), roles))
    with pytest.raises(raised):
        pulled(CURSOR)


@pytest.mark.parametrize(
    "wrong",
    [{"Id": "1"}, {"IsDeleted": None, "SystemModstamp": None}, {"CloseDate": "soon"},
     {"OpportunityContactRoles": []}, {"OpportunityContactRoles": {"done": True}}],
)  # fmt: skip
def test_a_deal_of_another_shape_is_a_lost_answer(org, wrong):
    """And not a deal that is open, or without people."""
    org.get(f"{API}/queryAll/", json=page(**wrong))
    with pytest.raises(Unavailable):
        pulled()


def test_half_an_answer_is_a_lost_one(org):
    """A composite that leaves a question out."""
    org.post(COMPOSITE, json=inner((200, page())))
    with pytest.raises(Unavailable):
        pulled(CURSOR)


@pytest.mark.parametrize("body", [{}, [], {"records": [{"Id": "x"}], "done": True}])
def test_stages_of_another_shape_are_a_lost_answer(body):
    """And not an empty list."""
    with scripted("salesforce") as mock:
        mock.get(f"{API}/query/", json=body)
        with pytest.raises(Unavailable):
            connector().stages()


def test_an_owner_may_have_neither_name_nor_address():
    """The service users of Salesforce's own."""
    user = {"Id": "0055e00000AbCdEAAV", "Name": None, "Email": None, "IsActive": True}
    with scripted("salesforce") as mock:
        found = {"totalSize": 1, "done": True, "records": [user]}
        mock.post(COMPOSITE, json=inner((200, found), (200, EMPTY)))
        [owner] = connector().owners()
    assert (owner.name, owner.email, owner.is_active) == ("", "", True)
