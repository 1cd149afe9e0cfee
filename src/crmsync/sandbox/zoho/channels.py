"""Notification channels: who is told of what, where and until when.

A callback carries the channel's token and no signature. It is made once: whether Zoho repeats one
that fails is not known, so that here nobody can count on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from crmsync.sandbox.deliveries import Deliveries
from crmsync.sandbox.zoho.records import Operation, Record

EVENTS = {"create": "insert", "edit": "update", "delete": "delete"}
"""What a channel is asked for -> what its callback calls it."""
HOUR, WEEK = 3_600, 7 * 86_400
RESOURCE = "https://www.zohoapis.com/crm/v8/{}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as its owner asked for it."""

    id: str
    notify_url: str
    token: str | None
    events: tuple[str, ...]
    """Such as `Deals.edit`."""
    expires_at: int
    with_values: bool

    def modules(self) -> list[str]:
        """Return what it tells of."""
        return sorted({event.partition(".")[0] for event in self.events})

    def tells(self, module: str, operation: Operation) -> bool:
        """Say whether it tells of this."""
        names = [name for name, told in EVENTS.items() if told == operation]
        return any(f"{module}.{name}" in self.events for name in (*names, "all"))


class Channels:
    """The channels of one organisation."""

    def __init__(self, now: Callable[[], int], deliveries: Deliveries) -> None:
        """Start with none."""
        self._now = now
        self._deliveries = deliveries
        self._all: dict[str, Channel] = {}

    def live(self) -> Iterator[Channel]:
        """Yield the channels that have not ended."""
        return (one for one in self._all.values() if one.expires_at > self._now())

    def find(self, channel_id: str) -> Channel | None:
        """Return a channel that has not ended."""
        return next((one for one in self.live() if one.id == channel_id), None)

    def put(self, channel: Channel) -> None:
        """Add or replace one."""
        self._all[channel.id] = channel

    def remove(self, channel_id: str) -> None:
        """End one."""
        del self._all[channel_id]

    def tell(
        self, module: str, record: Record, operation: Operation, changed: Collection[str]
    ) -> None:
        """Call back everybody who wants to know."""
        for channel in self.live():
            if channel.tells(module, operation):
                body = orjson.dumps(self._body(channel, module, record, operation, changed))
                self._deliveries.send(channel.notify_url, body, {})

    def _body(
        self,
        channel: Channel,
        module: str,
        record: Record,
        operation: Operation,
        changed: Collection[str],
    ) -> dict[str, Any]:
        fields = [*changed, "Modified_Time"] if changed else []
        values = {name: record.values.get(name) for name in changed}
        return {
            "server_time": self._now() * 1000,
            "affected_values": [{"record_id": record.id, "values": values}]
            if channel.with_values and changed
            else [],
            "query_params": {},
            "module": module,
            "resource_uri": RESOURCE.format(module),
            "ids": [record.id],
            "affected_fields": [{record.id: fields}] if fields else [],
            "operation": operation,
            "channel_id": channel.id,
            "token": channel.token,
        }


def expiry(asked: int | None, now: int) -> int:
    """Return when a channel ends: within a week as asked for, else in an hour."""
    return asked if asked is not None and asked <= now + WEEK else now + HOUR
