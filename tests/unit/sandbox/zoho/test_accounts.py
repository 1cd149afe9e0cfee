"""Zoho's OAuth: answers with 200 and an error in the body, and tokens that die in many ways."""

from __future__ import annotations

import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandboxes import running

CLIENT = {"client_id": "1000.SANDBOXCLIENT", "client_secret": "sandbox-client-secret"}
REFRESH = {
    **CLIENT,
    "grant_type": "refresh_token",
    "refresh_token": "1000.sandbox-refresh-token",
}
CONSENT = {
    "client_id": CLIENT["client_id"],
    "response_type": "code",
    "scope": "ZohoCRM.modules.ALL,ZohoCRM.users.READ",
    "redirect_uri": "http://127.0.0.1:1/back",
    "access_type": "offline",
    "prompt": "consent",
    "state": "s",
}
DENIED = {
    "error_description": (
        "You have made too many requests continuously. Please try again after some time."
    ),
    "error": "Access Denied",
    "status": "failure",
}


def works(api, token):
    """Whether a token is good."""
    return api.get("/org", {"Authorization": f"Zoho-oauthtoken {token}"}).status_code == 200


def consent(api, **changes):
    """Agree; return the fields of the redirect."""
    url = f"{api.url}/oauth/v2/auth"
    query = {name: value for name, value in {**CONSENT, **changes}.items() if value is not None}
    response = api.session.get(url, params=query, allow_redirects=False, timeout=10)
    if response.status_code != 302:
        return response
    fields = parse_qs(urlsplit(response.headers["Location"]).query)
    return {name: values[0] for name, values in fields.items()}


def exchange(api, code, **changes):
    """Exchange a code; return the body."""
    form = {
        **CLIENT,
        "grant_type": "authorization_code",
        "redirect_uri": CONSENT["redirect_uri"],
        "code": code,
    }
    return api.token({**form, **changes}).json()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "AUTHENTICATION_FAILURE"),
        ("Bearer 1000.sandbox-access-token", "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.unknown", "INVALID_TOKEN"),
    ],
)
def test_only_zohos_own_scheme_lets_in(api, header, code):
    """A good token as Bearer is refused like no token at all."""
    response = api.get("/users", {"Authorization": header})
    assert (response.status_code, response.json()["code"]) == (401, code)
    assert response.json() == {**response.json(), "details": {}, "status": "error"}


def test_the_code_flow_ends_in_tokens(api):
    """The redirect tells where to exchange the code; the first exchange has a refresh token."""
    fields = consent(api)
    assert fields["state"] == "s"
    assert (fields["location"], fields["accounts-server"]) == ("eu", api.url)
    issued = exchange(api, fields["code"])
    assert (issued["api_domain"], issued["token_type"]) == (api.url, "Bearer")
    assert (issued["expires_in"], issued["scope"]) == (3600, CONSENT["scope"].replace(",", " "))
    again = api.token({**REFRESH, "refresh_token": issued["refresh_token"]}).json()
    assert "refresh_token" not in again
    header = {"Authorization": f"Zoho-oauthtoken {again['access_token']}"}
    assert api.get("/users", header).status_code == 200
    refused = api.get("/org", header)
    assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_code_is_good_once_and_for_three_minutes(api, control):
    """Used or old, it is an `invalid_code` under HTTP 200."""
    code = consent(api)["code"]
    assert "access_token" in exchange(api, code)
    assert exchange(api, code) == {"error": "invalid_code"}
    code = consent(api)["code"]
    control.advance(181)
    assert exchange(api, code) == {"error": "invalid_code"}
    code = consent(api)["code"]
    assert exchange(api, code, redirect_uri="http://x") == {"error": "invalid_redirect_uri"}


@pytest.mark.parametrize(
    ("changes", "renewable"),
    [
        ({"access_type": None}, False),
        ({"prompt": None}, False),
        ({}, True),
    ],
)
def test_a_refresh_token_has_to_be_asked_for(api, changes, renewable):
    """A user who agreed before gives one only offline and with a new consent."""
    consent(api)
    assert ("refresh_token" in exchange(api, consent(api, **changes)["code"])) is renewable


@pytest.mark.parametrize(
    ("changes", "settings", "text"),
    [
        ({"client_id": "x"}, {}, "invalid_client"),
        ({"response_type": "token"}, {}, "invalid_response_type"),
        ({"scope": "ZohoCRM.modules.ALL ZohoCRM.users.READ"}, {}, "invalid_scope"),
        ({}, {"redirect_uris": ["http://registered"]}, "invalid_redirect_uri"),
    ],
)
def test_a_wrong_request_for_consent_shows_a_page(api, control, changes, settings, text):
    """The user is not sent back; scopes are separated by commas."""
    control.settings(**settings)
    response = consent(api, **changes)
    assert response.status_code == 400
    assert text in response.text


def test_consent_can_be_refused(api, control):
    """The redirect then has an error in place of a code."""
    control.settings(consent="refuse")
    assert consent(api) == {"error": "access_denied", "state": "s"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"refresh_token": "x"}, "invalid_code"),
        ({"client_id": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client_secret"),
        ({"grant_type": "x"}, "unsupported_grant_type"),
    ],
)
def test_a_refused_token_call_is_a_200(api, control, change, error):
    """Only the body tells; the status can be set otherwise."""
    response = api.token({**REFRESH, **change})
    assert (response.status_code, response.json()) == (200, {"error": error})
    control.settings(oauth_error_status=400)
    assert api.token({**REFRESH, **change}).status_code == 400


def test_parameters_may_come_in_the_query_and_stay_out_of_the_ledger(api, control):
    """The secrets of a token call are fingerprints there, wherever they were."""
    response = api.token({}, params=REFRESH)
    assert works(api, response.json()["access_token"])
    text = str(control.ledger()[0])
    assert REFRESH["refresh_token"] not in text
    assert REFRESH["client_secret"] not in text
    assert response.json()["access_token"] not in text


def test_ten_refreshes_in_ten_minutes_are_all(api, control):
    """The eleventh is denied until the window is over."""
    for _ in range(10):
        assert "access_token" in api.token(REFRESH).json()
    assert api.token(REFRESH).json() == DENIED
    control.advance(590)
    assert api.token(REFRESH).json() == DENIED
    control.advance(11)
    assert "access_token" in api.token(REFRESH).json()


def test_the_sixteenth_access_token_kills_the_first(api, control):
    """Fifteen of a grant live at once."""
    control.settings(limits=False)
    tokens = [api.token(REFRESH).json()["access_token"] for _ in range(15)]
    assert works(api, tokens[0])
    tokens.append(api.token(REFRESH).json()["access_token"])
    assert [works(api, token) for token in (tokens[0], tokens[1], tokens[15])] == [
        False, True, True,
    ]  # fmt: skip


def test_the_twenty_first_refresh_token_kills_the_first(api, control):
    """The oldest of a user's grants goes."""
    control.settings(limits=False)
    for _ in range(19):
        exchange(api, consent(api)["code"])
    assert "access_token" in api.token(REFRESH).json()
    exchange(api, consent(api)["code"])
    assert api.token(REFRESH).json() == {"error": "invalid_code"}


def test_access_tokens_live_for_an_hour(api, control):
    """After that they are dead; the refresh token is not."""
    token = api.token(REFRESH).json()["access_token"]
    control.advance(3599)
    assert works(api, token)
    control.advance(2)
    assert not works(api, token)
    assert works(api, api.token(REFRESH).json()["access_token"])


@pytest.mark.parametrize("action", ["expire_access_tokens", "revoke_refresh_tokens"])
def test_tokens_can_die_at_any_moment(api, control, action):
    """The control API kills what is out there."""
    token = api.token(REFRESH).json()["access_token"]
    control.act(action)
    expired = action == "expire_access_tokens"
    assert works(api, token) is not expired
    assert works(api, "1000.sandbox-access-token") is not expired
    assert ("access_token" in api.token(REFRESH).json()) is expired


def test_the_address_in_a_token_answer_can_be_hostile(api, control):
    """What `api_domain` says is up to the server."""
    control.settings(api_domain="https://evil.example")
    assert api.token(REFRESH).json()["api_domain"] == "https://evil.example"


def test_data_centres_give_out_different_tokens(api):
    """With one seed too: a token of one is useless in the other."""
    first = api.token(REFRESH).json()["access_token"]
    with running("zoho", check_requests=False, data_centre="us") as other:
        url = f"{other.url}/oauth/v2/token"
        close = {"Connection": "close"}
        second = api.session.post(url, data=REFRESH, headers=close, timeout=10).json()
    assert works(api, first)
    assert not works(api, second["access_token"])


def test_older_answers_count_in_milliseconds(api, control):
    """With `expires_in_sec` present, `expires_in` is something else."""
    control.settings(expires_in_sec=True)
    issued = api.token(REFRESH).json()
    assert (issued["expires_in_sec"], issued["expires_in"]) == (3600, 3_600_000)
    control.settings(expires_in_missing_probability=1.0)
    assert "expires_in" not in api.token(REFRESH).json()


def test_a_rotated_refresh_token_can_take_its_grant_down(api, control):
    """Under `reuse_revokes_grant` an old token kills the new one too."""
    control.settings(rotate_refresh_tokens=True)
    second = api.token(REFRESH).json()
    assert api.token(REFRESH).json() == {"error": "invalid_code"}
    renewed = api.token({**REFRESH, "refresh_token": second["refresh_token"]}).json()
    control.settings(reuse_revokes_grant=True)
    assert api.token(REFRESH).json() == {"error": "invalid_code"}
    assert not works(api, renewed["access_token"])
    last = api.token({**REFRESH, "refresh_token": renewed["refresh_token"]}).json()
    assert last == {"error": "invalid_code"}


def test_two_refreshes_at_once_can_take_their_grant_down(api, control):
    """Under `reuse_revokes_grant` a refresh under way forbids another."""
    control.settings(reuse_revokes_grant=True)
    fault = control.fault("hold", when="after", path="/oauth/v2/token", times=1)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(api.token(REFRESH).json()))
    thread.start()
    assert control.wait(1, applied=True)
    assert api.session.post(f"{api.url}/oauth/v2/token", data=REFRESH, timeout=10).json() == {
        "error": "invalid_code"
    }
    control.release(fault)
    thread.join(10)
    assert not works(api, answers[0]["access_token"])


def test_one_refresh_after_the_other_is_fine_under_the_strict_rule(api, control):
    """Only a reuse revokes: what ended is no longer under way."""
    control.settings(reuse_revokes_grant=True)
    assert all("access_token" in api.token(REFRESH).json() for _ in range(3))
    assert works(api, api.token(REFRESH).json()["access_token"])


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["ZohoCRM.modules.ALL"], True),
        (["ZohoCRM.modules.contacts.ALL"], True),
        (["ZohoCRM.modules.Contacts.CREATE", "ZohoCRM.modules.Contacts.UPDATE"], True),
        (["ZohoCRM.modules.Contacts.CREATE", "ZohoCRM.modules.Contacts.WRITE"], True),
        (["ZohoCRM.modules.Contacts.CREATE"], False),
        (["ZohoCRM.modules.Leads.ALL"], False),
        (["ZohoCRM.modules.READ"], False),
    ],
)
def test_an_upsert_needs_to_create_and_to_update(api, control, scopes, allowed):
    """One of the two scopes is not enough; module names are compared without case."""
    control.settings(scopes=scopes)
    response = api.call("POST", "/Contacts/upsert", {"data": [{"Last_Name": "Li"}]})
    assert (response.status_code == 200) is allowed
    assert allowed or response.json()["code"] == "OAUTH_SCOPE_MISMATCH"
