"""Mappings read backwards: what a CRM's value says about a trait.

`reader` goes by a `map` that a person wrote for this direction. `reversed_field` turns a line of
`fields:` round, which only a plain `from` and a one-to-one `map` allow: there, what is read and
written again is the same value, so that two-way sync settles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from crmsync.mapping.spec import FieldKeys
from crmsync.mapping.transforms import TRANSFORMS, chain
from crmsync.mapping.values import Kind, Unusable, as_text, is_empty
from crmsync.model import Value

Back: TypeAlias = Callable[[Value], Any]
"""Makes a trait's value of a field's canonical one, None of an empty one; raises `Unusable`."""
_SHOWN: Final = 40
"""Characters of a value worth repeating."""
_UNKNOWN: Final = object()
_AS_BOOLEAN: Final = chain([(TRANSFORMS["boolean"], None)])
_READERS: Final = {Kind.NUMBER: chain([(TRANSFORMS["number"], None)]), Kind.BOOLEAN: _AS_BOOLEAN}
"""What makes a trait of this kind from a key of `map`, which is always text."""


class Irreversible(ValueError):
    """A field that cannot be read backwards; the message says what is in the way."""


def reader(name: str, values: Mapping[str, Any] | None) -> Back:
    """Return what reads the field `name`; `values` are the CRM's and ours, None for the same."""
    return _same if values is None else _looked_up(name, values)


def reversed_field(name: str, keys: FieldKeys, kind: Kind) -> Back:
    """Return what reads back the field `name` that `keys` fill from a trait of this kind.

    A `default` is not turned round: it is a value like any other. Raises `Irreversible`.
    """
    if keys.from_ is None:
        what = "a template" if keys.template is not None else "a constant"
        raise Irreversible(f"{what} cannot be read backwards; use a plain `from`")
    if keys.transform is not None:
        raise Irreversible("a `transform` cannot be read backwards; leave it out")
    return reader(name, _turned(keys.map, kind) if keys.map else None)


def _turned(values: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    turned: dict[str, Any] = {}
    for ours, theirs in values.items():
        if is_empty(theirs):
            raise Irreversible(
                f"`map` empties the field for '{ours}', which cannot be read backwards"
            )
        text = as_text(theirs).strip()
        if text in turned:
            message = f"`map` has '{text[:_SHOWN]}' for more than one value of ours"
            raise Irreversible(f"{message}, which cannot be read backwards")
        turned[text] = _typed(ours, kind)
    return turned


def _typed(ours: str, kind: Kind) -> object:
    """Return a key of `map` as the trait has it: `map: {true: Yes}` is about a boolean."""
    if kind not in _READERS:
        return ours
    try:
        return _READERS[kind](ours)
    except Unusable:
        raise Irreversible(f"the trait is a {kind}, and '{ours}' in `map` is not one") from None


def _same(value: Value) -> Value:
    return None if is_empty(value) else value


def _looked_up(name: str, values: Mapping[str, Any]) -> Back:
    truths: dict[object, Any] = {}
    for theirs, ours in values.items():
        with suppress(Unusable):  # a checkbox reads as true, however the file calls that
            truths[_AS_BOOLEAN(theirs)] = ours

    def back(value: Value) -> object:
        if is_empty(value):
            return None
        if isinstance(value, list):
            raise Unusable(f"{name}: a list cannot be mapped")
        found = truths.get(value, _UNKNOWN) if isinstance(value, bool) else _UNKNOWN
        found = values.get(as_text(value), found)
        if found is _UNKNOWN:
            raise Unusable(f"{name}: the value is not in `map`")
        return found

    return back
