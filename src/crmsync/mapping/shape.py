"""A file's nodes checked against its keys in `spec`: every wrong, missing or unknown key at once.

The checking is pydantic's; this module puts its complaints into a person's words and points them
at the place in the file. No complaint repeats a value that was given as a credential.
"""

from __future__ import annotations

import itertools
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crmsync.mapping.environment import PlainData, plain_data
from crmsync.mapping.problems import Place, Problems, did_you_mean
from crmsync.mapping.spec import Keys
from crmsync.mapping.yaml_nodes import MapNode, Path, node_at

K = TypeVar("K", bound=Keys)

_EXPECTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "list_type": "a list",
}
_FORMS: Final = {
    "trigger": "realtime, hourly, daily, {cron: ...}, {event: [...]} or a list of these",
    "transform": "the name of a transform, {name: argument} or a list of these",
    "on_leave": "keep, clear or {set: {field: value}}",
    "unless_linked": "the name of a sync or a list of names",
}
"""What a key takes that may be written in several forms; else it is a line of these:"""
_A_FIELD: Final = "the name of a trait, or keys such as {from: plan}"
_A_PULL: Final = "the name of a CRM field, or keys such as {from: dealstage}"
_LITERAL: Final = re.compile("'([^']*)'")
_BOUNDS: Final = {
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_long": "has more than {max_length} entries",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}
_SHOWN: Final = 40
"""Characters of a wrong value worth repeating."""
_SETTING_DEPTH: Final = 2
"""Keys that lead to a whole setting: one connection, one key of a match, one pull."""
_DEPTHS: Final[Mapping[str | int, int]] = {"fields": 3, "deals": 1}
"""The same elsewhere: a field is read on without a wrong `conflict`, deals not in part."""
_SOURCES: Final = ("from", "template", "value")
"""Without which a field says nothing."""


def checked(root: MapNode, keys: type[K], env: Mapping[str, str], problems: Problems) -> K | None:
    """Return the file's content in its typed form, without the parts that a problem was noted for.

    So the checks that follow can go on with the rest; None where too little is left for that.
    """
    data = plain_data(root, env, problems)
    try:
        return keys.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    _note_missing(root, details, problems)
    for detail in details:
        if detail["type"] != "missing":
            problems.error(*_complaint(root, keys, detail))
        _drop(data, _damaged(root, detail))
    try:
        return keys.model_validate(data)
    except ValidationError:
        return None


def _note_missing(root: MapNode, details: Iterable[ErrorDetails], problems: Problems) -> None:
    """Note every missing key, those of one place together."""
    missing: dict[Place, list[str]] = {}
    for detail in details:
        if detail["type"] == "missing":
            _, place, _ = node_at(root, detail["loc"])
            missing.setdefault(place, []).append(f"'{detail['loc'][-1]}'")
    for place, names in missing.items():
        word = "missing key" if len(names) == 1 else "missing keys"
        problems.error(place, f"{word} {', '.join(names)}")


def _damaged(root: MapNode, detail: ErrorDetails) -> Path:
    """Return what to leave out for an error: the key, or the whole setting around it."""
    _, _, path = node_at(root, detail["loc"])
    if detail["type"] != "extra_forbidden" and not _is_limit(path):
        path = path[: _DEPTHS.get(path[0], _SETTING_DEPTH)] if path else path
        if path[2:] and path[2] in _SOURCES:
            path = path[:2]
    return tuple(itertools.takewhile(lambda part: isinstance(part, str), path))


def _is_limit(path: Path) -> bool:
    """Whether it leads into a connection's limits, each of which it can be read on without."""
    return path[:1] == ("connections",) and path[2:3] == ("limits",)


def _drop(data: PlainData, path: Path) -> None:
    if not path:
        return
    for part in path[:-1]:
        data = data.get(part, {})
    data.pop(path[-1], None)


def _complaint(root: MapNode, keys: type[Keys], detail: ErrorDetails) -> tuple[Place, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    node, place, path = node_at(root, detail["loc"])
    if kind == "extra_forbidden":
        known = _known_keys(keys, path[:-1])
        return place, f"unknown key '{path[-1]}'{did_you_mean(str(path[-1]), known)}"
    name = next((part for part in reversed(path) if isinstance(part, str)), root.place.file)
    if kind.startswith("union_tag"):
        line = _A_PULL if "pull" in path[:2] else _A_FIELD
        return node.place, f"{name}: expected {_FORMS.get(name, line)}"
    if kind == "literal_error":
        return node.place, _not_a_choice(name, detail["input"], context["expected"])
    if kind in _EXPECTED:
        return node.place, f"{name}: expected {_EXPECTED[kind]}, got {_sort(detail['input'])}"
    bound = _BOUNDS.get(kind, "").format(**context)
    return node.place, f"{name}: {bound or detail['msg']}"


def _not_a_choice(name: str, given: object, expected: str) -> str:
    choices = expected.replace("'", "")
    if isinstance(given, str):
        given = given[:_SHOWN]
        near = did_you_mean(given, _LITERAL.findall(expected))
        return f"{name}: '{given}' is not one of {choices}{near}"
    return f"{name}: expected {choices}, got {_sort(given)}"


def _sort(given: object) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "keys and values",
    }
    return names.get(type(given), "nothing")


def _known_keys(keys: type[Keys], path: Path) -> list[str]:
    """Return the keys that the spec allows at a path of the file."""
    here: list[object] = [keys]
    for part in path:
        here = [inner for annotation in here for inner in _inside(annotation, part)]
    models = [a for a in here if isinstance(a, type) and issubclass(a, Keys)]
    return [field.alias or name for m in models for name, field in m.model_fields.items()]


def _inside(annotation: object, part: str | int) -> Iterator[object]:
    """Yield the types that the spec gives to one key or item of a type."""
    if isinstance(annotation, type) and issubclass(annotation, Keys):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                yield from _members(field.annotation)
    elif arguments := typing.get_args(annotation):
        yield from _members(arguments[-1])  # the values of a dict, the items of a list


def _members(annotation: object) -> Iterator[object]:
    """Yield the members of a union, at any depth, without their annotations."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (types.UnionType, typing.Union):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
