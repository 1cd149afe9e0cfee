"""Webhooks: what happens in a portal, told to the addresses that subscribed.

What one request brings about goes out as one array, of at most 100 events, signed by versions 1
and 3. A delivery that is not answered 2xx is made up to ten more times within a day.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.deliveries import Content, Deliveries, check_loopback
from crmsync.sandbox.hubspot.accounts import APP_ID
from crmsync.sandbox.hubspot.records import Draft, Stamp
from crmsync.sandbox.hubspot.wire import KINDS, SINGULAR

MAX_EVENTS = 100
RETRY_SECONDS = (10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600)
"""Before each further attempt: HubSpot says ten within 24 hours, and no more."""
_DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""The escapes of an address that are taken for what they stand for before it is signed."""
_MAX_EVENT_ID = 2**32

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """An app's address and client secret."""

    url: str
    secret: str


class Events:
    """What one portal tells of, and to whom."""

    def __init__(
        self, clock: Clock, deliveries: Deliveries, portal_id: int, chance: random.Random
    ) -> None:
        """Tell nobody yet."""
        self._clock = clock
        self._deliveries = deliveries
        self._portal_id = portal_id
        self._chance = chance
        self._subscribers: list[_Subscriber] = []
        self._waiting: list[Event] = []

    def subscribe(self, url: str, secret: str) -> None:
        """Tell this address of everything from now on; `ControlError` where it is not loopback."""
        check_loopback(url)
        self._subscribers = [one for one in self._subscribers if one.url != url]
        self._subscribers.append(_Subscriber(url, secret))

    def written(self, name: str, draft: Draft, held: Mapping[str, str], stamp: Stamp) -> None:
        """Tell of a write: of the record where it is new, and of each value that differs."""
        if not self._subscribers:
            return
        if draft.record is None:
            self.happened(name, "creation", draft.id, stamp.source)
        for property_name, value in draft.changes.items():
            if held.get(property_name, "") != value:
                more = {"propertyName": property_name, "propertyValue": value}
                self.happened(name, "propertyChange", draft.id, stamp.source, **more)

    def happened(
        self, name: str, kind: str, record_id: str, source: str = "CRM_UI", **more: object
    ) -> None:
        """Tell of something that happened to a record."""
        about = {"objectId": int(record_id), "changeSource": source, **more}
        self._tell(f"{SINGULAR[name]}.{kind}", about)

    def associated(
        self, source: str, from_id: str, target: str, to_id: str, *, removed: bool
    ) -> None:
        """Tell of a pair that was made or removed, as seen from both of its records."""
        pairs = ((source, from_id, target, to_id), (target, to_id, source, from_id))
        for from_type, first, to_type, second in pairs:
            about = {
                "fromObjectId": int(first),
                "toObjectId": int(second),
                "associationType": f"{KINDS[from_type]}_TO_{KINDS[to_type]}",
                "associationRemoved": removed,
                "isPrimaryAssociation": False,
                "changeSource": "INTEGRATION",
            }
            self._tell(f"{SINGULAR[from_type]}.associationChange", about)

    # --- inside -----------------------------------------------------------------------------

    def _tell(self, subscription: str, about: Mapping[str, object]) -> None:
        if not self._subscribers:
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(
            {
                "eventId": self._chance.randrange(_MAX_EVENT_ID),
                "subscriptionId": int(hashlib.sha256(subscription.encode()).hexdigest()[:5], 16),
                "portalId": self._portal_id,
                "appId": APP_ID,
                "occurredAt": self._clock.milliseconds(),
                "subscriptionType": subscription,
                **about,
            }
        )

    def _send(self) -> None:
        events, self._waiting = self._waiting, []
        for start in range(0, len(events), MAX_EVENTS):
            for subscriber in self._subscribers:
                self._post(subscriber, events[start : start + MAX_EVENTS])

    def _post(self, subscriber: _Subscriber, events: list[Event]) -> None:
        def compose(attempt: int) -> Content:
            body = orjson.dumps([{**event, "attemptNumber": attempt} for event in events])
            return body, signed(subscriber.url, subscriber.secret, body)

        self._deliveries.send_composed(subscriber.url, compose)


def signed(url: str, secret: str, body: bytes) -> dict[str, str]:
    """Return the headers that prove a delivery. By real time, in which its receiver lives."""
    timestamp = str(time.time_ns() // 1_000_000)
    address = _DECODED.sub(lambda escape: chr(int(escape[0][1:], 16)), url)
    message = f"POST{address}".encode() + body + timestamp.encode()
    third = base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()
    return {
        "X-HubSpot-Signature": hashlib.sha256(secret.encode() + body).hexdigest(),
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature-v3": third,
        "X-HubSpot-Request-Timestamp": timestamp,
    }
