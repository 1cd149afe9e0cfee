"""The records of one module: kept, found, changed, and remembered as search last saw them.

Nothing here knows HTTP. A write has two steps: `draft_*` checks everything and changes nothing,
`commit` cannot fail. Times are whole seconds since 1970, as Zoho's are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.fields import Fields
from crmsync.sandbox.zoho.values import Invalid

Operation = Literal["insert", "update", "delete"]
Values = dict[str, Any]
"""By api_name, as JSON has them; lookups and owners as the id alone; None where cleared."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by whom something is written, and what it sets off."""

    at: int
    user: str
    source: Literal["API", "UI"]
    triggers: tuple[str, ...]
    """Which of workflow, approval and blueprint ran."""
    visible_at: float
    """From when search sees it."""
    kept: bool
    """Whether the record's history remembers it."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the history keeps it."""

    changes: Values
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a record went away."""

    at: int
    user: str
    permanent: bool


@dataclass(slots=True, eq=False)
class Record:
    """One record. `values` is replaced by a write, never changed, so others may hold on to it."""

    id: str
    created: int
    modified: int
    created_by: str
    modified_by: str
    values: Values
    deleted: Deletion | None = None
    merged_into: str | None = None
    states: frozenset[str] = frozenset()
    """Of `locked`, `blueprint`, `waiting` (for approval) and `converted`."""
    history: list[Write] = field(default_factory=list)
    workflow_runs: int = 0
    indexed: Values | None = None
    """What search sees; None while it sees nothing."""
    unindexed: deque[tuple[float, Values]] = field(default_factory=deque)
    """Newer values, each with the moment from which search sees it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A write that has been checked."""

    record: Record | None
    """None for one to be created."""
    changes: Values


class Records:
    """All records of one module."""

    def __init__(self, module: str, fields: Fields, new_id: Callable[[], str]) -> None:
        """Start empty."""
        self.module = module
        self.fields = fields
        self._new_id = new_id
        self.by_id: dict[str, Record] = {}
        """Live and deleted ones, lowest id first."""
        self._holders: dict[str, dict[str, list[str]]] = {}
        """Per field that identifies, which live records hold a value, oldest first."""
        self.adjust: Callable[[Values, Values, int], Values] = _unchanged
        """What Zoho makes of checked changes, given the values held and the time."""
        self.verify: Callable[[Values, Values, str], None] = _agree
        """What the values of several fields must have in common."""
        self.tell: Callable[[Record, Operation, Collection[str]], None] = _silent
        """Whom to tell what was done to a record, and to which fields."""
        self.describe: Callable[[Record], Any] = _by_id
        """How an answer names the record that holds a unique value."""
        self.all_faults = False
        """Whether a refusal names every wrong field or the first."""

    # --- finding ----------------------------------------------------------------------------

    def find(self, record_id: str) -> Record | None:
        """Return a live record."""
        record = self.by_id.get(record_id)
        return record if record is not None and record.deleted is None else None

    def holding(self, name: str, value: object) -> list[Record]:
        """Return the live records that hold a value of an identifying field, oldest first."""
        holders = self._holders.get(name, {})
        return [self.by_id[held] for held in holders.get(self.fields.key(name, value), ())]

    def live(self) -> Iterator[Record]:
        """Yield live records, lowest id first."""
        return (record for record in self.by_id.values() if record.deleted is None)

    def count(self) -> int:
        """Return the number of live records."""
        return sum(1 for _ in self.live())

    # --- writing ----------------------------------------------------------------------------

    def draft_create(self, given: Mapping[str, Any], path: str, now: int) -> Draft:
        """Check a new record. `path` is where it stands in the body, `$.data[3]`."""
        changes, faults = self._check(given, path, {})
        for name in self.fields.mandatory:
            if name not in given:
                faults.append(errors.missing_member(name, f"{path}.{name}"))
        return self._draft(None, changes, faults, path, now)

    def draft_update(self, record: Record, given: Mapping[str, Any], path: str, now: int) -> Draft:
        """Check a change of a record."""
        changes, faults = self._check(given, path, record.values)
        for state in ("converted", "locked", "waiting"):
            if state in record.states:
                raise errors.in_state(state, record.id)
        if "blueprint" in record.states and "Stage" in changes:
            raise errors.in_state("blueprint", record.id)
        return self._draft(record, changes, faults, path, now)

    def commit(self, draft: Draft, stamp: Stamp) -> Record:
        """Carry a checked write out."""
        record = draft.record or self._new(stamp)
        identifying = draft.record is None or any(
            name in draft.changes for name in self.fields.matchable
        )
        if identifying:
            self._release(record)
        record.values = {**record.values, **draft.changes}
        record.modified, record.modified_by = stamp.at, stamp.user
        if identifying:
            self._hold(record)
        self._expose(record, stamp)
        record.workflow_runs += "workflow" in stamp.triggers
        if stamp.kept:
            record.history.append(Write(draft.changes, stamp))
        self.tell(record, "update" if draft.record else "insert", draft.changes)
        return record

    def delete(self, record: Record, deletion: Deletion) -> None:
        """Put a record into the recycle bin, or away for good; its unique values are free."""
        self._release(record)
        record.deleted = deletion
        self.tell(record, "delete", ())

    def restore(self, record: Record) -> None:
        """Take a record out of the recycle bin."""
        self._check_unique(record.values, record, "$.data[0]")
        record.deleted = None
        self._hold(record)

    def as_indexed(self, record: Record, now: float) -> Values | None:
        """Return the values search sees now, or None where it does not see the record."""
        waiting = record.unindexed
        while waiting and waiting[0][0] <= now:
            record.indexed = waiting.popleft()[1]
        return record.indexed

    def rename_field(self, api_name: str, new_name: str) -> None:
        """Let a field be known by another api_name, in the records too."""
        self.fields.rename(api_name, new_name)
        for record in self.by_id.values():
            if api_name in record.values:
                record.values = {
                    new_name if name == api_name else name: value
                    for name, value in record.values.items()
                }
        self.reindex()

    def reindex(self) -> None:
        """Find out anew who holds which identifying value."""
        self._holders.clear()
        for record in self.live():
            self._hold(record)

    # --- checking ---------------------------------------------------------------------------

    def _check(
        self, given: Mapping[str, Any], path: str, held: Values
    ) -> tuple[Values, list[ApiError]]:
        checks, mandatory = self.fields.checks, self.fields.mandatory
        changes: Values = {}
        faults: list[ApiError] = []
        for name, raw in given.items():
            check = checks.get(name)
            if check is None:
                continue  # unknown and read-only fields are ignored, without a word
            try:
                changes[name] = None if raw is None else check(raw)
            except Invalid as refusal:
                faults.append(errors.invalid_value(refusal, name, f"{path}.{name}"))
                continue
            if changes[name] is None and name in mandatory:
                faults.append(errors.missing_member(name, f"{path}.{name}"))
        appended = given.get("$append_values")
        if isinstance(appended, dict):
            for name in self.fields.multiple.intersection(changes):
                if appended.get(name) is True:
                    both = [*(held.get(name) or ()), *(changes[name] or ())]
                    changes[name] = list(dict.fromkeys(both)) or None
        return changes, faults

    def _draft(
        self,
        record: Record | None,
        changes: Values,
        faults: list[ApiError],
        path: str,
        now: int,
    ) -> Draft:
        if faults:
            raise errors.several(faults) if self.all_faults else faults[0]
        held = record.values if record is not None else {}
        self.verify(changes, held, path)
        self._check_unique(changes, record, path)
        return Draft(record, self.adjust(changes, held, now))

    def _check_unique(self, changes: Values, record: Record | None, path: str) -> None:
        for name in self.fields.unique:
            value = changes.get(name)
            if value is None:
                continue
            for holder in self.holding(name, value):
                if holder is not record:
                    raise errors.duplicate(name, f"{path}.{name}", self.describe(holder))

    # --- inside -----------------------------------------------------------------------------

    def _new(self, stamp: Stamp) -> Record:
        record = Record(self._new_id(), stamp.at, stamp.at, stamp.user, stamp.user, {})
        self.by_id[record.id] = record
        return record

    def _hold(self, record: Record) -> None:
        for name in self.fields.matchable:
            value = record.values.get(name)
            if value is not None:
                holders = self._holders.setdefault(name, {})
                holders.setdefault(self.fields.key(name, value), []).append(record.id)

    def _release(self, record: Record) -> None:
        for name in self.fields.matchable:
            value = record.values.get(name)
            holders = self._holders.get(name, {})
            key = self.fields.key(name, value)
            if record.id in holders.get(key, ()):
                holders[key].remove(record.id)
                if not holders[key]:
                    del holders[key]

    def _expose(self, record: Record, stamp: Stamp) -> None:
        if stamp.visible_at <= stamp.at and not record.unindexed:
            record.indexed = record.values
        else:
            record.unindexed.append((stamp.visible_at, record.values))


def _unchanged(changes: Values, _held: Values, _now: int) -> Values:
    return changes


def _agree(_changes: Values, _held: Values, _path: str) -> None:
    return None


def _silent(_record: Record, _operation: Operation, _changed: Collection[str]) -> None:
    return None


def _by_id(record: Record) -> dict[str, Any]:
    return {"id": record.id}
