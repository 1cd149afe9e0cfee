"""Several calls in one."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.salesforce.conftest import collection

DATA = "/services/data/v59.0"
UPSERT = f"{DATA}/composite/sobjects/Contact/Ext__c"


def sub(reference_id, method, url, body=None):
    """Return one call to go inside."""
    call = {"method": method, "url": url, "referenceId": reference_id}
    return call if body is None else call | {"body": body}


def composite(api, *calls, **more):
    """Carry calls out; return their answers."""
    body = {"compositeRequest": list(calls), **more}
    return api.ok("POST", "composite", body)["compositeResponse"]


def test_five_collections_are_one_call(api):
    """1,000 records toward the limit of one."""
    calls = [
        sub(f"c{n}", "PATCH", UPSERT,
            collection(*({"Ext__c": f"p-{n}-{i}", "LastName": "L"} for i in range(200))))
        for n in range(5)
    ]  # fmt: skip
    answers = composite(api, *calls)
    assert [answer["referenceId"] for answer in answers] == ["c0", "c1", "c2", "c3", "c4"]
    assert all(answer["httpStatusCode"] == 200 for answer in answers)
    assert all(row["success"] for answer in answers for row in answer["body"])
    header = api.call("GET", "limits").headers["Sforce-Limit-Info"]
    assert header == "api-usage=2/15000"


def test_later_calls_use_what_earlier_ones_answered(api):
    """By name, and by place in a list; in bodies and in addresses."""
    answers = composite(
        api,
        sub("a", "POST", f"{DATA}/sobjects/Account", {"Name": "X"}),
        sub("c", "PATCH", UPSERT,
            collection({"Ext__c": "p", "LastName": "L", "AccountId": "@{a.id}"})),
        sub("r", "GET", f"{DATA}/sobjects/Contact/@{{c[0].id}}?fields=AccountId"),
        sub("q", "GET", f"{DATA}/query?q=SELECT+Name+FROM+Account+WHERE+Id='@{{r.AccountId}}'"),
    )  # fmt: skip
    assert [answer["httpStatusCode"] for answer in answers] == [201, 200, 200, 200]
    assert answers[3]["body"]["records"][0]["Name"] == "X"


def test_failures_stay_inside(api):
    """The outer answer is a 200; what depends on a failure is halted."""
    answers = composite(
        api,
        sub("bad", "POST", f"{DATA}/sobjects/Contact", {}),
        sub("good", "POST", f"{DATA}/sobjects/Contact", {"LastName": "L"}),
        sub("needs", "GET", f"{DATA}/sobjects/Contact/@{{bad.id}}"),
        sub("none", "GET", f"{DATA}/nothing"),
    )
    assert [answer["httpStatusCode"] for answer in answers] == [400, 201, 400, 404]
    codes = [answers[place]["body"][0]["errorCode"] for place in (0, 2, 3)]
    assert codes == ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", "NOT_FOUND"]


def test_all_or_none_takes_everything_back(api):
    """Those before the failure and those after it."""
    answers = composite(
        api,
        sub("good", "PATCH", f"{DATA}/sobjects/Contact/Ext__c/p", {"LastName": "L"}),
        sub("bad", "POST", f"{DATA}/sobjects/Contact", {}),
        sub("never", "POST", f"{DATA}/sobjects/Contact", {"LastName": "L"}),
        allOrNone=True,
    )
    assert [answer["httpStatusCode"] for answer in answers] == [400, 400, 400]
    codes = [answer["body"][0]["errorCode"] for answer in answers]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]
    assert api.query("SELECT COUNT() FROM Contact")["totalSize"] == 0


LIMITS = f"{DATA}/limits"
QUERY = f"{DATA}/query?q=SELECT+Id+FROM+Contact"


@pytest.mark.parametrize(
    ("calls", "code"),
    [
        ([sub(f"c{n}", "GET", LIMITS) for n in range(26)], "LIMIT_EXCEEDED"),
        ([sub(f"c{n}", "GET", QUERY) for n in range(6)], "LIMIT_EXCEEDED"),
        ([sub("c", "GET", LIMITS), sub("c", "GET", LIMITS)], "JSON_PARSER_ERROR"),
        ([{"method": "GET", "url": LIMITS}], "JSON_PARSER_ERROR"),
        ([{"referenceId": "c", "url": LIMITS}], "JSON_PARSER_ERROR"),
        (["c"], "JSON_PARSER_ERROR"),
    ],
)
def test_a_wrong_composite_is_refused_whole(api, calls, code):
    """26 calls, 6 queries, a reference id twice or missing, a missing method."""
    body = {"compositeRequest": calls}
    assert api.refused("POST", "composite", body) == (400, code)


def test_25_calls_of_which_5_are_large_are_let_in(api):
    """The limits themselves are allowed."""
    calls = [sub(f"c{n}", "GET", QUERY if n < 5 else LIMITS) for n in range(25)]
    assert {answer["httpStatusCode"] for answer in composite(api, *calls)} == {200}


@pytest.mark.parametrize("url", [f"{DATA}/composite", "/services/oauth2/userinfo", "http://x/"])
def test_only_data_calls_go_inside(api, url):
    """Not another composite, and nothing outside the data API."""
    (answer,) = composite(api, sub("c", "POST", url, {}))
    assert answer["httpStatusCode"] == 400
