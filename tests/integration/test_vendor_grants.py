"""Each vendor's grants against its simulated authorisation server and API, over real HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crmsync.connectors.answers import Effect, Site
from crmsync.connectors.auth.authorisation import Access, Headers, bearer
from crmsync.connectors.auth.consent import Consent
from crmsync.connectors.auth.credentials import authorise
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.auth.vendors import Vendor
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.hubspot.oauth import VENDOR as HUBSPOT
from crmsync.connectors.pipedrive.oauth import VENDOR as PIPEDRIVE
from crmsync.connectors.salesforce.oauth import VENDOR as SALESFORCE
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.oauth import VENDOR as ZOHO
from crmsync.errors import ConnectionHalted
from tests.sandboxes import running

BACK = "http://localhost:8910/callback"


def zoho_header(access: Access) -> dict[str, str]:
    """Zoho's own scheme."""
    return {"Authorization": f"Zoho-oauthtoken {access.token}"}


@dataclass(frozen=True)
class Case:
    """One simulated CRM, its app, and one call that needs a token."""

    vendor: Vendor
    client_id: str
    client_secret: str
    path: str
    revoke: str
    refresh: str
    """A refresh token that is good from the start."""
    params: dict[str, str] | None = None
    headers: Headers = bearer

    @property
    def name(self) -> str:
        """Of the simulated CRM."""
        return self.vendor.label.lower()

    @property
    def app(self) -> dict[str, str]:
        """As crmsync.yaml names it."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}


SALESFORCE_CASE = Case(SALESFORCE, "sandbox-consumer-key", "sandbox-consumer-secret",
                       "/services/data/v59.0/limits", "revoke_refresh_tokens",
                       "5Aep861-sandbox-refresh-token")  # fmt: skip
CASES = [
    Case(HUBSPOT, "sandbox-client-id", "sandbox-client-secret", "/account-info/v3/details",
         "revoke_refresh_tokens", "na1-sandbox-refresh-token"),
    SALESFORCE_CASE,
    Case(ZOHO, "1000.SANDBOXCLIENT", "sandbox-client-secret", "/crm/v8/settings/modules",
         "revoke_refresh_tokens", "1000.sandbox-refresh-token", headers=zoho_header),
    Case(PIPEDRIVE, "sandbox-client-id", "sandbox-client-secret", "/api/v2/persons",
         "revoke_grants", "1:1:sandbox-refresh-token", params={"limit": "1"}),
]  # fmt: skip


def transport(case: Case, auth: dict[str, Any], url: str, tokens: MemoryTokens) -> Transport:
    """A transport to the simulated API under these credentials."""
    connection = Connection("crm", case.name, auth, base_url=url)
    return Transport(
        connection,
        Site(None, case.vendor.api_suffixes),
        MemoryThrottle(()),
        authorisation=authorise(connection, case.vendor, tokens),
        headers_of=case.headers,
    )


def status(calls: Transport, case: Case) -> int:
    """Make the call; return its status."""
    return calls.request("GET", case.path, effect=Effect.READ, params=case.params).status


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("rotates", [False, True])
def test_consent_then_renewals_then_the_end(case, rotates):
    """A person agrees once; tokens end and are renewed; a withdrawn grant halts the connection."""
    with running(case.name) as sandbox:
        sandbox.control.settings(rotate_refresh_tokens=rotates)
        tokens = MemoryTokens()
        auth = {"oauth": case.app}
        connection = Connection("crm", case.name, auth, base_url=sandbox.url)
        consent = Consent.of(connection, case.vendor, BACK)
        answer = requests.get(consent.url, allow_redirects=False, timeout=10)
        tokens.save(consent.redeem(answer.headers["Location"]), None)
        calls = transport(case, auth, sandbox.url, tokens)
        for version in (1, 2, 3):
            assert status(calls, case) == 200
            assert tokens.load().version == version
            sandbox.control.act("expire_access_tokens")
        sandbox.control.act(case.revoke)
        for _ in range(3):
            with pytest.raises(ConnectionHalted) as caught:
                status(calls, case)
            assert caught.value.cause == "reauth_required"
            assert "crmsync connect crm" in caught.value.hint


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_secret_is_no_reason_to_reconnect(case):
    """The app is at fault, not the grant: the cause says so."""
    with running(case.name) as sandbox:
        auth = {"oauth": case.app | {"client_secret": "wrong", "refresh_token": case.refresh}}
        with pytest.raises(ConnectionHalted) as caught:
            status(transport(case, auth, sandbox.url, MemoryTokens()), case)
        assert caught.value.cause == "refused"


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.name)
def test_a_token_that_leads_elsewhere_is_not_followed(case):
    """Somebody else's host in a token answer halts the connection before anything is sent there."""
    with running(case.name) as sandbox:
        sandbox.control.settings(**{case.vendor.host_member: "https://evil.example"})
        auth = {"oauth": case.app | {"refresh_token": case.refresh}}
        with pytest.raises(ConnectionHalted, match=r"evil\.example") as caught:
            status(transport(case, auth, sandbox.url, MemoryTokens()), case)
        assert caught.value.cause == "refused"


def test_salesforce_client_credentials_and_jwt(tmp_path):
    """Neither needs a person; both ask anew when the session has ended."""
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwt = {
        "client_id": SALESFORCE_CASE.client_id,
        "username": "integration@acme.example",
        "private_key_file": str(tmp_path / "key.pem"),
    }
    with running("salesforce", jwt_public_key=public.decode()) as sandbox:
        for auth in ({"client_credentials": SALESFORCE_CASE.app}, {"jwt": jwt}):
            tokens = MemoryTokens()
            calls = transport(SALESFORCE_CASE, auth, sandbox.url, tokens)
            assert status(calls, SALESFORCE_CASE) == 200
            sandbox.control.act("expire_access_tokens")
            assert status(calls, SALESFORCE_CASE) == 200
            assert tokens.load().version == 2
