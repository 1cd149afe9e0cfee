"""Who may call, and how Pipedrive says no."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

CLIENT = ("sandbox-client-id", "sandbox-client-secret")
REFRESH = {"grant_type": "refresh_token", "refresh_token": "1:1:sandbox-refresh-token"}
CALLBACK = "http://127.0.0.1:8765/callback"
DAY = 86_400


def token(api, form=None, auth=CLIENT):
    """Make a token call."""
    return api.session.post(api.url + "/oauth/token", data=form or REFRESH, auth=auth, timeout=10)


def bearer(api, answer):
    """Call with an access token and nothing else; return the status."""
    headers = {"x-api-token": None, "Authorization": f"Bearer {answer['access_token']}"}
    return api.call("GET", "persons", headers=headers).status_code


def code(api, **more):
    """Go through the authorize page; return the code."""
    query = {"client_id": CLIENT[0], "redirect_uri": CALLBACK, **more}
    response = api.call("GET", "/oauth/authorize", params=query, allow_redirects=False)
    assert response.status_code == 302, response.text
    return parse_qs(urlsplit(response.headers["Location"]).query)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-token": None},
        {"x-api-token": "short"},
        {"x-api-token": None, "Authorization": "Bearer v1u:garbage"},
        {"x-api-token": None, "Authorization": "Basic Zm9v"},
    ],
)
def test_a_wrong_token_is_a_401(api, headers):
    """Whatever is wrong with a token, the body is the same."""
    response = api.call("GET", "persons", headers=headers)
    assert response.status_code == 401
    assert response.json() == {
        "success": False,
        "error": "unauthorized access",
        "errorCode": 401,
        "error_info": "Please check developers.pipedrive.com",
    }


def test_a_token_in_the_query_is_none(api):
    """The historical `?api_token=` is not taken."""
    path = "persons?api_token=0123456789abcdef0123456789abcdef01234567"
    assert api.call("GET", path, headers={"x-api-token": None}).status_code == 401


def test_tokens_may_be_named(api, control):
    """Where tokens are named, no other is good."""
    control.settings(tokens=["a" * 40])
    assert api.call("GET", "persons").status_code == 401
    assert api.call("GET", "persons", headers={"x-api-token": "a" * 40}).status_code == 200


def test_a_regenerated_token_kills_the_old_one(api, control):
    """All integrations on the old token stop at once."""
    new = control.act("regenerate_api_token")
    assert api.call("GET", "persons").status_code == 401
    assert api.call("GET", "persons", headers={"x-api-token": new}).status_code == 200


def test_a_code_is_exchanged_once(api):
    """The callback has code and state; the code is good once, the tokens work."""
    back = code(api, state="s1")
    assert back["state"] == ["s1"]
    form = {
        "grant_type": "authorization_code",
        "code": back["code"][0],
        "redirect_uri": CALLBACK,
    }
    answer = token(api, form).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)
    assert answer["api_domain"] == api.url
    assert "contacts:full" in answer["scope"].split(",")
    assert bearer(api, answer) == 200
    again = token(api, form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert again.json()["message"] == "Invalid grant: authorization_code is invalid"


def test_a_code_lives_five_minutes(api, control):
    """A code that is too old says so."""
    form = {
        "grant_type": "authorization_code",
        "code": code(api)["code"][0],
        "redirect_uri": CALLBACK,
    }
    control.advance(300)
    assert token(api, form).json()["message"] == "Invalid grant: authorization_code has expired"


def test_the_callback_is_checked(api, control):
    """An app has one callback URL, and the token call repeats it."""
    form = {
        "grant_type": "authorization_code",
        "code": code(api)["code"][0],
        "redirect_uri": "http://127.0.0.1/other",
    }
    assert token(api, form).json()["message"].startswith("Invalid request: redirect_uri")
    control.settings(redirect_uri="https://app.example/callback")
    query = {"client_id": CLIENT[0], "redirect_uri": CALLBACK}
    response = api.call("GET", "/oauth/authorize", params=query, allow_redirects=False)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("form", "auth", "message"),
    [
        ({"a": "b"}, CLIENT, "Missing parameter: grant_type"),
        ({"grant_type": "password"}, CLIENT, "Unsupported grant type: grant_type is invalid"),
        (REFRESH, None, "Invalid client: client is invalid"),
        (REFRESH, (CLIENT[0], "wrong"), "Invalid client: client is invalid"),
        (
            {**REFRESH, "refresh_token": "x"},
            CLIENT,
            "Invalid grant: refresh_token is invalid",
        ),
    ],
)
def test_a_token_call_is_refused(api, form, auth, message):
    """Each mistake is a 400 with its text; the client is known by Basic authentication only."""
    response = token(api, form, auth)
    assert (response.status_code, response.json()["message"]) == (400, message)


def test_the_client_in_the_body_does_not_count(api):
    """Credentials belong into the header."""
    form = {**REFRESH, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
    assert token(api, form, None).json()["error"] == "invalid_client"


def test_access_tokens_expire(api, control):
    """An access token dies after 3599 s, or when it is told to."""
    answer = token(api).json()
    assert bearer(api, answer) == 200
    control.advance(3599)
    assert bearer(api, answer) == 401
    answer = token(api).json()
    control.act("expire_access_tokens")
    assert bearer(api, answer) == 401


def test_a_refresh_token_lives_by_being_used(api, control):
    """Each use gives it another 60 days; then it is dead."""
    for _ in range(3):
        control.advance(50 * DAY)
        assert token(api).json()["refresh_token"] == REFRESH["refresh_token"]
    control.advance(60 * DAY)
    assert token(api).json()["message"] == "Invalid grant: refresh_token is invalid"


def test_a_rotated_token_used_again_revokes_the_grant(api, control):
    """Whoever refreshes with the old token takes the new one and its access tokens down too."""
    control.settings(rotate_refresh_tokens=True)
    answer = token(api).json()
    assert answer["refresh_token"] != REFRESH["refresh_token"]
    assert token(api).status_code == 400
    assert token(api, {**REFRESH, "refresh_token": answer["refresh_token"]}).status_code == 400
    assert bearer(api, answer) == 401


def test_a_reuse_may_be_forgiven(api, control):
    """Where so configured only the old token is refused."""
    control.settings(rotate_refresh_tokens=True, reuse_revokes_grant=False)
    answer = token(api).json()
    assert token(api).status_code == 400
    assert bearer(api, answer) == 200
    assert token(api, {**REFRESH, "refresh_token": answer["refresh_token"]}).status_code == 200


def test_an_uninstall_revokes_everything(api, control):
    """Refresh and access tokens of the grant are dead."""
    answer = token(api).json()
    control.act("revoke_grants")
    assert bearer(api, answer) == 401
    assert token(api).status_code == 400


def test_the_api_domain_can_be_anybodys(api, control):
    """A hostile answer names another host."""
    control.settings(api_domain="https://evil.example")
    assert token(api).json()["api_domain"] == "https://evil.example"


def test_a_missing_scope_is_a_403(api, control):
    """An app without the scope is refused, a user's own token is not."""
    answer = token(api).json()
    control.settings(scopes=["base", "deals:full"])
    headers = {"x-api-token": None, "Authorization": f"Bearer {answer['access_token']}"}
    response = api.call("GET", "persons", headers=headers)
    assert response.status_code == 403
    assert response.json()["error"] == "Scope and URL mismatch"
    assert api.call("GET", "deals", headers=headers).status_code == 200
    assert api.call("GET", "persons").status_code == 200


def test_a_closed_account_is_a_402(api, control):
    """Everything is refused until the bill is paid; tokens stay good."""
    control.settings(account_open=False)
    assert api.call("GET", "persons").status_code == 402
    assert token(api).status_code == 200
    control.settings(account_open=True)
    assert api.call("GET", "persons").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/nothing", 404),
        ("PUT", "/api/v2/persons/1", 405),
        ("GET", "/api/v1/persons", 404),
    ],
)
def test_paths_that_are_not_there(api, method, path, status):
    """Unknown paths, wrong methods and what v1 no longer has are refused."""
    assert api.call(method, path).status_code == status


def test_the_ledger_names_tokens_without_telling_them(api, control):
    """Calls of one token can be told from those of another."""
    for header in ("a" * 40, "b" * 40, "a" * 40):
        api.call("GET", "persons", headers={"x-api-token": header})
    shown = [entry["headers"]["x-api-token"] for entry in control.ledger()]
    assert shown[0] == shown[2] != shown[1]
    assert "a" * 40 not in str(control.ledger())
