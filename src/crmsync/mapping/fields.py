"""The lines under `fields:`: each the name of a trait, or keys that say how a value is made.

The order is fixed: `from`, `template` or `value`; then `transform`, `map`, `default`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from crmsync.mapping import conditions
from crmsync.mapping.compiled import LEFT_OUT, Conflict, FieldMapping
from crmsync.mapping.predicates import Predicate, predicate
from crmsync.mapping.problems import Place, Problems, did_you_mean
from crmsync.mapping.spec import FieldKeys, long_form
from crmsync.mapping.template import TemplateError, filler, parse_template
from crmsync.mapping.transforms import TRANSFORMS, Argument, Step, Transform, chain
from crmsync.mapping.trigger_keys import read_triggers
from crmsync.mapping.triggers import Trigger
from crmsync.mapping.values import Kind, Unusable, as_text, is_empty
from crmsync.mapping.vocabulary import Vocabulary
from crmsync.mapping.yaml_nodes import ListNode, MapNode, Node, ScalarNode
from crmsync.model import Facts

_MakeValue: TypeAlias = Callable[[Facts], object]
_MISSING: Final = object()
_SHOWN: Final = 40
"""Characters of an unknown name worth repeating."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a value begins."""

    make: _MakeValue
    kind: Kind
    reads: frozenset[str]
    origin: str


class FieldReader:
    """Checks and compiles one field after another of one file."""

    def __init__(
        self, vocabulary: Vocabulary, file_triggers: frozenset[Trigger], problems: Problems
    ) -> None:
        """`file_triggers` are those of fields that have none of their own."""
        self._vocabulary = vocabulary
        self._file_triggers = file_triggers
        self._problems = problems

    def read(
        self, name: str, given: str | FieldKeys, node: Node, place: Place
    ) -> tuple[FieldMapping, Mapping[str, Any]] | None:
        """Return the field and its meaning as plain data; None where it has no value to begin with.

        `node` is what stands behind the field's name, `place` where the name stands.
        """
        keys = long_form(FieldKeys, given)
        source = self._source(keys, node, place)
        if source is None:
            return None
        steps = self._steps(node) if keys.transform is not None else []
        kind = self._kind(source.kind, steps, keys)
        when = self._when(node) if keys.when is not None else None
        triggers = self._triggers(keys, node)
        reads = source.reads | (conditions.facts_of(when) if when else frozenset())
        plain = keys.from_ is not None and not steps and when is None
        plain = plain and keys.map is None and "default" not in keys.model_fields_set
        compute = None if plain else self._compute(source, steps, keys, when)
        field = FieldMapping(
            name=name,
            reads=reads,
            triggers=triggers,
            conflict=Conflict(keys.conflict),
            kind=kind,
            place=place,
            origin=source.origin,
            constants=_constants(keys),
            open_ended=bool(source.reads) and not keys.map,
            may_be_empty=when is not None or (keys.value is None and is_empty(keys.default)),
            fact=source.origin if plain else "",
            compute=compute,
        )
        return field, _meaning(keys, steps, triggers, when)

    def _source(self, keys: FieldKeys, node: Node, place: Place) -> _Source | None:
        given = keys.model_fields_set & {"from_", "template", "value"}
        if len(given) != 1:
            self._problems.error(place, "a field takes exactly one of from, template and value")
            return None
        if keys.from_ is not None:
            return self._fact(keys.from_, _below(node, "from"))
        if keys.template is not None:
            return self._template(keys.template, _below(node, "template"))
        surplus = keys.model_fields_set & {"transform", "map", "default"}
        if surplus or keys.value is None:
            message = "a constant `value` is sent as it is: no transform, map or default"
            self._problems.error(place, message if surplus else "`value` is empty")
            return None
        value = keys.value
        return _Source(lambda _facts: value, _kind_of_all([value]), frozenset(), repr(value))

    def _fact(self, fact: str, node: Node) -> _Source:
        self._vocabulary.check_name(fact, node.place)
        kind = self._vocabulary.kind(fact)
        return _Source(lambda facts: facts.get(fact), kind, frozenset({fact}), fact)

    def _template(self, text: str, node: Node) -> _Source | None:
        at = node.place_at if isinstance(node, ScalarNode) else lambda _offset: node.place
        try:
            template = parse_template(text)
        except TemplateError as error:
            self._problems.error(at(error.offset), error.message)
            return None
        for name, offset in template.names:
            self._vocabulary.check_name(name, at(offset))
        reads = frozenset(name for name, _ in template.names)
        return _Source(filler(template), Kind.TEXT, reads, repr(text))

    def _steps(self, node: Node) -> list[tuple[Transform, Argument | None, Place]]:
        below = _below(node, "transform")
        nodes = below.items if isinstance(below, ListNode) else [below]
        return [step for item in nodes if (step := self._step(item))]

    def _step(self, node: Node) -> tuple[Transform, Argument | None, Place] | None:
        argument: object = _MISSING
        name, place = node.text if isinstance(node, ScalarNode) else "", node.place
        if isinstance(node, MapNode):
            name, below = next(iter(node.entries.items()))
            place = node.key_places[name]
            argument = below.value if isinstance(below, ScalarNode) else None
        transform = TRANSFORMS.get(name)
        if transform is None:
            name = name[:_SHOWN]
            near = did_you_mean(name, TRANSFORMS) or f"; there are {', '.join(sorted(TRANSFORMS))}"
            self._problems.error(place, f"unknown transform '{name}'{near}")
            return None
        return self._with_argument(transform, argument, place)

    def _with_argument(
        self, transform: Transform, argument: object, place: Place
    ) -> tuple[Transform, Argument | None, Place] | None:
        parameter = transform.parameter
        if parameter is None:
            if argument is _MISSING:
                return transform, None, place
            self._problems.error(place, f"transform '{transform.name}' takes no argument")
            return None
        if argument is _MISSING and parameter.default is not None:
            return transform, parameter.default, place
        complaint = parameter.complaint(argument)
        if complaint:
            message = f"transform '{transform.name}' {complaint}, as in {{{transform.name}: ...}}"
            self._problems.error(place, message)
            return None
        return transform, cast("Argument", argument), place

    def _kind(
        self, kind: Kind, steps: Iterable[tuple[Transform, Argument | None, Place]], keys: FieldKeys
    ) -> Kind:
        """Return what sort of value comes out; note a transform that cannot take what comes in."""
        for transform, _argument, place in steps:
            if kind not in transform.takes:
                takes = " or ".join(sorted(transform.takes - {Kind.ANY}))
                message = f"transform '{transform.name}' takes {takes}, but gets a {kind} here"
                self._problems.error(place, message)
            kind = transform.gives
        return _kind_of_all(keys.map.values()) if keys.map else kind

    def _when(self, node: Node) -> conditions.Condition | None:
        return self._vocabulary.read_condition(_below(node, "when"), timeless=True)

    def _triggers(self, keys: FieldKeys, node: Node) -> frozenset[Trigger]:
        if keys.trigger is None:
            return self._file_triggers
        return read_triggers(keys.trigger, _below(node, "trigger"), self._problems)

    def _compute(
        self,
        source: _Source,
        steps: Iterable[tuple[Transform, Argument | None, Place]],
        keys: FieldKeys,
        when: conditions.Condition | None,
    ) -> _MakeValue:
        transformed = chain((transform, argument) for transform, argument, _place in steps)
        default = keys.default if "default" in keys.model_fields_set else _MISSING
        make = _with_default(_mapped(source.make, transformed, keys.map, default), default)
        holds = predicate(when, self._vocabulary.kinds) if when else None
        return _guarded(make, holds) if holds else make


def _mapped(
    make: _MakeValue, transformed: Step, values: Mapping[str, Any] | None, default: object
) -> _MakeValue:
    """Put `transform` and `map` behind a source; an empty value passes through."""

    def value(facts: Facts) -> object:
        raw = make(facts)
        ours = None if is_empty(raw) else transformed(raw)
        if values is None or is_empty(ours):
            return ours
        if isinstance(ours, list | tuple):
            raise Unusable("a list cannot be mapped; take `first` or `join` it before")
        theirs = values.get(as_text(ours), default)
        if theirs is _MISSING:
            raise Unusable("the value is not in `map`, and there is no `default`")
        return theirs

    return value


def _with_default(make: _MakeValue, default: object) -> _MakeValue:
    if default is _MISSING:
        return make

    def value(facts: Facts) -> object:
        made = make(facts)
        return default if is_empty(made) else made

    return value


def _guarded(make: _MakeValue, holds: Predicate) -> _MakeValue:
    return lambda facts: make(facts) if holds(facts) else LEFT_OUT


def _below(node: Node, key: str) -> Node:
    """Return what stands behind a key, or the node itself where the short form has no keys."""
    return node.entries[key] if isinstance(node, MapNode) else node


def _constants(keys: FieldKeys) -> tuple[Any, ...]:
    values = [keys.value, keys.default, *(keys.map or {}).values()]
    return tuple(value for value in values if value is not None)


def _kind_of_all(values: Iterable[Any]) -> Kind:
    """Return the kind that all the values share, else `ANY`."""
    kinds = {bool: Kind.BOOLEAN, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT}
    found = {kinds[type(value)] for value in values if value is not None}
    return found.pop() if len(found) == 1 else Kind.ANY


def _meaning(
    keys: FieldKeys,
    steps: Iterable[tuple[Transform, Argument | None, Place]],
    triggers: frozenset[Trigger],
    when: conditions.Condition | None,
) -> dict[str, Any]:
    """Return all that decides what is sent and when, in a form that JSON can hold.

    Who wins is not among it: other keys of the file have a say in that.
    """
    meaning = keys.model_dump(include={"from_", "template", "value", "map"})
    if "default" in keys.model_fields_set:
        meaning["default"] = keys.default
    meaning["transform"] = [[transform.name, argument] for transform, argument, _place in steps]
    meaning["trigger"] = sorted(str(trigger) for trigger in triggers)
    meaning["when"] = conditions.canonical(when) if when else None
    return meaning
