"""The simulated Tidewater, over real HTTP: the fifth CRM, whose connector is another package's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Connector
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Fields, FieldSchema, FieldType, Timing
from tests.contract.bench import KEY, NO_TYPES, NOTHING_ELSE, Lost, Oddity, Refusal
from tests.contract.hubspot_bench import LOST
from tests.sandboxes import WatchedControl

RECORDS = "/v1/contacts*"
REFUSALS: Mapping[Refusal, Mapping[str, Any]] = {
    Refusal.RATE_LIMITED: {"status": 429},
    Refusal.RATE_LIMITED_FOR_7_SECONDS: {
        "status": 429,
        "headers": {"Retry-After": "7"},
        "json": {"code": "TOO_FAST", "words": "Slow down."},
    },
    Refusal.TOKEN_EXPIRED: {"status": 401},
    Refusal.SCOPE_MISSING: {
        "status": 403,
        "json": {"code": "NOT_ALLOWED", "words": "Not you.", "need": ["widgets.write"]},
    },
}
ODDITIES: Mapping[Oddity, Mapping[str, Any]] = {
    Oddity.EMPTY: {"when": "before", "json": {"rows": []}},
    Oddity.ONE_MISSING: {
        "when": "after",
        "json": {"rows": [{"ref": "0", "id": "C1", "state": "created"}]},
    },
}


class TidewaterBench:
    """See Bench."""

    object_type = "contacts"
    key = KEY
    email = "email"
    first_name = "firstname"
    needed = NOTHING_ELSE
    secret = "tw-contract"  # noqa: S105 (of a simulated account)
    unknown_field_code = "NO_SUCH_FIELD"
    gone_code = "NO_SUCH_RECORD"
    absent_types = NO_TYPES
    permission = "widgets.write"

    def __init__(self, control: WatchedControl) -> None:
        self.control = control
        control.reset()
        self.make_field(FieldSchema(KEY, KEY, FieldType.TEXT, unique=True))
        control.clear_ledger()

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """See Bench."""
        connection = Connection(
            "crm",
            "tidewater",
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
        return {"stage": "wizard"}, "stage"

    def lose(self, how: Lost) -> None:
        """See Bench."""
        self.control.fault(path=RECORDS, **LOST[how])

    def refuse(self, how: Refusal) -> None:
        """See Bench."""
        self.control.fault("answer", path=RECORDS, **REFUSALS[how])

    def surprise(self, how: Oddity) -> None:
        """See Bench. Rows come in another order always, and never without what names them."""
        if how in ODDITIES:
            self.control.fault("answer", path=RECORDS, status=200, **ODDITIES[how])

    def recover(self) -> None:
        """See Bench."""
        self.control.clear_faults()

    def settle(self) -> None:
        """See Bench: what was written is there."""

    def problems(self) -> Sequence[str]:
        """See Bench."""
        return self.control.problems()
