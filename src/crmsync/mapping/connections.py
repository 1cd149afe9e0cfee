"""The `connections:` of crmsync.yaml: which CRM, with which credentials, where, how fast."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from crmsync.mapping.declared import Declared
from crmsync.mapping.environment import is_reference, reference_at
from crmsync.mapping.problems import Problems, did_you_mean, listed
from crmsync.mapping.project_spec import (
    AuthKeys,
    ConnectionKeys,
    ProjectKeys,
    TimingKeys,
    WebhookKeys,
)
from crmsync.mapping.yaml_nodes import MapNode, Path, node_at
from crmsync.model import Quota, Timing

_AUTH_FORMS: Final = ("token", "oauth", "jwt", "client_credentials")
_KEPT: Final = "\0kept"
"""Stands for a token that nobody gave; no environment variable can hold it."""
_SECRETS: Final = ("token", "client_secret", "refresh_token", "secret")
HOOKS: Final = "/hooks/"
"""Where a CRM's deliveries come in, followed by the connection's name."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How a CRM tells us of changes."""

    url: str
    """Of `/hooks/{connection}`, as the CRM reaches it."""
    secret: str = field(repr=False)
    """What a delivery proves itself by."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One CRM account, as crmsync.yaml describes it."""

    name: str
    connector: str
    auth: Mapping[str, Any] = field(repr=False)
    """One of `token`, `oauth`, `jwt`, `client_credentials` and what it holds; may be empty.

    A token is None where its variable is not set and `crmsync connect` keeps one.
    """
    base_url: str | None = None
    """Without a slash at its end."""
    auth_url: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    timing: Timing = field(default_factory=Timing)
    """The connection's own keys over those of the file, over what suits its CRM."""
    webhooks: WebhookSettings | None = None
    token_variable: str | None = None
    """The environment variable that `auth: token` is taken from."""

    @property
    def remedy(self) -> str:
        """Say what a person does when the CRM does not accept the credentials."""
        command = f"`crmsync connect {self.name}`"
        if "token" not in self.auth:
            return f"run {command}: it authorises connection '{self.name}' anew"
        if self.token_variable is None:
            place = f"connections.{self.name}.auth.token of crmsync.yaml"
            return f"put a valid token into {place}, then run {command}"
        return (
            f"connection '{self.name}' takes its token from {self.token_variable}: set that to a "
            f"valid one, then run {command}"
        )


def read_connections(
    project: ProjectKeys,
    root: MapNode,
    connectors: Collection[str],
    declared: Mapping[str, Declared],
    problems: Problems,
) -> dict[str, ConnectionSettings]:
    """Check every connection and return its settings, by name.

    `declared`: what those among the `connectors` declare that are in use.
    """
    settings = {}
    for name, keys in project.connections.items():
        path = ("connections", name)
        _check_connector(keys.connector, root, path, connectors, problems)
        _check_auth(keys, root, path, problems)
        crm = declared.get(keys.connector, Declared())
        _check_limits(keys, crm, root, path, problems)
        if keys.webhooks is not None and not crm.sends_webhooks:
            message = f"{keys.connector} sends no webhooks: it is asked every `pull_seconds`"
            problems.warn(node_at(root, (*path, "webhooks"))[1], message)
        settings[name] = ConnectionSettings(
            name=name,
            connector=keys.connector,
            auth=_auth(keys.auth),
            base_url=_read_if_given(keys.base_url, root, (*path, "base_url"), problems),
            auth_url=_read_if_given(keys.auth_url, root, (*path, "auth_url"), problems),
            limits=dict(keys.limits),
            quota=Quota(**keys.quota.model_dump()),
            timing=_own_timing(keys.timing, project.timing, crm.timing, root, path, problems),
            webhooks=_webhooks(keys.webhooks, root, (*path, "webhooks"), problems),
            token_variable=reference_at(root, (*path, "auth", "token")),
        )
    return settings


def with_kept_tokens(
    env: Mapping[str, str], root: MapNode, kept: Collection[str]
) -> Mapping[str, str]:
    """Return the environment for reading a file whose variables of some tokens need not be set.

    `kept`: the connections whose token is kept by `crmsync connect`. What the environment has
    counts; where it has nothing, the connection's settings hold no token.
    """
    variables = (reference_at(root, ("connections", name, "auth", "token")) for name in kept)
    missing = {variable: _KEPT for variable in variables if variable and not env.get(variable)}
    return {**env, **missing} if missing else env


def read_timing(  # noqa: PLR0913, PLR0917 - what is read, what it overlays, where it stands
    keys: TimingKeys,
    default: Timing,
    root: MapNode,
    path: Path,
    problems: Problems,
    whose: str = "",
) -> Timing:
    """Return the default with the given keys in its place, noting an order that cannot work."""
    timing = _overlaid(default, keys)
    rising = timing.request_deadline_seconds < timing.lease_seconds < timing.settle_seconds
    if not rising:
        deadline, lease = timing.request_deadline_seconds, timing.lease_seconds
        message = (
            f"{whose}request_deadline_seconds ({deadline:g}) < lease_seconds ({lease:g}) < "
            f"settle_seconds ({timing.settle_seconds:g}) must hold"
        )
        problems.error(node_at(root, path)[1], message)
    return timing


def _own_timing(  # noqa: PLR0913, PLR0917 - three layers, and where they stand
    own: TimingKeys,
    files: TimingKeys,
    suits: Timing,
    root: MapNode,
    path: Path,
    problems: Problems,
) -> Timing:
    """Return a connection's timing; what the file says of all has been checked where it stands."""
    timing = _overlaid(suits, files)
    if own.model_fields_set:
        return read_timing(own, timing, root, (*path, "timing"), problems)
    if suits != Timing():
        # The file's keys may fit other CRMs and not this one.
        return read_timing(own, timing, root, ("timing",), problems, f"for '{path[-1]}', ")
    return timing


def _overlaid(default: Timing, keys: TimingKeys) -> Timing:
    return replace(default, **keys.model_dump(exclude_none=True))


def _auth(keys: AuthKeys) -> Mapping[str, Any]:
    """Return what is given; the token is None where it is kept, not given."""
    given = keys.model_dump(exclude_none=True)
    return {**given, "token": None} if given.get("token") == _KEPT else given


def _check_connector(
    connector: str, root: MapNode, path: Path, known: Collection[str], problems: Problems
) -> None:
    if connector not in known:
        node, _, _ = node_at(root, (*path, "connector"))
        near = did_you_mean(connector, known) or f"; there are {listed(known)}"
        problems.error(node.place, f"unknown connector '{connector}'{near}")


def _check_limits(
    keys: ConnectionKeys, crm: Declared, root: MapNode, path: Path, problems: Problems
) -> None:
    """Note limits that the CRM does not have."""
    if crm.limits is None:
        return
    for name in keys.limits:
        if name not in crm.limits:
            near = did_you_mean(name, crm.limits)
            hint = near or f"; {keys.connector} has {listed(sorted(crm.limits))}"
            place = node_at(root, (*path, "limits", name))[1]
            problems.error(place, f"unknown limit '{name}'{hint}")


def _check_auth(keys: ConnectionKeys, root: MapNode, path: Path, problems: Problems) -> None:
    node, place, found = node_at(root, (*path, "auth"))
    if len(keys.auth.model_fields_set) > 1:
        problems.error(place, f"auth takes one of {listed(_AUTH_FORMS)}, not several")
    if isinstance(node, MapNode) and "auth" in found and not _is_simulated(keys):
        _warn_of_secrets(node, problems)


def _is_simulated(keys: ConnectionKeys) -> bool:
    """Whether the account is on this machine, so that its credentials are no secrets."""
    used = [url for url in (keys.base_url, keys.auth_url) if url is not None]
    return keys.base_url is not None and all(
        _url_complaint(url) is None and _is_loopback(urlsplit(url).hostname or "") for url in used
    )


def _webhooks(
    keys: WebhookKeys | None, root: MapNode, path: Path, problems: Problems
) -> WebhookSettings | None:
    if keys is None:
        return None
    node, _, _ = node_at(root, path)
    if isinstance(node, MapNode):
        _warn_of_secrets(node, problems)
    url = _read_url(keys.url, root, (*path, "url"), problems)
    taken_at = f"{HOOKS}{path[1]}"
    if url and not url.endswith(taken_at):
        message = f"url: deliveries are taken at {taken_at}, and this address ends otherwise"
        problems.warn(node_at(root, (*path, "url"))[0].place, message)
    return WebhookSettings(url, keys.secret)


def _warn_of_secrets(node: MapNode, problems: Problems) -> None:
    for key, value in node.entries.items():
        if isinstance(value, MapNode):
            _warn_of_secrets(value, problems)
        elif key in _SECRETS and not is_reference(value):
            message = "a secret stands in the file; set a variable and write ${NAME} instead"
            problems.warn(node.key_places[key], message)


def _read_if_given(url: str | None, root: MapNode, path: Path, problems: Problems) -> str | None:
    return None if url is None else _read_url(url, root, path, problems)


def _read_url(url: str, root: MapNode, path: Path, problems: Problems) -> str:
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
