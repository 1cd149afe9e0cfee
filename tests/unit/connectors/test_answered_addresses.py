"""An address out of a token answer (`instance_url`, `api_domain`) is not believed blindly."""

from __future__ import annotations

import pytest

from crmsync.connectors.addresses import answered_origin, origin_of
from crmsync.connectors.hubspot.oauth import VENDOR as HUBSPOT
from crmsync.connectors.pipedrive.oauth import VENDOR as PIPEDRIVE
from crmsync.connectors.salesforce.oauth import VENDOR as SALESFORCE
from crmsync.connectors.zoho.oauth import VENDOR as ZOHO
from crmsync.errors import ConfigError

HOSTILE = (
    # other hosts, some that look like the vendor's
    "https://evil.example",
    "https://salesforce.com.evil.example",
    "https://evilsalesforce.com",
    "https://my-salesforce.com",
    "https://acme.my.salesforce.com.",
    "https://acme.my.salesforce.com.evil.example",
    "https://acme.my.salesforce.co",
    "https://zohoapis.evil.example",
    "https://www.zohoapis.com.evil",
    "https://hubapi.com.example",
    "https://pipedrive.com.example",
    "https://xn--slesforce-q4a.com",
    "https://\u0455alesforce.com",
    "https://salesforce。com",
    "https://ⓢalesforce.com",
    "https://acme.salesforce.com%2eevil.example",
    # credentials, so that what looks like the host is none
    "https://acme.my.salesforce.com@evil.example",
    "https://acme.my.salesforce.com:443@evil.example",
    "https://user:pw@acme.my.salesforce.com",
    "https://evil.example\\@acme.my.salesforce.com",
    "https://evil.example\\.salesforce.com",
    "https://acme.my.salesforce.com\\.evil.example",
    # query, fragment, path
    "https://evil.example?.salesforce.com",
    "https://evil.example#.salesforce.com",
    "https://evil.example/.salesforce.com",
    "https://acme.my.salesforce.com/services/../..",
    "https://acme.my.salesforce.com?next=https://evil.example",
    "https://acme.my.salesforce.com#x",
    # other schemes
    "http://acme.my.salesforce.com",
    "http://evil.example",
    "ftp://acme.my.salesforce.com",
    "file:///etc/passwd",
    "gopher://acme.my.salesforce.com",
    "javascript:alert(1)",
    "//acme.my.salesforce.com",
    "acme.my.salesforce.com",
    "/services/data",
    "",
    "https://",
    "https:///services",
    # characters that readers of URLs disagree about
    "https://acme.my.salesforce.com\n",
    "https://evil.example\n.salesforce.com",
    "https://evil.example\r\nHost: acme.my.salesforce.com",
    "https://evil.example\t.salesforce.com",
    " https://acme.my.salesforce.com",
    "https://acme.my.salesforce.com ",
    "https://evil.example\x00.salesforce.com",
    "https://evil.example;.salesforce.com",
    "https://evil.example,acme.salesforce.com",
    # ports
    "https://acme.my.salesforce.com:22",
    "https://acme.my.salesforce.com:8443",
    "https://acme.my.salesforce.com:99999",
    "https://acme.my.salesforce.com:0",
    # this machine, private networks, cloud metadata, in every spelling
    "http://127.0.0.1:8080",
    "https://127.0.0.1",
    "https://localhost",
    "https://localhost.salesforce.localhost",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://2130706433",
    "https://0x7f000001",
    "https://0177.0.0.1",
    "https://127.1",
    "https://0.0.0.0",
    "https://10.0.0.1",
    "https://192.168.1.1",
    "https://169.254.169.254",
    "https://[fd00:ec2::254]",
    "https://metadata.google.internal",
)
VENDORS = (HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO)
LOOPBACK = ("http://127.0.0.1:8080", "https://127.0.0.1", "https://localhost", "https://[::1]",
            "https://localhost.salesforce.localhost")  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.label)
@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused(url, vendor):
    """Whatever the CRM is, and wherever its servers are: nobody is called there."""
    for suffixes in (vendor.api_suffixes, vendor.auth_suffixes):
        with pytest.raises(ConfigError):
            answered_origin(url, suffixes, aimed_at=None)


@pytest.mark.parametrize("url", [url for url in HOSTILE if url not in LOOPBACK])
def test_a_simulated_crm_cannot_lead_elsewhere_either(url):
    """Where the operator aims at this machine, only this machine and the vendor are accepted."""
    aim = origin_of("http://127.0.0.1:9001", suffixes=(), operators_own=True)
    with pytest.raises(ConfigError):
        answered_origin(url, SALESFORCE.api_suffixes, aimed_at=aim)


@pytest.mark.parametrize(
    ("vendor", "url"),
    [
        (SALESFORCE, "https://acme.my.salesforce.com"),
        (SALESFORCE, "https://acme--dev.sandbox.my.salesforce.com/"),
        (SALESFORCE, "https://na1.force.com"),
        (ZOHO, "https://www.zohoapis.eu"),
        (ZOHO, "https://www.zohoapis.com.cn"),
        (ZOHO, "https://sandbox.zohoapis.in"),
        (PIPEDRIVE, "https://acme.pipedrive.com"),
        (PIPEDRIVE, "https://ACME.pipedrive.com:443"),
        (HUBSPOT, "https://api.hubapi.com"),
    ],
)
def test_the_vendors_own_addresses_are_accepted(vendor, url):
    """Any account's address is followed, as the vendor spells it."""
    origin = answered_origin(url, vendor.api_suffixes, aimed_at=None)
    assert (origin.scheme, origin.port, origin.private) == ("https", 443, False)


def test_a_simulated_crm_may_name_another_port():
    """With a loopback `base_url` a loopback answer is followed."""
    aim = origin_of("http://127.0.0.1:9001", suffixes=(), operators_own=True)
    answered = answered_origin("http://127.0.0.1:9002", SALESFORCE.api_suffixes, aimed_at=aim)
    assert str(answered) == "http://127.0.0.1:9002"


@pytest.mark.parametrize("base", ["http://127.0.0.1:9001", "https://crm-proxy.acme.example"])
def test_where_the_operator_aims_wins_over_the_vendors_answer(base):
    """A `base_url` of one's own is where calls go, whatever address the token came with."""
    aim = origin_of(base, suffixes=(), operators_own=True)
    url = "https://acme.my.salesforce.com"
    assert answered_origin(url, SALESFORCE.api_suffixes, aimed_at=aim) == aim
