"""Which hosts and addresses may be reached: security.md's table of hostile URLs."""

from __future__ import annotations

import socket

import pytest

from crmsync.connectors.addresses import is_allowed, origin_of, public_addresses
from crmsync.errors import ConfigError

SUFFIXES = (".hubapi.com",)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://api.hubapi.com", "https://api.hubapi.com"),
        ("https://API.HubAPI.com:443/", "https://api.hubapi.com"),
        ("https://hubapi.com:8443", "https://hubapi.com:8443"),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://gateway.example.org", "https://gateway.example.org"),
    ],
)
def test_an_operator_may_name_these(url, written):
    """The vendor's hosts, this machine, and any https host the operator wrote himself pass."""
    assert str(origin_of(url, suffixes=SUFFIXES, operators_own=True)) == written


@pytest.mark.parametrize(
    "url",
    [
        "http://api.hubapi.com",
        "http://169.254.169.254",
        "ftp://api.hubapi.com",
        "file:///etc/passwd",
        "//api.hubapi.com",
        "api.hubapi.com",
        "",
        "https://",
        "https://user:pass@api.hubapi.com",
        "https://user@api.hubapi.com",
        "https://api.hubapi.com/?token=x",
        "https://api.hubapi.com/#x",
        "https://api.hubapi.com:99999",
        "https://[::1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "javascript:alert(1)",
    ],
)
def test_nobody_may_name_these(url):
    """Plain http off this machine, other schemes, credentials and queries are refused."""
    with pytest.raises(ConfigError):
        origin_of(url, suffixes=SUFFIXES, operators_own=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://hubapi.com.evil.example",
        "https://evilhubapi.com",
        "https://api.hubapi.com.",
        "https://127.0.0.1",
        "http://localhost",
        "https://169.254.169.254",
    ],
)
def test_an_answer_may_not_name_these(url):
    """A host out of an answer must be under the vendor's own domain."""
    with pytest.raises(ConfigError):
        origin_of(url, suffixes=SUFFIXES, operators_own=False)


def test_a_refusal_does_not_repeat_credentials():
    """The message of a refused URL holds no user, password or query."""
    with pytest.raises(ConfigError) as caught:
        origin_of("https://u:hunter2@api.hubapi.com", suffixes=SUFFIXES, operators_own=True)
    assert "hunter2" not in caught.value.user_message


PUBLIC = "https://api.hubapi.com"
OWN = "https://gateway.example.org"
LOOPBACK = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "address", "allowed"),
    [
        (PUBLIC, "104.16.1.1", True),
        (PUBLIC, "2606:4700::1", True),
        (PUBLIC, "127.0.0.1", False),
        (PUBLIC, "::1", False),
        (PUBLIC, "10.0.0.1", False),
        (PUBLIC, "172.16.0.1", False),
        (PUBLIC, "192.168.1.1", False),
        (PUBLIC, "100.64.0.1", False),
        (PUBLIC, "169.254.169.254", False),
        (PUBLIC, "fe80::1%eth0", False),
        (PUBLIC, "fd00:ec2::254", False),
        (PUBLIC, "::ffff:127.0.0.1", False),
        (PUBLIC, "::ffff:169.254.169.254", False),
        (PUBLIC, "64:ff9b::a9fe:a9fe", False),
        (PUBLIC, "2002:7f00:1::", False),
        (PUBLIC, "0.0.0.0", False),  # noqa: S104 (an address under test, nothing is bound)
        (PUBLIC, "224.0.0.1", False),
        (PUBLIC, "255.255.255.255", False),
        (OWN, "10.0.0.1", True),
        (OWN, "fd12::1", True),
        (OWN, "127.0.0.1", False),
        (OWN, "169.254.169.254", False),
        (OWN, "100.100.100.200", False),
        (PUBLIC, "::ffff:104.16.1.1", True),
        (OWN, "::ffff:169.254.169.254", False),
        (OWN, "64:ff9b::a9fe:a9fe", False),
        (OWN, "2002:a9fe:a9fe::", False),
        (OWN, "fd00:ec2::254", False),
        (LOOPBACK, "127.0.0.1", True),
        (LOOPBACK, "10.0.0.1", False),
    ],
)
def test_what_a_name_may_stand_for(url, address, allowed):
    """A public name never leads inside, an operator's own may; none leads to metadata."""
    origin = origin_of(url, suffixes=SUFFIXES, operators_own=True)
    assert is_allowed(origin, address) is allowed


def test_a_name_that_resolves_inside_is_refused(monkeypatch):
    """Every allowed address of one look-up is returned, and none that is forbidden."""

    def lookup(*_args, **_options):
        return [(2, 1, 6, "", (text, 443)) for text in ("10.0.0.1", "104.16.1.1")]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    origin = origin_of(PUBLIC, suffixes=SUFFIXES, operators_own=True)
    assert public_addresses(origin, "api.hubapi.com", 443) == ["104.16.1.1"]

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_o: lookup()[:1])
    with pytest.raises(PermissionError):
        public_addresses(origin, "api.hubapi.com", 443)
