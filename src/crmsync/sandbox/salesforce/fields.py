"""One field of an object type, as describe shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FieldType = Literal[
    "address", "boolean", "currency", "date", "datetime", "double", "email", "id", "int",
    "multipicklist", "percent", "phone", "picklist", "reference", "string", "textarea", "url",
]  # fmt: skip

NUMBERS = frozenset({"currency", "double", "int", "percent"})
LONG_TEXT = 255
"""A textarea longer than this cannot be filtered or sorted by."""

_SOAP_TYPES = {
    "address": "urn:address",
    "boolean": "xsd:boolean",
    "currency": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "double": "xsd:double",
    "id": "tns:ID",
    "int": "xsd:int",
    "percent": "xsd:double",
    "reference": "tns:ID",
}
_DIGITS_OF_AN_INT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a picklist."""

    value: str
    label: str
    active: bool = True
    default: bool = False

    def describe(self) -> dict[str, Any]:
        """Return it as describe shows it."""
        return {
            "active": self.active,
            "defaultValue": self.default,
            "label": self.label,
            "validFor": None,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column of an object type."""

    name: str
    label: str
    type: FieldType = "string"
    length: int = 0
    """Most characters; 0 for what is no text."""
    precision: int = 0
    """Digits in all."""
    scale: int = 0
    """Digits behind the point."""
    nillable: bool = True
    default: Any = None
    """What a new record has where nothing is said; with it the field is never missing."""
    createable: bool = True
    updateable: bool = True
    calculated: bool = False
    custom: bool = False
    external_id: bool = False
    id_lookup: bool = False
    unique: bool = False
    case_sensitive: bool = False
    restricted: bool = False
    """Whether a picklist takes its own values only."""
    options: tuple[Option, ...] = ()
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    """The name under which the referred record is reached."""
    compound: str | None = None
    """The compound field this one is a part of."""

    @property
    def required(self) -> bool:
        """Whether a create fails without it."""
        return self.createable and not self.nillable and self.default is None

    @property
    def indexed(self) -> bool:
        """Whether records are found by it."""
        return self.external_id or self.unique or self.id_lookup

    @property
    def filterable(self) -> bool:
        """Whether queries can filter and sort by it."""
        return self.type != "address" and not (self.type == "textarea" and self.length > LONG_TEXT)

    def key(self, value: Any) -> Any:  # noqa: ANN401 - whatever the field holds
        """Return what two values share when they are the same to a look-up."""
        # Ids of 18 characters differ in more than case.
        return value.casefold() if isinstance(value, str) and not self.case_sensitive else value

    def describe(self) -> dict[str, Any]:
        """Return it as describe shows it."""
        return {
            "aggregatable": self.filterable,
            "autoNumber": False,
            "byteLength": self.length * 3,
            "calculated": self.calculated,
            "calculatedFormula": None,
            "caseSensitive": self.case_sensitive,
            "compoundFieldName": self.compound,
            "createable": self.createable,
            "custom": self.custom,
            "defaultValue": self.default,
            "defaultedOnCreate": self.default is not None or self.type == "boolean",
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "digits": _DIGITS_OF_AN_INT if self.type == "int" else 0,
            "encrypted": False,
            "externalId": self.external_id,
            "filterable": self.filterable,
            "groupable": self.filterable and self.type not in NUMBERS,
            "htmlFormatted": False,
            "idLookup": self.id_lookup or self.external_id or self.type == "id",
            "inlineHelpText": None,
            "label": self.label,
            "length": self.length,
            "name": self.name,
            "nameField": self.name == "Name",
            "nillable": self.nillable,
            "permissionable": self.nillable and self.type != "id",
            "picklistValues": [option.describe() for option in self.options],
            "polymorphicForeignKey": len(self.refers_to) > 1,
            "precision": self.precision,
            "queryByDistance": False,
            "referenceTo": list(self.refers_to),
            "relationshipName": self.relationship,
            "restrictedPicklist": self.restricted,
            "scale": self.scale,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "sortable": self.filterable,
            "type": self.type,
            "unique": self.unique,
            "updateable": self.updateable,
        }

    def saved(self) -> dict[str, Any]:
        """Return it as JSON, for `loaded`."""
        return asdict(self)


def loaded(saved: dict[str, Any]) -> Field:
    """Return a field from its JSON."""
    options = tuple(Option(**option) for option in saved["options"])
    return Field(**{**saved, "options": options, "refers_to": tuple(saved["refers_to"])})
