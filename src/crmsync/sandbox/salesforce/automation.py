"""What an org does to a write by itself: values it computes, triggers and validation rules.

Triggers and validation rules are an administrator's, added over the control API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.salesforce.default_fields import STAGES
from crmsync.sandbox.salesforce.errors import Refusal

Values = Mapping[str, Any]
_PROBABILITIES = {label: probability for label, probability, _ in STAGES}
_FORECASTS = {label: forecast for label, _, forecast in STAGES}
_WON, _LOST = "Closed Won", "Closed Lost"


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

    def __init__(self) -> None:
        """Start with none."""
        self.triggers: dict[str, dict[str, Any]] = {}
        """Per object type, values that are set whenever a record is written."""
        self.rules: dict[str, list[ValidationRule]] = {}

    def run(self, object_type: str, changes: dict[str, Any], held: Values, moment: str) -> None:
        """Add to checked changes what follows from them; raise where a rule is broken."""
        changes.update(self.triggers.get(object_type, {}))
        derive = _DERIVE.get(object_type)
        if derive is not None:
            derive(changes, held, moment)
        rules = self.rules.get(object_type)
        if rules:
            values = {**held, **changes}
            for rule in rules:
                rule.check(values)


def _name(changes: dict[str, Any], held: Values, _moment: str) -> None:
    if "LastName" in changes or "FirstName" in changes:
        first = changes["FirstName"] if "FirstName" in changes else held.get("FirstName")
        last = changes["LastName"] if "LastName" in changes else held.get("LastName")
        changes["Name"] = f"{first} {last}" if first else last


def _stage(changes: dict[str, Any], held: Values, moment: str) -> None:
    stage = changes.get("StageName")
    if stage is None or stage == held.get("StageName"):
        return
    changes.setdefault("Probability", _PROBABILITIES.get(stage))
    changes["ForecastCategoryName"] = _FORECASTS.get(stage)
    changes["IsWon"] = stage == _WON
    changes["IsClosed"] = stage in (_WON, _LOST)
    changes["LastStageChangeDate"] = moment


_DERIVE: dict[str, Callable[[dict[str, Any], Values, str], None]] = {
    "Contact": _name,
    "Lead": _name,
    "Opportunity": _stage,
    "User": _name,
}
