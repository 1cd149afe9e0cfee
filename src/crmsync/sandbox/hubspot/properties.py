"""Property definitions of one object type, and the checks that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crmsync.sandbox.hubspot import errors, values
from crmsync.sandbox.hubspot.wire import iso

MAX_UNIQUE = 10
OWNER = "OWNER"
"""What a property refers to whose values are ids of owners: HubSpot's own, and those of one's own
making, which take what it takes."""
OWNER_PROPERTY = "hubspot_owner_id"
_MULTI_FIELD_TYPES = ("checkbox",)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of an enumeration."""

    value: str
    label: str
    hidden: bool = False
    display_order: int = -1
    description: str = ""

    def report(self) -> dict[str, Any]:
        """Return it as the API does."""
        return {
            "label": self.label,
            "value": self.value,
            "description": self.description,
            "displayOrder": self.display_order,
            "hidden": self.hidden,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property, as the portal's settings describe it."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    group: str
    options: tuple[Option, ...] = ()
    description: str = ""
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    defined_by_hubspot: bool = False
    external_options: bool = False
    referenced_type: str | None = None
    display_order: int = -1
    hidden: bool = False
    form_field: bool = False
    created: int = 0
    updated: int = 0
    archived: int | None = None
    """When, in milliseconds since 1970."""

    @property
    def multiple(self) -> bool:
        """Whether it holds several options at once."""
        return self.type == "enumeration" and self.field_type in _MULTI_FIELD_TYPES

    def report(self) -> dict[str, Any]:
        """Return it as the API does."""
        report: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": self.description,
            "options": [option.report() for option in self.options],
            "displayOrder": self.display_order,
            "hasUniqueValue": self.unique and not self.defined_by_hubspot,
            "hidden": self.hidden,
            "formField": self.form_field,
            "calculated": self.calculated,
            "externalOptions": self.external_options,
            "hubspotDefined": self.defined_by_hubspot,
            "archived": self.archived is not None,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "modificationMetadata": {
                "archivable": not self.defined_by_hubspot,
                "readOnlyDefinition": self.defined_by_hubspot,
                "readOnlyOptions": self.defined_by_hubspot and self.name != "hs_lead_status",
                "readOnlyValue": self.read_only,
            },
        }
        if self.referenced_type:
            report["referencedObjectType"] = self.referenced_type
        if self.archived is not None:
            report["archivedAt"] = iso(self.archived)
        return report


class Properties:
    """The properties and property groups of one object type."""

    def __init__(
        self,
        defaults: Iterable[Property],
        groups: Mapping[str, str],
        external: Mapping[str, values.Check],
    ) -> None:
        """Start with what every portal has; `external` checks what other parts of it list."""
        self._external = external
        defaults = list(defaults)
        self._unique_by_itself = sum(definition.unique for definition in defaults)
        self.groups = dict(groups)
        """Label by name."""
        self._all = {definition.name: definition for definition in defaults}
        self.checks: dict[str, values.Check] = {}
        """How to check each property that may be named in a write."""
        self.unique: tuple[str, ...] = ()
        """Properties that hold no value twice: custom ones, and the contact's email."""
        self.unique_names: frozenset[str] = frozenset()
        """All whose values have to be compared with other records'."""
        self.multiple: frozenset[str] = frozenset()
        self.read_only: frozenset[str] = frozenset()
        self._compile()

    def live(self) -> list[Property]:
        """Return the definitions that are not archived."""
        return [definition for definition in self._all.values() if definition.archived is None]

    def archived(self) -> list[Property]:
        """Return the definitions that are."""
        return [definition for definition in self._all.values() if definition.archived is not None]

    def find(self, name: str) -> Property | None:
        """Return a live definition."""
        definition = self._all.get(name)
        return definition if definition is not None and definition.archived is None else None

    def get(self, name: str) -> Property:
        """Return a live definition; 404 where there is none."""
        definition = self.find(name)
        if definition is None:
            text = f'Property "{name}" does not exist'
            raise errors.ApiError(
                404, text, errors.NOT_FOUND, subCategory="PropertyError.PROPERTY_DOESNT_EXIST"
            )
        return definition

    def add(self, definition: Property) -> Property:
        """Add a custom property; 409 where the name is taken, 400 where the limit is reached."""
        if self.find(definition.name) is not None:
            text = f"A property named '{definition.name}' already exists."
            raise errors.ApiError(409, text, "OBJECT_ALREADY_EXISTS")
        if definition.group not in self.groups:
            raise errors.invalid(f"The property group '{definition.group}' does not exist.")
        if definition.unique and len(self.unique) - self._unique_by_itself >= MAX_UNIQUE:
            raise errors.invalid(f"There can be at most {MAX_UNIQUE} unique properties.")
        return self.put(definition)

    def put(self, definition: Property) -> Property:
        """Add or replace a definition."""
        self._all[definition.name] = definition
        self._compile()
        return definition

    def archive(self, name: str, now: int) -> None:
        """Archive a custom property; its values can no longer be written."""
        definition = self.get(name)
        if definition.defined_by_hubspot:
            raise errors.invalid(f"The property '{name}' cannot be archived.")
        self.put(replace(definition, archived=now))

    def _compile(self) -> None:
        live = self.live()
        self.checks = {definition.name: self._check_for(definition) for definition in live}
        self.unique = tuple(definition.name for definition in live if definition.unique)
        self.unique_names = frozenset({*self.unique, "hs_additional_emails"})
        self.multiple = frozenset(definition.name for definition in live if definition.multiple)
        self.read_only = frozenset(definition.name for definition in live if definition.read_only)

    def _check_for(self, definition: Property) -> values.Check:
        if definition.read_only:
            return values.read_only(definition.name)
        name = OWNER_PROPERTY if definition.referenced_type == OWNER else definition.name
        if name in self._external:
            return self._external[name]
        if definition.type == "enumeration":
            allowed = {option.value for option in definition.options}
            make = values.options if definition.multiple else values.option
            return make(allowed, _listing(definition.options))
        return _CHECKS.get(definition.name) or _CHECKS.get(definition.type) or values.text


def _listing(options: tuple[Option, ...]) -> Callable[[], str]:
    return lambda: ", ".join(f'label: "{o.label}" value: "{o.value}"' for o in options)


_CHECKS: dict[str, values.Check] = {
    "email": values.email,
    "hs_additional_emails": values.emails,
    "number": values.number,
    "bool": values.boolean,
    "date": values.day,
    "datetime": values.moment,
}
"""By name where one has rules of its own, else by type."""
