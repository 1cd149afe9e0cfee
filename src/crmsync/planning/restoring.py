"""Putting back what a run wrote: the difference backwards, field by field.

| the record holds | follows |
|---|---|
| what it held before the run | nothing to do |
| what the run wrote | is put back |
| anything else | somebody changed it since: left alone |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crmsync.model import Fields, Value
from crmsync.planning.changes import Change

Same = Callable[[str, Value, Value], bool]
"""Whether two values of a field are one."""


@dataclass(frozen=True, slots=True)
class FieldWrite:
    """What one run made of one field."""

    before: Value
    """What it held before the run first wrote it."""
    written: tuple[Value, ...]
    """What was written, the latest last: an answer that was lost may have landed or not."""


@dataclass(slots=True)
class Restoration:
    """What follows for one record."""

    to_restore: dict[str, Change] = field(default_factory=dict)
    """By CRM field: what it holds, what it held before the run."""
    is_back: dict[str, Change] = field(default_factory=dict)
    """What the run wrote last, and what it holds again."""
    changed_since: dict[str, Value] = field(default_factory=dict)
    """What it holds by now."""


def judge(writes: Mapping[str, FieldWrite], found: Fields, same: Same) -> Restoration:
    """Decide about one record, `found` as its CRM holds it now."""
    verdict = Restoration()
    for name, write in writes.items():
        holds = found.get(name)
        if same(name, holds, write.before):
            verdict.is_back[name] = write.written[-1], write.before
        elif any(same(name, holds, one) for one in write.written):
            verdict.to_restore[name] = holds, write.before
        else:
            verdict.changed_since[name] = holds
    return verdict
