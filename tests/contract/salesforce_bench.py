"""The simulated Salesforce, over real HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Fields, FieldSchema, FieldType, Timing
from tests.contract.bench import NO_TYPES, Lost, Oddity, Refusal
from tests.sandboxes import WatchedControl

NEEDED: Fields = {"LastName": "Li"}
RECORDS = "/services/data/v59.0/[cq]*"
"""Composites, collections and queries; not the descriptions of objects."""
LOST: Mapping[Lost, Mapping[str, Any]] = {
    Lost.DROPPED_BEFORE: {"kind": "drop", "when": "before", "how": "close"},
    Lost.DROPPED_AFTER: {"kind": "drop", "when": "after", "how": "close"},
    Lost.RESET_AFTER: {"kind": "drop", "when": "after", "how": "reset"},
    Lost.TRUNCATED: {"kind": "truncate", "piece_bytes": 20},
    Lost.HTML: {"kind": "answer", "when": "after", "status": 200, "text": "<html>Hello</html>"},
    Lost.EMPTY_BODY: {"kind": "answer", "when": "after", "status": 200, "text": ""},
    Lost.GATEWAY: {"kind": "answer", "when": "after", "status": 502, "text": "<html>Bad</html>"},
    Lost.TIMEOUT: {"kind": "answer", "when": "after", "status": 524, "text": "<html>Slow</html>"},
    Lost.SILENT: {"kind": "hold", "when": "after"},
    Lost.DRIPPING: {"kind": "drip", "seconds": 0.05},
}


def refusal(code: str, message: str) -> Sequence[Mapping[str, str]]:
    """Salesforce's words for the refusal of a whole call."""
    return [{"message": message, "errorCode": code}]


CONCURRENT = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
REFUSALS: Mapping[Refusal, Mapping[str, Any]] = {
    Refusal.RATE_LIMITED: {"status": 403, "json": refusal("REQUEST_LIMIT_EXCEEDED", CONCURRENT)},
    # Salesforce itself sends no Retry-After; what stands before it may.
    Refusal.RATE_LIMITED_FOR_7_SECONDS: {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "text": "<html>Slow down</html>",
    },
    Refusal.TOKEN_EXPIRED: {
        "status": 401,
        "json": refusal("INVALID_SESSION_ID", "Session expired or invalid"),
    },
    Refusal.SCOPE_MISSING: {
        "status": 403,
        "json": refusal("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Org"),
    },
}
ODDITIES: Mapping[Oddity, Sequence[Mapping[str, Any]]] = {
    Oddity.EMPTY: [],
    Oddity.ONE_MISSING: [
        {"id": "0035e00000AbCdEAAV", "success": True, "errors": [], "created": True}
    ],
}
"""Salesforce promises the order of the call, so there are no answers in another."""
TYPES: Mapping[FieldType, Mapping[str, Any]] = {
    FieldType.TEXT: {"type": "string"},
    FieldType.EMAIL: {"type": "email", "length": 80},
    FieldType.PHONE: {"type": "phone", "length": 40},
    FieldType.NUMBER: {"type": "double", "precision": 28, "scale": 10},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "date"},
    FieldType.DATETIME: {"type": "datetime"},
    FieldType.PICKLIST: {"type": "picklist"},
    FieldType.MULTI_PICKLIST: {"type": "multipicklist"},
    FieldType.REFERENCE: {"type": "string"},
}


class SalesforceBench:
    """See Bench."""

    object_type = "Contact"
    key = "crmsync_id__c"
    email = "Work_Email__c"
    first_name = "FirstName"
    needed = NEEDED
    secret = "00D5e000000000A!sandbox-access-token"  # noqa: S105 (of a simulated org)
    unknown_field_code = "INVALID_FIELD"
    gone_code = "ENTITY_IS_DELETED"
    absent_types = NO_TYPES
    permission = "API Enabled"

    def __init__(self, control: WatchedControl) -> None:
        self.control = control
        control.reset()
        self.make_field(FieldSchema(self.key, "crmsync", FieldType.TEXT, unique=True))
        # Salesforce's own Email may stand in several records.
        self.make_field(FieldSchema(self.email, "Work", FieldType.EMAIL, unique=True))
        control.clear_ledger()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        connection = Connection(
            "crm",
            "salesforce",
            {"token": self.secret},
            base_url=self.control.url,
            timing=Timing(request_deadline_seconds=deadline_seconds),
            remedy="Connect anew.",
        )
        return open_connector(
            connection, lambda _connection, limits: MemoryThrottle(limits), MemoryTokens()
        )

    def make_field(self, field: FieldSchema) -> str:
        """See Bench."""
        name = f"{field.name.removesuffix('__c')}__c"
        details = dict(TYPES[field.type])
        if field.options:
            details |= {"options": [value for value, _label in field.options], "restricted": True}
        self.control.act(
            "add_field",
            object_type=self.object_type,
            name=name,
            label=field.label,
            unique=field.unique,
            external_id=field.unique,
            **details,
        )
        return name

    def calls(self) -> int:
        """See Bench."""
        return self.control.calls(path=RECORDS)

    def held(self) -> Sequence[Mapping[str, Any]]:
        """See Bench."""
        records = self.control.records(self.object_type)
        return [record["properties"] for record in records if not record["archived_at"]]

    def refused_fields(self) -> tuple[Fields, str]:
        """See Bench."""
        return {"LeadSource": "wizard"}, "LeadSource"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.control.fault(path=RECORDS, **LOST[how])

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.control.fault("answer", path=RECORDS, **REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """See Bench."""
        if how in ODDITIES:
            rows = ODDITIES[how]
            self.control.fault("answer", path=RECORDS, when="after", status=200, json=rows)

    def recover(self) -> None:
        """See Bench."""
        self.control.clear_faults()

    def settle(self) -> None:
        """See Bench."""
        self.control.advance(60)

    def problems(self) -> Sequence[str]:
        """See Bench."""
        return self.control.problems()
