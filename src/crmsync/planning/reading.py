"""What follows from a record that somebody else may have changed: field by field, value first.

A value that is what we know the record to hold is an echo, whatever the record's time says. Of any
other, the field's owner decides:

| conflict | only theirs changed | both changed |
|---|---|---|
| theirs | taken | taken |
| newest | taken | the newer one, by the time of our value and of their record |
| only_if_empty | known from now on, never written over | the same |
| ours | drift: told; sent again where the mapping asks for it | ours, with the next write |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from crmsync.model import Fields, Value
from crmsync.planning.changes import Change
from crmsync.planning.normalise import same_phone


class Owner(StrEnum):
    """Who decides what a field holds."""

    THEIRS = "theirs"
    NEWEST = "newest"
    WHO_COMES_FIRST = "only_if_empty"
    OURS = "ours"
    OURS_AT_ONCE = "ours_at_once"
    """What somebody else wrote is overwritten without waiting for a value of ours."""


@dataclass(frozen=True, slots=True)
class Both:
    """One field that is written and read: what both sides make of it."""

    name: str
    owner: Owner
    desired: Value
    """What we want it to hold."""
    ours_at: datetime | None
    """When our value was said; None where nobody knows."""
    is_phone: bool = False
    """A CRM may punctuate it in its own way."""

    def same(self, left: Value, right: Value) -> bool:
        """Whether two values are one."""
        return left == right or (self.is_phone and same_phone(left, right))


@dataclass(slots=True)
class Verdict:
    """What follows for one record."""

    taken: dict[str, Value] = field(default_factory=dict)
    """Their values that are to become ours, by CRM field."""
    known: dict[str, Value] = field(default_factory=dict)
    """What the record is known to hold from now on, where that is new."""
    drifted: dict[str, Change] = field(default_factory=dict)
    """Fields of ours that somebody else changed: what we wrote, what they hold."""
    to_write: bool = False
    """Something of ours has to be sent again."""
    replaced: dict[str, Change] = field(default_factory=dict)
    """Every field on which the two sides took turns: what was known, what is found."""


def judge(
    fields: Iterable[Both], known: Fields, found: Fields, theirs_at: datetime | None
) -> Verdict:
    """Decide about one record, `found` as its CRM holds it, canonical.

    A field that the CRM did not answer is not judged.
    """
    verdict = Verdict()
    for one in fields:
        name = one.name
        if name not in found or one.same(found[name], known.get(name)):
            continue
        _judge_one(verdict, one, known.get(name), found[name], theirs_at)
    return verdict


def _judge_one(
    verdict: Verdict, one: Both, before: Value, found: Value, theirs_at: datetime | None
) -> None:
    if one.same(found, one.desired):  # they came to the same value by themselves
        verdict.known[one.name] = found
        return
    is_ours = one.owner in {Owner.OURS, Owner.OURS_AT_ONCE}
    if is_ours and one.desired is None and before is None:
        return  # what we neither want nor ever wrote is somebody else's, and not ours to clear
    match one.owner:
        case Owner.OURS:
            verdict.drifted[one.name] = before, found
            return
        case Owner.OURS_AT_ONCE:
            verdict.drifted[one.name] = before, found
            verdict.to_write = True
        case Owner.WHO_COMES_FIRST:
            verdict.to_write |= found is None and one.desired is not None
        case Owner.NEWEST if one.desired != before and not _theirs_newer(one, theirs_at):
            verdict.to_write = True
        case _:
            verdict.taken[one.name] = found
    verdict.known[one.name] = found
    verdict.replaced[one.name] = before, found


def _theirs_newer(one: Both, theirs_at: datetime | None) -> bool:
    if one.ours_at is None or theirs_at is None:
        return one.ours_at is None
    return theirs_at >= one.ours_at


@dataclass(frozen=True, slots=True)
class Flips:
    """How often a field has gone back and forth between our value and theirs."""

    count: int
    """Turns so far: theirs, and ours in between."""
    since: datetime
    theirs: bytes
    """A hash of the value that they turn it to."""
    frozen_at: datetime | None = None
    """Since when both sides leave it alone."""


FLIPS_BEFORE_FREEZING = 3
FLIPS_WITHIN = timedelta(minutes=10)
"""At least: where turns are seen later, they are counted for longer."""


def flipped(
    held: Flips | None, theirs: bytes, now: datetime, within: timedelta = FLIPS_WITHIN
) -> Flips:
    """Return what is kept of a field that they have turned from our value to another one.

    Two systems that correct each other would go on for ever: more than three turns between the same
    two values `within` a time freeze the field.
    """
    if held is None or held.theirs != theirs or now - held.since > within:
        return Flips(1, now, theirs)
    count = held.count + 2  # we turned it back, and they did again
    return Flips(count, held.since, theirs, now if count > FLIPS_BEFORE_FREEZING else None)
