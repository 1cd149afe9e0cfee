"""An object type as one user sees it: its fields, how values are taken, and its describe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from crmsync.sandbox.salesforce.default_fields import CHILDREN, Kind
from crmsync.sandbox.salesforce.errors import Refusal
from crmsync.sandbox.salesforce.fields import Field
from crmsync.sandbox.salesforce.values import Check, check_for

Json = dict[str, Any]


class ObjectType:
    """One object type: standard fields, and custom ones that come and change."""

    def __init__(self, kind: Kind) -> None:
        """Start with the standard fields, all of them visible."""
        self.kind = kind
        self.name = kind.name
        self.fields: dict[str, Field] = {}
        """Every field by its name, hidden ones included."""
        self.changed_at = 0
        """When its describe last changed, in seconds since 1970."""
        self._hidden: frozenset[str] = frozenset()
        self._read_only: frozenset[str] = frozenset()
        self.fields.update((field.name, field) for field in kind.fields)
        self._compile()

    def put(self, field: Field, now: int) -> None:
        """Add a field, or give one another definition."""
        self.fields[field.name] = field
        self.changed_at = now
        self._compile()

    def remove(self, name: str, now: int) -> None:
        """Remove a field."""
        del self.fields[name]
        self.changed_at = now
        self._compile()

    def permit(self, hidden: Collection[str], read_only: Collection[str], now: int) -> None:
        """Say which fields the user may not see, and which they may only see."""
        permissions = frozenset(hidden), frozenset(read_only)
        if permissions != (self._hidden, self._read_only):
            self._hidden, self._read_only = permissions
            self.changed_at = now
            self._compile()

    def find(self, name: str) -> Field | None:
        """Return a field the user may see, by its name in any case."""
        return self._seen.get(name) or self._seen.get(name.lower())

    def find_relationship(self, name: str) -> Field | None:
        """Return the reference field behind a relationship's name."""
        return self._relationships.get(name.lower())

    def describe(self, version: str) -> Json:
        """Return what `describe` answers."""
        seen = [self.visible(field) for field in self.fields.values() if self._sees(field)]
        return {
            **self.summary(version),
            "childRelationships": [
                {
                    "cascadeDelete": True,
                    "childSObject": child.object_type,
                    "deprecatedAndHidden": False,
                    "field": child.reference,
                    "relationshipName": child.relationship,
                }
                for child in CHILDREN.get(self.name, ())
            ],
            "fields": [field.describe() for field in seen],
            "recordTypeInfos": [
                {
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "developerName": "Master",
                    "master": True,
                    "name": "Master",
                    "recordTypeId": "012000000000000AAA",
                    "urls": {},
                }
            ],
        }

    def summary(self, version: str) -> Json:
        """Return what the list of objects says about this one."""
        base = f"/services/data/v{version}/sobjects/{self.name}"
        writable = self.kind.writable
        return {
            "createable": writable,
            "custom": False,
            "deletable": writable,
            "keyPrefix": self.kind.prefix,
            "label": self.name,
            "labelPlural": self.kind.plural,
            "name": self.name,
            "queryable": True,
            "searchable": True,
            "updateable": writable,
            "urls": {
                "sobject": base,
                "describe": f"{base}/describe",
                "rowTemplate": f"{base}/{{ID}}",
            },
        }

    def visible(self, field: Field) -> Field:
        """Return a field with what the user may do to it."""
        if field.name in self._read_only:
            return replace(field, createable=False, updateable=False)
        return field

    def _sees(self, field: Field) -> bool:
        return field.name not in self._hidden

    def _compile(self) -> None:
        fields = list(self.fields.values())
        seen = [self.visible(field) for field in fields if self._sees(field)]
        self._seen = {field.name.lower(): field for field in seen}
        self._seen.update((field.name, field) for field in seen)
        self._relationships = {f.relationship.lower(): f for f in seen if f.relationship}
        self.checks: dict[str, Check] = {field.name: check_for(field) for field in fields}
        self.required = tuple(field.name for field in fields if field.required)
        self.defaults = {f.name: f.default for f in fields if f.default is not None}
        self.indexed = tuple(field for field in fields if field.indexed)
        self.unique = tuple(field for field in fields if field.unique)
        self.references = {f.name: f for f in fields if f.type == "reference" and f.createable}
        self.locking = tuple(f.name for f in self.references.values() if "User" not in f.refers_to)
        """Fields that name records a write locks besides its own."""


def refuse_writes(object_type: ObjectType, verb: str) -> None:
    """Refuse what the API does to no record of the type."""
    if not object_type.kind.writable:
        text = f"entity type cannot be {verb}: {object_type.name}"
        raise Refusal("INVALID_TYPE_FOR_OPERATION", text)
