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
from crmsync.model import Facts, ProfileKind


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
    ONLY_IF_EMPTY = "only_if_empty"


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
