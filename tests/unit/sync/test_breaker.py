"""Whom a lost answer is held against, and when a connection is left alone."""

from __future__ import annotations

import pytest

from crmsync.model import Action, Failure, LinkId, Operation, Outcome, Result
from crmsync.sync.breaker import LOSSES_IN_A_ROW, Breaker, by_losses

WRITTEN = [Result(Outcome.SUCCEEDED)]
LOST = [Result(Outcome.UNKNOWN, failure=Failure("ANSWER_LOST", "why", ""))] * 2
REFUSED = [Result(Outcome.REJECTED)]


def judged(breaker: Breaker, *calls: list[Result], again: bool = False) -> list[bool]:
    """Return what was held against the records of each call."""
    return [breaker.judge(results, were_lost_before=again) for results in calls]


def test_of_losses_in_a_row_the_first_counts():
    """After a call that wrote something a loss may be the record's; what follows it says more."""
    breaker = Breaker()
    assert judged(breaker, WRITTEN, LOST, LOST, WRITTEN, LOST)[1:] == [True, False, True, True]


def test_where_nobody_answered_the_last_time_no_loss_counts():
    """A connection that is not known to be up is what is at fault."""
    breaker = Breaker(is_doubtful=True)
    assert judged(breaker, LOST) == [False]
    assert breaker.is_open


def test_a_refusal_is_no_proof_that_a_crm_writes():
    """It may come from something in front of it, or from us."""
    breaker = Breaker(is_doubtful=True)
    judged(breaker, REFUSED)
    assert breaker.is_doubtful
    assert not breaker.has_written
    assert judged(breaker, LOST) == [False]


def test_a_call_that_wrote_a_part_is_answered():
    """What is unknown of a call that wrote something counts against its own record."""
    breaker = Breaker(is_doubtful=True)
    assert judged(breaker, LOST + WRITTEN) == [True]
    assert not breaker.is_doubtful


def test_after_some_losses_in_a_row_nothing_more_is_sent():
    """The last of them opens the breaker, and a written call between closes it."""
    breaker = Breaker()
    judged(breaker, *[LOST] * (LOSSES_IN_A_ROW - 1), WRITTEN, *[LOST] * (LOSSES_IN_A_ROW - 1))
    assert not breaker.is_open
    judged(breaker, LOST)
    assert (breaker.is_open, breaker.why) == (True, "why")


@pytest.mark.parametrize(
    ("calls", "again", "doubt"),
    [
        ([WRITTEN, LOST], False, True),
        ([WRITTEN, LOST], True, False),
        ([LOST], True, False),
        ([LOST] * LOSSES_IN_A_ROW, True, True),
        ([LOST, WRITTEN], False, False),
        ([WRITTEN], False, False),
    ],
)
def test_a_push_that_ends_with_a_loss_ends_in_doubt(calls, again, doubt):
    """Unless all that was lost had been lost before, while others passed."""
    breaker = Breaker()
    judged(breaker, *calls, again=again)
    assert breaker.ends_in_doubt is doubt


def test_whoever_was_lost_travels_last_and_in_ever_smaller_calls():
    """A quarter as many in a call for each loss, and alone in the end."""
    losses = [0, 3, 1, 0, 9]
    operations = [Operation(LinkId(n), Action.UPDATE, {}) for n in range(len(losses))]
    parts = by_losses(operations, lambda op: losses[op.link_id], {Action.UPDATE: 100})
    found = [([op.link_id for op in part], sizes[Action.UPDATE]) for part, sizes in parts]
    assert found == [([0, 3], 100), ([2], 25), ([1], 1), ([4], 1)]
