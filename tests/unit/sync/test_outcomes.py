"""The decision table: what follows from each result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmsync.model import (
    Action,
    CrmId,
    Failure,
    LinkId,
    Outcome,
    ProfileId,
    Result,
    RunId,
    RunTrigger,
    Timing,
)
from crmsync.store.leases import Claim
from crmsync.store.links import LinkState
from crmsync.store.settlements import Settlement
from crmsync.sync import outcomes
from crmsync.sync.delivery import LEASE_ENDING
from crmsync.sync.records import Draft

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMING = Timing(30, 120, 300)
SETTLED = NOW + timedelta(seconds=300)
LANDED = NOW + timedelta(seconds=TIMING.landed_seconds)
LATER = NOW + timedelta(seconds=99)
RUN = RunId(1)
WHY = Failure("CODE", "words", "what to do")


def claim(**changes: Any) -> Claim:
    """Return a claim of a linked, dirty record."""
    given: dict[str, Any] = {
        "link_id": LinkId(1),
        "profile_id": ProfileId("p"),
        "crm_id": CrmId("7"),
        "desired_version": 2,
        "acked_version": 1,
        "snapshot": {"a": 1},
        "snapshot_sealed": None,
        "trigger": RunTrigger.REALTIME,
        "wake_at": NOW,
        "due_at": NOW,
        "attempts": 0,
        "error_class": None,
        "abandoned": False,
        "crashes": 0,
        "verify_at": None,
        "verify": False,
        "create_intent_at": None,
    }
    return Claim(**{**given, **changes})


def settled(
    outcome: Outcome,
    action: Action = Action.UPDATE,
    can_adopt: bool = False,
    wait_seconds: float = 99,
    counts: bool = True,
    **changes: Any,
) -> Settlement:
    """Settle a draft that wanted to set b."""
    result_keys = {"crm_id", "created", "existing_id", "failure"}
    result = Result(outcome, **{k: v for k, v in changes.items() if k in result_keys})
    one = claim(**{k: v for k, v in changes.items() if k not in result_keys})
    draft = Draft(one, RUN, desired={"a": 1, "b": 2}, known={"a": 1}, crm_id=one.crm_id)
    draft.changes = {"b": (None, 2)}
    return outcomes.settlement(
        draft,
        result,
        action,
        NOW,
        TIMING,
        retry_after=timedelta(seconds=wait_seconds),
        can_adopt=can_adopt,
        counts=counts,
        chance=0.5,
    )


def test_success_is_acknowledged_with_what_the_record_now_holds():
    """The version is acknowledged, the snapshot is what was wanted, nothing is owed."""
    s = settled(Outcome.SUCCEEDED)
    assert (s.acked, s.snapshot, s.verify_at, s.due_at) == (True, {"a": 1, "b": 2}, None, None)
    assert (s.action, s.changes) == ("update", {"b": (None, 2)})


def test_a_new_record_counts_as_created():
    """What was made keeps the CRM's id."""
    s = settled(Outcome.SUCCEEDED, Action.UPSERT, crm_id=CrmId("9"), created=True)
    assert (s.action, s.crm_id) == ("create", "9")


@pytest.mark.parametrize(
    ("changes", "owed"),
    [
        ({}, None),
        ({"abandoned": True}, SETTLED),
        ({"verify_at": LATER}, LATER),
        ({"verify_at": NOW, "verify": True}, None),
        ({"verify_at": NOW, "verify": True, "abandoned": True}, SETTLED),
    ],
)
def test_success_does_not_forget_an_earlier_uncertain_write(changes, owed):
    """What may still be applied is looked at after its settle time; what was looked at is done."""
    assert settled(Outcome.SUCCEEDED, **changes).verify_at == owed
    draft = Draft(claim(**changes), RUN, desired={"a": 1}, known={"a": 1})
    s = outcomes.unchanged(draft, NOW, TIMING)
    assert (s.acked, s.verify_at, s.outcome) == (True, owed, Outcome.SKIPPED)


def test_what_was_surely_not_applied_is_sent_again_without_charge():
    """A retry waits as long as it was told to and costs no attempt."""
    s = settled(Outcome.RETRY, attempts=3, verify_at=LATER)
    assert (s.acked, s.attempts, s.due_at, s.verify_at) == (False, 3, LATER, LATER)
    assert s.snapshot is None
    assert s.state is LinkState.ACTIVE


def test_a_retry_keeps_an_earlier_create_in_mind():
    """That this create was surely not applied says nothing of the one before."""
    assert settled(Outcome.RETRY, Action.CREATE, create_intent_at=LATER).create_intent_at == LATER


@pytest.mark.parametrize(("failure", "wait_seconds"), [(WHY, 99), (WHY, 0), (LEASE_ENDING, 0)])
def test_a_repair_that_was_not_sent_is_verified_again(failure, wait_seconds):
    """What was read once and not written is read again together with the next attempt."""
    s = settled(
        Outcome.RETRY, wait_seconds=wait_seconds, failure=failure, verify_at=NOW, verify=True
    )
    assert s.verify_at == s.due_at
    assert s.due_at is not None


@pytest.mark.parametrize(
    ("before", "after"), [(0, 1), (5, 6), (outcomes.ATTEMPTS_OF_A_BUSY_RECORD, 6)]
)
def test_a_record_that_is_busy_by_itself_is_waited_for_longer_each_time(before, after):
    """A retry of one record without a rest of the connection backs off, and never to the end."""
    s = settled(Outcome.RETRY, wait_seconds=0, failure=WHY, attempts=before)
    longest = outcomes.BACKOFF_FIRST_SECONDS * 2.0**before
    assert s.due_at is not None
    assert longest / 2 <= (s.due_at - NOW).total_seconds() <= longest
    assert (s.attempts, s.state) == (after, LinkState.ACTIVE)


def test_what_a_short_lease_kept_back_is_due_at_once():
    """A call that was not begun is nobody's fault: no wait, no charge, nothing in the log."""
    s = settled(Outcome.RETRY, wait_seconds=0, failure=LEASE_ENDING, attempts=2)
    assert (s.due_at, s.attempts, s.was_sent) == (NOW, 2, False)


@pytest.mark.parametrize("action", [Action.UPDATE, Action.UPSERT])
def test_an_unknown_write_by_key_is_sent_again_soon_and_verified(action):
    """By id or key it may be repeated: after a backoff, with a look after the settle time."""
    s = settled(Outcome.UNKNOWN, action)
    assert (s.acked, s.attempts, s.verify_at, s.create_intent_at) == (False, 1, SETTLED, None)
    assert s.due_at is not None
    assert NOW < s.due_at <= NOW + timedelta(seconds=1)


def test_an_unknown_create_waits_for_the_settle_time():
    """Without a key it must not be repeated before it can be seen whether it landed."""
    s = settled(Outcome.UNKNOWN, Action.CREATE, crm_id=None)
    assert (s.due_at, s.verify_at, s.create_intent_at) == (LANDED, SETTLED, NOW)


@pytest.mark.parametrize(
    ("before", "counts", "state", "after"),
    [
        (10, True, LinkState.ACTIVE, 11),
        (11, True, LinkState.DEAD, 12),
        (11, False, LinkState.ACTIVE, 11),
        (12, False, LinkState.ACTIVE, 12),
    ],
)
def test_only_losses_that_count_have_an_end(before, counts, state, after):
    """The twelfth of them sets the link aside and says so; one that does not count never does."""
    s = settled(Outcome.UNKNOWN, counts=counts, attempts=before, error_class="unknown", failure=WHY)
    assert (s.state, s.attempts) == (state, after)
    assert s.failure is not None
    assert ("12 times" in s.failure.hint) is (state is LinkState.DEAD)


@pytest.mark.parametrize(("counts", "after"), [(True, 1), (False, 0)])
def test_a_record_that_was_busy_begins_its_losses_anew(counts, after):
    """How often it was locked says nothing of how often its answer was lost."""
    s = settled(Outcome.UNKNOWN, counts=counts, attempts=5, error_class="retry")
    assert (s.attempts, s.error_class) == (after, "unknown")


def test_what_was_not_sent_keeps_the_losses_before():
    """A pause between two losses does not clear a record of the first."""
    s = settled(Outcome.RETRY, failure=LEASE_ENDING, attempts=3, error_class="unknown")
    assert (s.attempts, s.error_class) == (3, "unknown")


def test_a_refusal_sets_the_link_aside_with_its_reason():
    """A refused record is dead, and says why."""
    s = settled(Outcome.REJECTED, failure=WHY)
    assert (s.state, s.error_class, s.failure, s.acked) == (LinkState.DEAD, "rejected", WHY, False)


@pytest.mark.parametrize(
    ("changes", "owed"),
    [
        ({}, None),
        ({"verify_at": LATER}, LATER),
        ({"abandoned": True}, SETTLED),
        ({"verify_at": NOW, "verify": True}, None),
    ],
)
def test_a_refusal_does_not_forget_an_earlier_uncertain_write(changes, owed):
    """That this value will not pass says nothing of the one that may have landed."""
    assert settled(Outcome.REJECTED, failure=WHY, **changes).verify_at == owed
    draft = Draft(claim(**changes), RUN, failure=WHY)
    assert outcomes.unchanged(draft, NOW, TIMING).verify_at == owed


@pytest.mark.parametrize(
    ("can_adopt", "attempts", "state"),
    [
        (True, 0, LinkState.ACTIVE),
        (True, outcomes.ADOPTION_ATTEMPTS, LinkState.DEAD),
        (False, 0, LinkState.DEAD),
    ],
)
def test_a_record_that_is_there_already_is_looked_for(can_adopt, attempts, state):
    """A refusal that names an existing record leads to a look for it, if we can look."""
    existing = CrmId("8")
    s = settled(Outcome.REJECTED, Action.CREATE, can_adopt, existing_id=existing, attempts=attempts)
    assert s.state is state


def test_a_record_that_cannot_be_made_is_refused():
    """A draft with a failure is dead without a call."""
    draft = Draft(claim(), RUN, failure=WHY)
    s = outcomes.unchanged(draft, NOW, TIMING)
    assert (s.state, s.failure, s.action) == (LinkState.DEAD, WHY, "none")


def test_a_create_that_may_still_land_is_left_alone():
    """Nothing is sent until the earlier create has settled, and no attempt is charged."""
    draft = Draft(claim(crm_id=None, create_intent_at=NOW, attempts=2), RUN)
    s = outcomes.settling(draft, NOW, TIMING)
    assert (s.acked, s.due_at, s.create_intent_at, s.attempts) == (False, LANDED, NOW, 2)
