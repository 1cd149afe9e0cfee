"""The hot path: a profile's facts in, the record its CRM should hold out.

Also which triggers a change sets off. Everything that can be worked out beforehand is in the
`SyncMapping`; nothing here raises for what a profile holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crmsync.mapping.compiled import LEFT_OUT, SyncMapping
from crmsync.mapping.triggers import Trigger
from crmsync.mapping.values import Unusable, as_text
from crmsync.model import Facts

_NONE: Final[frozenset[Trigger]] = frozenset()
_NO_COMPLAINTS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Desired:
    """What the CRM should hold for one profile."""

    match: Mapping[str, str]
    """CRM field: value to find the record by, in the mapping's order; empty keys are left out."""
    fields: Mapping[str, Any]
    """CRM field: raw value, None to clear. A field that must be left as it is, is absent.
    Out of scope: what to leave behind in a record that is linked (`on_leave`)."""
    in_scope: bool
    """Whether the profile meets the mapping's `only`."""
    unusable: Mapping[str, str]
    """CRM field: why no value could be made of what the profile holds; left out of `fields`."""


def render(mapping: SyncMapping, facts: Facts) -> Desired:
    """Return the record that the mapping makes of these facts."""
    match = _match(mapping, facts)
    if mapping.only is not None and not mapping.only(facts):
        return Desired(match, mapping.leave_fields, False, _NO_COMPLAINTS)  # noqa: FBT003 - a hot call; keywords cost
    get = facts.get
    fields: dict[str, Any] = {}
    unusable = _NO_COMPLAINTS
    for field in mapping.fields:
        compute = field.compute
        if compute is None:
            fields[field.name] = get(field.fact)
            continue
        try:
            value = compute(facts)
        except Unusable as reason:
            unusable = {**unusable, field.name: str(reason)}
            continue
        if value is not LEFT_OUT:
            fields[field.name] = value
    return Desired(match, fields, True, unusable)  # noqa: FBT003 - as above


def is_addressable(mapping: SyncMapping, facts: Facts) -> bool:
    """Whether the profile has any match key: without one it is never sent."""
    return bool(_match(mapping, facts))


def triggers_for(mapping: SyncMapping, changed: Collection[str]) -> frozenset[Trigger]:
    """Return the triggers of exactly what reads a changed fact; none where nothing does."""
    by_fact = mapping.triggers_by_fact
    found = _NONE
    for fact in changed:
        if fact in by_fact:
            found |= by_fact[fact]
    return found


def _match(mapping: SyncMapping, facts: Facts) -> dict[str, str]:
    match = {}
    for field, fact in mapping.match:
        value = facts.get(fact)
        if value is None:
            continue
        try:
            text = as_text(value).strip()
        except Unusable:
            continue
        if text:
            match[field] = text
    return match
