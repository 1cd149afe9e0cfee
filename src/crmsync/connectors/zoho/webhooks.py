"""Notifications: one channel that tells of all modules, and what it delivers.

A delivery is not signed. Its body repeats the token that the channel was set up with, our secret;
so a delivery is never more than a reason to read the record. It may be late, come twice or never:
polling goes on beside it. zoho.com/crm/developer/docs/api/v8, "Notification APIs", read 2026-11.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.base import Connection, Delivery, Watch, Webhooks
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.codes import DONE, NOT_SUBSCRIBED
from crmsync.connectors.zoho.errors import complaint_of
from crmsync.connectors.zoho.fields import DEALS
from crmsync.connectors.zoho.values import moment, written
from crmsync.connectors.zoho.wire import is_id
from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, Forged, Unavailable
from crmsync.model import CrmId, Hint

PATH = "/crm/v8/actions/watch"
SCOPE = "ZohoCRM.notifications.ALL"
EVENTS = ("create", "edit", "delete")
DEALS_HINT = "deals"
"""What a hint calls a deal."""
LIFETIME = timedelta(days=7) - timedelta(hours=1)
"""Of a channel. A week is the most; asked for more, Zoho grants an hour without a word."""
RENEWED_WITHIN = timedelta(days=3)
"""Of its end, a channel is renewed."""
OLDEST = timedelta(hours=1)
"""A delivery may be no older; Zoho does not say how late one can be."""
TOKEN_LENGTH = 50
CHANNEL_DIGITS = 15
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Channel:
    """Our channel as Zoho has it."""

    events: frozenset[str]
    urls: frozenset[str]
    tokens: frozenset[str]
    """As far as Zoho shows them."""
    ends_at: datetime

    def is_right(self, events: frozenset[str], hooks: Webhooks) -> bool:
        """Say whether it tells of just these, there, and proves itself by the secret of now."""
        is_ours = self.urls == {hooks.url} and self.tokens <= {hooks.secret}
        return is_ours and self.events == events


class Channel:
    """The channel of one connection. It is the connection's own by its number."""

    def __init__(self, api: Api, connection: Connection) -> None:
        """Set up nothing yet."""
        self._api = api
        self._name = connection.name
        self._hooks = connection.webhooks

    def watch(self, object_types: Sequence[str]) -> Watch:
        """See to it that Zoho tells of these; see `base.Connector.watch`."""
        hooks = self._demanded()
        modules = [DEALS if name == DEALS_HINT else name for name in object_types]
        events = frozenset(f"{module}.{event}" for module in modules for event in EVENTS)
        found, now = self._found(hooks), self._api.now()
        wanted = "changes of " + ", ".join(sorted(set(modules)))
        if found and found.is_right(events, hooks) and found.ends_at - now > RENEWED_WITHIN:
            return Watch(f"Zoho tells of {wanted} already", found.ends_at)
        asked = {
            "channel_id": _number(self._name, hooks),
            "events": sorted(events),
            "channel_expiry": written(now + LIFETIME),
            "token": hooks.secret,
            "notify_url": hooks.url,
            "return_affected_field_values": False,
            "notify_on_related_action": False,
        }
        entry = self._write("PUT", json={"watch": [asked]}) if found else None
        if entry is None or entry.get("code") == NOT_SUBSCRIBED:
            entry = self._write("POST", json={"watch": [asked]})
        if entry.get("code") != DONE:
            complaint = complaint_of(entry)
            raise ConfigError(
                f"Zoho does not set up notifications: {complaint.code} {complaint.message}"
                f" ({complaint.field or 'no reason'}). See that it can reach `webhooks.url`"
            )
        return Watch(f"Zoho tells of {wanted} from now on", _ends_at(entry))

    def unwatch(self) -> None:
        """Take the channel down; that there is none is as good."""
        hooks = self._demanded()
        if self._found(hooks):
            number = _number(self._name, hooks)
            self._write("DELETE", params={"channel_ids": number})

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Return what a delivery is about; raise Forged where it does not prove itself."""
        if self._hooks is None or not self._hooks.secret:
            raise Forged("the connection takes no webhooks")
        try:
            told = orjson.loads(delivery.body)
        except orjson.JSONDecodeError:
            raise Forged("the body is not JSON") from None
        if not isinstance(told, dict):
            raise Forged("the body is not a JSON object")
        token, secret = str(told.get("token") or ""), self._hooks.secret
        if not hmac.compare_digest(token.encode(), secret.encode()):
            raise Forged("the token is missing or wrong")
        if str(told.get("channel_id")) != _number(self._name, self._hooks):
            raise Forged("the channel is not ours")
        return _hints(told, delivery.received_at)

    # --- inside ---------------------------------------------------------------------------

    def _demanded(self) -> Webhooks:
        if self._hooks is None:
            raise ConfigError(f"connection '{self._name}' has no webhooks set")
        if not 0 < len(self._hooks.secret) <= TOKEN_LENGTH:
            raise ConfigError(f"Zoho takes a secret of 1 to {TOKEN_LENGTH} characters")
        return self._hooks

    def _found(self, hooks: Webhooks) -> _Channel | None:
        """Return our channel, of which Zoho shows one entry for each module."""
        number = _number(self._name, hooks)
        try:
            payload = self._api.read(PATH, params={"channel_id": number}, needs=SCOPE) or {}
        except ConnectionHalted as halt:
            if halt.cause != "missing_scope":
                raise
            # The connection works as it is: it was consented to without this scope.
            raise ConfigError(
                f"Zoho allows no notifications without the scope {SCOPE}: connect again to ask for"
                " it. Polling goes on without them"
            ) from halt
        try:
            ours = [e for e in payload.get("watch") or () if str(e["channel_id"]) == number]
            if not ours:
                return None
            return _Channel(
                events=frozenset(str(event) for entry in ours for event in entry["events"]),
                urls=frozenset(str(entry["notify_url"]) for entry in ours),
                tokens=frozenset(str(entry["token"]) for entry in ours if entry.get("token")),
                ends_at=min(_expiry(entry) for entry in ours),
            )
        except UNREADABLE:
            raise _strange() from None

    def _write(
        self,
        method: str,
        *,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Return Zoho's entry for our channel; ConfigError where it refuses the call."""
        try:
            _, entries = self._api.write(
                method, PATH, "watch", json=json, params=params, needs=SCOPE, records=1
            )
        except BatchRejected as refusal:
            if refusal.code == NOT_SUBSCRIBED:
                return {"code": NOT_SUBSCRIBED}
            raise ConfigError(
                f"Zoho does not set up notifications: {refusal.user_message}"
            ) from refusal
        if not entries or not isinstance(entries[0], dict):
            raise _strange()
        return entries[0]


def _number(name: str, hooks: Webhooks) -> str:
    """Return the channel's number: another one for each connection and address."""
    digest = hashlib.sha256(f"{name}\n{hooks.url}".encode()).digest()
    return str(10**CHANNEL_DIGITS + int.from_bytes(digest[:8]) % 10**CHANNEL_DIGITS)


def _expiry(told: Mapping[str, Any]) -> datetime:
    """Return when a channel ends; one of which Zoho does not say it has ended already."""
    at = told.get("channel_expiry")
    return moment(at) if at else BEGINNING


def _ends_at(entry: Mapping[str, Any]) -> datetime:
    """Return when a channel ends: Zoho may have granted less than was asked for."""
    try:
        return min(map(_expiry, entry["details"]["events"]))
    except UNREADABLE:
        raise _strange() from None


def _hints(told: Mapping[str, Any], received_at: datetime) -> list[Hint]:
    module, ids = told.get("module"), told.get("ids")
    if not isinstance(module, str) or not isinstance(ids, list) or not all(map(is_id, ids)):
        raise Forged("the body does not name a module and records")
    sent, at = told.get("server_time"), received_at
    if sent is not None:
        try:
            at = datetime.fromtimestamp(int(sent) / 1000, UTC)
        except (ValueError, TypeError, OverflowError, OSError):
            raise Forged("the body's time is none") from None
        if received_at - at > OLDEST:
            raise Forged("the delivery is too old")
    object_type = DEALS_HINT if module == DEALS else module
    event = f"{module} {told.get('operation')} {at.isoformat()} {told.get('affected_fields')}"
    return [
        Hint(
            object_type,
            CrmId(str(crm_id)),
            at,
            hashlib.sha256(f"{event} {crm_id}".encode()).hexdigest(),
        )
        for crm_id in ids
    ]


def _strange() -> Exception:
    return Unavailable(f"{PATH}: Zoho's answer has another shape than documented")
