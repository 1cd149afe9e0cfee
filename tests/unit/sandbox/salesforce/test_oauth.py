"""Tokens: had in four ways, dead at any moment, and never with a word of how long they live."""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.unit.sandbox.salesforce.conftest import in_flight

REFRESH = {"grant_type": "refresh_token", "refresh_token": "5Aep861-sandbox-refresh-token"}
CREDENTIALS = {"grant_type": "client_credentials"}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BACK = "http://127.0.0.1:1/back"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


def authorize(api, **query):
    """Open the authorize page; return the query the browser is sent back with."""
    known = {"response_type": "code", "client_id": "sandbox-consumer-key", "redirect_uri": BACK}
    response = requests.get(
        f"{api.url}/services/oauth2/authorize",
        params=known | query,
        allow_redirects=False,
        timeout=10,
    )
    if response.status_code != 302:
        return response
    assert response.headers["Location"].startswith(BACK)
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()
    }


def redeem(api, code, **form):
    """Exchange a code."""
    return api.token(
        **{"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **form}
    )


def lives(api, token):
    """Say whether an access token is good."""
    headers = {"Authorization": f"Bearer {token}"}
    return api.call("GET", "limits", headers=headers).status_code == 200


def refused(response):
    """Return what a token call was refused with."""
    assert response.status_code == 400
    body = response.json()
    return body["error"], body.get("error_description")


def test_a_refresh_answers_without_a_lifetime(api):
    """No expires_in, no refresh token, no scope; issued_at is text in milliseconds."""
    answer = api.token(**REFRESH).json()
    assert set(answer) == {
        "access_token", "signature", "instance_url", "id", "token_type", "issued_at",
    }  # fmt: skip
    assert answer["instance_url"] == api.url
    assert abs(int(answer["issued_at"]) / 1000 - time.time()) < 60
    assert lives(api, answer["access_token"])


def test_the_instance_url_can_be_anything(api, sandbox):
    """A token answer may send its client elsewhere."""
    sandbox.control.settings(instance_url="http://169.254.169.254")
    assert api.token(**REFRESH).json()["instance_url"] == "http://169.254.169.254"


def test_a_session_dies_of_age(api, sandbox):
    """Found out by a 401 only."""
    token = api.token(**REFRESH).json()["access_token"]
    sandbox.control.advance(7201)
    assert not lives(api, token)


def test_sessions_die_on_order(api, sandbox):
    """All of them, at any moment; a refresh gives a good one."""
    token = api.token(**REFRESH).json()["access_token"]
    sandbox.control.act("expire_access_tokens")
    assert not lives(api, token)
    assert api.call("GET", "limits").status_code == 401
    assert lives(api, api.token(**REFRESH).json()["access_token"])


def test_revoking_a_refresh_token_kills_its_sessions(api, sandbox):
    """By an order, and by the endpoint that a client has for it."""
    token = api.token(**REFRESH).json()["access_token"]
    sandbox.control.act("revoke_refresh_tokens")
    assert not lives(api, token)
    assert refused(api.token(**REFRESH)) == ("invalid_grant", "expired access/refresh token")
    sandbox.control.reset()
    form = {"token": REFRESH["refresh_token"]}
    assert requests.post(f"{api.url}/services/oauth2/revoke", data=form, timeout=10).ok
    assert refused(api.token(**REFRESH))[0] == "invalid_grant"


def test_the_description_can_be_missing(api, sandbox):
    """A client must do without."""
    sandbox.control.settings(token_error_descriptions=False)
    unknown = REFRESH | {"refresh_token": "x"}
    assert refused(api.token(**unknown)) == ("invalid_grant", None)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "x"}, "invalid_client_id"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_wrong_clients_and_grants_are_told_apart(api, form, error):
    """Each has its code."""
    assert refused(api.token(**(REFRESH | form)))[0] == error


def test_a_code_is_good_once(api):
    """It brings a refresh token and a scope, and comes back with the state."""
    back = authorize(api, scope="api refresh_token", state="s/1")
    assert back["state"] == "s/1"
    answer = redeem(api, back["code"]).json()
    assert answer["scope"] == "api refresh_token"
    assert lives(api, answer["access_token"])
    again = api.token(grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert again.status_code == 200
    assert refused(redeem(api, back["code"])) == ("invalid_grant", "expired authorization code")


def test_a_code_expires(api, sandbox):
    """After a quarter of an hour."""
    back = authorize(api)
    sandbox.control.advance(901)
    assert refused(redeem(api, back["code"]))[0] == "invalid_grant"


def test_without_the_scope_there_is_no_refresh_token(api):
    """Only refresh_token or offline_access brings one."""
    assert "refresh_token" not in redeem(api, authorize(api, scope="api")["code"]).json()


def test_pkce_is_checked(api, sandbox):
    """The verifier must hash to the challenge; S256 only; required where so set."""
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert redeem(api, authorize(api, **asked)["code"], code_verifier=VERIFIER).ok
    wrong = redeem(api, authorize(api, **asked)["code"], code_verifier="x" * 64)
    assert refused(wrong) == ("invalid_grant", "invalid code verifier")
    assert refused(redeem(api, authorize(api, **asked)["code"]))[0] == "invalid_grant"
    assert authorize(api, **asked | {"code_challenge_method": "plain"})["error"]
    sandbox.control.settings(require_pkce=True)
    assert authorize(api)["error"] == "invalid_request"


def test_a_public_app_needs_no_secret(api, sandbox):
    """Where the org says so, a code does without; a wrong one is refused all the same."""
    sandbox.control.settings(require_client_secret=False)
    code = authorize(api)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK,
            "client_id": "sandbox-consumer-key"}  # fmt: skip
    url = f"{api.url}/services/oauth2/token"
    assert requests.post(url, data=form, timeout=10).ok
    wrong = {"client_secret": "x"}
    assert refused(redeem(api, authorize(api)["code"], **wrong))[0] == "invalid_client"


def test_the_user_can_deny(api, sandbox):
    """They are sent back with an error and the state."""
    sandbox.control.settings(user_agrees=False)
    back = authorize(api, state="s")
    assert (back["error"], back["state"]) == ("access_denied", "s")


def test_an_unknown_app_or_address_is_not_sent_back(api, sandbox):
    """The browser stays on Salesforce's page."""
    assert authorize(api, client_id="x").status_code == 400
    sandbox.control.settings(redirect_uris=["http://127.0.0.1:2/other"])
    assert authorize(api).status_code == 400


def test_the_redirect_address_is_the_same_twice(api):
    """As in the authorize call."""
    wrong = redeem(api, authorize(api)["code"], redirect_uri="http://127.0.0.1:2/")
    assert refused(wrong)[0] == "redirect_uri_mismatch"


def test_a_sixth_authorisation_revokes_the_oldest(api):
    """Silently, and its sessions with it; the one of the settings counts as the first."""
    oldest = api.token(**REFRESH).json()["access_token"]
    tokens = [redeem(api, authorize(api)["code"]).json() for _ in range(4)]
    assert api.token(**REFRESH).ok
    redeem(api, authorize(api)["code"])
    assert refused(api.token(**REFRESH))[0] == "invalid_grant"
    assert not lives(api, oldest)
    assert all(lives(api, token["access_token"]) for token in tokens)


def test_refresh_tokens_rotate_where_so_set(api, sandbox):
    """The old one is dead; the new one survives its reuse, or does not."""
    sandbox.control.settings(rotate_refresh_tokens=True)
    second = api.token(**REFRESH).json()["refresh_token"]
    assert refused(api.token(**REFRESH))[0] == "invalid_grant"
    third = api.token(grant_type="refresh_token", refresh_token=second).json()["refresh_token"]
    sandbox.control.settings(reuse_revokes_grant=True)
    assert refused(api.token(**REFRESH))[0] == "invalid_grant"
    answer = api.token(grant_type="refresh_token", refresh_token=third)
    assert refused(answer)[0] == "invalid_grant"


def test_two_refreshes_at_once_can_be_one_too_many(api, sandbox):
    """The second is refused while the first is under way, and not afterwards."""
    sandbox.control.settings(refuse_simultaneous_refreshes=True)
    with in_flight(sandbox, "*/oauth2/token", lambda: api.token(**REFRESH)) as first:
        busy = ("invalid_grant", "token request is already being processed")
        assert refused(api.token(**REFRESH)) == busy
    assert first.result().ok
    assert api.token(**REFRESH).ok


def test_client_credentials_come_in_a_header_or_the_form(api):
    """Never from the public login hosts."""
    assert lives(api, api.token(**CREDENTIALS).json()["access_token"])
    url, secret = f"{api.url}/services/oauth2/token", ("sandbox-consumer-key", "wrong")
    assert requests.post(url, data=CREDENTIALS, auth=secret, timeout=10).status_code == 400
    secret = ("sandbox-consumer-key", "sandbox-consumer-secret")
    assert requests.post(url, data=CREDENTIALS, auth=secret, timeout=10).ok
    public = {"Host": "login.salesforce.com"}
    answer = requests.post(url, data=CREDENTIALS, auth=secret, headers=public, timeout=10)
    assert refused(answer) == ("invalid_grant", "request not supported on this domain")


@pytest.fixture(scope="module")
def key():
    """A pair of keys."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def public(key):
    """Return the PEM of the public half."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def assertion(key, **changes):
    """Return a signed assertion, good but for the changes."""
    claims = {
        "iss": "sandbox-consumer-key",
        "sub": "integration@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 170,
    }
    return jwt.encode(claims | changes, key, algorithm="RS256")


def encoded(part):
    """Return bytes as a part of a JWT."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def test_an_assertion_is_verified(api, sandbox, key):
    """Signed by the right key it brings a session, even when the sandbox's clock has moved."""
    sandbox.control.settings(jwt_public_key=public(key))
    sandbox.control.advance(100_000)
    answer = api.token(grant_type=JWT_BEARER, assertion=assertion(key)).json()
    assert "refresh_token" not in answer
    assert lives(api, answer["access_token"])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "x"}, "invalid_client_id"),
        ({"sub": "nobody@acme.example"}, "invalid_grant"),
        ({"sub": "cleo.gone@acme.example"}, "invalid_grant"),
        ({"aud": "https://evil.example"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": 10**10}, "invalid_grant"),
    ],
)
def test_a_wrong_assertion_is_refused(api, sandbox, key, changes, error):
    """Another app, an unknown or inactive user, another audience, too old, too long."""
    sandbox.control.settings(jwt_public_key=public(key))
    answer = api.token(grant_type=JWT_BEARER, assertion=assertion(key, **changes))
    assert refused(answer)[0] == error


def test_another_key_or_none_is_refused(api, sandbox, key):
    """So is what is no JWT at all, and one that names no signature or another kind."""
    form = {"grant_type": JWT_BEARER, "assertion": assertion(key)}
    assert refused(api.token(**form)) == ("invalid_grant", "invalid assertion")
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    sandbox.control.settings(jwt_public_key=public(other))
    assert refused(api.token(**form))[0] == "invalid_grant"
    unsigned = jwt.encode({"iss": "sandbox-consumer-key"}, None, algorithm="none")
    sandbox.control.settings(jwt_public_key=public(key))
    claims = assertion(key).split(".")[1]
    labelled = encoded(b'{"alg":"RS512"}') + "." + claims
    signature = key.sign(labelled.encode(), PKCS1v15(), SHA256())
    mislabelled = f"{labelled}.{encoded(signature)}"
    for text in ("", "a.b.c", unsigned, mislabelled):
        answer = api.token(grant_type=JWT_BEARER, assertion=text)
        assert refused(answer) == ("invalid_grant", "invalid assertion")


def test_the_user_is_told(api):
    """Who the token stands for, in the shape both identity calls share."""
    answer = api.token(**REFRESH).json()
    told = api.ok("GET", answer["id"].removeprefix(api.url))
    assert told["username"] == "integration@acme.example"
    assert api.ok("GET", "/services/oauth2/userinfo")["user_id"] == told["user_id"]
