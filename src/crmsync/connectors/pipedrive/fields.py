"""One company's fields, by every name a mapping may use: standard name, hash, or label.

Hashes differ from company to company and never change; labels are what people see, may change,
and need not be unique. A label that several custom fields share names none of them.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.paging import Pages
from crmsync.connectors.pipedrive.calls import PAGE_RECORDS, V2, Calls, data_of
from crmsync.connectors.pipedrive.errors import refusal_of, refuse
from crmsync.connectors.pipedrive.limits import DELETE, LIST, WRITE
from crmsync.connectors.pipedrive.objects import (
    MAX_TEXT,
    MAX_VARCHAR,
    Field,
    Form,
    ObjectType,
)
from crmsync.errors import ConfigError, Unavailable
from crmsync.model import Directory, FieldSchema, FieldType, ObjectSchema

REMEMBERED_SECONDS = 3_600.0
"""How long a company's fields are believed: a list of them costs as much as two writes."""
DOUBTED_SECONDS = 60.0
"""The same where they cannot be right: a name is not among them, or Pipedrive refused one."""
READABLE, WRITABLE = False, True
_TYPES: Mapping[str, tuple[FieldType, Form, bool, int | None]] = {
    "varchar": (FieldType.TEXT, Form.TEXT, WRITABLE, MAX_VARCHAR),
    "varchar_auto": (FieldType.TEXT, Form.TEXT, WRITABLE, MAX_VARCHAR),
    "text": (FieldType.TEXT, Form.TEXT, WRITABLE, MAX_TEXT),
    "phone": (FieldType.PHONE, Form.TEXT, WRITABLE, MAX_VARCHAR),
    "double": (FieldType.NUMBER, Form.NUMBER, WRITABLE, None),
    "monetary": (FieldType.NUMBER, Form.MONEY, WRITABLE, None),
    "date": (FieldType.DATE, Form.DATE, WRITABLE, None),
    "time": (FieldType.TEXT, Form.WRAPPED, WRITABLE, None),
    "address": (FieldType.TEXT, Form.WRAPPED, WRITABLE, None),
    "daterange": (FieldType.TEXT, Form.RANGE, READABLE, None),
    "timerange": (FieldType.TEXT, Form.RANGE, READABLE, None),
    "enum": (FieldType.PICKLIST, Form.OPTION, WRITABLE, None),
    "set": (FieldType.MULTI_PICKLIST, Form.OPTIONS, WRITABLE, None),
    "user": (FieldType.REFERENCE, Form.ID, WRITABLE, None),
    "org": (FieldType.REFERENCE, Form.ID, WRITABLE, None),
    "people": (FieldType.REFERENCE, Form.ID, WRITABLE, None),
}
"""Types of custom fields; one that is not here is read as text and not written."""
_MAKES: Mapping[FieldType, str] = {
    FieldType.TEXT: "varchar",
    FieldType.EMAIL: "varchar",
    FieldType.PHONE: "phone",
    FieldType.NUMBER: "double",
    FieldType.DATE: "date",
    FieldType.PICKLIST: "enum",
    FieldType.MULTI_PICKLIST: "set",
}


class Fields:
    """The fields of one object type, as one company has them."""

    def __init__(self, kind: ObjectType, told: Iterable[Mapping[str, Any]]) -> None:
        """Take what Pipedrive tells: `{field_code, field_name, field_type, options, ...}`.

        Raises LookupError, TypeError or AttributeError for another shape.
        """
        self.kind = kind
        listed = list(told)
        options = {str(one["field_code"]): _options(one) for one in listed}
        standard = [
            replace(one, options=one.options or options.get(one.name, ())) for one in kind.standard
        ]
        self.custom = [_custom(one) for one in listed if one.get("is_custom_field")]
        self._by_label: dict[str, list[Field]] = {}
        for field in self.custom:
            self._by_label.setdefault(field.label, []).append(field)
        unambiguous = {name: same[0] for name, same in self._by_label.items() if len(same) == 1}
        self.by_name: Mapping[str, Field] = {
            **unambiguous,
            **{field.name: field for field in self.custom},
            **{field.name: field for field in standard},
        }

    def find(self, name: str) -> Field | None:
        """Return the field of this name; ConfigError where the name is that of several."""
        if name not in self.by_name and name in self._by_label:
            raise ConfigError(self.complaint(name))
        return self.by_name.get(name)

    def get(self, name: str) -> Field:
        """Return the field of this name; ConfigError where there is none, or several."""
        field = self.find(name)
        if field is None:
            raise ConfigError(self.complaint(name))
        return field

    def complaint(self, name: str) -> str:
        """Say why a name is not good."""
        same = self._by_label.get(name, ())
        if len(same) > 1:
            hashes = ", ".join(field.name for field in same)
            return (
                f"{len(same)} fields of {self.kind.name} are called '{name}' in Pipedrive: name"
                f" the one you mean by its hash ({hashes}), or rename the others"
            )
        return (
            f"{self.kind.name} have no field '{name}' in this Pipedrive company: `crmsync fields`"
            " lists what there is"
        )

    def labelled(self, label: str) -> Sequence[Field]:
        """Return the custom fields of this label, in the order in which Pipedrive lists them."""
        return self._by_label.get(label, ())

    def schema(self) -> ObjectSchema:
        """Return the fields by every name that a mapping may use."""
        described = {name: _schema(name, field) for name, field in self.by_name.items()}
        return ObjectSchema(self.kind.name, described)


class Catalogue:
    """The fields of each object type, read when needed. Safe to use from many threads."""

    def __init__(self, calls: Calls) -> None:
        """Know nothing yet."""
        self._calls = calls
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Fields]] = {}

    def fields(self, kind: ObjectType, names: Iterable[str] = ()) -> Fields:
        """Return the fields, read anew when that is long ago or when a name is not among them."""
        with self._lock:
            read_at, fields = self._known.get(kind.name, (-math.inf, None))
            age = time.monotonic() - read_at
            unknown = fields is None or any(name not in fields.by_name for name in names)
            if fields is None or age > REMEMBERED_SECONDS or (unknown and age > DOUBTED_SECONDS):
                try:
                    fields = Fields(kind, self._told(kind))
                except UNREADABLE:
                    raise _unreadable(kind) from None
                self._known[kind.name] = time.monotonic(), fields
            return fields

    def forget(self, kind: ObjectType) -> None:
        """Read the fields anew before they are used again."""
        with self._lock:
            self._known.pop(kind.name, None)

    def doubt(self, kind: ObjectType) -> None:
        """Read the fields anew where they were read some time ago."""
        with self._lock:
            read_at, _ = self._known.get(kind.name, (-math.inf, None))
            if time.monotonic() - read_at > DOUBTED_SECONDS:
                self._known.pop(kind.name, None)

    def make(self, kind: ObjectType, wanted: FieldSchema) -> None:
        """Make a custom field whose label is the name wanted, unless there is one.

        Names are not unique: of two that are made at once, whoever made the one listed second
        takes it away again. Raises ConfigError for a type that Pipedrive does not have.
        """
        self.forget(kind)
        fields = self.fields(kind)
        if fields.find(wanted.name) is not None:
            return
        answer = self._calls.write(
            "POST", kind.fields_path, _field_body(wanted), cost=WRITE, route=kind.fields_path
        )
        if not answer.ok:
            refuse(refusal_of(answer, {}), self._calls.refusals)
        mine = str(data_of(answer, "field_code"))
        self.forget(kind)
        same = [field.name for field in self.fields(kind).labelled(wanted.name)]
        if mine in same[1:]:
            path = f"{kind.fields_path}/{mine}"
            answer = self._calls.write(
                "DELETE", path, None, cost=DELETE, route=f"{kind.fields_path}/*"
            )
            if not answer.ok:
                refuse(refusal_of(answer, {}), self._calls.refusals)
            self.forget(kind)

    def _told(self, kind: ObjectType) -> Iterator[Mapping[str, Any]]:
        cursor: str | None = ""
        pages = Pages(f"GET {kind.fields_path}")
        while cursor is not None:
            params = {"limit": str(PAGE_RECORDS)} | ({"cursor": cursor} if cursor else {})
            payload = self._calls.get(f"{V2}{kind.fields_path}", params, cost=LIST)
            pages.turn(cursor, len(payload["data"] or ()))
            yield from [{**one, "field_code": one["field_code"]} for one in payload["data"]]
            cursor = (payload.get("additional_data") or {}).get("next_cursor") or None


def _unreadable(kind: ObjectType) -> Unavailable:
    return Unavailable(f"GET {kind.fields_path}: the answer has another shape than documented")


def _custom(told: Mapping[str, Any]) -> Field:
    kind, form, writable, longest = _TYPES.get(
        str(told["field_type"]), (FieldType.TEXT, Form.TEXT, READABLE, None)
    )
    return Field(
        name=str(told["field_code"]),
        label=str(told["field_name"]),
        type=kind,
        form=form,
        writable=writable,
        max_length=longest,
        options=_options(told),
        custom=True,
        directory=Directory.OWNERS if told["field_type"] == "user" else None,
    )


def _options(told: Mapping[str, Any]) -> tuple[tuple[int | str, str], ...]:
    return tuple((one["id"], str(one["label"])) for one in told.get("options") or ())


def _schema(name: str, field: Field) -> FieldSchema:
    return FieldSchema(
        name=name,
        label=field.label,
        type=field.type,
        writable=field.writable,
        required=field.required,
        max_length=field.max_length,
        options=_choices(field),
        directory=field.directory,
    )


def _choices(field: Field) -> tuple[tuple[str, str], ...]:
    """Return what may be written for each option: its label, as it is read back, or its id."""
    labels = dict.fromkeys(label for _, label in field.options)
    ids = ((str(one), label) for one, label in field.options if str(one) not in labels)
    return (*((label, label) for label in labels), *ids)


def _field_body(wanted: FieldSchema) -> dict[str, Any]:
    made = _MAKES.get(wanted.type)
    if made is None:
        raise ConfigError(
            f"'{wanted.name}': Pipedrive has no fields of the type {wanted.type}; use a single"
            " option, a text or a date"
        )
    body: dict[str, Any] = {"field_name": wanted.name, "field_type": made}
    if wanted.options:
        body["options"] = [
            {"label": label} for label in dict.fromkeys(v for v, _ in wanted.options)
        ]
    return body
