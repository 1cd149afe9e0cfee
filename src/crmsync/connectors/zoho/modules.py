"""The modules of an account: what fields each has, remembered for a while, and making a field."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.zoho.api import Api
from crmsync.connectors.zoho.codes import DONE, TAKEN
from crmsync.connectors.zoho.errors import complaint_of
from crmsync.connectors.zoho.fields import (
    Field,
    Module,
    description_of,
    field_of,
    required_by_layouts,
)
from crmsync.errors import BatchRejected, ConfigError, Unavailable
from crmsync.model import FieldSchema, ObjectSchema

REMEMBERED_SECONDS = 3_600.0
"""How long a module's fields are remembered: they cost a credit each time."""
DOUBTED_SECONDS = 300.0
"""The same where a field or a choice is asked for that was not there: it may have been made."""
SETTINGS = "ZohoCRM.settings.ALL"
FIELDS, LAYOUTS = "/crm/v8/settings/fields", "/crm/v8/settings/layouts"


class Modules:
    """What the account's modules look like. Safe to use from many threads."""

    def __init__(self, api: Api) -> None:
        """Know nothing yet."""
        self._api = api
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Module]] = {}

    def get(self, name: str, within_seconds: float = REMEMBERED_SECONDS) -> Module:
        """Return a module as it was at most so long ago; at most one thread asks Zoho.

        Raises ConfigError where the account has no such module.
        """
        with self._lock:
            read_at, module = self._known.get(name, (None, None))
            if module is None or read_at is None or time.monotonic() - read_at > within_seconds:
                module = Module(name, self._fields(name))
                self._known[name] = time.monotonic(), module
            return module

    def having(self, name: str, fields: Sequence[str]) -> Module:
        """Return a module that has these fields; ConfigError names the one that it does not have.

        A field that is gone must not be taken for one that is empty.
        """
        module = self.get(name)
        if not module.fields.keys() >= set(fields):
            module = self.get(name, DOUBTED_SECONDS)
        for field in fields:
            if field not in module.fields:
                raise no_such_field(name, field)
        return module

    def describe(self, name: str) -> ObjectSchema:
        """Return a module's live fields; ConfigError where the account has no such module.

        What the layouts demand is read as well: a lead needs a company by Zoho's own layout, of
        which the fields themselves say nothing.
        """
        schema = self.fields_of(name)
        layouts = self._read(LAYOUTS, name)
        try:
            demanded = required_by_layouts(layouts.get("layouts") or [])
        except UNREADABLE:
            raise _unreadable(LAYOUTS) from None
        return ObjectSchema(
            name,
            {
                api_name: replace(field, required=field.required or api_name in demanded)
                for api_name, field in schema.fields.items()
            },
        )

    def fields_of(self, name: str) -> ObjectSchema:
        """Return a module's live fields as they alone describe it: enough for what is read only."""
        fields = self.get(name, within_seconds=0.0).fields
        return ObjectSchema(name, {api_name: field.schema for api_name, field in fields.items()})

    def make(self, name: str, field: FieldSchema) -> None:
        """Make a custom field in every layout; one of the name stays as it is. ConfigError."""
        if field.name in self.get(name, within_seconds=0.0).fields:
            return
        described = description_of(field)
        if described is None:
            raise ConfigError(f"make the field '{field.name}' of '{name}' in Zoho by hand")
        try:
            _, entries = self._api.write(
                "POST",
                FIELDS,
                "fields",
                json={"fields": [described]},
                params={"module": name},
                needs=SETTINGS,
                records=1,
            )
        except BatchRejected as refusal:
            raise ConfigError(
                f"Zoho does not make the field '{field.name}': {refusal.user_message}"
            ) from refusal
        refused = next((entry for entry in entries if entry.get("code") != DONE), None)
        complaint = complaint_of(refused) if refused else None
        if complaint is not None and complaint.code != TAKEN:
            raise ConfigError(
                f"Zoho does not make the field '{field.name}': {complaint.code}"
                f" {complaint.message} ({complaint.field or 'no reason'})"
            )
        _demand_as_wished(self.get(name, within_seconds=0.0), field)

    def _fields(self, name: str) -> Mapping[str, Field]:
        payload = self._read(FIELDS, name)
        try:
            fields = [field_of(described, name) for described in payload["fields"]]
        except UNREADABLE:
            raise _unreadable(FIELDS) from None
        if not fields:
            raise _unreadable(FIELDS)
        return {field.schema.name: field for field in fields}

    def _read(self, path: str, name: str) -> Mapping[str, Any]:
        try:
            return self._api.read(path, params={"module": name}, needs=SETTINGS) or {}
        except BatchRejected as refusal:
            raise ConfigError(
                f"Zoho has no module '{name}' that can be synced ({refusal.code}): use Contacts,"
                " Leads, Accounts, Deals, or the API name of another"
            ) from refusal


def _demand_as_wished(module: Module, field: FieldSchema) -> None:
    """Raise ConfigError unless the field is there as it was asked for: Zoho chooses its name."""
    made = module.fields.get(field.name)
    if made is None:
        raise ConfigError(
            f"Zoho made '{field.name}' of '{module.name}' under another API name, or in no layout:"
            " see Setup > Developer Hub > APIs and SDKs > API Names"
        )
    if field.unique and not made.schema.unique:
        raise ConfigError(
            f"Zoho made '{field.name}' of '{module.name}', but not unique: tick \"Do not allow"
            ' duplicate values" in its properties'
        )


def no_such_field(module: str, field: str) -> ConfigError:
    """Return the error for a field that cannot be read back."""
    return ConfigError(
        f"Zoho's {module} have no field '{field}' to read: it was deleted or renamed, or is of a"
        " kind that Zoho does not show. Correct the mapping"
    )


def _unreadable(path: str) -> Exception:
    return Unavailable(f"GET {path}: the answer has another shape than documented")
