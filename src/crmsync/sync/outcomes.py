"""What follows from a result: acknowledged, tried again, looked at later, or set aside.

Pure; the present time is a parameter. Where an earlier attempt was uncertain, what follows always
includes reading the record after the settle time.

| result | version | next |
|---|---|---|
| succeeded, skipped | acknowledged | nothing |
| retry | stays | due again after the wait; no attempt charged |
| unknown, by key or id | stays | sent again after a backoff, and verified |
| unknown, often, while others pass | stays | dead, until a new value, mapping or replay |
| unknown create without a unique key | stays | looked for after the settle time |
| rejected, naming an existing record | stays | looked for at once, to adopt it |
| rejected | stays | dead, until a new value, mapping or replay |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from crmsync.model import Action, Failure, Outcome, Result, Timing, Value
from crmsync.store.leases import Claim
from crmsync.store.links import LinkState
from crmsync.store.settlements import Settlement
from crmsync.sync import life
from crmsync.sync.delivery import LEASE_ENDING, RATE_BUDGET
from crmsync.sync.records import Draft

BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_LONGEST_SECONDS = 300.0
ATTEMPTS_BEFORE_SETTING_ASIDE = 12
"""Losses in a row that count (see `breaker`); with the backoff, about half an hour."""
ATTEMPTS_OF_A_BUSY_RECORD = 6
"""A record that is locked or limited by itself is waited for longer each time, up to a minute."""
LOOKS_FOR_THE_LOST = 3
"""How often a record that a write did not find is looked for; then the CRM contradicts itself."""
NOT_SENT = {LEASE_ENDING.code, RATE_BUDGET}
"""The codes of what never left: nothing to tell in the log."""
ADOPTION_ATTEMPTS = 3
ADOPTION_WAIT = timedelta(seconds=1)


def backoff(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after so many uncertain attempts: doubling, with jitter.

    `chance`, from 0 to 1, is one for all records of a call: they go together the next time too.
    """
    longest = min(BACKOFF_LONGEST_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** (attempts - 1))
    return timedelta(seconds=longest * (1 + chance) / 2)


def unchanged(d: Draft, now: datetime, timing: Timing) -> Settlement:
    """Settle a link for which nothing has to be sent."""
    if d.failure is not None:
        return rejected(d, "none", d.failure, now, timing)
    return Settlement(
        d.claim,
        d.run,
        "none",
        Outcome.SKIPPED,
        acked=True,
        crm_id=d.crm_id,
        snapshot=dict(d.known) if d.adopted or d.claim.verify else None,
        verify_at=_verify_after(d.claim, now, timing),
    )


def settlement(  # noqa: PLR0911, PLR0913 - a decision table: each argument is one of its columns
    d: Draft,
    result: Result,
    action: Action,
    now: datetime,
    timing: Timing,
    *,
    retry_after: timedelta,
    can_adopt: bool,
    counts: bool,
    chance: float,
) -> Settlement:
    """Settle a link whose operation was sent, or was about to be.

    `counts`: whether an unknown outcome is held against it. `chance`: see `backoff`.
    """
    match result.outcome:
        case Outcome.SUCCEEDED | Outcome.SKIPPED:
            return Settlement(
                d.claim,
                d.run,
                _action(d, result),
                Outcome.SUCCEEDED,
                acked=not d.has_more,
                due_at=now if d.has_more else None,
                crm_id=result.crm_id or d.crm_id,
                snapshot=_snapshot(d),
                changes=d.changes,
                verify_at=_verify_after(d.claim, now, timing),
            )
        case Outcome.RETRY:
            if retry_after or result.failure is LEASE_ENDING:
                return _again(d, result, action, now, now + retry_after, timing)
            due = now + backoff(d.claim.attempts + 1, chance)
            charged = int(d.claim.attempts < ATTEMPTS_OF_A_BUSY_RECORD)
            return _again(d, result, action, now, due, timing, charged=charged)
        case Outcome.UNKNOWN:
            return _uncertain(d, result, action, now, timing, chance, counts=counts)
        case Outcome.REJECTED if result.is_gone and d.claim.attempts < LOOKS_FOR_THE_LOST:
            # Deleted, merged or converted: reading it tells which.
            return replace(
                _again(d, result, action, now, now, timing, charged=1),
                verify_at=now,
                error_class="gone",
            )
        case Outcome.REJECTED:
            if result.existing_id and can_adopt and d.claim.attempts < ADOPTION_ATTEMPTS:
                due = now + ADOPTION_WAIT
                return _again(d, result, action, now, due, timing, charged=1)
            failure = result.failure or Failure("REJECTED", "refused without a reason", "")
            return rejected(d, str(action), failure, now, timing)


def settling(d: Draft, now: datetime, timing: Timing) -> Settlement:
    """Leave alone a record whose earlier create may still land; look for it when it cannot."""
    intent = d.claim.last_intent_at or now
    return Settlement(
        d.claim,
        d.run,
        "none",
        Outcome.SKIPPED,
        error_class=None,
        attempts=d.claim.attempts,
        due_at=intent + timedelta(seconds=timing.landed_seconds),
        create_intent_at=intent,
    )


def rejected(d: Draft, action: str, failure: Failure, now: datetime, timing: Timing) -> Settlement:
    """Set a link aside: this value will not pass. What was read of its record is kept."""
    was_read = d.adopted or d.claim.verify
    return Settlement(
        d.claim,
        d.run,
        action,
        Outcome.REJECTED,
        crm_id=None if d.is_taken else d.crm_id,
        snapshot=dict(d.known) if was_read and not d.is_taken else None,
        changes=d.changes,
        failure=failure,
        error_class="conflict" if d.is_taken else "rejected",
        attempts=d.claim.attempts + 1,
        state=LinkState.CONFLICT if d.is_taken else LinkState.DEAD,
        verify_at=_verify_after(d.claim, now, timing),
    )


def waiting(d: Draft, now: datetime, timing: Timing) -> Settlement:
    """Look again when another sync has decided about this person."""
    due = now + timedelta(seconds=timing.sweep_seconds)
    return replace(settling(d, now, timing), due_at=due, create_intent_at=d.claim.last_intent_at)


def over(d: Draft) -> Settlement:
    """End a link whose record is gone, or was a lead that is a contact now."""
    what = life.CONVERTED if d.is_converted else life.DELETED
    return Settlement(
        d.claim,
        d.run,
        "none",
        Outcome.SKIPPED if d.is_converted else Outcome.REJECTED,
        failure=life.TOLD.get(what),
        error_class=None if d.is_converted else "deleted",
        state=LinkState.CONVERTED if d.is_converted else LinkState.SUPPRESSED,
        successor=d.successor,
    )


def _action(d: Draft, result: Result) -> str:
    """Return what was done, as the log tells it: an upsert found a record that nobody had read."""
    if result.created:
        return str(Action.CREATE)
    return str(Action.UPSERT if d.crm_id is None else Action.UPDATE)


def _again(  # noqa: PLR0913, PLR0917 - see settlement
    d: Draft,
    result: Result,
    action: Action,
    now: datetime,
    due: datetime,
    timing: Timing,
    *,
    charged: int = 0,
) -> Settlement:
    return Settlement(
        d.claim,
        d.run,
        str(action),
        Outcome.RETRY,
        changes=d.changes,
        failure=result.failure,
        # What was surely not applied says nothing of the losses before.
        error_class=Outcome.UNKNOWN if d.claim.losses and not charged else Outcome.RETRY,
        attempts=d.claim.attempts + charged,
        due_at=due,
        was_sent=result.failure is None or result.failure.code not in NOT_SENT,
        # Surely not applied: nothing of this attempt can land; an earlier one still may. A record
        # that was to be verified is read again together with the next attempt.
        verify_at=due if d.claim.verify else _verify_after(d.claim, now, timing),
        create_intent_at=d.claim.last_intent_at,
    )


def _uncertain(  # noqa: PLR0913, PLR0917 - see settlement
    d: Draft,
    result: Result,
    action: Action,
    now: datetime,
    timing: Timing,
    chance: float,
    *,
    counts: bool,
) -> Settlement:
    attempts = d.claim.losses + counts
    settled = now + timedelta(seconds=timing.settle_seconds)
    unkeyed = action is Action.CREATE
    spent = counts and attempts >= ATTEMPTS_BEFORE_SETTING_ASIDE
    return Settlement(
        d.claim,
        d.run,
        str(action),
        Outcome.UNKNOWN,
        changes=d.changes,
        failure=_always_lost(result.failure) if spent and result.failure else result.failure,
        error_class=Outcome.UNKNOWN,
        attempts=attempts,
        state=LinkState.DEAD if spent else LinkState.ACTIVE,
        due_at=now + timedelta(seconds=timing.landed_seconds)
        if unkeyed
        else now + backoff(max(1, attempts), chance),
        verify_at=settled,
        create_intent_at=now if unkeyed else None,
    )


def _always_lost(last: Failure) -> Failure:
    return replace(
        last,
        hint=f"the answer was lost {ATTEMPTS_BEFORE_SETTING_ASIDE} times while other records "
        "passed: something that the CRM does with this one (a workflow, a plug-in, a long value) "
        "breaks the call. Mend it there or change the value, then replay",
    )


def _verify_after(claim: Claim, now: datetime, timing: Timing) -> datetime | None:
    """Return when to look again, where a write of an earlier attempt may still land."""
    if claim.abandoned:
        return now + timedelta(seconds=timing.settle_seconds)
    return None if claim.verify else claim.verify_at


def _snapshot(d: Draft) -> dict[str, Value]:
    return {**d.known, **d.desired}
