"""Which hosts a connector may speak to, decided before and after the name is looked up.

`origin_of` checks a URL as it is written (scheme, host, no credentials in it), `answered_origin`
one that a CRM's answer names; `public_addresses`
looks the name up once and returns only addresses that may be reached, to which the socket is then
pinned, so that a name cannot change its answer between the check and the connection.
Rules: docs/connectors/hubspot.md, "Where it may connect to".
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from crmsync.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)
"""Where cloud providers hand credentials to whoever asks (AWS, GCP, Azure; AWS IPv6; Alibaba)."""
HTTPS_PORT = 443
_PLAIN_URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?")
"""Scheme, host and port, of characters that every reader of URLs takes for the same."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a server, and what its name may resolve to."""

    scheme: str
    host: str
    port: int
    loopback: bool
    """Named as this machine itself: plain http is allowed, and only loopback is reached."""
    private: bool
    """Whether addresses of a private network are accepted: the operator wrote this host himself."""

    @property
    def authority(self) -> str:
        """Give host and port; the port that the scheme stands for goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.port == {"http": 80, "https": 443}[self.scheme]
        return host if standard else f"{host}:{self.port}"

    def __str__(self) -> str:
        """Give the URL without a path."""
        return f"{self.scheme}://{self.authority}"


def origin_of(url: str, *, suffixes: Sequence[str], operators_own: bool) -> Origin:
    """Return the origin of a base URL.

    `suffixes` are the vendor's own domains, such as `.hubapi.com`; a host outside them is accepted
    only where the operator wrote it in crmsync.yaml (`operators_own`), never out of an answer.
    Raises ConfigError.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise ConfigError("the URL cannot be read: write it as https://host[:port]") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError("the URL must be written as https://host[:port]")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"the URL of {host} must hold no credentials, query or fragment")
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise ConfigError(f"plain http is for this machine only: use https://{host}")
    vendors = any(f".{host}".endswith(suffix) for suffix in suffixes)
    if not (vendors or operators_own):
        raise ConfigError(f"{host} is not a host of this CRM ({', '.join(suffixes)})")
    return Origin(
        scheme=parts.scheme,
        host=host,
        port={"http": 80, "https": HTTPS_PORT}[parts.scheme] if port is None else port,
        loopback=loopback,
        private=operators_own and not vendors,
    )


def answered_origin(url: str, suffixes: Sequence[str], *, aimed_at: Origin | None) -> Origin:
    """Return where calls go when a CRM's own answer names the address.

    `aimed_at` is what the operator wrote in crmsync.yaml, if anything: it wins over the answer. But
    a loopback address in the answer is followed where the operator aims at loopback too, since then
    the CRM is a simulated one. Anything else must be the vendor's: plain https, the usual port.
    Raises ConfigError, also where the answer is not used: it comes from no honest CRM.
    """
    if not _PLAIN_URL.fullmatch(url):
        raise ConfigError("the CRM's answer holds an address that is not https://host")
    trusted = aimed_at is not None and aimed_at.loopback
    origin = origin_of(url, suffixes=suffixes, operators_own=trusted)
    if trusted and origin.loopback:
        return origin
    if origin.private or origin.port != HTTPS_PORT:
        raise ConfigError(f"{origin.host} is not a host of this CRM ({', '.join(suffixes)})")
    return aimed_at or origin


def is_loopback_url(url: str) -> bool:
    """Say whether a base URL names this machine itself."""
    return _is_loopback((urlsplit(url).hostname or "").lower())


def public_addresses(origin: Origin, host: str, port: int) -> list[str]:
    """Look the host up once and return the addresses that may be connected to.

    Raises OSError: `socket.gaierror` when the name does not resolve, `PermissionError` when it
    resolves to nothing but forbidden addresses.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [text for text in addresses if is_allowed(origin, text)]
    if not allowed:
        raise PermissionError(f"{host} resolves to an address that must not be reached")
    return allowed


def is_allowed(origin: Origin, address: str) -> bool:
    """Say whether a name of this origin may stand for this address."""
    ip = _unwrapped(ipaddress.ip_address(address.split("%", 1)[0]))
    if origin.loopback:
        return ip.is_loopback
    if ip in METADATA_ADDRESSES or ip.is_link_local or ip.is_loopback or ip.is_multicast:
        return False
    if ip.is_unspecified or ip.is_reserved:
        return False
    return ip.is_global or (origin.private and ip.is_private)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unwrapped(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
