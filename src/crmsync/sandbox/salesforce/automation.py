"""What an org does to a write by itself: values it computes, triggers and validation rules.

Triggers and validation rules are an administrator's, added over the control API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.records import Record

Values = Mapping[str, Any]
_PEOPLE = ("Contact", "Lead", "User")


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """Refuses records of which a field's text matches a pattern."""

    field: str
    pattern: re.Pattern[str]
    message: str

    def check(self, values: Values) -> None:
        """Raise where the rule is broken."""
        if self.pattern.search(str(values.get(self.field) or "")):
            raise Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", self.message, [self.field])


class Automation:
    """The triggers and validation rules of one org."""

    def __init__(self, stage_of: Callable[[object], Record | None]) -> None:
        """Start with none; `stage_of` finds a stage by the name that opportunities carry."""
        self._stage_of = stage_of
        self.triggers: dict[str, dict[str, Any]] = {}
        """Per object type, values that are set whenever a record is written."""
        self.rules: dict[str, list[ValidationRule]] = {}

    def run(self, object_type: str, changes: dict[str, Any], held: Values, moment: str) -> None:
        """Add to checked changes what follows from them; raise where a rule is broken."""
        changes.update(self.triggers.get(object_type, {}))
        if object_type in _PEOPLE:
            _name(changes, held)
        elif object_type == "Opportunity":
            self._move(changes, held, moment)
        rules = self.rules.get(object_type)
        if rules:
            values = {**held, **changes}
            for rule in rules:
                rule.check(values)

    def _move(self, changes: dict[str, Any], held: Values, moment: str) -> None:
        """Add what follows from another stage."""
        name = changes.get("StageName")
        stage = self._stage_of(name) if name is not None and name != held.get("StageName") else None
        if stage is None:
            return
        changes.setdefault("Probability", stage.values["DefaultProbability"])
        for derived in ("ForecastCategoryName", "IsWon", "IsClosed"):
            changes[derived] = stage.values[derived]
        changes["LastStageChangeDate"] = moment


def _name(changes: dict[str, Any], held: Values) -> None:
    if "LastName" in changes or "FirstName" in changes:
        first = changes["FirstName"] if "FirstName" in changes else held.get("FirstName")
        last = changes["LastName"] if "LastName" in changes else held.get("LastName")
        changes["Name"] = f"{first} {last}" if first else last
