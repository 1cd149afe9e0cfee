"""From `auth:` to an authorisation, and what each grant asks with."""

from __future__ import annotations

from urllib.parse import parse_qs

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crmsync.connectors.auth.authorisation import Access
from crmsync.connectors.auth.credentials import authorise
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection
from crmsync.connectors.hubspot.oauth import VENDOR as HUBSPOT
from crmsync.connectors.pipedrive.oauth import VENDOR as PIPEDRIVE
from crmsync.connectors.salesforce.oauth import VENDOR as SALESFORCE
from crmsync.connectors.zoho.oauth import VENDOR as ZOHO
from crmsync.errors import ConfigError, ConnectionHalted
from crmsync.model import Tokens
from tests.openapi.recorded import scripted

APP = {"client_id": "app", "client_secret": "s"}
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
VENDORS = (HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO)


@pytest.fixture(scope="module")
def rsa_key():
    """A private key."""
    return rsa.generate_private_key(65537, 2048)


def pem(key, password=None):
    """The text of a key file."""
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@pytest.fixture
def crm():
    """Any CRM, scripted."""
    with scripted() as mock:
        yield mock


def connection(auth, **keys):
    """A connection with this `auth`."""
    return Connection("crm", "x", auth, **keys)


@pytest.mark.parametrize("vendor", [None, *VENDORS])
def test_a_static_token_needs_nothing(vendor):
    """Also of a connector that knows nothing of OAuth; a refusal of it is final."""
    who = authorise(connection({"token": " abc\n"}), vendor, MemoryTokens())
    assert who.access(1) == Access("abc")
    assert who.renewed(Access("abc"), 1) is None


def test_a_kept_token_is_read_and_a_newer_one_is_found():
    """What `crmsync connect` keeps is used; after a rotation a running worker finds the new one."""
    tokens = MemoryTokens()
    who = authorise(connection({"token": None}), HUBSPOT, tokens)
    with pytest.raises(ConnectionHalted) as caught:
        who.access(1)
    assert caught.value.cause == "reauth_required"
    assert "crmsync connect crm" in caught.value.hint
    tokens.save(Tokens("one"), None)
    first = who.access(1)
    assert first == Access("one", 1)
    assert who.renewed(first, 1) is None
    tokens.save(Tokens("two"), None)
    assert who.access(1) == first
    assert who.renewed(first, 1) == Access("two", 2)


def test_what_an_app_was_granted_is_no_static_token():
    """After a change from `oauth` to `token`, the old grant's access token is not used for it."""
    tokens = MemoryTokens()
    tokens.save(Tokens("granted", "r", client_id="app"), None)
    with pytest.raises(ConnectionHalted):
        authorise(connection({"token": None}), HUBSPOT, tokens).access(1)


@pytest.mark.parametrize(
    ("auth", "vendor", "words"),
    [
        ({}, HUBSPOT, "needs auth; there are token, oauth"),
        ({"jwt": {}}, HUBSPOT, r"HubSpot has no auth: \{jwt"),
        ({"client_credentials": APP}, ZOHO, r"Zoho has no auth: \{client_credentials"),
        ({"oauth": {"client_id": "app"}}, HUBSPOT, "needs the client_id and the client_secret"),
        ({"oauth": {"client_secret": "s"}}, HUBSPOT, "needs the client_id"),
        ({"oauth": APP}, None, "it takes a token"),
        ({"client_credentials": APP}, SALESFORCE, "own domain only"),
    ],
)
def test_a_way_that_there_is_not_is_refused_at_once(auth, vendor, words):
    """The message names the connection and what there is."""
    with pytest.raises(ConfigError, match=words) as caught:
        authorise(connection(auth), vendor, MemoryTokens())
    assert "'crm'" in caught.value.user_message


@pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
def test_client_credentials_are_not_asked_for_at_a_shared_login(host):
    """The vendor grants them at the account's own domain only."""
    keys = {"auth_url": f"https://{host}"}
    with pytest.raises(ConfigError, match="own domain only"):
        authorise(connection({"client_credentials": APP}, **keys), SALESFORCE, MemoryTokens())


def test_oauth_without_a_refresh_token_names_the_command():
    """Nothing was granted yet: `crmsync connect` does it."""
    who = authorise(connection({"oauth": APP}), HUBSPOT, MemoryTokens())
    with pytest.raises(ConnectionHalted) as caught:
        who.access(1)
    assert caught.value.cause == "reauth_required"
    assert "crmsync connect crm" in caught.value.hint


def test_a_refresh_token_may_rotate(crm):
    """The one that came back last is sent next; where none comes back, the old one stays."""
    answers = [{"refresh_token": "r2"}, {}, {"refresh_token": "r4"}]
    for n, more in enumerate(answers):
        crm.post(HUBSPOT.token_url, orjson.dumps({"access_token": f"a{n}", **more}))
    who = authorise(connection({"oauth": APP | {"refresh_token": "r1"}}), HUBSPOT, MemoryTokens())
    access = who.access(5)
    for _ in answers[1:]:
        access = who.renewed(access, 5)
    sent = [parse_qs(call.request.body.decode())["refresh_token"] for call in crm.calls]
    assert sent == [["r1"], ["r2"], ["r2"]]
    assert access == Access("a2", 3)


def test_the_address_of_each_answer_counts(crm):
    """`instance_url` is read again with every token; where it is missing, the last one stays."""
    hosts = ["https://one.my.salesforce.com", "https://two.my.salesforce.com", None]
    for host in hosts:
        crm.post(SALESFORCE.token_url, orjson.dumps({"access_token": "a", "instance_url": host}))
    who = authorise(
        connection({"oauth": APP | {"refresh_token": "r1"}}), SALESFORCE, MemoryTokens()
    )
    access = who.access(5)
    seen = [access.host]
    for _ in hosts[1:]:
        access = who.renewed(access, 5)
        seen.append(access.host)
    assert seen == [hosts[0], hosts[1], hosts[1]]


def test_client_credentials_at_ones_own_domain(crm):
    """No refresh token: the app asks anew, at its own domain."""
    crm.post(
        f"https://acme.my.salesforce.com{TOKEN_PATH}",
        orjson.dumps({"access_token": "a", "instance_url": "https://acme.my.salesforce.com"}),
    )
    auth = {"client_credentials": APP}
    keys = {"base_url": "https://acme.my.salesforce.com"}
    who = authorise(connection(auth, **keys), SALESFORCE, MemoryTokens())
    access = who.access(5)
    assert who.renewed(access, 5).version == 2
    form = parse_qs(crm.calls[0].request.body.decode())
    assert form["grant_type"] == ["client_credentials"]


@pytest.mark.parametrize(
    ("keys", "login", "audience"),
    [
        ({}, "https://login.salesforce.com", "https://login.salesforce.com"),
        ({"auth_url": "https://test.salesforce.com"}, "https://test.salesforce.com",
         "https://test.salesforce.com"),
        ({"base_url": "https://acme.my.salesforce.com"}, "https://acme.my.salesforce.com",
         "https://login.salesforce.com"),
        ({"base_url": "https://acme--dev.sandbox.my.salesforce.com"},
         "https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ({"base_url": "http://127.0.0.1:9"}, "http://127.0.0.1:9", "https://login.salesforce.com"),
    ],
)  # fmt: skip
def test_a_jwt_is_signed_for_the_login_server(crm, rsa_key, tmp_path, keys, login, audience):  # noqa: PLR0913, PLR0917
    """RS256 over app, user, audience and a life of three minutes; no secret travels."""
    (tmp_path / "key.pem").write_bytes(pem(rsa_key))
    crm.post(f"{login}{TOKEN_PATH}", orjson.dumps({"access_token": "a"}))
    auth = {"jwt": {"client_id": "app", "username": "ann@acme.example",
                    "private_key_file": str(tmp_path / "key.pem")}}  # fmt: skip
    who = authorise(connection(auth, **keys), SALESFORCE, MemoryTokens())
    assert who.access(5) == Access("a", 1)
    form = parse_qs(crm.calls[0].request.body.decode())
    assert form.keys() == {"grant_type", "assertion"}
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        form["assertion"][0], rsa_key.public_key(), algorithms=["RS256"], audience=audience
    )
    assert (claims["iss"], claims["sub"]) == ("app", "ann@acme.example")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"no key", "no unencrypted private key in PEM form"),
        ("encrypted", "no unencrypted private key in PEM form"),
        ("elliptic", "holds no RSA key"),
    ],
)
def test_a_key_file_that_does_not_serve_is_named(rsa_key, tmp_path, content, words):
    """The message names the file and what is wrong with it, and never its content."""
    kinds = {
        "encrypted": lambda: pem(rsa_key, b"password"),
        "elliptic": lambda: pem(ec.generate_private_key(ec.SECP256R1())),
    }
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(kinds[content]() if content in kinds else content)
    auth = {"jwt": {"client_id": "app", "username": "u", "private_key_file": str(file)}}
    with pytest.raises(ConfigError, match=words) as caught:
        authorise(connection(auth), SALESFORCE, MemoryTokens())
    assert str(file) in caught.value.user_message


def test_another_key_or_user_is_taken_up(crm, rsa_key, tmp_path):
    """A token that was granted to another user or key is not used."""
    tokens = MemoryTokens()
    (tmp_path / "key.pem").write_bytes(pem(rsa_key))
    for n, user in enumerate(["ann", "ann", "bob"]):
        if n != 1:
            crm.post(SALESFORCE.token_url, orjson.dumps({"access_token": f"a{n}"}))
        auth = {"jwt": {"client_id": "app", "username": user,
                        "private_key_file": str(tmp_path / "key.pem")}}  # fmt: skip
        access = authorise(connection(auth), SALESFORCE, tokens).access(5)
        assert access.token == ("a2" if user == "bob" else "a0")
