"""The simulated Pipedrive, over real HTTP. Its search knows nothing for a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Fields, FieldSchema, FieldType, Timing
from tests.contract.bench import KEY, Lost, Oddity, Refusal
from tests.contract.hubspot_bench import LOST
from tests.sandboxes import WatchedControl

RECORDS = "/api/v2/persons*"
REFUSALS: Mapping[Refusal, Mapping[str, Any]] = {
    Refusal.RATE_LIMITED: {"status": 429},
    Refusal.RATE_LIMITED_FOR_7_SECONDS: {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "json": {"success": False, "error": "Rate limit exceeded", "errorCode": 429},
    },
    Refusal.TOKEN_EXPIRED: {"status": 401},
    Refusal.SCOPE_MISSING: {"status": 403},
}
ODDITIES: Mapping[Oddity, Mapping[str, Any]] = {
    Oddity.EMPTY: {"success": True, "data": None},
    Oddity.ONE_MISSING: {"success": True, "data": {}},
}
NAMED: Fields = {"name": "Somebody"}


class PipedriveBench:
    """See Bench."""

    object_type = "persons"
    key = KEY
    email = "email"
    first_name = "firstname"
    needed = NAMED
    secret = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)
    unknown_field_code = "UNKNOWN_FIELD"
    gone_code = "ERR_NOT_FOUND"
    absent_types = frozenset({FieldType.BOOLEAN, FieldType.DATETIME})
    permission = "contacts:full"

    def __init__(self, control: WatchedControl) -> None:
        self.control = control
        control.reset()
        self.make_field(FieldSchema(KEY, KEY, FieldType.TEXT, unique=True))
        self.make_field(FieldSchema(self.first_name, "First", FieldType.TEXT))
        self.hashes = {one["field_code"]: one["field_name"] for one in self._fields()}
        control.clear_ledger()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        connection = Connection(
            "crm",
            "pipedrive",
            {"token": self.secret},
            base_url=self.control.url,
            timing=Timing(request_deadline_seconds=deadline_seconds),
            limits={"calls_per_2s": 100_000, "daily_tokens": 10_000_000},
            remedy="Connect anew.",
        )
        return open_connector(
            connection, lambda _connection, limits: MemoryThrottle(limits), MemoryTokens()
        )

    def make_field(self, field: FieldSchema) -> str:
        """See Bench."""
        self.connector().create_field(self.object_type, field)
        return field.name

    def calls(self) -> int:
        """See Bench."""
        return self.control.calls(path=RECORDS)

    def held(self) -> Sequence[Mapping[str, Any]]:
        """See Bench."""
        records = self.control.records(self.object_type)
        return [self._named(r["properties"]) for r in records if not r["archived_at"]]

    def refused_fields(self) -> tuple[Fields, str]:
        """See Bench."""
        return {"org_id": "4711"}, "org_id"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.control.fault(path=RECORDS, **LOST[how])

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.control.fault("answer", path=RECORDS, **REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """See Bench. One record to a call: there is nothing to put in another order."""
        if how in ODDITIES:
            self.control.fault(
                "answer",
                path=RECORDS,
                method="POST",
                when="after",
                status=200,
                json=ODDITIES[how],
                times=1,
            )

    def recover(self) -> None:
        """See Bench."""
        self.control.clear_faults()

    def settle(self) -> None:
        """Let time pass in which nothing is changed."""
        self.control.advance(20)

    def problems(self) -> Sequence[str]:
        """See Bench."""
        return self.control.problems()

    def _fields(self) -> Sequence[Mapping[str, Any]]:
        fields: Sequence[Mapping[str, Any]] = self.control.act("fields", object_type="persons")
        return fields

    def _named(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        custom = properties["custom_fields"].items()
        named = {self.hashes.get(code, code): value for code, value in custom}
        return {**properties, **named}
