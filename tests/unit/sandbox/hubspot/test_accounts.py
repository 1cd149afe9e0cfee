"""Who may call, and how HubSpot says no."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

CONTACTS = "/crm/v3/objects/contacts"
CLIENT = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}
REFRESH = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "na1-sandbox-refresh-token"}


def token(api, form, path="/oauth/v1/token"):
    """Make a token call."""
    return api.session.post(api.url + path, data=form, timeout=10)


def bearer(access_token):
    """Make the header of a call."""
    return {"Authorization": f"Bearer {access_token}"}


@pytest.mark.parametrize(
    ("header", "category", "words"),
    [
        ("", "INVALID_AUTHENTICATION", "credentials not found"),
        ("Bearer pat-unknown", "INVALID_AUTHENTICATION", "credentials not found"),
        ("Bearer garbage", "EXPIRED_AUTHENTICATION", "expired"),
    ],
)
def test_an_unknown_token_is_a_401(api, control, header, category, words):
    """Each kind of wrong token has its category; garbage "expired" in 1970."""
    control.settings(tokens=["pat-good"])
    response = api.call("GET", CONTACTS, headers={"Authorization": header})
    body = response.json()
    assert (response.status_code, body["category"]) == (401, category)
    assert words in body["message"]
    if category == "EXPIRED_AUTHENTICATION":
        assert body["context"]["expire time"] == ["1970-01-01T00:00:00Z"]
    assert api.call("GET", CONTACTS, headers=bearer("pat-good")).status_code == 200


def test_a_missing_scope_is_named(api, control):
    """A 403 says which scopes would do."""
    control.settings(scopes=["crm.objects.contacts.read"])
    assert api.call("GET", CONTACTS).status_code == 200
    response = api.call("POST", CONTACTS, {"properties": {}})
    assert (response.status_code, response.json()["category"]) == (403, "MISSING_SCOPES")
    context = response.json()["errors"][0]["context"]
    assert context == {"requiredScopes": ["crm.objects.contacts.write"]}


@pytest.mark.parametrize(
    "path", ["/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-03/token", "/oauth/2026-09/token"]
)
def test_a_refresh_gives_a_token_for_half_an_hour(api, control, path):
    """The token works until its time is up, and then has expired; the refresh token stays."""
    issued = token(api, REFRESH, path).json()
    assert (issued["expires_in"], issued["token_type"]) == (1800, "bearer")
    assert issued["refresh_token"] == REFRESH["refresh_token"]
    headers = bearer(issued["access_token"])
    assert api.call("GET", CONTACTS, headers=headers).status_code == 200
    control.advance(1801)
    response = api.call("GET", CONTACTS, headers=headers)
    assert (response.status_code, response.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert "expired 1 second(s) ago" in response.json()["message"]


@pytest.mark.parametrize(
    ("change", "error", "status"),
    [
        ({"refresh_token": "x"}, "invalid_grant", "BAD_REFRESH_TOKEN"),
        ({"client_id": "x"}, "invalid_client", "BAD_CLIENT_ID"),
        ({"client_secret": "x"}, "invalid_client", "BAD_CLIENT_SECRET"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant", "BAD_AUTH_CODE"),
        ({"grant_type": "password"}, "unsupported_grant_type", "BAD_GRANT_TYPE"),
    ],
)
def test_a_refused_token_call_has_both_kinds_of_error(api, change, error, status):
    """Each failure is a 400 with the RFC's members and HubSpot's own."""
    response = token(api, {**REFRESH, **change})
    body = response.json()
    assert (response.status_code, body["error"], body["status"]) == (400, error, status)
    assert body["message"] == body["error_description"]


def test_a_disconnected_account_is_a_bad_hub(api, control):
    """When the account is gone, no token call succeeds."""
    control.settings(hub_connected=False)
    assert token(api, REFRESH).json()["status"] == "BAD_HUB"


def test_refresh_tokens_can_rotate(api, control):
    """With rotation each refresh gives a new one and kills the old."""
    control.settings(rotate_refresh_tokens=True)
    second = token(api, REFRESH).json()["refresh_token"]
    assert second != REFRESH["refresh_token"]
    assert token(api, REFRESH).json()["status"] == "BAD_REFRESH_TOKEN"
    assert token(api, {**REFRESH, "refresh_token": second}).ok


def test_the_code_flow_ends_in_tokens(api):
    """A code is good once, for its redirect address and its verifier."""
    verifier = "v" * 43
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": CLIENT["client_id"],
        "redirect_uri": "http://127.0.0.1:1/back",
        "scope": "oauth crm.objects.contacts.read",
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }

    def code():
        response = api.call("GET", "/oauth/authorize", params=query, allow_redirects=False)
        fields = parse_qs(urlsplit(response.headers["Location"]).query)
        assert fields["state"] == ["s"]
        return fields["code"][0]

    form = {
        **CLIENT,
        "grant_type": "authorization_code",
        "redirect_uri": query["redirect_uri"],
        "code_verifier": verifier,
        "code": code(),
    }
    issued = token(api, form).json()
    assert issued["scopes"] == ["oauth", "crm.objects.contacts.read"]
    assert token(api, form).json()["status"] == "BAD_AUTH_CODE"
    wrong = {**form, "code": code(), "redirect_uri": "http://elsewhere"}
    assert token(api, wrong).json()["status"] == "BAD_REDIRECT_URI"
    unproven = {**form, "code": code(), "code_verifier": "x"}
    assert token(api, unproven).json()["status"] == "BAD_AUTH_CODE"
    headers = bearer(issued["access_token"])
    assert api.call("POST", CONTACTS, {"properties": {}}, headers=headers).status_code == 403


def test_tokens_are_introspected_and_revoked(api):
    """A revoked refresh token is inactive; access tokens it gave live on."""
    issued = token(api, REFRESH).json()
    about = {**CLIENT, "token": issued["refresh_token"]}
    assert token(api, about, "/oauth/v3/token/introspect").json()["active"] is True
    assert token(api, about, "/oauth/v3/token/revoke").ok
    assert token(api, about, "/oauth/v3/token/introspect").json() == {"active": False}
    assert token(api, REFRESH).json()["status"] == "BAD_REFRESH_TOKEN"
    assert api.call("GET", CONTACTS, headers=bearer(issued["access_token"])).status_code == 200


def test_v1_describes_and_deletes_tokens(api):
    """The v1 calls name the token in the path."""
    issued = token(api, REFRESH).json()
    info = api.ok("GET", f"/oauth/v1/access-tokens/{issued['access_token']}")
    assert (info["hub_id"], info["expires_in"] > 1700) == (1_234_567, True)
    path = f"/oauth/v1/refresh-tokens/{issued['refresh_token']}"
    assert api.ok("GET", path)["client_id"] == CLIENT["client_id"]
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404


def test_the_account_tells_its_time_zone(api, control):
    """Its id and time zone come from the settings."""
    details = api.ok("GET", "/account-info/v3/details")
    assert (details["portalId"], details["timeZone"]) == (1_234_567, "UTC")
    assert (details["utcOffset"], details["utcOffsetMilliseconds"]) == ("+00:00", 0)


@pytest.mark.parametrize("action", ["expire_access_tokens", "revoke_refresh_tokens"])
def test_tokens_can_die_at_any_moment(api, control, action):
    """The control API kills what is out there."""
    issued = token(api, REFRESH).json()
    control.act(action)
    expired = api.call("GET", CONTACTS, headers=bearer(issued["access_token"])).status_code == 401
    assert expired is (action == "expire_access_tokens")
    assert token(api, REFRESH).ok is (action == "expire_access_tokens")
