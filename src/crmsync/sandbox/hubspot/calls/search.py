"""Search: what the index has seen so far, filtered, sorted and paged within HubSpot's caps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.calls.call import Call, Json, required, shown
from crmsync.sandbox.hubspot.calls.objects import read_properties
from crmsync.sandbox.hubspot.properties import Property
from crmsync.sandbox.hubspot.records import Record, Values
from crmsync.sandbox.hubspot.wire import epoch, object_type

MAX_BODY_CHARACTERS = 3_000
MAX_GROUPS = 5
MAX_FILTERS_IN_GROUP = 6
MAX_FILTERS = 18
MAX_PAGE = 200
MAX_RESULTS = 10_000
_PAGE = 10

_Test = Callable[[Record, Values], bool]
_SEARCHED = {
    "contacts": ("email", "firstname", "lastname", "phone", "company", "hs_additional_emails"),
    "companies": ("name", "domain", "website", "phone"),
    "deals": ("dealname", "description"),
}
"""What `query` looks into."""


def search_records(call: Call) -> Answer:
    """Return a page of what matches."""
    if len(call.request.body.decode("utf-8", "replace")) > MAX_BODY_CHARACTERS:
        raise errors.invalid(f"The request body may have at most {MAX_BODY_CHARACTERS} characters")
    body = call.body
    limit, offset = _page(body)
    matches = _matching(call, body)
    _sort(call, body, matches)
    page = matches[offset : offset + limit]
    names = read_properties(call.type, body.get("properties") or [], call.records.modified_name)
    results = [_shown_as_indexed(call, record, values, names) for record, values in page]
    answer: Json = {"total": len(matches), "results": results}
    if offset + limit < len(matches):
        answer["paging"] = {"next": {"after": str(offset + limit)}}
    return Answer.of(200, answer)


def _page(body: Json) -> tuple[int, int]:
    limit = body.get("limit", _PAGE)
    if not isinstance(limit, int) or not 0 <= limit <= MAX_PAGE:
        raise errors.invalid(f"limit must be between 0 and {MAX_PAGE}, was {limit}")
    after = str(body.get("after") or "0")
    if not after.isdigit():
        raise errors.invalid(f"after must be an offset, was {after}")
    if int(after) + limit > MAX_RESULTS:
        raise errors.invalid(f"Search results beyond {MAX_RESULTS} cannot be paged to")
    return limit, int(after)


def _matching(call: Call, body: Json) -> list[tuple[Record, Values]]:
    groups = _groups(call, body)
    words = str(body.get("query") or "").lower().split()
    now = call.portal.clock.milliseconds()
    found = []
    for record in call.records.every():
        values = call.records.as_indexed(record, now)
        if values is None or (words and not _mentions(values, words, _SEARCHED[call.type])):
            continue
        if not groups or any(all(test(record, values) for test in group) for group in groups):
            found.append((record, values))
    return found


def _groups(call: Call, body: Json) -> list[list[_Test]]:
    groups = [required(group, "filters")[0] for group in body.get("filterGroups") or []]
    if not groups and body.get("filters"):
        groups = [body["filters"]]
    total = sum(len(group) for group in groups)
    largest = max((len(group) for group in groups), default=0)
    if len(groups) > MAX_GROUPS or largest > MAX_FILTERS_IN_GROUP or total > MAX_FILTERS:
        text = (
            f"At most {MAX_GROUPS} filter groups of {MAX_FILTERS_IN_GROUP} filters each "
            f"and {MAX_FILTERS} filters in all are allowed"
        )
        raise errors.invalid(text)
    return [[_test(call, one) for one in group] for group in groups if group]


def _sort(call: Call, body: Json, matches: list[tuple[Record, Values]]) -> None:
    sorts = body.get("sorts") or []
    if len(sorts) > 1:
        raise errors.invalid("Only one sort rule is allowed")
    if not sorts:
        matches.sort(key=lambda match: match[0].created)
        return
    rule = sorts[0]
    if isinstance(rule, str):
        name, descending = rule.removeprefix("-"), rule.startswith("-")
    else:
        name, descending = rule.get("propertyName"), rule.get("direction") == "DESCENDING"
    definition = call.records.properties.find(str(name))
    if definition is None:
        raise errors.invalid(f"There is no property to sort by named {name}")
    comparable = _comparable(definition)
    keyed = [(comparable(v[definition.name]), r, v) for r, v in matches if v.get(definition.name)]
    without = [match for match in matches if not match[1].get(definition.name)]
    keyed.sort(key=lambda entry: (entry[0] is not None, entry[0]), reverse=descending)
    matches[:] = [(record, values) for _, record, values in keyed] + without


# --- filters ------------------------------------------------------------------------------------


def _test(call: Call, given: Json) -> _Test:
    name, operator = required(given, "propertyName", "operator")
    if name.startswith("associations."):
        return _association_test(call, name.partition(".")[2], given)
    definition = call.records.properties.find(name)
    if definition is None:
        raise errors.invalid(f"There is no property named {name}")
    make = _OPERATORS.get(operator)
    if make is None:
        raise errors.invalid(f"There is no operator {operator}")
    test = make(given, _comparable(definition), definition)
    return lambda _record, values: test(values.get(name) or "")


def _association_test(call: Call, target_name: str, given: Json) -> _Test:
    target = object_type(target_name)
    if target is None:
        raise errors.unknown_type(target_name)
    operator = given["operator"]
    wanted = {str(value) for value in given.get("values") or [given.get("value")]}
    pairs, source = call.portal.associations, call.type

    def test(record: Record, _values: Values) -> bool:
        associated = pairs.of(source, record.id, target)
        if operator == "HAS_PROPERTY":
            return bool(associated)
        if operator == "NOT_HAS_PROPERTY":
            return not associated
        return not wanted.isdisjoint(associated) if operator in ("EQ", "IN") else False

    if operator not in ("HAS_PROPERTY", "NOT_HAS_PROPERTY", "EQ", "IN"):
        raise errors.invalid(f"The operator {operator} cannot be used with associations")
    return test


_Comparable = Callable[[str], Any]
_Match = Callable[[str], bool]


def _comparable(definition: Property) -> _Comparable:
    """Return how values of a property compare: as moments, numbers, or text without case."""
    if definition.type in ("date", "datetime"):
        return epoch
    if definition.type == "number":
        return _number
    if definition.type == "enumeration":
        return str
    return str.lower


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ordered(accept: Callable[[Any, Any], bool]) -> Callable[[Json, _Comparable, Property], _Match]:
    def make(given: Json, comparable: _Comparable, definition: Property) -> _Match:
        wanted = comparable(str(required(given, "value")[0]))
        if wanted is None:
            text = f"{given['value']} is not a value of the {definition.type} {definition.name}"
            raise errors.invalid(text)
        return lambda value: bool(value) and accept(comparable(value), wanted)

    return make


def _differs(given: Json, comparable: _Comparable, _definition: Property) -> _Match:
    wanted = comparable(str(required(given, "value")[0]))
    return lambda value: not value or comparable(value) != wanted


def _between(given: Json, comparable: _Comparable, _definition: Property) -> _Match:
    low, high = (comparable(str(bound)) for bound in required(given, "value", "highValue"))
    return lambda value: bool(value) and low <= comparable(value) <= high


def _listed(*, among: bool) -> Callable[[Json, _Comparable, Property], _Match]:
    def make(given: Json, _comparable: _Comparable, definition: Property) -> _Match:
        # Values of a list are taken as they are: text has to be sent in lower case.
        wanted = {str(value) for value in required(given, "values")[0]}
        read = str if definition.type == "enumeration" else str.lower
        return lambda value: bool(value) and (read(value) in wanted) is among

    return make


def _known(*, present: bool) -> Callable[[Json, _Comparable, Property], _Match]:
    return lambda _given, _comparable, _definition: lambda value: bool(value) is present


def _token(*, present: bool) -> Callable[[Json, _Comparable, Property], _Match]:
    def make(given: Json, _comparable: _Comparable, _definition: Property) -> _Match:
        wanted = str(required(given, "value")[0]).lower()
        return lambda value: _contains(value.lower(), wanted) is present

    return make


def _contains(text: str, wanted: str) -> bool:
    tokens = "".join(c if c.isalnum() else " " for c in text).split()
    if wanted.startswith("*") or wanted.endswith("*"):
        return any(wanted.strip("*") in token for token in [*tokens, text])
    parts = "".join(c if c.isalnum() else " " for c in wanted).split()
    return bool(parts) and all(part in tokens for part in parts)


_OPERATORS: dict[str, Callable[[Json, _Comparable, Property], _Match]] = {
    "EQ": _ordered(lambda value, wanted: value == wanted),
    "NEQ": _differs,
    "LT": _ordered(lambda value, wanted: value < wanted),
    "LTE": _ordered(lambda value, wanted: value <= wanted),
    "GT": _ordered(lambda value, wanted: value > wanted),
    "GTE": _ordered(lambda value, wanted: value >= wanted),
    "BETWEEN": _between,
    "IN": _listed(among=True),
    "NOT_IN": _listed(among=False),
    "HAS_PROPERTY": _known(present=True),
    "NOT_HAS_PROPERTY": _known(present=False),
    "CONTAINS_TOKEN": _token(present=True),
    "NOT_CONTAINS_TOKEN": _token(present=False),
}


def _mentions(values: Mapping[str, str], words: list[str], names: tuple[str, ...]) -> bool:
    text = " ".join(values.get(name) or "" for name in names).lower()
    return all(word in text for word in words)


def _shown_as_indexed(call: Call, record: Record, values: Values, names: list[str]) -> Json:
    out = shown(call.records, record, ())
    known = call.records.properties.checks
    out["properties"] = {name: values.get(name) for name in names if name in known}
    out["updatedAt"] = values[call.records.modified_name]
    return out
