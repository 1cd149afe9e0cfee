"""A mapping as the push uses it: checked, frozen, with everything worked out in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from crmsync.mapping.conditions import Condition
from crmsync.mapping.predicates import Predicate
from crmsync.mapping.problems import Place
from crmsync.mapping.triggers import Trigger
from crmsync.mapping.values import Kind
from crmsync.model import Facts, ProfileKind, Value


class Mode(StrEnum):
    """What a mapping may do to records."""

    UPSERT = "upsert"
    UPDATE = "update"
    """Never create."""
    INSERT = "insert"
    """Never overwrite."""


class Conflict(StrEnum):
    """Who wins where the CRM holds another value."""

    OURS = "ours"
    THEIRS = "theirs"
    NEWEST = "newest"
    ONLY_IF_EMPTY = "only_if_empty"


class Pick(StrEnum):
    """Which of a person's deals speaks for them."""

    LATEST_OPEN = "latest_open"
    LARGEST_OPEN = "largest_open"
    LATEST = "latest"
    """Open or not."""


class NoneOpen(StrEnum):
    """What holds for a person none of whose deals is open, where an open one was to be picked."""

    LATEST_CLOSED = "latest_closed"
    EMPTY = "empty"


class Drift(StrEnum):
    """What follows where somebody changed a field that is ours."""

    REPORT = "report"
    """It is told, and overwritten when our value changes."""
    REASSERT = "reassert"
    """It is told, and our value is sent again."""


class OnDelete(StrEnum):
    """What follows where a record was deleted in the CRM."""

    SUPPRESS = "suppress"
    """The person is not sent again."""
    RECREATE = "recreate"


class OnMerge(StrEnum):
    """What becomes of two records when the two people they are turn out to be one."""

    KEEP = "keep"
    """Both stay; the winner's is written from now on."""
    MERGE_IN_CRM = "merge_in_crm"


class OnDuplicate(StrEnum):
    """What follows where another record has the match key of somebody who has one."""

    REPORT = "report"
    MERGE = "merge"
    """The CRM makes one of them; the record that is linked wins."""


class Harm(StrEnum):
    """What a mistake does to many records at once."""

    CLEARED = "cleared"
    """Fields that held a value hold none."""
    CHANGED = "changed"
    """Fields that held a value hold another one."""


@dataclass(frozen=True, slots=True)
class GuardLimit:
    """How many of a sync's records one run may harm in one way."""

    harm: Harm
    share: float
    """Of the records that the sync is linked to."""
    at_least: int
    """So many records may always be harmed."""
    backfill_only: bool = False
    """Whether only what follows from a changed mapping or a backfill is judged."""


GUARD: Final = (
    GuardLimit(Harm.CLEARED, 0.2, 100),
    # Ordinary data may change everybody's last visit every day.
    GuardLimit(Harm.CHANGED, 0.5, 500, backfill_only=True),
)
"""What holds where nothing is set."""


class _LeftOut:
    """What a field's function returns where its `when` does not hold."""

    __slots__ = ()


LEFT_OUT: Final = _LeftOut()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One line of a mapping: how one CRM field gets its value."""

    name: str
    """The CRM's name of the field."""
    reads: frozenset[str]
    triggers: frozenset[Trigger]
    conflict: Conflict
    kind: Kind
    """What sort of value it sends."""
    place: Place
    origin: str
    """What it is made from, as a person would say it: `plan`, `"{first_name} of {company}"`."""
    constants: tuple[Any, ...] = ()
    """Values of `value`, `map` and `default`: known before any profile is."""
    open_ended: bool = True
    """Whether it may send values other than the constants."""
    may_be_empty: bool = True
    """Whether somebody may be sent without a value for it: it has no default, or a `when`."""
    fact: str = ""
    """The fact it copies unchanged, where it does nothing else."""
    compute: Callable[[Facts], Any] | None = field(default=None, repr=False, compare=False)
    """Makes the value in every other case; returns `LEFT_OUT` or raises `values.Unusable`."""


@dataclass(frozen=True, slots=True)
class PullField:
    """One CRM field that is read back into a trait."""

    trait: str
    name: str
    """The CRM's name of the field."""
    conflict: Conflict
    """Any but `OURS`. `ONLY_IF_EMPTY`: taken only while the trait is empty."""
    is_pushed: bool
    """Whether the mapping writes the field as well."""
    place: Place
    back: Callable[[Value], Any] = field(repr=False, compare=False)
    """Makes the trait's value of the field's canonical one, where owners and stages are named;
    raises `values.Unusable`."""
    known: tuple[str, ...] | None = None
    """The CRM's values that its `map` has; None where it has none, and any value will do."""


@dataclass(frozen=True, slots=True)
class DealMapping:
    """What of a person's deals is read back."""

    pick: Pick
    none_open: NoneOpen
    pulls: tuple[PullField, ...]
    place: Place

    @property
    def read_fields(self) -> tuple[str, ...]:
        """The CRM's names of the deal fields to read, each once."""
        return tuple(dict.fromkeys(pull.name for pull in self.pulls))


@dataclass(frozen=True, slots=True, eq=False)
class SyncMapping:
    """One mapping file: profiles of one kind to records of one object of one connection."""

    sync: str
    """The sync's name: the file's stem."""
    connection: str
    source: ProfileKind
    object_type: str
    match: tuple[tuple[str, str], ...]
    """(CRM field, fact), in the order in which they are tried."""
    triggers: frozenset[Trigger]
    """Those of the file; each field has its own or these."""
    condition: Condition | None
    """`only`, as a tree."""
    only: Predicate | None = field(repr=False)
    mode: Mode
    leave_fields: Mapping[str, Any]
    """What to write to the record of a profile that no longer meets `only`: empty to keep it."""
    fields: tuple[FieldMapping, ...]
    hash: str
    """Of the mapping's meaning: the same for another order of fields or another comment."""
    reads: frozenset[str]
    """Every fact that match, only, fields and their conditions read."""
    triggers_by_fact: Mapping[str, frozenset[Trigger]] = field(repr=False)
    event_names: frozenset[str]
    """Tracked events that make waiting changes due."""
    place: Place
    match_places: Mapping[str, Place] = field(repr=False)
    leave_place: Place
    pulls: tuple[PullField, ...] = ()
    """What is read back of the records: from `pull:`, and every two-way field of `fields:`."""
    deals: DealMapping | None = None
    associations: tuple[tuple[str, str], ...] = ()
    """(the CRM's other object, the name of the sync that our companies become its records by)."""
    drift: Drift = Drift.REPORT
    on_delete: OnDelete = OnDelete.SUPPRESS
    on_merge: OnMerge = OnMerge.KEEP
    on_duplicate: OnDuplicate = OnDuplicate.REPORT
    reconcile: bool = True
    """All its records are compared with what the CRM holds every `timing.reread_seconds`."""
    unless_linked: frozenset[str] = frozenset()
    """Syncs: who has a record by one of them is not sent by this one."""
    guard: tuple[GuardLimit, ...] = GUARD
    """Beyond which a run stops and asks. No part of the hash: nothing is to be sent anew for it."""
    is_followed: bool = False
    """Another one names it so: it is read back, to see which of its leads were converted."""

    @property
    def read_fields(self) -> tuple[str, ...]:
        """The CRM's names of the fields to read back, each once: what is pulled and what is pushed.

        The pushed ones show what others changed.
        """
        pushed = (field.name for field in self.fields)
        return tuple(dict.fromkeys((*pushed, *(pull.name for pull in self.pulls))))
