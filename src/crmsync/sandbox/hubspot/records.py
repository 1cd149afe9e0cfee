"""The records of one object type: kept, found, changed, and remembered as search last saw them.

Nothing here knows HTTP. A write has two steps, so that a batch can be refused as a whole:
`draft_*` checks everything and changes nothing, `commit` cannot fail.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.properties import Option, Properties, Property
from crmsync.sandbox.hubspot.values import Invalid
from crmsync.sandbox.hubspot.wire import iso

Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by whom something is written. Times in milliseconds since 1970."""

    at: int
    source: str
    """`INTEGRATION` for the API, `CRM_UI` for people."""
    source_id: str
    visible_at: int
    """From when search sees it."""
    settles_at: int | None
    """When a record created by it is touched once more by HubSpot itself."""
    kept: bool
    """Whether the record's history remembers it."""
    told: bool = True
    """Whether it is told of by webhooks."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the history keeps it."""

    changes: Values
    stamp: Stamp


@dataclass(slots=True, eq=False)
class Record:
    """One record. `values` is replaced by a write, never changed, so others may hold on to it."""

    id: str
    created: int
    modified: int
    values: Values
    archived: int | None = None
    settles_at: int | None = None
    """When the modification time will move once more by itself."""
    history: list[Write] = field(default_factory=list)
    indexed: Values | None = None
    """What search sees; None while it sees nothing."""
    unindexed: deque[tuple[int, Values]] = field(default_factory=deque)
    """Newer values, each with the moment from which search sees it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A write that has been checked."""

    record: Record | None
    """None for one to be created."""
    id: str
    changes: Values


class Claims:
    """The unique values that earlier inputs of the same batch will take."""

    def __init__(self) -> None:
        """Nothing is claimed yet."""
        self.taken: dict[tuple[str, str], str] = {}


class Records:
    """All records of one object type in one portal."""

    def __init__(
        self, properties: Properties, modified_name: str, portal_id: int, first_id: int
    ) -> None:
        """Start empty; ids count up from `first_id`."""
        self.properties = properties
        self.modified_name = modified_name
        self._portal_id = portal_id
        self._next_id = first_id
        self._by_id: dict[str, Record] = {}
        self._order: list[int] = []
        self._holders: dict[str, dict[str, str]] = {}
        """Per unique property, which record holds a value. Secondary addresses count as `email`."""
        self.merged: dict[str, str] = {}
        """Ids merged away, and the record each now stands for."""
        self.adjust: Callable[[Values, Mapping[str, str]], Values] = _unchanged
        """What HubSpot makes of checked changes, given the values held."""
        self.derive: Callable[[Mapping[str, str]], Values] = _nothing
        """What HubSpot computes from values."""
        self.told: Callable[[Draft, Mapping[str, str], Stamp], object] = _untold
        """Told of each write and of the values held before it, once it is done."""
        self.archived_values_reserved = False

    # --- finding ----------------------------------------------------------------------------

    def find(self, record_id: str, *, follow_merges: bool = True) -> Record | None:
        """Return a live record by its id, or by an id that was merged into it."""
        if follow_merges:
            while record_id in self.merged:
                record_id = self.merged[record_id]
        record = self._by_id.get(record_id)
        return record if record is not None and record.archived is None else None

    def find_archived(self, record_id: str) -> Record | None:
        """Return an archived record."""
        record = self._by_id.get(record_id)
        return record if record is not None and record.archived is not None else None

    def find_by(self, name: str, value: str) -> Record | None:
        """Return the live record that holds a value of a unique property."""
        key = value.strip().lower() if name == "email" else value
        record_id = self._holders.get(name, {}).get(key)
        return self.find(record_id) if record_id else None

    def after(self, record_id: int) -> Iterator[Record]:
        """Yield records, archived ones too, with ids greater than this, lowest first."""
        for number in self._order[bisect_right(self._order, record_id) :]:
            record = self._by_id.get(str(number))
            if record is not None:
                yield record

    def every(self) -> Iterator[Record]:
        """Yield all records, archived ones too, lowest id first."""
        return self.after(-1)

    def count(self) -> int:
        """Return the number of live records."""
        return sum(1 for record in self._by_id.values() if record.archived is None)

    # --- writing ----------------------------------------------------------------------------

    def check(self, given: Mapping[str, Any], held: Mapping[str, str]) -> Values:
        """Return the values as they will be kept; 400 names every one that is wrong."""
        checks = self.properties.checks
        multiple, read_only = self.properties.multiple, self.properties.read_only
        changes: Values = {}
        failures: list[dict[str, str]] = []
        for name, raw in given.items():
            value = raw if type(raw) is str else _as_text(raw, name)
            check = checks.get(name)
            if check is None:
                failures.append(_unknown(name))
                continue
            if name in multiple and value[:1] == ";":
                value = held.get(name, "") + value
            try:
                # An empty value clears, whatever the type, where anything may be written at all.
                changes[name] = check(value) if value or name in read_only else ""
            except Invalid as refusal:
                failures.append({"name": name, "code": refusal.code, "message": refusal.message})
        if failures:
            raise errors.invalid_values(failures, self._portal_id)
        return changes

    def draft_create(self, given: Mapping[str, Any], claims: Claims) -> Draft:
        """Check a new record against the rules, everybody else and this batch."""
        changes = self.adjust(self.check(given, {}), {})
        record_id = self.take_id()
        self._claim(changes, record_id, claims)
        return Draft(None, record_id, changes)

    def draft_update(self, record: Record, given: Mapping[str, Any], claims: Claims) -> Draft:
        """Check a change of a record in the same way."""
        changes = self.adjust(self.check(given, record.values), record.values)
        self._claim(changes, record.id, claims)
        return Draft(record, record.id, changes)

    def commit(self, draft: Draft, stamp: Stamp) -> Record:
        """Carry a checked write out."""
        now = stamp.at
        held = draft.record.values if draft.record else {}
        values = {**held, **draft.changes, self.modified_name: iso(now)}
        values.update(self.derive(values))
        record = draft.record or self._new(draft.id, values, stamp)
        moves = draft.record is None or not self.properties.unique_names.isdisjoint(draft.changes)
        if draft.record is not None:
            if moves:
                self._release(record)
            record.modified, record.settles_at = now, None
        record.values = values
        if moves:
            self._hold(record)
        self._expose(record, now, stamp.visible_at)
        if stamp.kept:
            record.history.append(Write(draft.changes, stamp))
        if stamp.told:
            self.told(draft, held, stamp)
        return record

    def archive(self, record: Record, now: int) -> None:
        """Put a record into the recycle bin."""
        record.archived = now
        if not self.archived_values_reserved:
            self._release(record)

    def restore(self, record: Record) -> None:
        """Take a record out of the recycle bin."""
        self._claim(record.values, record.id, Claims())
        record.archived = None
        self._hold(record)

    def erase(self, record: Record) -> None:
        """Remove a record for good."""
        self._release(record)
        del self._by_id[record.id]

    def take_id(self) -> str:
        """Return an id nobody has; one that is then not used is lost, as in any database."""
        self._next_id += 1
        return str(self._next_id - 1)

    def merge_away(self, loser: Record, survivor_id: str) -> None:
        """Let one id stand for another from now on."""
        self._release(loser)
        self._by_id.pop(loser.id, None)
        self.merged[loser.id] = survivor_id

    def settle(self, record: Record, now: int) -> Record:
        """Let the modification time move by itself where that is due; return the record."""
        due = record.settles_at
        if due is not None and now >= due:
            record.settles_at = None
            record.modified = due
            record.values = {**record.values, self.modified_name: iso(due)}
            self._expose(record, due, due)
        return record

    def as_indexed(self, record: Record, now: int) -> Values | None:
        """Return the values search sees now, or None where it does not see the record."""
        self.settle(record, now)
        waiting = record.unindexed
        while waiting and waiting[0][0] <= now:
            record.indexed = waiting.popleft()[1]
        return record.indexed if record.archived is None else None

    # --- for another day ----------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the records and custom properties as JSON; without histories and merges."""
        return {
            "next_id": self._next_id,
            "properties": [asdict(p) for p in self.properties.live() if not p.defined_by_hubspot],
            "records": [
                {"id": r.id, "created": r.created, "modified": r.modified,
                 "values": r.values, "archived": r.archived}
                for r in self.every()
            ],
        }  # fmt: skip

    def load_snapshot(self, snapshot: Mapping[str, Any]) -> None:
        """Add what a snapshot says to records that are still empty; search sees it at once."""
        for saved in snapshot["properties"]:
            options = tuple(Option(**option) for option in saved["options"])
            self.properties.put(Property(**{**saved, "options": options}))
        for saved in snapshot["records"]:
            record = Record(**saved, indexed=saved["values"])
            self._by_id[record.id] = record
            self._order.append(int(record.id))
            if record.archived is None:
                self._hold(record)
        self._next_id = snapshot["next_id"]

    # --- unique values ----------------------------------------------------------------------

    def _claim(self, changes: Mapping[str, str], record_id: str, claims: Claims) -> None:
        if self.properties.unique_names.isdisjoint(changes):
            return
        for name, value in self._unique_values(changes):
            holder = claims.taken.get((name, value)) or self._holders.get(name, {}).get(value)
            if holder is None or holder == record_id:
                claims.taken[name, value] = record_id
            elif name == "email":
                raise errors.contact_exists(holder)
            else:
                raise errors.invalid_values(
                    [_conflicting(name, value, record_id, holder)], self._portal_id
                )

    def _hold(self, record: Record) -> None:
        for name, value in self._unique_values(record.values):
            self._holders.setdefault(name, {})[value] = record.id

    def _release(self, record: Record) -> None:
        for name, value in self._unique_values(record.values):
            holders = self._holders.get(name, {})
            if holders.get(value) == record.id:
                del holders[value]

    def _unique_values(self, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for name in self.properties.unique:
            value = values.get(name)
            if value:
                yield name, value
        secondary = values.get("hs_additional_emails")
        if secondary:
            for address in secondary.split(";"):
                yield "email", address

    def _new(self, record_id: str, values: Values, stamp: Stamp) -> Record:
        values["createdate"] = iso(stamp.at)
        values["hs_object_id"] = record_id
        record = Record(record_id, stamp.at, stamp.at, values, settles_at=stamp.settles_at)
        self._by_id[record_id] = record
        self._order.append(int(record_id))
        return record

    def _expose(self, record: Record, now: int, visible_at: int) -> None:
        if visible_at <= now and not record.unindexed:
            record.indexed = record.values
            return
        while record.unindexed and record.unindexed[0][0] <= now:
            record.indexed = record.unindexed.popleft()[1]
        record.unindexed.append((visible_at, record.values))


def _as_text(raw: object, name: str) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float | str):
        return str(raw)
    raise errors.wrong_shape(f"value of property `{name}`: a string is expected")


def _unknown(name: str) -> dict[str, str]:
    text = f'Property "{name}" does not exist'
    return {"name": name, "code": "PROPERTY_DOESNT_EXIST", "message": text}


def _conflicting(name: str, value: str, record_id: str, holder: str) -> dict[str, str]:
    text = f"Cannot set {name}={value} on {record_id}. {holder} already has that value."
    return {"name": name, "code": "CONFLICTING_UNIQUE_VALUE", "message": text}


def _unchanged(changes: Values, _held: Mapping[str, str]) -> Values:
    return changes


def _nothing(_values: Mapping[str, str]) -> Values:
    return {}


def _untold(_draft: Draft, _held: Mapping[str, str], _stamp: Stamp) -> None:
    return
