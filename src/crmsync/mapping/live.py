"""A mapping against the CRM's own description of its object: `crmsync check --live`.

Finds what the CRM would refuse before anything is sent: fields it does not have, may not be written
or take another type; choices a picklist lacks; texts that are too long; required fields left out,
or without a value for some people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from crmsync.errors import Problem
from crmsync.mapping.compiled import FieldMapping, Mode, PullField, SyncMapping
from crmsync.mapping.conditions import facts_of
from crmsync.mapping.problems import Place, nearest
from crmsync.mapping.transforms import TRANSFORMS
from crmsync.mapping.values import Kind, Unusable, as_text
from crmsync.model import FieldSchema, FieldType, ObjectSchema

_UNFIT: Final = {
    FieldType.EMAIL: {Kind.NUMBER, Kind.BOOLEAN, Kind.MOMENT, Kind.LIST},
    FieldType.NUMBER: {Kind.MOMENT, Kind.LIST},
    FieldType.BOOLEAN: {Kind.MOMENT, Kind.LIST},
    FieldType.DATE: {Kind.BOOLEAN, Kind.LIST},
    FieldType.DATETIME: {Kind.BOOLEAN, Kind.LIST},
    FieldType.MULTI_PICKLIST: {Kind.MOMENT},
}
"""Kinds of values that a field of this type never takes; every other type takes text of any."""
_DOUBTFUL: Final = {
    FieldType.NUMBER: ({Kind.TEXT}, "number"),
    FieldType.BOOLEAN: ({Kind.TEXT, Kind.NUMBER}, "boolean"),
    FieldType.DATE: ({Kind.TEXT, Kind.NUMBER}, "date"),
    FieldType.DATETIME: ({Kind.TEXT, Kind.NUMBER}, "datetime"),
}
"""Kinds that fit only if every value happens to, and the transform that makes sure."""
_READERS: Final = {
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
}
"""The transform that can read what a field of this type takes."""
PROFILE_ID: Final = "profile_id"
"""The fact that nobody is without."""
_CHOICES: Final = (FieldType.PICKLIST, FieldType.MULTI_PICKLIST)
_SHOWN_CHOICES: Final = 8


def check_against(
    mapping: SyncMapping,
    schema: ObjectSchema,
    deals: ObjectSchema | None = None,
    *,
    knows_unique: bool = True,
) -> list[Problem]:
    """Return what the CRM would refuse (errors) and what it might (warnings), in file order.

    `deals`: the fields of deals, where the mapping reads some back. `knows_unique`: whether a field
    of ours can be unique in that CRM.
    """
    ours = () if knows_unique else (PROFILE_ID,)
    problems = [*_match_problems(mapping, schema, ours), *_required_problems(mapping, schema)]
    for field in mapping.fields:
        found = schema.fields.get(field.name)
        if found is None:
            problems.append(_unknown(field.name, field.place, schema))
        else:
            problems += _field_problems(field, found)
    problems += _leave_problems(mapping, schema)
    problems += _pull_problems([p for p in mapping.pulls if not p.is_pushed], schema)
    if mapping.deals is not None and deals is not None:
        problems += _pull_problems(mapping.deals.pulls, deals)
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _match_problems(
    mapping: SyncMapping, schema: ObjectSchema, unique_by_themselves: Collection[str]
) -> Iterator[Problem]:
    for name, fact in mapping.match:
        found, place = schema.fields.get(name), mapping.match_places[name]
        if found is None:
            yield _unknown(name, place, schema)
        elif not found.unique and fact not in unique_by_themselves:
            message = f"'{name}' is not unique in the CRM: more than one record may be found by it"
            yield place.problem(message, "warning")


def _required_problems(mapping: SyncMapping, schema: ObjectSchema) -> Iterator[Problem]:
    mapped = {field.name: field for field in mapping.fields}
    matched = {name for name, _ in mapping.match}
    for name, required in schema.fields.items():
        if not required.required or not required.writable:
            continue
        if name in mapped:
            if _may_be_missing(mapping, mapped[name]):
                yield _missing(mapped[name], required)
        elif name not in matched and mapping.mode is not Mode.UPDATE:
            message = f"the CRM requires '{name}' ({required.label}), which is not mapped"
            yield mapping.place.problem(message)


def _may_be_missing(mapping: SyncMapping, field: FieldMapping) -> bool:
    """Whether people may be sent without a value, other than by a wish that `only` expresses."""
    given = {PROFILE_ID} if len(mapping.match) > 1 else {fact for _, fact in mapping.match}
    if mapping.condition is not None:
        given |= facts_of(mapping.condition)
    return field.may_be_empty and field.fact not in given


def _missing(field: FieldMapping, required: FieldSchema) -> Problem:
    message = f"the CRM requires '{field.name}' ({required.label}): whoever "
    if field.fact:
        message += f"has no {field.fact} is refused; say what it shall be then, as in "
        message += f"`{field.name}: {{from: {field.fact}, default: ...}}`"
    else:
        message += "has no value for it is refused; give it a `default`, and no `when`"
    return field.place.problem(message, "warning")


def _leave_problems(mapping: SyncMapping, schema: ObjectSchema) -> Iterator[Problem]:
    mapped = {field.name for field in mapping.fields}
    for name, value in mapping.leave_fields.items():
        found = schema.fields.get(name)
        if found is None and name not in mapped:
            yield _unknown(name, mapping.leave_place, schema)
        elif found is not None and value is not None:
            yield from _constant_problems([value], mapping.leave_place, found)


def _pull_problems(pulls: Iterable[PullField], schema: ObjectSchema) -> Iterator[Problem]:
    """Yield what cannot be read; a field that goes both ways is checked as one that is written."""
    for pull in pulls:
        found = schema.fields.get(pull.name)
        if found is None:
            yield _unknown(pull.name, pull.place, schema)
        elif pull.known is not None and _has_choices(found):
            yield from _unmapped_choices(pull.name, pull.known, pull.place, found)


def _unmapped_choices(
    name: str, known: Collection[str], place: Place, schema: FieldSchema
) -> Iterator[Problem]:
    """Yield where a `map` of what is read does not fit the choices that the CRM has."""
    for theirs in known:
        if complaint := _choice_complaint(theirs, schema):
            yield place.problem(complaint)
    missing = [value for value, _label in schema.options if value not in known]
    if missing:
        shown = ", ".join(missing[:_SHOWN_CHOICES])
        message = f"`map` does not have every choice of '{name}': {shown} would be reported"
        yield place.problem(message, "warning")


def _has_choices(schema: FieldSchema) -> bool:
    """Whether only certain values fit; what people know by another name is not among them."""
    return schema.type in _CHOICES and bool(schema.options) and schema.directory is None


def _unknown(name: str, place: Place, schema: ObjectSchema) -> Problem:
    near = nearest(name, schema.fields)
    labels = {field.label.casefold(): field.name for field in schema.fields.values()}
    near = labels.get(name.casefold()) or near
    hint = f" (did you mean '{near}'?)" if near else "; `crmsync fields` lists them"
    return place.problem(f"{schema.object_type} has no field '{name}'{hint}")


def _field_problems(field: FieldMapping, schema: FieldSchema) -> Iterator[Problem]:
    name, place = field.name, field.place
    if not schema.writable:
        yield place.problem(f"'{name}' ({schema.label}) cannot be written: the CRM fills it itself")
        return
    yield from _constant_problems(field.constants, place, schema)
    if not field.open_ended:
        return
    if field.kind in _UNFIT.get(schema.type, ()):
        yield place.problem(f"'{name}' takes {_named(schema)}, but gets a {field.kind}")
        return
    doubtful, transform = _DOUBTFUL.get(schema.type, ((), ""))
    if field.kind in doubtful:
        message = f"'{name}' takes {_named(schema)}, but gets a {field.kind}; values that are not "
        yield place.problem(f"{message}one are refused: add `transform: [{transform}]`", "warning")
    if _has_choices(schema):
        message = f"'{name}' takes only its {len(schema.options)} choices ({_shown(schema)}); "
        yield place.problem(f"{message}any other value is refused: add a `map`", "warning")


def _constant_problems(
    constants: Iterable[object], place: Place, schema: FieldSchema
) -> Iterator[Problem]:
    for constant in constants:
        text = as_text(constant)
        if _has_choices(schema):
            if complaint := _choice_complaint(text, schema):
                yield place.problem(complaint)
        elif schema.type in _READERS and not _readable(constant, _READERS[schema.type]):
            yield place.problem(f"'{schema.name}' takes {_named(schema)}, which '{text}' is not")
        elif schema.max_length is not None and len(text) > schema.max_length:
            message = f"'{schema.name}' takes at most {schema.max_length} characters; "
            yield place.problem(f"{message}'{text[:20]}...' has {len(text)}")


def _choice_complaint(text: str, schema: FieldSchema) -> str | None:
    values = [value for value, _label in schema.options]
    if text in values:
        return None
    by_label = {label.casefold(): value for value, label in schema.options}
    near = by_label.get(text.casefold()) or nearest(text, values)
    hint = f"did you mean '{near}'?" if near else f"it has {_shown(schema)}"
    return f"'{text}' is not a choice of '{schema.name}' ({hint})"


def _readable(constant: object, transform: str) -> bool:
    try:
        TRANSFORMS[transform].make(None)(constant)
    except Unusable:
        return False
    return True


def _named(schema: FieldSchema) -> str:
    return f"an {schema.type}" if schema.type is FieldType.EMAIL else f"a {schema.type}"


def _shown(schema: FieldSchema) -> str:
    values = [value for value, _label in schema.options]
    more = ", ..." if len(values) > _SHOWN_CHOICES else ""
    return ", ".join(values[:_SHOWN_CHOICES]) + more
