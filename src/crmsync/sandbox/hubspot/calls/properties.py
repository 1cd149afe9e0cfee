"""Property definitions: list, read, create, change, archive, in batches, and their groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.calls.call import Call, Json, required, text_of
from crmsync.sandbox.hubspot.errors import ApiError
from crmsync.sandbox.hubspot.properties import Option, Properties, Property
from crmsync.sandbox.hubspot.wire import iso

MAX_INPUTS = 100
_TYPES = ("bool", "date", "datetime", "enumeration", "number", "phone_number", "string")
_UNIQUE_TYPES = ("string", "number")
_BOOLEAN = (Option("true", "True", display_order=0), Option("false", "False", display_order=1))


def list_properties(call: Call) -> Answer:
    """Return all definitions, in one page."""
    properties = _properties(call)
    listed = properties.archived() if call.flag("archived") else properties.live()
    return Answer.of(200, {"results": [definition.report() for definition in listed]})


def read_property(call: Call) -> Answer:
    """Return one definition."""
    return Answer.of(200, _properties(call).get(call.path["name"]).report())


def create_property(call: Call) -> Answer:
    """Define a property."""
    return Answer.of(201, _create(call, call.body).report())


def update_property(call: Call) -> Answer:
    """Change a definition; uniqueness cannot be changed."""
    properties, body = _properties(call), call.body
    definition = properties.get(call.path["name"])
    changes: dict[str, Any] = {"updated": call.portal.clock.milliseconds()}
    for sent, kept in _CHANGEABLE.items():
        if sent in body:
            changes[kept] = body[sent]
    if "options" in body:
        changes["options"] = _options(body["options"])
    return Answer.of(200, properties.put(replace(definition, **changes)).report())


def archive_property(call: Call) -> Answer:
    """Archive a definition."""
    _properties(call).archive(call.path["name"], call.portal.clock.milliseconds())
    return Answer(204)


# --- batches ------------------------------------------------------------------------------------


def create_batch(call: Call) -> Answer:
    """Define properties; what fails is listed under 207."""
    results, failures = [], []
    for item in call.inputs(MAX_INPUTS):
        try:
            results.append(_create(call, item).report())
        except ApiError as error:
            failures.append(error.entry(None))
    return _answer(call, 201, results, failures)


def read_batch(call: Call) -> Answer:
    """Return definitions by name; what is missing is listed under 207."""
    results, failures = [], []
    for item in call.inputs(MAX_INPUTS):
        try:
            results.append(_properties(call).get(text_of(item, "name")).report())
        except ApiError as error:
            failures.append(error.entry(None))
    return _answer(call, 200, results, failures)


def archive_batch(call: Call) -> Answer:
    """Archive definitions by name."""
    now = call.portal.clock.milliseconds()
    for item in call.inputs(MAX_INPUTS):
        _properties(call).archive(text_of(item, "name"), now)
    return Answer(204)


# --- groups -------------------------------------------------------------------------------------


def list_groups(call: Call) -> Answer:
    """Return the property groups."""
    groups = _properties(call).groups
    return Answer.of(200, {"results": [_group(call, name) for name in groups]})


def read_group(call: Call) -> Answer:
    """Return one group."""
    return Answer.of(200, _group(call, call.path["name"]))


def create_group(call: Call) -> Answer:
    """Add a group."""
    name, label = required(call.body, "name", "label")
    if name in _properties(call).groups:
        raise ApiError(409, f"A property group named '{name}' already exists.", errors.CONFLICT)
    _properties(call).groups[name] = label
    return Answer.of(201, _group(call, name))


# --- reading and showing ------------------------------------------------------------------------

_CHANGEABLE = {
    "label": "label",
    "groupName": "group",
    "description": "description",
    "fieldType": "field_type",
    "type": "type",
    "hidden": "hidden",
    "formField": "form_field",
    "displayOrder": "display_order",
}


def _properties(call: Call) -> Properties:
    return call.records.properties


def _create(call: Call, body: Json) -> Property:
    name, label, kind, field_type, group = required(
        body, "name", "label", "type", "fieldType", "groupName"
    )
    if kind not in _TYPES:
        raise errors.invalid(f"{kind} is not a property type; there are {', '.join(_TYPES)}")
    if not name.isascii() or name != name.lower() or not name[:1].isalpha():
        text = "Property names are lower case, begin with a letter and hold letters, digits and _"
        raise errors.invalid(text)
    unique = body.get("hasUniqueValue") is True
    if unique and kind not in _UNIQUE_TYPES:
        raise errors.invalid("Only string and number properties can have unique values")
    now = call.portal.clock.milliseconds()
    return _properties(call).add(
        Property(
            name=name,
            label=label,
            type=kind,
            field_type=field_type,
            group=group,
            options=_options(body.get("options") or []) or (_BOOLEAN if kind == "bool" else ()),
            description=body.get("description") or "",
            unique=unique,
            hidden=bool(body.get("hidden")),
            form_field=bool(body.get("formField")),
            display_order=body.get("displayOrder", -1),
            external_options=bool(body.get("externalOptions")),
            referenced_type=body.get("referencedObjectType"),
            created=now,
            updated=now,
        )
    )


def _options(given: list[Json]) -> tuple[Option, ...]:
    return tuple(
        Option(
            text_of(one, "value"),
            text_of(one, "label"),
            bool(one.get("hidden")),
            one.get("displayOrder", -1),
            one.get("description") or "",
        )
        for one in given
    )


def _group(call: Call, name: str) -> Json:
    groups = _properties(call).groups
    if name not in groups:
        raise ApiError(404, f"The property group '{name}' does not exist.", errors.NOT_FOUND)
    order = list(groups).index(name)
    return {"name": name, "label": groups[name], "displayOrder": order, "archived": False}


def _answer(call: Call, status: int, results: list[Json], failures: list[Json]) -> Answer:
    now = iso(call.portal.clock.milliseconds())
    body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if not failures:
        return Answer.of(status, body)
    return Answer.of(207, {**body, "numErrors": len(failures), "errors": failures})
