"""Checks of values that name something else the organisation holds, and the choice of a check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from crmsync.sandbox.http import Json
from crmsync.sandbox.zoho import values
from crmsync.sandbox.zoho.fields import Field, Option
from crmsync.sandbox.zoho.sales import Pipelines, Users
from crmsync.sandbox.zoho.settings import ZohoSettings
from crmsync.sandbox.zoho.values import Check, Invalid

_PLAIN: dict[str, Callable[[str, int], Check]] = {
    **dict.fromkeys(("email", "phone", "website"), values.patterned),
    **dict.fromkeys(("integer", "bigint"), values.integer),
    "boolean": lambda _kind, _length: values.boolean,
    "date": lambda _kind, _length: values.day,
}
"""How values of types are checked that depend on nothing else. Others are text."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be found by its name, or made, when the record that names it is written."""

    name: str


class Checks:
    """Makes the check of each field of one organisation."""

    def __init__(
        self,
        settings: ZohoSettings,
        zone: tzinfo,
        users: Users,
        pipelines: Pipelines,
        exists: Callable[[str, str], bool],
    ) -> None:
        """Look ids up among these; `exists` says whether a module has a live record of an id."""
        self.settings = settings
        self.zone = zone
        self._users = users
        self._pipelines = pipelines
        self._exists = exists

    def check_for(self, field: Field) -> Check:
        """Return how values of a field are checked, under the settings in force."""
        kind, length = field.data_type, field.length
        if kind == "ownerlookup":
            return self._owner
        if field.lookup is not None:
            return self._lookup(field)
        if kind in ("picklist", "multiselectpicklist"):
            return self._option(field)
        if kind == "datetime":
            return values.moment(self.zone, zulu=self.settings.zulu_accepted)
        if kind in ("double", "currency", "percent"):
            return values.number(kind, length, field.decimal_place or 0)
        return _PLAIN.get(kind, values.text)(kind, length)

    def options(self, field: Field) -> tuple[Option, ...]:
        """Return the values of a picklist; stages and pipelines stand elsewhere."""
        if field.api_name == "Stage":
            stages = self._pipelines.stages.values()
            return tuple(Option(stage.id, stage.actual, stage.display) for stage in stages)
        if field.api_name == "Pipeline":
            return tuple(Option(p.id, p.name, p.name) for p in self._pipelines.all.values())
        return field.options

    def _option(self, field: Field) -> Check:
        allowed = None
        if self.settings.unknown_picklist_value == "refuse":
            allowed = {option.actual for option in self.options(field) if option.used}
        make = values.option if field.data_type == "picklist" else values.options
        return make(allowed, field.length)

    def _owner(self, value: Json) -> Json:
        user = self._users.all.get(_id_in(value))
        if user is None or user.status != "active":
            raise Invalid
        return user.id

    def _lookup(self, field: Field) -> Check:
        module = field.lookup or ""

        def check(value: Json) -> Json:
            if field.api_name == "Account_Name" and isinstance(value, dict) and "id" not in value:
                return self._account_named(value)
            wanted = _id_in(value)
            if not self._exists(module, wanted):
                raise Invalid
            return wanted

        return check

    def _account_named(self, value: Json) -> Json:
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise Invalid(expected_data_type="jsonobject")
        if self.settings.lookup_by_name == "refuse":
            raise Invalid
        return NewAccount(name)


def _id_in(value: Json) -> str:
    """Return the id of `{"id": "..."}`; nothing else names a record."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str | int):
        raise Invalid(expected_data_type="jsonobject")
    return str(value["id"])
