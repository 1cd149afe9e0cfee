"""Operations become the fewest calls that a CRM allows."""

from __future__ import annotations

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from crmsync.model import Action, Batch, LinkId, Operation
from crmsync.planning.batches import batches, halves

SIZES = dict(zip(Action, (3, 5, 4, 2, 6), strict=True))
operations = st.lists(
    st.builds(
        Operation,
        link_id=st.integers(1, 10**6).map(LinkId),
        action=st.sampled_from(list(Action)),
        fields=st.sampled_from([{"companies": "1"}, {"deals": "1"}]),
        match_value=st.none() | st.sampled_from(["x", "X", "y", "z"]),
    ),
    max_size=40,
)


@given(operations)
def test_every_operation_is_in_one_batch(given_):
    """Nothing is lost, nothing is sent twice."""
    sent = [op for batch in batches("contacts", given_, SIZES, "key") for op in batch.operations]
    assert Counter(map(id, sent)) == Counter(map(id, given_))


@given(operations)
def test_a_batch_holds_one_action_and_no_more_than_a_call_takes(given_):
    """A batch is sent in one call, so all its operations are of its action and fit."""
    for batch in batches("contacts", given_, SIZES, "key"):
        assert {op.action for op in batch.operations} == {batch.action}
        assert 1 <= len(batch.operations) <= SIZES[batch.action]
        if batch.action is Action.ASSOCIATE:
            assert {name for op in batch.operations for name in op.fields} == {batch.match_field}
        else:
            assert batch.match_field == ("key" if batch.action is Action.UPSERT else None)


@given(operations)
def test_two_writes_of_one_key_never_share_a_batch(given_):
    """Whatever the case of its letters, a key is named once in a call."""
    for batch in batches("contacts", given_, SIZES, "key"):
        keys = [op.match_value.lower() for op in batch.operations if op.match_value]
        assert len(keys) == len(set(keys))


@given(st.integers(0, 30))
def test_as_few_calls_as_possible(count):
    """Where no key is named twice, all batches but the last one are full."""
    many = [Operation(LinkId(n), Action.CREATE, {}) for n in range(count)]
    assert len(list(batches("contacts", many, SIZES, None))) == ceil(count / 3)


@given(st.integers(2, 100))
def test_halves_are_the_whole(count):
    """Both halves together are the batch, in order, and neither is empty."""
    many = [Operation(LinkId(n), Action.UPSERT, {}, match_value=str(n)) for n in range(count)]
    first, second = halves(Batch("contacts", Action.UPSERT, many, "key"))
    assert [*first.operations, *second.operations] == many
    assert abs(len(first.operations) - len(second.operations)) <= 1
    assert first.match_field == second.match_field == "key"
