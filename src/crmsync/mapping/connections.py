"""The `connections:` of crmsync.yaml: which CRM, with which credentials, where, how fast."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from crmsync.mapping.environment import is_reference
from crmsync.mapping.problems import Problems, did_you_mean, listed
from crmsync.mapping.spec import AuthKeys, ProjectKeys, TimingKeys
from crmsync.mapping.yaml_nodes import MapNode, Path, node_at
from crmsync.model import Timing

_AUTH_FORMS: Final = ("token", "oauth", "jwt", "client_credentials")
_SECRETS: Final = ("token", "client_secret", "refresh_token")


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of the CRM account's daily limit crmsync may use."""

    daily_share: float = 0.8
    """Of what the CRM grants the whole account."""
    realtime_reserve: float = 0.2
    """Of our share, kept for real-time work."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One CRM account, as crmsync.yaml describes it."""

    name: str
    connector: str
    auth: Mapping[str, Any] = field(repr=False)
    """One of `token`, `oauth`, `jwt`, `client_credentials` and what it holds; may be empty."""
    base_url: str | None = None
    """Without a slash at its end."""
    auth_url: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    quota: Quota = Quota()
    timing: Timing = field(default_factory=Timing)
    """The file's `timing`, where the connection has none of its own."""


def read_connections(
    project: ProjectKeys, root: MapNode, connectors: Collection[str], problems: Problems
) -> dict[str, ConnectionSettings]:
    """Check every connection and return its settings, by name."""
    default = _overlaid(Timing(), project.timing)
    settings = {}
    for name, keys in project.connections.items():
        path = ("connections", name)
        _check_connector(keys.connector, root, path, connectors, problems)
        _check_auth(keys.auth, root, path, problems)
        settings[name] = ConnectionSettings(
            name=name,
            connector=keys.connector,
            auth=keys.auth.model_dump(exclude_none=True),
            base_url=_read_url(keys.base_url, root, (*path, "base_url"), problems),
            auth_url=_read_url(keys.auth_url, root, (*path, "auth_url"), problems),
            limits=keys.limits.model_dump(exclude_none=True),
            quota=Quota(**keys.quota.model_dump()),
            timing=_own_timing(keys.timing, default, root, (*path, "timing"), problems),
        )
    return settings


def read_timing(
    keys: TimingKeys, default: Timing, root: MapNode, path: Path, problems: Problems
) -> Timing:
    """Return the default with the given keys in its place, noting an order that cannot work."""
    timing = _overlaid(default, keys)
    rising = timing.request_deadline_seconds < timing.lease_seconds < timing.settle_seconds
    if not rising:
        message = (
            f"request_deadline_seconds ({timing.request_deadline_seconds:g}) < lease_seconds "
            f"({timing.lease_seconds:g}) < settle_seconds ({timing.settle_seconds:g}) must hold"
        )
        problems.error(node_at(root, path)[1], message)
    return timing


def _own_timing(
    keys: TimingKeys, default: Timing, root: MapNode, path: Path, problems: Problems
) -> Timing:
    """Return a connection's timing; the default has been checked where it stands."""
    return read_timing(keys, default, root, path, problems) if keys.model_fields_set else default


def _overlaid(default: Timing, keys: TimingKeys) -> Timing:
    return replace(default, **keys.model_dump(exclude_none=True))


def _check_connector(
    connector: str, root: MapNode, path: Path, known: Collection[str], problems: Problems
) -> None:
    if connector not in known:
        node, _, _ = node_at(root, (*path, "connector"))
        near = did_you_mean(connector, known) or f"; there are {listed(known)}"
        problems.error(node.place, f"unknown connector '{connector}'{near}")


def _check_auth(keys: AuthKeys, root: MapNode, path: Path, problems: Problems) -> None:
    node, place, found = node_at(root, (*path, "auth"))
    if len(keys.model_fields_set) > 1:
        problems.error(place, f"auth takes one of {listed(_AUTH_FORMS)}, not several")
    if isinstance(node, MapNode) and "auth" in found:
        _warn_of_secrets(node, problems)


def _warn_of_secrets(node: MapNode, problems: Problems) -> None:
    for key, value in node.entries.items():
        if isinstance(value, MapNode):
            _warn_of_secrets(value, problems)
        elif key in _SECRETS and not is_reference(value):
            message = "a secret stands in the file; set a variable and write ${NAME} instead"
            problems.warn(node.key_places[key], message)


def _read_url(url: str | None, root: MapNode, path: Path, problems: Problems) -> str | None:
    if url is None:
        return None
    complaint = _url_complaint(url)
    if complaint:
        problems.error(node_at(root, path)[0].place, f"{path[-1]}: {complaint}")
    return url.rstrip("/")


def _url_complaint(url: str) -> str | None:
    """Say why an address cannot be used; the address itself is not repeated."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "not a valid URL"
    if not host or parts.scheme not in ("https", "http") or any(c.isspace() for c in url):
        return "expected a URL such as https://api.example.com"
    if parts.username is not None or parts.query or parts.fragment:
        return "a URL here has no user name, query or fragment; credentials belong under auth"
    if parts.scheme == "http" and not _is_loopback(host):
        return "plain http is accepted for this machine only (127.0.0.1, localhost); use https"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
