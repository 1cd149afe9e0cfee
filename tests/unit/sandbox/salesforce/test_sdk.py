"""simple-salesforce, unmodified, against the sandbox.

It speaks https only, so an adapter rewrites where its requests go.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from tests.unit.sandbox.salesforce.conftest import TOKEN, UPSERT, collection


class ToSandbox(requests.adapters.HTTPAdapter):
    """Sends every https request to the sandbox, and gives it a timeout."""

    def __init__(self, url):
        self.netloc = urlsplit(url).netloc
        super().__init__()

    def send(self, request, *positional, **named):
        """Send a request, rewritten."""
        parts = urlsplit(request.url)
        request.url = urlunsplit(("http", self.netloc, parts.path, parts.query, ""))
        return super().send(request, *positional, **(named | {"timeout": 10}))


@pytest.fixture
def session(sandbox):
    """A requests session that ends up in the sandbox."""
    with requests.Session() as session:
        session.mount("https://", ToSandbox(sandbox.url))
        yield session


@pytest.fixture
def client(sandbox, session):
    """The library, with a token that was had elsewhere."""
    return Salesforce(instance_url=sandbox.url, session_id=TOKEN, session=session)


def test_contacts_one_at_a_time(client):
    """Create, get, update, upsert, get by key, delete."""
    made = client.Contact.create({"LastName": "Li", "Email": "a@x.io"})
    assert client.Contact.get(made["id"])["Email"] == "a@x.io"
    assert client.Contact.update(made["id"], {"FirstName": "Ann"}) == 204
    key = format_external_id("Ext__c", "p/1")
    assert client.Contact.upsert(key, {"LastName": "Lo"}) == 201
    assert client.Contact.upsert(key, {"LastName": "La"}) == 200
    assert client.Contact.get_by_custom_id("Ext__c", "p/1")["LastName"] == "La"
    assert client.Contact.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound) as missing:
        client.Contact.get(made["id"])
    assert missing.value.content[0]["errorCode"] == "NOT_FOUND"


def test_queries_page_through(client, sandbox):
    """query_all and its iterator follow the locators; literals are escaped."""
    sandbox.control.settings(query_page=2)
    for name in ("A", "B", "O'Hara", "C", "D"):
        client.Contact.create({"LastName": name})
    soql = "SELECT Id, LastName FROM Contact ORDER BY LastName"
    assert client.query(soql)["done"] is False
    assert len(client.query_all(soql)["records"]) == 5
    assert [row["LastName"] for row in client.query_all_iter(soql)][-1] == "O'Hara"
    found = client.query(format_soql("SELECT Id FROM Contact WHERE LastName = {}", "O'Hara"))
    assert found["totalSize"] == 1
    assert client.query_all("SELECT Id FROM Contact", include_deleted=True)["totalSize"] == 5


def test_collections_and_composites_go_through_restful(client):
    """For which the library has no functions."""
    body = json.dumps(collection({"Ext__c": "p-1", "LastName": "L"}, {"Ext__c": "p-2"}))
    rows = client.restful(UPSERT, method="PATCH", data=body)
    assert [row["success"] for row in rows] == [True, False]
    call = {
        "method": "GET",
        "url": f"/services/data/v59.0/sobjects/Contact/{rows[0]['id']}",
        "referenceId": "c",
    }
    data = json.dumps({"compositeRequest": [call]})
    answer = client.restful("composite", method="POST", data=data)
    assert answer["compositeResponse"][0]["body"]["LastName"] == "L"


def test_the_org_describes_itself(client):
    """describe, metadata, limits and usage."""
    assert "Contact" in {one["name"] for one in client.describe()["sobjects"]}
    assert "Ext__c" in {field["name"] for field in client.Contact.describe()["fields"]}
    assert client.Contact.metadata()["objectDescribe"]["keyPrefix"] == "003"
    assert client.limits()["DailyApiRequests"]["Max"] == 15_000
    assert client.api_usage["api-usage"].total == 15_000


def test_errors_become_its_exceptions(client, sandbox):
    """By status: 300, 400, 401, 403."""
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Contact.create({})
    assert refused.value.content[0]["fields"] == ["LastName"]
    sandbox.control.act("add_field", object_type="Contact", name="Loose__c", external_id=True)
    for _ in range(2):
        client.Contact.create({"LastName": "L", "Loose__c": "x"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        client.Contact.upsert("Loose__c/x", {"LastName": "L"})
    sandbox.control.settings(daily_calls=1)
    with pytest.raises(SalesforceRefusedRequest):
        client.limits()
    sandbox.control.act("expire_access_tokens")
    with pytest.raises(SalesforceExpiredSession):
        client.limits()


def test_it_logs_in_with_client_credentials(session):
    """And refreshes by itself when its session dies."""
    client = Salesforce(
        consumer_key="sandbox-consumer-key",
        consumer_secret="sandbox-consumer-secret",  # noqa: S106
        domain="acme.my",
        session=session,
    )
    assert client.limits()
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(consumer_key="x", consumer_secret="y", domain="acme.my", session=session)  # noqa: S106
    assert refused.value.code == "invalid_client_id"


def test_it_renews_a_session_it_had_itself(session, sandbox):
    """A dead session costs one login."""
    client = Salesforce(
        consumer_key="sandbox-consumer-key",
        consumer_secret="sandbox-consumer-secret",  # noqa: S106
        domain="acme.my",
        session=session,
    )
    sandbox.control.act("expire_access_tokens")
    assert client.limits()
    assert sandbox.control.calls(path="*/token") == 2


def test_it_logs_in_with_a_signed_assertion(session, sandbox):
    """Its own JWT, with an expiry that is text."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public_key = key.public_key().public_bytes(pem, spki).decode()
    sandbox.control.settings(jwt_public_key=public_key)
    pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    client = Salesforce(
        username="integration@acme.example",
        consumer_key="sandbox-consumer-key",
        privatekey=key.private_bytes(pem, pkcs8, bare).decode(),
        session=session,
    )
    assert client.limits()
