"""What each CRM's token endpoint is told, and what its answers mean."""

from __future__ import annotations

import base64
import traceback
from dataclasses import replace
from urllib.parse import parse_qs

import orjson
import pytest

from crmsync.connectors.answers import unobserved
from crmsync.connectors.auth.token_calls import AlreadyRenewing, Client, TokenCalls
from crmsync.connectors.base import Connection
from crmsync.connectors.hubspot.oauth import VENDOR as HUBSPOT
from crmsync.connectors.pipedrive.oauth import VENDOR as PIPEDRIVE
from crmsync.connectors.salesforce.oauth import VENDOR as SALESFORCE
from crmsync.connectors.zoho.oauth import VENDOR as ZOHO
from crmsync.errors import (
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from tests.openapi.recorded import scripted
from tests.unit.connectors.raw_server import answer, raw_server, reset, send

SECRET, REFRESH = "client+secret/1", "refresh-token-canary"
FORM = {"grant_type": "refresh_token", "refresh_token": REFRESH}
GRANTED = {"access_token": "access-canary", "expires_in": 3600}


@pytest.fixture
def crm():
    """Any CRM, scripted; every answer must be asked for."""
    with scripted() as mock:
        yield mock


def calls(vendor, how="oauth", **connection):
    """The token endpoint of a connection to this vendor."""
    return TokenCalls(
        Connection("crm", "x", {how: {}}, **connection),
        vendor,
        Client("client id", SECRET),
        unobserved,
    )


def sent(crm, place=0):
    """The form of a call, and its Authorization header."""
    request = crm.calls[place].request
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    return form, request.headers.get("Authorization")


@pytest.mark.parametrize("vendor", [HUBSPOT, SALESFORCE, ZOHO], ids=lambda v: v.label)
def test_the_app_proves_itself_in_the_form(crm, vendor):
    """Client id and secret travel in the body, never in the address."""
    crm.post(vendor.token_url, orjson.dumps(GRANTED))
    got = calls(vendor).ask(FORM, None, 5)
    assert sent(crm) == ({**FORM, "client_id": "client id", "client_secret": SECRET}, None)
    assert "?" not in crm.calls[0].request.url
    assert (got.access, got.refresh, got.lifetime_seconds) == ("access-canary", None, 3600)


def test_pipedrive_takes_the_app_by_http_basic(crm):
    """Both parts are form-encoded first, as RFC 6749 says."""
    crm.post(PIPEDRIVE.token_url, orjson.dumps({**GRANTED, "refresh_token": "another"}))
    got = calls(PIPEDRIVE).ask(FORM, None, 5)
    pair = base64.b64encode(b"client%20id:client%2Bsecret%2F1").decode()
    assert sent(crm) == (FORM, f"Basic {pair}")
    assert got.refresh == "another"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"expires_in": 3600}, 3600),
        ({"expires_in": "1800"}, 1800),
        ({"expires_in_sec": 3600, "expires_in": 3_600_000}, 3600),
        ({"expires_in": 3_600_000}, 3600),
        ({}, None),
        ({"expires_in": None}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": 0}, None),
        ({"expires_in": -5}, None),
        ({"expires_in": "nan"}, None),
        ({"expires_in": "inf"}, None),
        ({"expires_in": [1]}, None),
    ],
)
def test_a_lifetime_is_believed_within_reason(crm, said, seconds):
    """Seconds or milliseconds, as Zoho has given them; nonsense counts as not said."""
    crm.post(ZOHO.token_url, orjson.dumps({"access_token": "a", **said}))
    assert calls(ZOHO).ask(FORM, None, 5).lifetime_seconds == seconds


REFUSALS = [
    (HUBSPOT, 400, {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"}, "reauth_required"),
    (HUBSPOT, 400, {"error": "access_denied", "status": "BAD_HUB"}, "reauth_required"),
    (HUBSPOT, 400, {"error": "invalid_client", "status": "BAD_CLIENT_ID"}, "refused"),
    (SALESFORCE, 400, {"error": "invalid_grant", "error_description": "expired access/refresh"
                       " token"}, "reauth_required"),
    (SALESFORCE, 400, {"error": "inactive_user"}, "reauth_required"),
    (SALESFORCE, 400, {"error": "invalid_client"}, "refused"),
    (SALESFORCE, 400, {"error": "unsupported_grant_type"}, "refused"),
    (ZOHO, 200, {"error": "invalid_code"}, "reauth_required"),
    (ZOHO, 200, {"error": "invalid_client"}, "refused"),
    (ZOHO, 200, {}, "refused"),
    (PIPEDRIVE, 400, {"success": False, "error": "invalid_grant",
                      "message": "Invalid grant: refresh_token is invalid"}, "reauth_required"),
    (PIPEDRIVE, 402, {"error": "company closed"}, "refused"),
    (PIPEDRIVE, 404, "<html>", "refused"),
    (PIPEDRIVE, 302, {}, "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "status", "body", "cause"), REFUSALS)
def test_a_refusal_says_who_must_act(crm, vendor, status, body, cause):
    """A withdrawn grant needs a person's consent; anything else is wrong with the app."""
    content = body if isinstance(body, str) else orjson.dumps(body)
    crm.post(vendor.token_url, content, status=status, headers={"Location": "https://evil.example"})
    with pytest.raises(ConnectionHalted) as caught:
        calls(vendor).ask(FORM, None, 5)
    assert caught.value.cause == cause
    assert "crmsync connect crm" in caught.value.hint
    assert len(crm.calls) == 1


@pytest.mark.parametrize("how", ["jwt", "client_credentials"])
def test_who_needs_no_consent_is_not_sent_for_one(crm, how):
    """Where nobody is asked, `invalid_grant` means that key, user or secret is wrong."""
    body = orjson.dumps({"error": "invalid_grant", "error_description": "invalid assertion"})
    crm.post(SALESFORCE.token_url, body, status=400)
    with pytest.raises(ConnectionHalted, match="invalid assertion") as caught:
        calls(SALESFORCE, how).ask(FORM, None, 5)
    assert caught.value.cause == "refused"
    assert "Check `auth`" in caught.value.hint


@pytest.mark.parametrize(
    ("vendor", "status", "headers", "body", "kind", "seconds"),
    [
        (SALESFORCE, 400, {}, {"error": "invalid_grant", "error_description":
         "token request is already being processed"}, AlreadyRenewing, 2),
        (ZOHO, 200, {}, {"error": "Access Denied", "error_description": "You have made too many "
         "requests continuously. Please try again after some time."}, RateLimited, 120),
        (SALESFORCE, 403, {}, {"error": "LOGIN_RATE_EXCEEDED"}, RateLimited, 600),
        (HUBSPOT, 429, {"Retry-After": "7"}, {}, RateLimited, 7),
        (HUBSPOT, 429, {}, "<html>", RateLimited, 60),
        (HUBSPOT, 500, {}, "<html>", Unavailable, 1),
        (HUBSPOT, 503, {}, {"error": "invalid_grant"}, Unavailable, 1),
        (HUBSPOT, 200, {}, "<html>", Unavailable, 1),
        (HUBSPOT, 200, {}, "[]", Unavailable, 1),
    ],
)  # fmt: skip
def test_what_passes_by_itself_halts_nothing(crm, vendor, status, headers, body, kind, seconds):  # noqa: PLR0913, PLR0917
    """Two renewals at once, a limit, a server in trouble: asked again later."""
    content = body if isinstance(body, str) else orjson.dumps(body)
    crm.post(vendor.token_url, content, status=status, headers=headers)
    with pytest.raises(kind) as caught:
        calls(vendor).ask(FORM, None, 5)
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("words", [f"no such token {REFRESH}", f"bad secret {SECRET}"])
def test_nothing_secret_is_repeated(crm, words):
    """A CRM that quotes what it was sent does not bring it into an error."""
    crm.post(SALESFORCE.token_url, orjson.dumps({"error": REFRESH, "error_description": words}))
    with pytest.raises(ConnectionHalted) as caught:
        calls(SALESFORCE).ask(FORM, None, 5)
    told = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert REFRESH not in told
    assert SECRET not in told
    assert REFRESH not in repr(calls(SALESFORCE))
    assert SECRET not in repr(calls(SALESFORCE))


def test_an_address_of_somebody_else_is_refused(crm):
    """A token answer that leads elsewhere halts the connection; nothing is called there."""
    crm.post(
        SALESFORCE.token_url, orjson.dumps({**GRANTED, "instance_url": "https://evil.example"})
    )
    with pytest.raises(ConnectionHalted, match=r"evil\.example is not a host of this CRM"):
        calls(SALESFORCE).ask(FORM, None, 5)


def test_the_accounts_own_address_is_told(crm):
    """The API's address comes with the token, and may differ from one answer to the next."""
    for host in ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com/"):
        crm.post(SALESFORCE.token_url, orjson.dumps({**GRANTED, "instance_url": host}))
        got = calls(SALESFORCE).ask(FORM, None, 5)
        assert got.host == "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("vendor", "connection", "auth_host", "host"),
    [
        (HUBSPOT, {}, None, "https://api.hubapi.com"),
        (HUBSPOT, {"base_url": "https://proxy.example"}, None, "https://api.hubapi.com"),
        (HUBSPOT, {"base_url": "http://127.0.0.1:1"}, None, "http://127.0.0.1:1"),
        (HUBSPOT, {"auth_url": "https://proxy.example"}, None, "https://proxy.example"),
        (ZOHO, {"base_url": "http://127.0.0.1:1", "auth_url": "http://127.0.0.1:2"},
         "https://accounts.zoho.eu", "http://127.0.0.1:2"),
        (ZOHO, {}, "https://accounts.zoho.eu", "https://accounts.zoho.eu"),
        (SALESFORCE, {}, None, "https://login.salesforce.com"),
        (SALESFORCE, {"base_url": "https://acme.my.salesforce.com"}, None,
         "https://acme.my.salesforce.com"),
    ],
)  # fmt: skip
def test_where_tokens_are_had(crm, vendor, connection, auth_host, host):
    """`auth_url`, else a loopback or My Domain `base_url`, else what the consent named."""
    path = vendor.token_url.split("/", 3)[3]
    crm.post(f"{host}/{path}", orjson.dumps(GRANTED))
    assert calls(vendor, **connection).ask(FORM, auth_host, 5).access == "access-canary"


def test_an_accounts_server_of_somebody_else_is_refused():
    """What the redirect names is checked before a code or a secret is sent there."""
    for host in (
        "https://accounts.zoho.evil.example",
        "http://accounts.zoho.eu",
        "https://10.0.0.1",
    ):
        with pytest.raises(ConnectionHalted, match="authorisation server"):
            calls(ZOHO).ask(FORM, host, 5)


def test_a_lost_answer_is_not_asked_for_again():
    """A refresh token may be good for one use: what was sent once is not sent again here."""
    with raw_server(reset) as server:
        with pytest.raises(OutcomeUnknown):
            calls(HUBSPOT, base_url=server.url).ask(FORM, None, 5)
        assert len(server.requests) == 1


def test_redirects_are_not_followed():
    """A token call that is redirected takes no secret to another host."""
    with raw_server(send(answer(b"{}"))) as other:
        head = f"Location: {other.url}/oauth\r\n"
        moved = send(answer(b"{}", 307, headers=head))
        with raw_server(moved) as server, pytest.raises(ConnectionHalted):
            calls(HUBSPOT, base_url=server.url).ask(FORM, None, 5)
        assert other.requests == []


def test_a_vendor_without_extras_works(crm):
    """The plainest authorisation server needs nothing but two addresses."""
    plain = replace(HUBSPOT, label="Acme", token_url="https://auth.acme.example/token")  # noqa: S106
    crm.post("https://auth.acme.example/token", orjson.dumps({"access_token": "a"}))
    assert calls(plain).ask(FORM, None, 5).access == "a"
