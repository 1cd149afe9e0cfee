"""Field definitions of one module, and the checks that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from crmsync.sandbox.zoho import values

CheckFor = Callable[["Field"], values.Check]

TEXT_TYPES = frozenset({"text", "textarea", "email", "phone", "website", "picklist", "autonumber"})
LOOKUP_TYPES = frozenset({"lookup", "ownerlookup", "userlookup"})
UNIQUE_TYPES = frozenset({"text", "email", "phone", "integer", "bigint", "website"})
"""Types whose values can be forbidden to repeat."""


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a picklist."""

    id: str
    actual: str
    display: str
    used: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field, as the organisation's settings describe it."""

    id: str
    api_name: str
    label: str
    data_type: str
    length: int
    decimal_place: int | None = None
    system_mandatory: bool = False
    layout_mandatory: bool = False
    """Required by the layout, which `system_mandatory` does not tell."""
    read_only: bool = False
    custom: bool = False
    unique: bool = False
    case_sensitive: bool = False
    """Of the comparison that makes it unique."""
    options: tuple[Option, ...] = ()
    lookup: str | None = None
    """Module whose records it names."""
    created: int = 0
    """Seconds since 1970; 0 for Zoho's own."""

    @property
    def mandatory(self) -> bool:
        """Whether a record cannot be without it."""
        return self.system_mandatory or self.layout_mandatory


class Fields:
    """The fields of one module, and what follows from them for writing."""

    def __init__(self, defaults: Iterable[Field], match: str, check_for: CheckFor) -> None:
        """Start with what every organisation has; `match` is the system's own duplicate field."""
        self.match = match
        self._check_for = check_for
        self.all = {field.api_name: field for field in defaults}
        self.checks: dict[str, values.Check] = {}
        """How to check each field that can be written."""
        self.mandatory: tuple[str, ...] = ()
        self.unique: tuple[str, ...] = ()
        """Fields that hold no value twice. The system's own duplicate field is not one of them."""
        self.multiple: frozenset[str] = frozenset()
        self.compile()

    def find(self, api_name: str) -> Field | None:
        """Return a field; names are case-sensitive."""
        return self.all.get(api_name)

    def put(self, field: Field) -> Field:
        """Add or replace a field."""
        self.all[field.api_name] = field
        self.compile()
        return field

    def rename(self, api_name: str, new_name: str) -> None:
        """Let a field be known by another api_name from now on, as an admin can."""
        renamed = replace(self.all[api_name], api_name=new_name)
        self.all = {
            renamed.api_name if name == api_name else name: renamed if name == api_name else field
            for name, field in self.all.items()
        }
        self.compile()

    def remove(self, api_name: str) -> None:
        """Delete a field."""
        del self.all[api_name]
        self.compile()

    def compile(self) -> None:
        """Work out what follows from the definitions."""
        every = self.all.values()
        self.checks = {f.api_name: self._check_for(f) for f in every if not f.read_only}
        self.mandatory = tuple(f.api_name for f in every if f.mandatory)
        self.unique = tuple(f.api_name for f in every if f.unique)
        self.multiple = frozenset(f.api_name for f in every if f.data_type == "multiselectpicklist")

    @property
    def matchable(self) -> tuple[str, ...]:
        """Fields by which an upsert can find records, in the order used where none are named."""
        return (self.match, *(name for name in self.unique if name != self.match))

    def key(self, api_name: str, value: object) -> str:
        """Return what a value is compared by."""
        field = self.all.get(api_name)
        text = str(value)
        return text if field is not None and field.case_sensitive else text.casefold()
