"""The simulated Zoho CRM, over real HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Fields, FieldSchema, FieldType, Timing
from tests.contract.bench import KEY, NO_TYPES, Lost, Oddity, Refusal
from tests.sandboxes import WatchedControl

RECORDS = "/crm/v8/[!so]*"
"""Modules and queries; neither settings nor the organisation."""
LAST_NAME: Fields = {"Last_Name": "Li"}
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


def refusal(code: str, message: str) -> Mapping[str, Any]:
    """Zoho's words for the refusal of a whole call."""
    return {"code": code, "details": {}, "message": message, "status": "error"}


REFUSALS: Mapping[Refusal, Mapping[str, Any]] = {
    Refusal.RATE_LIMITED: {"status": 429},
    Refusal.RATE_LIMITED_FOR_7_SECONDS: {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "json": refusal("TOO_MANY_REQUESTS", "request limit"),
    },
    Refusal.TOKEN_EXPIRED: {"status": 401},
    Refusal.SCOPE_MISSING: {
        "status": 401,
        "json": refusal("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"),
    },
}
ODDITIES: Mapping[Oddity, Sequence[Mapping[str, Any]]] = {
    Oddity.EMPTY: [],
    Oddity.ONE_MISSING: [
        {
            "code": "SUCCESS",
            "action": "insert",
            "duplicate_field": None,
            "details": {"id": "1"},
            "message": "record added",
            "status": "success",
        }
    ],
}
"""Zoho's answers come in the order of the call, so there are none in another."""


class ZohoBench:
    """See Bench."""

    object_type = "Contacts"
    key = KEY
    email = "Work_Email"
    first_name = "First_Name"
    needed = LAST_NAME
    secret = "1000.sandbox-access-token"  # noqa: S105 (of a simulated account)
    unknown_field_code = "UNKNOWN_FIELD"
    gone_code = "INVALID_DATA"
    absent_types = NO_TYPES
    permission = "ZohoCRM.modules.Contacts"

    def __init__(self, control: WatchedControl) -> None:
        self.control = control
        control.reset()
        self.make_field(FieldSchema(KEY, KEY, FieldType.TEXT, unique=True))
        # Zoho's own Email may stand in several records.
        self.make_field(FieldSchema(self.email, "Work", FieldType.EMAIL, unique=True))
        control.clear_ledger()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        connection = Connection(
            "crm",
            "zoho",
            {"token": self.secret},
            base_url=self.control.url,
            timing=Timing(request_deadline_seconds=deadline_seconds),
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
        return [record["properties"] for record in records if not record["archived_at"]]

    def refused_fields(self) -> tuple[Fields, str]:
        """See Bench."""
        return {"Phone": "call me"}, "Phone"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.control.fault(path=RECORDS, **LOST[how])

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.control.fault("answer", path=RECORDS, **REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """See Bench."""
        if how in ODDITIES:
            body = {"data": ODDITIES[how]}
            self.control.fault("answer", path=RECORDS, when="after", status=200, json=body)

    def recover(self) -> None:
        """See Bench."""
        self.control.clear_faults()

    def settle(self) -> None:
        """See Bench."""
        self.control.advance(60)

    def problems(self) -> Sequence[str]:
        """See Bench."""
        return self.control.problems()
