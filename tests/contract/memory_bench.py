"""The in-memory CRM, made to misbehave by raising what a transport would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConnectionHalted, CrmsyncError, OutcomeUnknown, RateLimited
from crmsync.model import Fields, FieldSchema, FieldType
from tests.contract.bench import KEY, NO_TYPES, NOTHING_ELSE, Lost, Oddity, Refusal

APPLIED = {Lost.DROPPED_AFTER, Lost.RESET_AFTER, Lost.GATEWAY, Lost.TIMEOUT, Lost.SILENT}
REFUSALS: Mapping[Refusal, CrmsyncError] = {
    Refusal.RATE_LIMITED: RateLimited(),
    Refusal.RATE_LIMITED_FOR_7_SECONDS: RateLimited(retry_after_seconds=7),
    Refusal.TOKEN_EXPIRED: ConnectionHalted(cause="reauth_required", hint="a new token"),
    Refusal.SCOPE_MISSING: ConnectionHalted(cause="missing_scope", hint="widgets.write"),
}


class MemoryBench:
    """See Bench."""

    object_type = "contacts"
    key = KEY
    email = "email"
    first_name = "firstname"
    needed = NOTHING_ELSE
    secret = "pat-na1-contract"  # noqa: S105 (of a simulated account)
    unknown_field_code = "PROPERTY_DOESNT_EXIST"
    gone_code = "OBJECT_NOT_FOUND"
    absent_types = NO_TYPES
    permission = "widgets.write"

    def __init__(self) -> None:
        MemoryCrm.forget("crm")
        self.crm = MemoryCrm.named("crm")
        connector = self.connector()
        connector.create_field("contacts", FieldSchema("firstname", "First", FieldType.TEXT))
        connector.create_field("contacts", FieldSchema(KEY, KEY, FieldType.TEXT, unique=True))
        self.crm.calls.clear()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        return open_connector(
            Connection("crm", "memory", {}),
            lambda _connection, limits: MemoryThrottle(limits),
            MemoryTokens(),
        )

    def make_field(self, field: FieldSchema) -> str:
        """See Bench."""
        self.connector().create_field(self.object_type, field)
        return field.name

    def calls(self) -> int:
        """See Bench."""
        return sum(self.crm.calls[name] for name in ("write", "read", "changes"))

    def held(self) -> Sequence[Mapping[str, Any]]:
        """See Bench."""
        return [record.fields for record in self.crm.records.get("contacts", {}).values()]

    def refused_fields(self) -> tuple[Fields, str]:
        """See Bench."""
        return {"shoe_size": "44"}, "shoe_size"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.crm.fail_next(OutcomeUnknown(str(how)), carried_out=how in APPLIED)

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.crm.fail_next(REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """Nothing here is ever out of order: results are made one by one."""

    def recover(self) -> None:
        """See Bench."""
        self.crm.failures.clear()

    def settle(self) -> None:
        """See Bench."""

    def problems(self) -> Sequence[str]:
        """Nobody describes what never travels."""
        return []
