"""Webhooks of one company: who is told of what, in v2's shape, and who is no longer told.

An address that fails is tried again after 3, 30 and 150 s. Ten first attempts that failed ban a
webhook for half an hour, in which events are lost; three days without a success delete it.
"""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.deliveries import Content, Deliveries
from crmsync.sandbox.pipedrive.records import Record, Source
from crmsync.sandbox.pipedrive.schemas import Values
from crmsync.sandbox.pipedrive.settings import PipedriveSettings
from crmsync.sandbox.pipedrive.wire import SINGULAR, rfc3339

ACTIONS = ("create", "change", "delete", "*")
OBJECTS = (
    "activity", "deal", "lead", "note", "organization", "person", "pipeline", "product", "stage",
    "user", "*",
)  # fmt: skip
MAX_PER_USER = 40
RETRY_SECONDS = (3.0, 30.0, 150.0)
TIMEOUT_SECONDS = 10.0
FAILURES_BEFORE_BAN = 10
BAN_SECONDS = 1_800.0
DAYS_OF_FAILURE_SECONDS = 3 * 86_400.0


@dataclass(slots=True, eq=False)
class Webhook:
    """One subscription."""

    id: int
    url: str
    action: str
    entity: str
    name: str
    version: str
    user: str | None
    password: str | None
    created: int
    failures: int = 0
    """First attempts that failed since the last ban."""
    banned_until: float = 0.0
    failing_since: float | None = None
    last_time: int | None = None
    last_status: int | None = None

    def wants(self, action: str, entity: str) -> bool:
        """Say whether an event is one it was made for."""
        return self.action in ("*", action) and self.entity in ("*", entity)

    def headers(self) -> dict[str, str]:
        """Return what its deliveries say besides the body."""
        if self.user is None:
            return {"User-Agent": "Pipedrive Webhooks"}
        proof = base64.b64encode(f"{self.user}:{self.password or ''}".encode()).decode()
        return {"User-Agent": "Pipedrive Webhooks", "Authorization": f"Basic {proof}"}


@dataclass(frozen=True, slots=True)
class State:
    """A record as it was at one moment: a write replaces what a record holds, and changes none."""

    id: int
    created: int
    updated: int
    values: Values
    custom: Values

    @classmethod
    def of(cls, record: Record) -> State:
        """Take what a record holds."""
        return cls(record.id, record.created, record.updated, record.values, record.custom)

    def shown(self) -> dict[str, Any]:
        """Return all of it as webhooks show it."""
        times = {"add_time": rfc3339(self.created), "update_time": rfc3339(self.updated)}
        return {"id": self.id, **self.values, **times, "custom_fields": dict(self.custom)}

    def previous(self, after: State) -> dict[str, Any]:
        """Return what it held of the fields that are others afterwards."""
        old, new = self.shown(), after.shown()
        custom, others = old.pop("custom_fields"), new.pop("custom_fields")
        changed = {key: value for key, value in old.items() if value != new.get(key)}
        codes = sorted(custom.keys() | others.keys())
        cleared = {c: custom.get(c) for c in codes if custom.get(c) != others.get(c)}
        return {**changed, "custom_fields": cleared} if cleared else changed


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a record."""

    action: str
    object_type: str
    state: State
    """Afterwards; of a record that was deleted, at last."""
    source: Source
    before: State | None = None
    """Of a change."""
    merged: Mapping[str, str] = field(default_factory=dict)
    """`merged_to_id` or `merged_from_id`, where it is part of a merge."""

    @property
    def entity(self) -> str:
        """What webhooks call the object type."""
        return SINGULAR[self.object_type]

    def told(self) -> dict[str, Any]:
        """Return what is said of the record itself."""
        if self.action == "delete":
            return {"data": None, "previous": self.state.shown()}
        previous = self.before.previous(self.state) if self.before else None
        return {"data": self.state.shown(), "previous": previous}


class Webhooks:
    """The subscriptions of one company and what they are sent."""

    def __init__(self, clock: Clock, settings: PipedriveSettings, user_id: int) -> None:
        """Tell nobody yet. `user_id`: whose all webhooks and writes are."""
        self._clock = clock
        self._user_id = str(user_id)
        self._company_id = settings.company_id
        self._host = f"{settings.company_domain}.pipedrive.com"
        self._chance = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self.deliveries = Deliveries(
            clock,
            retry_seconds=RETRY_SECONDS,
            timeout_seconds=TIMEOUT_SECONDS,
            seed=settings.seed,
        )
        self.all: dict[int, Webhook] = {}
        self._made = 0

    def add(self, asked: Mapping[str, Any]) -> Webhook:
        """Subscribe, as a checked body asks."""
        self._made += 1
        webhook = Webhook(
            id=self._made,
            url=asked["subscription_url"],
            action=asked["event_action"],
            entity=asked["event_object"],
            name=asked["name"],
            version=asked.get("version", "2.0"),
            user=asked.get("http_auth_user"),
            password=asked.get("http_auth_password"),
            created=int(self._clock.time()),
        )
        self.all[webhook.id] = webhook
        return webhook

    def tell(self, event: Event) -> None:
        """Send an event to everyone who asked for its kind, one POST each."""
        now = self._clock.time()
        wanting = [
            webhook
            for webhook in self.all.values()
            if webhook.banned_until <= now and webhook.wants(event.action, event.entity)
        ]
        if wanting:
            body = {"meta": self._meta(event), **event.told()}
            for webhook in wanting:
                self._send(webhook, body)

    # --- inside -----------------------------------------------------------------------------

    def _meta(self, event: Event) -> dict[str, Any]:
        return {
            "action": event.action,
            "entity": event.entity,
            "entity_id": str(event.state.id),
            "company_id": str(self._company_id),
            "user_id": self._user_id,
            "id": self._uuid(),
            "correlation_id": self._uuid(),
            "type": "general",
            "version": "2.0",
            "timestamp": self._timestamp(),
            "change_source": event.source,
            "is_bulk_edit": False,
            "host": self._host,
            "permitted_user_ids": [self._user_id],
            **event.merged,
        }

    def _send(self, webhook: Webhook, body: Mapping[str, Any]) -> None:
        own = {"webhook_id": str(webhook.id), "webhook_owner_id": self._user_id}

        def compose(attempt: int) -> Content:
            meta = {**body["meta"], **own, "attempt": attempt + 1}
            return orjson.dumps({**body, "meta": meta}), webhook.headers()

        def heard(attempt: int, status: int | None) -> None:
            self._note(webhook, attempt, status)

        self.deliveries.send_composed(webhook.url, compose, heard)

    def _note(self, webhook: Webhook, attempt: int, status: int | None) -> None:
        now = self._clock.time()
        webhook.last_time, webhook.last_status = int(now), status
        if status in range(200, 300):
            webhook.failing_since = None
            return
        webhook.failing_since = now if webhook.failing_since is None else webhook.failing_since
        if now - webhook.failing_since >= DAYS_OF_FAILURE_SECONDS:
            self.all.pop(webhook.id, None)
        if attempt == 0:
            webhook.failures += 1
        if webhook.failures >= FAILURES_BEFORE_BAN:
            webhook.failures, webhook.banned_until = 0, now + BAN_SECONDS

    def _timestamp(self) -> str:
        milliseconds = self._clock.milliseconds()
        return f"{rfc3339(milliseconds // 1000)[:-1]}.{milliseconds % 1000:03d}Z"

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
