"""One record of a run that is undone: what is put back, and what is left alone, and why.

Pure, but for the record that it is given as it was read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from crmsync.model import (
    Action,
    CrmId,
    Failure,
    FieldSchema,
    FieldType,
    LinkId,
    ObjectSchema,
    Operation,
    Outcome,
    ProfileId,
    Record,
    Result,
    RunId,
    Value,
)
from crmsync.planning.changes import Change
from crmsync.planning.normalise import NotThatType, normaliser_of, same_phone
from crmsync.planning.restoring import Restoration, Same, judge
from crmsync.store.links import KEPT_OUT
from crmsync.store.undoing import Leased, Undone
from crmsync.store.written import Written
from crmsync.sync.records import Target, is_tie

WHOLE = ""
"""Stands for all of a record where one field is named."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Why something is left as it is."""

    code: str
    message: str
    hint: str


CHANGED_SINCE = Skip(
    "CHANGED_SINCE",
    "somebody changed it since",
    "decide in the CRM which value is right",
)
CREATED = Skip(
    "CREATED", "the run created it", "`--delete-created` deletes such records in the CRM"
)
CANNOT_DELETE = Skip(
    "CANNOT_DELETE", "the run created it, and it cannot be deleted from here", "delete it by hand"
)
UNKNOWN_BEFORE = Skip(
    "UNKNOWN_BEFORE",
    "the CRM found it by its key, so that nobody knows what it held before",
    "see in the CRM's own history what it held",
)
GONE = Skip("GONE", "its record is not in the CRM any more", "nothing is left to be undone")
MOVED = Skip("MOVED", "its profile goes by another record by now", "look at the old one by hand")
CONVERTED = Skip("CONVERTED", "it was a lead that was converted", "look at the contact by hand")
UNLINKED = Skip("UNLINKED", "its profile was erased or merged since", "look at it by hand")
NOT_OURS = Skip(
    "NOT_OURS", "it is not written any more: deleted, erased or in conflict", "look at it by hand"
)
NO_FIELD = Skip("NO_FIELD", "the CRM has no such field any more", "nothing is left to be undone")
TIE = Skip("TIE", "a tie to another record is left as it is", "untie them in the CRM")
BUSY = Skip("BUSY", "a worker is at it", "run the same command again")
LOST = Skip("LOST", "the answer was lost", "run the same command again: it reads the record first")


def changed_by(run: RunId) -> Skip:
    """Return that a later run of ours wrote it."""
    return Skip("CHANGED_BY_RUN", f"run {run} changed it since", f"first `crmsync undo {run}`")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one record, for people."""

    profile_id: ProfileId
    crm_id: CrmId | None
    outcome: str
    """`restored`, `already`, `deleted` or `skipped`: in part, where fields were put back."""
    restored: Mapping[str, Change]
    """By CRM field: what it held, and holds again."""
    skipped: Mapping[str, Skip]
    """By CRM field, or all of the record."""


@dataclass(slots=True)
class Case:
    """One record on its way back."""

    written: Written
    leased: Leased
    failure: Failure | None = None
    """Why it cannot be read: set where the CRM refuses its id."""
    record: Record | None = None
    verdict: Restoration = field(default_factory=Restoration)
    skipped: dict[str, Skip] = field(default_factory=dict)
    to_delete: bool = False
    result: Result | None = None

    @property
    def link_id(self) -> LinkId:
        """The link that the record belongs to."""
        return self.leased.link_id

    @property
    def crm_id(self) -> CrmId | None:
        """The record that the run wrote."""
        return self.written.crm_id or self.leased.crm_id

    def names(self, target: Target) -> list[str]:
        """Return the fields to look at: those that can be written and are not as they were."""
        return [
            name
            for name, write in self.written.fields.items()
            if name in target.schema.fields and write.written[-1] != write.before
        ]


def consider(case: Case, target: Target, *, delete_created: bool) -> None:
    """Say what can be told without reading the record."""
    reason = _reason(case, target, delete_created=delete_created)
    if reason is not None:
        case.skipped[WHOLE] = reason
        return
    case.to_delete = case.written.was_created
    for name in case.written.fields:
        if is_tie(name):
            case.skipped[name] = TIE
        elif name not in target.schema.fields:
            case.skipped[name] = NO_FIELD


def decide(case: Case, target: Target) -> None:
    """Compare the record with what the run wrote, now that it was read."""
    record = case.record
    if case.failure is not None:
        case.skipped[WHOLE] = refused(case.failure)
    elif record is None or record.is_deleted:
        case.skipped[WHOLE] = GONE
    elif record.is_converted:
        case.skipped[WHOLE] = CONVERTED
    elif record.crm_id != case.crm_id:
        case.skipped[WHOLE] = MOVED
    else:
        _compare(case, target, record.fields)


def operation(case: Case) -> Operation | None:
    """Return the write that puts it back, or None where there is none to send."""
    if WHOLE in case.skipped:
        return None
    if case.to_delete:
        return Operation(case.link_id, Action.ARCHIVE, {}, crm_id=case.crm_id)
    if not case.verdict.to_restore:
        return None
    values = {name: before for name, (_, before) in case.verdict.to_restore.items()}
    return Operation(case.link_id, Action.UPDATE, values, crm_id=case.crm_id)


def settled(case: Case) -> tuple[Undone, Report]:
    """Return what is recorded of a record, and what is told; after its operation, if it had one."""
    result = case.result
    if result is not None and result.outcome is not Outcome.SUCCEEDED:
        return _unsent(case, result)
    restored, left = _restored(case), _failure(case.skipped)
    is_removed = case.to_delete and result is not None
    word = "deleted" if is_removed else "skipped" if left else "restored"
    if word == "restored" and result is None:
        word = "already"
    return (
        Undone(case.leased, restored, left=left, is_removed=is_removed),
        Report(case.written.profile_id, case.crm_id, word, restored, case.skipped),
    )


def skipped(written: Written, skip: Skip) -> Report:
    """Return what is told of a record that was not even looked at."""
    return Report(written.profile_id, written.crm_id, "skipped", {}, {WHOLE: skip})


def blame(case: Case, later: Sequence[tuple[RunId, Mapping[str, Value]]]) -> None:
    """Say of what was changed since, which of our own runs it was, if it was one."""
    for name, holds in case.verdict.changed_since.items():
        run = next((run for run, values in later if values.get(name, _NOTHING) == holds), None)
        if run is not None:
            case.skipped[name] = changed_by(run)


_NOTHING = object()


def refused(failure: Failure) -> Skip:
    """Return why the CRM does not take it."""
    return Skip(failure.code, f"the CRM refuses it: {failure.code}", failure.hint)


def _reason(case: Case, target: Target, *, delete_created: bool) -> Skip | None:
    written, leased = case.written, case.leased
    can_delete = Action.ARCHIVE in target.connector.capabilities.records_per_call
    reasons: Collection[tuple[bool, Skip]] = (
        (leased.state in KEPT_OUT, NOT_OURS),
        (leased.crm_id is None, GONE),
        (case.crm_id != leased.crm_id, MOVED),
        (written.was_created and not delete_created, CREATED),
        (written.was_created and not can_delete, CANNOT_DELETE),
        (written.was_blind and not written.was_created, UNKNOWN_BEFORE),
    )
    return next((skip for holds, skip in reasons if holds), None)


def _compare(case: Case, target: Target, found: Mapping[str, Value]) -> None:
    writes = {name: case.written.fields[name] for name in case.names(target)}
    case.verdict = judge(writes, found, _same_in(target.schema))
    case.skipped |= dict.fromkeys(case.verdict.changed_since, CHANGED_SINCE)
    if case.to_delete:
        others = {**case.verdict.changed_since, **case.verdict.is_back}
        case.skipped |= dict.fromkeys(others, CHANGED_SINCE)
        if others:  # whoever wrote to it needs it
            case.skipped[WHOLE] = CHANGED_SINCE


def _same_in(schema: ObjectSchema) -> Same:
    """Return what compares values as the CRM's fields do, however they were written down."""

    def same(name: str, left: Value, right: Value) -> bool:
        described = schema.fields[name]
        if left == right or _canonical(described, left) == _canonical(described, right):
            return True
        return described.type is FieldType.PHONE and same_phone(left, right)

    return same


def _canonical(described: FieldSchema, value: Value) -> Value:
    try:
        return None if value is None else normaliser_of(described)(value)
    except NotThatType:  # the field is of another type by now
        return value


def _restored(case: Case) -> dict[str, Change]:
    """Return what is put back now, and what an undo before this one did without telling the log."""
    if WHOLE in case.skipped:
        return {}
    known = case.leased.snapshot
    untold = {
        name: change
        for name, change in case.verdict.is_back.items()
        if case.leased.is_readable and known.get(name) != change[1]
    }
    return {**untold, **case.verdict.to_restore}


def _unsent(case: Case, result: Result) -> tuple[Undone, Report]:
    failure = result.failure or Failure("REFUSED", "refused without a reason", "")
    if result.outcome is Outcome.UNKNOWN:
        skip = LOST
    else:
        skip = GONE if result.is_gone else refused(failure)
    told = {**case.skipped, WHOLE: skip}
    return (
        Undone(case.leased, dict(case.verdict.to_restore), result.outcome, failure),
        Report(case.written.profile_id, case.crm_id, "skipped", {}, told),
    )


def _failure(skips: Mapping[str, Skip]) -> Failure | None:
    """Return what the log tells of what was left alone: one reason, and the fields."""
    if not skips:
        return None
    first = next(iter(skips.values()))
    names = ", ".join(name for name in skips if name)
    message = f"{names}: {first.message}" if names else first.message
    return Failure(first.code, message, first.hint, field=next(iter(skips)) or None)
