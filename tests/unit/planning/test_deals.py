"""Which of a person's deals speaks for them: from all of them, whatever their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.model import CrmId, Deal, DealStatus
from crmsync.planning.deals import By, speaks

DAY = datetime(2026, 3, 1, tzinfo=UTC)
OPEN, WON, LOST = DealStatus


def deal(crm_id, status=OPEN, *, made=0, amount=None, closed=None, gone=False):  # noqa: PLR0913
    """A deal that was made, and perhaps closed, so many days after the first one."""
    return Deal(
        CrmId(crm_id),
        status=status,
        amount=amount,
        created_at=DAY + timedelta(days=made),
        closed_at=None if closed is None else DAY + timedelta(days=closed),
        is_deleted=gone,
    )


CASES = {
    "none": ([], None, None, None, None),
    "one": ([deal("1")], "1", "1", "1", "1"),
    "the latest that is open": (
        [deal("1", made=1), deal("2", made=2), deal("3", WON, made=3, closed=4)],
        "2", "2", "2", "3",
    ),
    "the largest that is open": (
        [deal("1", made=1, amount=9.0), deal("2", made=2, amount=5.0)],
        "2", "1", "2", "2",
    ),
    "no amount is less than any": (
        [deal("1", amount=0.5), deal("2", made=1)],
        "2", "1", "2", "2",
    ),
    "closed ones only": (
        [deal("1", WON, made=1, closed=9), deal("2", LOST, made=2, closed=3)],
        "1", "1", None, "2",
    ),
    "a deleted one says nothing": (
        [deal("1", made=1), deal("2", made=2, gone=True)],
        "1", "1", "1", "1",
    ),
    "of two made at once the one with the longer id": (
        [deal("9"), deal("10")],
        "10", "10", "10", "10",
    ),
}  # fmt: skip
HOW = [
    {"by": By.LATEST, "open_only": True, "else_closed": True},
    {"by": By.LARGEST, "open_only": True, "else_closed": True},
    {"by": By.LATEST, "open_only": True, "else_closed": False},
    {"by": By.LATEST, "open_only": False, "else_closed": False},
]


def speaker(deals, how):
    """The id of who speaks."""
    found = speaks(deals, **how)
    return found and found.crm_id


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_who_speaks(case):
    """By each way of picking one."""
    deals, *wanted = case
    assert [speaker(deals, how) for how in HOW] == wanted


days = st.none() | st.integers(0, 3)
some = st.lists(
    st.builds(
        deal,
        st.integers(1, 20).map(str),
        st.sampled_from(list(DealStatus)),
        made=st.integers(0, 3),
        amount=st.none() | st.sampled_from([0.0, 5.0]),
        closed=days,
        gone=st.booleans(),
    ),
    unique_by=lambda one: one.crm_id,
    max_size=6,
)


@given(some, st.sampled_from(HOW), st.randoms())
def test_the_order_in_which_pages_came_says_nothing(deals, how, chance):
    """The same deal speaks however they are shuffled."""
    shuffled = list(deals)
    chance.shuffle(shuffled)
    assert speaker(shuffled, how) == speaker(deals, how)


@given(some, st.sampled_from(HOW))
def test_who_speaks_is_there_and_open_where_any_is(deals, how):
    """Never a deleted one, and no closed one before an open one."""
    found = speaks(deals, **how)
    there = [one for one in deals if not one.is_deleted]
    assert found is None or found in there
    if how["open_only"] and any(one.status is OPEN for one in there):
        assert found.status is OPEN
    if found is None:
        assert not there or (how["open_only"] and not how["else_closed"])
