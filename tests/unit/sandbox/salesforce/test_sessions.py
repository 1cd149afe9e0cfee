"""Letting calls in: sessions, versions, the daily allowance, long calls and long lines."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.salesforce.conftest import in_flight


def test_versions_are_listed_to_anybody(api):
    """Without a token, and without counting, as tokens and identities are."""
    listed = api.ok("GET", "/services/data/", headers={"Authorization": ""})
    assert {"label": "Winter '24", "url": "/services/data/v59.0", "version": "59.0"} in listed
    assert (listed[-1]["label"], listed[-1]["version"]) == ("Summer '26", "67.0")
    api.token(grant_type="client_credentials")
    api.ok("GET", "/services/oauth2/userinfo")
    assert api.call("GET", "limits").headers["Sforce-Limit-Info"] == "api-usage=1/15000"


def test_a_version_can_be_gone_or_yet_to_come(api):
    """410 for 7 to 30, 404 beyond the newest."""
    gone = api.refused("GET", "/services/data/v30.0/limits")
    assert gone == (410, "UNSUPPORTED_API_VERSION")
    assert api.refused("GET", "/services/data/v68.0/limits")[0] == 404


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer x", "INVALID_SESSION_ID"),
        ("Basic eDp4", "INVALID_AUTH_HEADER"),
        ("", "INVALID_AUTH_HEADER"),
    ],
)
def test_without_a_good_session_nothing_is_said(api, header, code):
    """Not even whether there is anything at the path."""
    for path in ("limits", "sobjects/Nope", "nothing"):
        assert api.refused("GET", path, headers={"Authorization": header}) == (401, code)


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("expired", 401, "Session expired or invalid"),
        ("unsuitable", 401, "This session is not valid for use with the REST API"),
        ("status_500", 500, "Session expired or invalid"),
    ],
)
def test_sessions_can_be_refused_for_good(api, sandbox, kind, status, text):
    """However fresh the token is."""
    sandbox.control.settings(session_refusal=kind)
    token = api.token(grant_type="client_credentials").json()["access_token"]
    response = api.call("GET", "limits", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
    assert response.json() == [{"message": text, "errorCode": "INVALID_SESSION_ID"}]


def test_a_401_can_be_html(api, sandbox):
    """From the edge in front of Salesforce."""
    sandbox.control.settings(session_refusal="html")
    response = api.call("GET", "limits")
    assert response.status_code == 401
    assert response.text.startswith("<html>")


def test_every_call_tells_what_is_used(api, sandbox):
    """Refused ones too; nothing says when to come back."""
    assert api.call("GET", "sobjects/Nope").headers["Sforce-Limit-Info"] == "api-usage=1/15000"
    sandbox.control.settings(app_name="crmsync")
    header = api.call("GET", "limits").headers["Sforce-Limit-Info"]
    assert header == "api-usage=2/15000; per-app-api-usage=2/15000(appName=crmsync)"
    assert api.ok("GET", "limits")["DailyApiRequests"] == {"Max": 15_000, "Remaining": 14_997}


def test_the_daily_allowance_ends(api, sandbox):
    """403 until the oldest calls are a day ago; without limits never."""
    sandbox.control.settings(daily_calls=100)
    sandbox.control.act("use_calls", calls=99)
    api.ok("GET", "limits")
    response = api.call("GET", "limits")
    assert response.status_code == 403
    assert response.json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    assert "Retry-After" not in response.headers
    sandbox.control.settings(limits=False)
    api.ok("GET", "limits")
    sandbox.control.settings(limits=True)
    sandbox.control.advance(86_401)
    api.ok("GET", "limits")


@pytest.mark.parametrize(
    ("tier", "limit"),
    [("developer", 15_000), ("enterprise", 110_000), ("unlimited", 150_000),
     ("professional", 110_000), ("sandbox", 5_000_000)],
)  # fmt: skip
def test_the_allowance_is_the_tiers(api, sandbox, tier, limit):
    """With ten licences."""
    sandbox.control.settings(tier=tier)
    assert api.ok("GET", "limits")["DailyApiRequests"]["Max"] == limit


def test_long_calls_at_once_are_limited(api, sandbox):
    """Only once they have run for 20 s, by another text of the same code."""
    sandbox.control.settings(long_calls=1)
    with in_flight(sandbox, "*/limits", lambda: api.call("GET", "limits")) as first:
        api.ok("GET", "sobjects")
        sandbox.control.advance(20)
        response = api.call("GET", "sobjects")
        assert response.status_code == 403
        assert response.json()[0]["message"] == (
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        )
    assert first.result().ok
    api.ok("GET", "sobjects")


def test_a_long_line_is_refused(api):
    """Request line and headers have 16,384 bytes together; the answer is the edge's."""
    ids = ",".join(["'0035e0000000001AAA'"] * 800)
    soql = "SELECT Id FROM Contact WHERE Id IN (" + ids + ")"  # noqa: S608 - SOQL
    response = api.call("GET", "query", params={"q": soql})
    assert response.status_code == 414
    assert response.text.startswith("<html>")


def test_a_wrong_method_is_told_from_a_wrong_path(api):
    """405 where there is something, 404 where there is nothing."""
    assert api.refused("DELETE", "limits") == (405, "METHOD_NOT_ALLOWED")
    assert api.refused("GET", "jobs/ingest") == (404, "NOT_FOUND")
    assert api.refused("GET", "/nothing") == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "INVALID_SESSION_ID"), (403, "REQUEST_LIMIT_EXCEEDED"), (500, "UNKNOWN_EXCEPTION")],
)
def test_failures_on_order_are_worded(api, sandbox, status, code):
    """A fault without a body has Salesforce's."""
    sandbox.control.fault("answer", status=status, times=1)
    assert api.refused("GET", "limits") == (status, code)


def test_the_edge_fails_in_html(api, sandbox):
    """A 503 is not JSON, unless a fault says so."""
    sandbox.control.fault("answer", status=503, times=1)
    assert api.call("GET", "limits").text.startswith("<html>")
