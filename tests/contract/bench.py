"""What the contract suite needs of a connector's CRM: to look into it and to make it misbehave.

A connector joins the suite by a `Bench` in `conftest.py`; everything else comes from the registry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from crmsync.connectors.base import Connector
from crmsync.model import Fields, FieldSchema, FieldType

KEY = "crmsync_id"
"""The unique field of ours that each bench has made; some CRMs spell it their own way."""
NOTHING_ELSE: Fields = {}
"""What a new record must have besides, where that is nothing."""
NO_TYPES: frozenset[FieldType] = frozenset()
"""What types of custom fields a CRM lacks, where it lacks none."""


class Lost(StrEnum):
    """Ways in which an answer is lost after the CRM got the request."""

    DROPPED_BEFORE = "closed before it was carried out"
    DROPPED_AFTER = "closed after it was carried out"
    RESET_AFTER = "reset after it was carried out"
    TRUNCATED = "body cut short"
    HTML = "HTML under a success"
    EMPTY_BODY = "nothing under a success"
    GATEWAY = "502 with HTML after it was carried out"
    TIMEOUT = "524 after it was carried out"
    SILENT = "no answer before the deadline"
    DRIPPING = "one byte at a time, past the deadline"


class Refusal(StrEnum):
    """Ways in which a whole call is refused, surely without being carried out."""

    RATE_LIMITED = "429 without a header"
    RATE_LIMITED_FOR_7_SECONDS = "429 with Retry-After: 7"
    TOKEN_EXPIRED = "the token is not accepted"  # noqa: S105 (no password)
    SCOPE_MISSING = "a scope named widgets.write is missing"


class Oddity(StrEnum):
    """Answers that are true and still surprising."""

    REORDERED = "results in another order"
    REORDERED_UNNAMED = "the same without what names their inputs"
    ONE_MISSING = "one result less than inputs"
    EMPTY = "a success that mentions nobody"


class Bench(Protocol):
    """One CRM under test, empty at the start of each test but for the field `key`."""

    object_type: str
    key: str
    """The unique field of ours, made by the bench."""
    email: str
    """The CRM's name for the field of that meaning; unique where the CRM says so itself."""
    first_name: str
    needed: Fields
    """What a new record must have besides."""
    secret: str
    """What the connector proves itself with."""
    unknown_field_code: str
    """What a field that the CRM lacks is refused with."""
    gone_code: str
    """What the update of a record that is gone is refused with."""
    absent_types: frozenset[FieldType]
    """Types that a custom field of this CRM cannot have."""
    permission: str
    """What the hint names where a permission is missing."""

    def connector(self, *, deadline_seconds: float = 10.0) -> Connector:
        """Return a connector to the CRM; 0.5 s for what must pass its deadline."""
        ...

    def make_field(self, field: FieldSchema) -> str:
        """Make a custom field, however that is done with this CRM; return its name."""
        ...

    def calls(self) -> int:
        """Return how many requests the CRM has received, metadata apart."""
        ...

    def held(self) -> Sequence[Mapping[str, Any]]:
        """Return the fields of the live records, as text, in no order."""
        ...

    def refused_fields(self) -> tuple[Fields, str]:
        """Return fields that the CRM refuses for one record, and which of them it blames."""
        ...

    def lose(self, how: Lost) -> None:
        """Lose the answer to every request from now on."""
        ...

    def refuse(self, how: Refusal) -> None:
        """Refuse every request from now on."""
        ...

    def surprise(self, how: Oddity) -> None:
        """Answer the next batch write oddly."""
        ...

    def recover(self) -> None:
        """Behave again."""
        ...

    def settle(self) -> None:
        """Let the CRM's own delays pass, such as that of its search index."""
        ...

    def problems(self) -> Sequence[str]:
        """Return what was wrong on the wire, by the vendor's own description."""
        ...
