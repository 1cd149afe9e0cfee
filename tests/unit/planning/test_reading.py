"""Who decides what a field holds, value first; and when both sides leave it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.planning.reading import (
    FLIPS_BEFORE_FREEZING,
    FLIPS_WITHIN,
    Both,
    Flips,
    Owner,
    Verdict,
    flipped,
    judge,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOONER, LATER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
TAKEN, SENT, KEPT, DRIFT = "taken", "sent", "kept", "drift"
OLD, OURS, THEIRS = "old", "ours", "theirs"


def verdict_of(owner, *, desired, theirs_at=NOON, ours_at=NOON, found=THEIRS):
    """What follows for a record of one field."""
    field = Both("f", owner, desired, ours_at)
    return judge([field], {"f": OLD}, {"f": found}, theirs_at)


CASES = [
    # who decides, what we want, their time -> what follows
    (Owner.THEIRS, OLD, NOON, {TAKEN}),
    (Owner.THEIRS, OURS, SOONER, {TAKEN}),
    (Owner.NEWEST, OLD, SOONER, {TAKEN}),
    (Owner.NEWEST, OURS, LATER, {TAKEN}),
    (Owner.NEWEST, OURS, NOON, {TAKEN}),
    (Owner.NEWEST, OURS, SOONER, {SENT, KEPT}),
    (Owner.NEWEST, OURS, None, {SENT, KEPT}),
    (Owner.WHO_COMES_FIRST, OLD, NOON, {KEPT}),
    (Owner.WHO_COMES_FIRST, OURS, SOONER, {KEPT}),
    (Owner.OURS, OLD, NOON, {DRIFT}),
    (Owner.OURS, OURS, LATER, {DRIFT}),
    (Owner.OURS_AT_ONCE, OLD, NOON, {DRIFT, SENT, KEPT}),
    (Owner.OURS_AT_ONCE, OURS, LATER, {DRIFT, SENT, KEPT}),
]


@pytest.mark.parametrize(("owner", "desired", "theirs_at", "wanted"), CASES)
def test_who_decides(owner, desired, theirs_at, wanted):
    """The table in `planning.reading`; what is taken or overwritten is known from then on."""
    verdict = verdict_of(owner, desired=desired, theirs_at=theirs_at)
    assert (verdict.taken == {"f": THEIRS}) is (TAKEN in wanted)
    assert (verdict.drifted == {"f": (OLD, THEIRS)}) is (DRIFT in wanted)
    assert verdict.to_write is (SENT in wanted)
    assert (verdict.known == {"f": THEIRS}) is bool(wanted & {TAKEN, KEPT})
    assert bool(verdict.replaced) is bool(wanted & {TAKEN, KEPT})


@pytest.mark.parametrize("owner", [Owner.OURS, Owner.OURS_AT_ONCE])
@pytest.mark.parametrize(("before", "drifts"), [(None, False), (OLD, True)])
def test_a_field_that_we_never_filled_is_not_ours(owner, before, drifts):
    """Without a value of ours, what others write there is no drift and is not cleared."""
    verdict = judge([Both("f", owner, None, None)], {"f": before}, {"f": THEIRS}, NOON)
    assert bool(verdict.drifted) is drifts
    assert verdict.to_write is (drifts and owner is Owner.OURS_AT_ONCE)


def test_nobody_knows_when_ours_was_said():
    """Then theirs is the newer one."""
    verdict = verdict_of(Owner.NEWEST, desired=OURS, ours_at=None, theirs_at=None)
    assert verdict.taken == {"f": THEIRS}


def test_a_gap_that_is_ours_to_fill_is_filled_again():
    """They emptied what we may fill while it is empty."""
    verdict = verdict_of(Owner.WHO_COMES_FIRST, desired=OURS, found=None)
    assert verdict.to_write
    assert verdict.known == {"f": None}


values = st.sampled_from([None, "a", "b", "c"])
moments = st.none() | st.sampled_from([SOONER, NOON, LATER])
fields = st.builds(
    Both, st.sampled_from("fgh"), st.sampled_from(list(Owner)), values, moments
)  # fmt: skip
records = st.dictionaries(st.sampled_from("fgh"), values)


@given(st.lists(fields, unique_by=lambda f: f.name), records, moments)
def test_an_echo_is_never_anything(both, known, at):
    """What the record is known to hold is no change, whoever decides and whenever it was."""
    verdict = judge(both, known, known, at)
    assert verdict == Verdict()


@given(st.lists(fields, unique_by=lambda f: f.name), records, records, moments)
def test_what_was_not_answered_is_not_judged(both, known, found, at):
    """An absent field is not an empty one; and a field that nobody maps is nobody's business."""
    verdict = judge(both, known, found, at)
    told = {*verdict.taken, *verdict.known, *verdict.drifted}
    assert told <= {f.name for f in both} & found.keys()


@given(st.lists(fields, unique_by=lambda f: f.name), records, records, moments)
def test_judging_twice_says_nothing_new(both, known, found, at):
    """A page that is taken once more changes nothing but what drifted, which is told again."""
    first = judge(both, known, found, at)
    again = judge(both, {**known, **first.known}, found, at)
    assert not again.taken
    assert not again.to_write
    assert set(again.drifted) <= {f.name for f in both if f.owner is Owner.OURS}


@given(fields, values, values, moments)
def test_both_came_to_the_same_value(field, known, found, at):
    """It is known, and nothing is taken, sent or told."""
    same = Both(field.name, field.owner, found, field.ours_at)
    verdict = judge([same], {field.name: known}, {field.name: found}, at)
    assert verdict == Verdict(known=verdict.known)


# --- going back and forth -------------------------------------------------------------------


def turns(*moments_and_values):
    """What is kept after these turns of theirs."""
    kept = None
    for seconds, value in moments_and_values:
        kept = flipped(kept, value, NOON + timedelta(seconds=seconds))
    return kept


def test_the_same_two_values_again_and_again_freeze():
    """More than three turns: theirs, ours, theirs, ours, theirs."""
    assert turns((0, b"x")).count == 1
    assert turns((0, b"x"), (1, b"x")).frozen_at is None
    frozen = turns((0, b"x"), (1, b"x"), (2, b"x"))
    assert (frozen.count, frozen.frozen_at) == (5, NOON + timedelta(seconds=2))


def test_another_value_begins_a_new_count():
    """A salesperson who types is no loop."""
    assert turns((0, b"x"), (1, b"x"), (2, b"y")) == Flips(1, NOON + timedelta(seconds=2), b"y")


def test_slow_turns_do_not_freeze():
    """One a day is somebody's work."""
    day = FLIPS_WITHIN.total_seconds() + 1
    assert turns(*((n * day, b"x") for n in range(10))).frozen_at is None


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from([b"x", b"y"])), min_size=1))
def test_only_quick_turns_to_one_value_freeze(gaps):
    """A field is frozen by at least two turns to that value within ten minutes before."""
    at, moments_of, history = 0, {}, []
    for gap, value in gaps:
        at += gap
        history.append((at, value))
        moments_of.setdefault(value, []).append(at)
        kept = turns(*history)
        if kept.frozen_at is not None:
            recent = [m for m in moments_of[value] if at - m <= FLIPS_WITHIN.total_seconds()]
            assert 2 * len(recent) - 1 > FLIPS_BEFORE_FREEZING
            assert kept.theirs == value
