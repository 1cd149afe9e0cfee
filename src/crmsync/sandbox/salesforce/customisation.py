"""What an org's administrator changes: fields, automation, users and the stages of deals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from crmsync.sandbox.crm import ControlError
from crmsync.sandbox.salesforce.actions import known_field, known_table, write_directly
from crmsync.sandbox.salesforce.automation import ValidationRule
from crmsync.sandbox.salesforce.fields import NUMBERS, Field, FieldType, Option
from crmsync.sandbox.salesforce.locks import Transaction
from crmsync.sandbox.salesforce.org import Org
from crmsync.sandbox.salesforce.records import Record

_DIGITS, _DECIMALS = 18, 2
_TEXT_LENGTH = 255


class Customisation:
    """The customisation of one org, action by action."""

    def __init__(self, org: Callable[[], Org]) -> None:
        """Act on whichever org there is at the time."""
        self._org = org

    def by_name(self) -> Mapping[str, Callable[..., Any]]:
        """Return every action."""
        return {
            "add_field": self._add_field,
            "change_field": self._change_field,
            "remove_field": self._remove_field,
            "add_trigger": self._add_trigger,
            "add_validation_rule": self._add_validation_rule,
            "add_user": self._add_user,
            "deactivate_user": self._deactivate_user,
            "add_queue": self._add_queue,
            "add_stage": self._add_stage,
            "rename_stage": self._rename_stage,
            "deactivate_stage": self._deactivate_stage,
        }

    def _add_field(self, object_type: str, name: str, **details: Any) -> None:  # noqa: ANN401
        """Add a custom field; `details` are those of `fields.Field`, `options` a list of texts."""
        table = known_table(self._org(), object_type)
        if not name.endswith("__c"):
            raise ControlError(f"{name}: the name of a custom field ends in __c")
        if name in table.type.fields:
            raise ControlError(f"{name}: {object_type} has this field already")
        described = {"label": name.removesuffix("__c").replace("_", " "), **_read(details)}
        described = _sizes(described.get("type", "string")) | described
        self._org().put_field(table, Field(name=name, custom=True, **described))

    def _change_field(self, object_type: str, name: str, **details: Any) -> None:  # noqa: ANN401
        """Change a field, a standard one too: its length, type, options, uniqueness and so on."""
        table = known_table(self._org(), object_type)
        self._org().put_field(table, replace(known_field(table, name), **_read(details)))

    def _remove_field(self, object_type: str, name: str) -> None:
        """Remove a custom field, so that calls naming it fail."""
        table, org = known_table(self._org(), object_type), self._org()
        if not known_field(table, name).custom:
            raise ControlError(f"{name}: standard fields stay")
        org.remove_field(table, name)

    def _add_trigger(self, object_type: str, field: str, value: Any) -> None:  # noqa: ANN401
        """Set a field to a value whenever a record of the type is written."""
        table = known_table(self._org(), object_type)
        kept = table.type.checks[known_field(table, field).name](value)
        self._org().automation.triggers.setdefault(object_type, {})[field] = kept

    def _add_validation_rule(
        self, object_type: str, field: str, pattern: str, message: str = "Not allowed here."
    ) -> None:
        """Refuse records of which a field's text matches a regular expression."""
        known = known_field(known_table(self._org(), object_type), field)
        try:
            rule = ValidationRule(known.name, re.compile(pattern), message)
        except re.error as error:
            raise ControlError(f"pattern: not a regular expression: {error}") from None
        self._org().automation.rules.setdefault(object_type, []).append(rule)

    def _add_user(self, email: str, last_name: str, first_name: str = "") -> str:
        """Add an active user; return their id."""
        given = {"Email": email, "Username": email, "LastName": last_name,
                 "FirstName": first_name or None, "IsActive": True}  # fmt: skip
        return write_directly(self._org(), known_table(self._org(), "User"), None, given)

    def _deactivate_user(self, id: str) -> None:  # noqa: A002 - the wire's own word
        """Deactivate a user; what they own stays theirs."""
        write_directly(self._org(), known_table(self._org(), "User"), id, {"IsActive": False})

    def _add_queue(self, name: str, email: str | None = None) -> str:
        """Add a queue, which can own leads; return its id."""
        given = {"Name": name, "Type": "Queue", "Email": email}
        return write_directly(self._org(), known_table(self._org(), "Group"), None, given)

    # --- stages -----------------------------------------------------------------------------

    def _add_stage(self, name: str, *, closed: bool = False, won: bool = False) -> str:
        """Add a stage of opportunities; return its id."""
        org, stages = self._org(), known_table(self._org(), "OpportunityStage")
        if org.stage(name) is not None:
            raise ControlError(f"{name}: there is such a stage already")
        values = {"MasterLabel": name, "ApiName": name, "IsActive": True, "IsClosed": closed or won,
                  "IsWon": won, "SortOrder": stages.count() + 1, "DefaultProbability": 50.0,
                  "ForecastCategoryName": "Closed" if won else "Pipeline"}  # fmt: skip
        self._offer(Option(value=name, label=name))
        return stages.insert(values, org.by_person(), Transaction(0.0)).id

    def _rename_stage(self, name: str, new: str) -> None:
        """Rename a stage, in the opportunities too: of these only SystemModstamp moves."""
        org, stage = self._org(), self._stage(name)
        opportunities = known_table(self._org(), "Opportunity")
        changes = {"MasterLabel": new, "ApiName": new}
        known_table(self._org(), "OpportunityStage").put(
            stage, changes, org.by_person(), Transaction(0.0)
        )
        self._offer(Option(value=new, label=new), instead_of=name)
        for record in opportunities.by_id.values():
            if record.values.get("StageName") == name:
                record.values = {**record.values, "StageName": new}
                opportunities.touch(record, org.now())

    def _deactivate_stage(self, name: str) -> None:
        """Take a stage out of use; opportunities that are in it stay there."""
        write_directly(
            self._org(),
            known_table(self._org(), "OpportunityStage"),
            self._stage(name).id,
            {"IsActive": False},
        )
        self._offer(Option(value=name, label=name, active=False), instead_of=name)

    def _stage(self, name: str) -> Record:
        found = self._org().stage(name)
        if found is None:
            raise ControlError(f"no stage {name}")
        return found

    def _offer(self, option: Option, instead_of: str = "") -> None:
        """Let opportunities have another choice of stage."""
        table = known_table(self._org(), "Opportunity")
        field = table.type.fields["StageName"]
        kept = tuple(one for one in field.options if one.value != instead_of)
        self._org().put_field(table, replace(field, options=(*kept, option)))


def _read(details: dict[str, Any]) -> dict[str, Any]:
    read = dict(details)
    if "options" in read:
        read["options"] = tuple(Option(value=text, label=text) for text in read["options"])
    if "refers_to" in read:
        read["refers_to"] = tuple(read["refers_to"])
    return read


def _sizes(kind: FieldType) -> dict[str, Any]:
    """Return what a field of this type is given where nothing is said."""
    if kind in NUMBERS:
        return {"precision": _DIGITS, "scale": 0 if kind == "int" else _DECIMALS}
    if kind == "boolean":
        return {"nillable": False, "default": False}
    return {} if kind in ("date", "datetime") else {"length": _TEXT_LENGTH}
