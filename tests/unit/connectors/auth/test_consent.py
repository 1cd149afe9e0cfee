"""The page where a person agrees, and the code they come back with."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest

from crmsync.connectors.auth.consent import Consent, ConsentRefused, WrongRedirect
from crmsync.connectors.base import Connection
from crmsync.connectors.hubspot.oauth import VENDOR as HUBSPOT
from crmsync.connectors.pipedrive.oauth import VENDOR as PIPEDRIVE
from crmsync.connectors.salesforce.oauth import VENDOR as SALESFORCE
from crmsync.connectors.zoho.oauth import VENDOR as ZOHO
from crmsync.errors import ConfigError, ConnectionHalted
from tests.openapi.recorded import scripted

APP = {"client_id": "app", "client_secret": "s"}
BACK = "http://localhost:8910/callback"
GRANTED = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}


@pytest.fixture
def crm():
    """Any CRM, scripted."""
    with scripted() as mock:
        yield mock


def consent(vendor, **keys):
    """A fresh question about a connection to this vendor."""
    return Consent.of(Connection("crm", "x", {"oauth": APP}, **keys), vendor, BACK)


def page(asked):
    """What the page is told."""
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.url).query).items()}


def back(asked, **query):
    """The address a browser is sent back to."""
    return f"{BACK}?{urlencode({'code': 'c', 'state': asked.state} | query)}"


@pytest.mark.parametrize(
    ("vendor", "begins", "scope", "more"),
    [
        (HUBSPOT, "https://app.hubspot.com/oauth/authorize?", "oauth crm.objects", {}),
        (SALESFORCE, "https://login.salesforce.com/services/oauth2/authorize?",
         "api refresh_token", {"code_challenge_method": "S256"}),
        (ZOHO, "https://accounts.zoho.com/oauth/v2/auth?",
         "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL",
         {"access_type": "offline", "prompt": "consent"}),
        (PIPEDRIVE, "https://oauth.pipedrive.com/oauth/authorize?", "", {}),
    ],
    ids=lambda value: getattr(value, "label", ""),
)  # fmt: skip
def test_each_page_is_told_what_it_wants(vendor, begins, scope, more):
    """Address, scopes and their separator are each vendor's own; spaces travel as %20."""
    asked = consent(vendor)
    assert asked.url.startswith(begins)
    assert "+" not in asked.url
    said = page(asked)
    assert said.get("scope", "").startswith(scope)
    assert ("scope" in said) == bool(scope)
    assert (said["response_type"], said["client_id"]) == ("code", "app")
    assert said["redirect_uri"] == BACK
    assert more.items() <= said.items()
    assert ("code_challenge" in said) == vendor.pkce
    assert "client_secret" not in said


@pytest.mark.parametrize("key", ["auth_url", "base_url"])
def test_a_simulated_crm_has_a_page_of_its_own(key):
    """`auth_url` aims the page too, and so does a loopback `base_url`."""
    asked = consent(HUBSPOT, **{key: "http://127.0.0.1:9"})
    assert asked.url.startswith("http://127.0.0.1:9/oauth/authorize?")


def test_no_two_questions_are_alike():
    """State and verifier are random, and long enough not to be guessed."""
    asked = [consent(SALESFORCE) for _ in range(50)]
    assert len({one.state for one in asked}) == 50
    assert len({one.verifier for one in asked}) == 50
    assert min(len(one.state) for one in asked) >= 43
    assert all(43 <= len(one.verifier) <= 128 for one in asked)


def test_a_code_is_exchanged_with_its_verifier(crm):
    """The exchange names the same redirect address, and proves who asked where there is PKCE."""
    crm.post(SALESFORCE.token_url, orjson.dumps(GRANTED))
    asked = consent(SALESFORCE)
    tokens = asked.redeem(back(asked))
    form = {k: v[0] for k, v in parse_qs(crm.calls[0].request.body.decode()).items()}
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == (
        "authorization_code", "c", BACK,
    )  # fmt: skip
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == page(asked)["code_challenge"]
    assert (tokens.access, tokens.refresh, tokens.client_id) == ("a", "r", "app")


def test_zohos_data_centre_comes_with_the_redirect(crm):
    """The exchange goes to the accounts server that the redirect names, and so will renewals."""
    crm.post("https://accounts.zoho.eu/oauth/v2/token", orjson.dumps(
        GRANTED | {"api_domain": "https://www.zohoapis.eu"}))  # fmt: skip
    asked = consent(ZOHO)
    tokens = asked.redeem(back(asked, **{"accounts-server": "https://accounts.zoho.eu"}))
    assert tokens.auth_host == "https://accounts.zoho.eu"
    assert tokens.host == "https://www.zohoapis.eu"


@pytest.mark.parametrize("host", ["https://evil.example", "http://accounts.zoho.eu", "x"])
def test_a_foreign_accounts_server_gets_neither_code_nor_secret(host):
    """What the redirect says is checked before it is called."""
    asked = consent(ZOHO)
    with pytest.raises(ConnectionHalted):
        asked.redeem(back(asked, **{"accounts-server": host}))


@pytest.mark.parametrize(
    "redirected",
    [
        "", "nonsense", BACK, f"{BACK}?code=c", f"{BACK}?code=c&state=", f"{BACK}?code=c&state=x",
        f"{BACK}?code=c&state=ä", "http://[", f"{BACK}?error=access_denied",
    ],
)  # fmt: skip
def test_an_address_with_another_state_is_not_redeemed(redirected):
    """Nothing is called for a redirect that does not belong to this question."""
    with pytest.raises(WrongRedirect):
        consent(HUBSPOT).redeem(redirected)


def test_a_no_is_a_no():
    """A person or an administrator who declines ends it, with the CRM's reason."""
    asked = consent(SALESFORCE)
    redirected = f"{BACK}?error=access_denied&error_description=end-user+denied&state={asked.state}"
    with pytest.raises(ConsentRefused, match="end-user denied"):
        asked.redeem(redirected)


def test_a_grant_that_cannot_be_renewed_is_not_taken(crm):
    """Without a refresh token it would end within hours, unnoticed."""
    crm.post(ZOHO.token_url, orjson.dumps({"access_token": "a", "expires_in": 3600}))
    asked = consent(ZOHO)
    with pytest.raises(ConsentRefused, match="without a refresh token"):
        asked.redeem(back(asked))


@pytest.mark.parametrize(("vendor", "auth"), [(None, {"token": "x"}), (
    SALESFORCE, {"client_credentials": APP})])  # fmt: skip
def test_only_oauth_asks_a_person(vendor, auth):
    """There is no page for a connection that needs none."""
    keys = {"base_url": "https://acme.my.salesforce.com"}
    with pytest.raises(ConfigError, match="not authorised by OAuth consent"):
        Consent.of(Connection("crm", "x", auth, **keys), vendor, BACK)


def test_secrets_are_not_shown():
    """A question that lands in a log or a trace gives nothing away."""
    asked = consent(SALESFORCE)
    assert asked.state not in repr(asked)
    assert asked.verifier not in repr(asked)
    assert "'s'" not in repr(asked)
