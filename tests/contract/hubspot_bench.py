"""The simulated HubSpot, over real HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Fields, FieldSchema, FieldType, Timing
from tests.contract.bench import KEY, NO_TYPES, NOTHING_ELSE, Lost, Oddity, Refusal
from tests.sandboxes import WatchedControl

RECORDS = "/crm/*objects/*"
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
REFUSALS: Mapping[Refusal, Mapping[str, Any]] = {
    Refusal.RATE_LIMITED: {"status": 429},
    Refusal.RATE_LIMITED_FOR_7_SECONDS: {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "json": {"status": "error", "message": "Too many", "errorType": "RATE_LIMIT"},
    },
    Refusal.TOKEN_EXPIRED: {"status": 401},
    Refusal.SCOPE_MISSING: {
        "status": 403,
        "json": {
            "status": "error",
            "category": "MISSING_SCOPES",
            "message": "This app hasn't been granted all required scopes",
            "errors": [{"message": "x", "context": {"requiredScopes": ["widgets.write"]}}],
        },
    },
}


class HubSpotBench:
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

    def __init__(self, control: WatchedControl) -> None:
        self.control = control
        control.reset()
        control.advance(20)
        field = FieldSchema(KEY, KEY, FieldType.TEXT, unique=True)
        self.connector().create_field("contacts", field)
        control.clear_ledger()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        connection = Connection(
            "crm",
            "hubspot",
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
        self.connector().create_field(self.object_type, field)
        return field.name

    def calls(self) -> int:
        """See Bench."""
        return self.control.calls(path=RECORDS)

    def held(self) -> Sequence[Mapping[str, Any]]:
        """See Bench."""
        records = self.control.records("contacts")
        return [record["properties"] for record in records if not record["archived_at"]]

    def refused_fields(self) -> tuple[Fields, str]:
        """See Bench."""
        return {"lifecyclestage": "wizard"}, "lifecyclestage"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.control.fault(path=RECORDS, **LOST[how])

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.control.fault("answer", path=RECORDS, **REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """See Bench."""
        if how is Oddity.REORDERED_UNNAMED:
            self.control.settings(trace_ids_in_results=False, shuffle_results=True)
        elif how is Oddity.EMPTY:
            self.control.settings(empty_success_probability=1.0)
        elif how is Oddity.ONE_MISSING:
            result = {"id": "1", "new": True, "objectWriteTraceId": "0", "properties": {}}
            body = {"status": "COMPLETE", "results": [result]}
            self.control.fault("answer", path=RECORDS, when="after", status=200, json=body)

    def recover(self) -> None:
        """See Bench."""
        self.control.clear_faults()
        self.control.settings(
            trace_ids_in_results=True, shuffle_results=True, empty_success_probability=0.0
        )

    def settle(self) -> None:
        """See Bench."""
        self.control.advance(20)

    def problems(self) -> Sequence[str]:
        """See Bench."""
        return self.control.problems()
