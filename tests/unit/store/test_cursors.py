"""How far was read: one reader at a time, a cursor that only its reader moves, sweeps and rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmsync.store import cursors, tables
from crmsync.store.cursors import Subject
from tests.unit.store.queue import NOW, seconds

SUBJECT = Subject(
    "crm", "contacts", frozenset({"a", "b"}), timedelta(seconds=300), timedelta(days=1)
)
LEASE = timedelta(seconds=120)
DAY = 86_400.0


def begin(store, at=0.0, subject=SUBJECT, **how):
    """Begin to read, so many seconds after the beginning."""
    return store.database.transact(
        lambda c: cursors.begin_reading(c, subject, seconds(at), LEASE, **how)
    )


def up_to(store, reading, cursor, at=0.0):
    """Save a cursor; return whether that was ours to do."""
    return store.database.transact(
        lambda c: cursors.read_up_to(c, reading, cursor, seconds(at) + LEASE)
    )


def end(store, reading, at=0.0, *, whole=True):
    """Give the lease back."""
    store.database.transact(lambda c: cursors.end_reading(c, reading, seconds(at), whole=whole))


def read(store, cursor, at=0.0, **how):
    """Read everything there is; return what it began with."""
    reading = begin(store, at, **how)
    up_to(store, reading, cursor, at)
    end(store, reading, at)
    return reading


def rest(store, until, subject=SUBJECT):
    """Let a subject rest."""
    store.database.transact(lambda c: cursors.rest(c, subject, NOW, seconds(until)))


def due(store, subject=SUBJECT, **how):
    """When it is to be read next, in seconds; None for at once."""
    with store.database.read() as connection:
        moment = cursors.next_reading(connection, subject, **how)
    return moment and (moment - NOW).total_seconds()


def test_the_first_time_everything_is_read_at_once(store):
    """And from then on what changed, every so often."""
    assert due(store) is None
    first = read(store, "c1")
    assert (first.cursor, first.is_sweep) == (None, True)
    assert due(store) == 300
    second = begin(store, 300)
    assert (second.cursor, second.is_sweep) == ("c1", False)


def test_one_reads_at_a_time(store):
    """Whoever comes second waits for the lease's end, and goes on from the last page taken."""
    first = begin(store)
    assert begin(store, 119) is None
    assert due(store) == 120
    assert up_to(store, first, "c1", 60)
    assert begin(store, 120) is None
    second = begin(store, 180)
    assert second.cursor == "c1"
    assert not up_to(store, first, "c2", 181)
    assert up_to(store, second, "c3", 181)


def test_who_was_overtaken_cannot_end_the_others_reading(store):
    """Neither give its lease back nor say that all was read."""
    first = begin(store)
    second = begin(store, 120)
    end(store, first, 121)
    assert begin(store, 122) is None
    assert up_to(store, second, "c1", 122)


def test_a_reading_that_was_cut_off_goes_on_at_once(store):
    """Where it was; a sweep is over only when all was read."""
    first = begin(store)
    up_to(store, first, "c1")
    end(store, first, whole=False)
    assert due(store) is None
    second = begin(store, 1)
    assert (second.cursor, second.is_sweep) == ("c1", True)
    end(store, second, 1)
    assert begin(store, 301).is_sweep is False


def test_everything_is_read_again_now_and_then(store):
    """After a day, when other fields are asked for, or when somebody says so."""
    read(store, "c1")
    read(store, "c2", at=DAY - 200)
    assert due(store) == DAY
    swept = begin(store, DAY)
    assert (swept.cursor, swept.is_sweep) == (None, True)
    end(store, swept, DAY)
    read(store, "c3", at=DAY + 1)
    other = replace(SUBJECT, fields=frozenset({"a"}))
    assert due(store, other) is None
    assert read(store, "c4", at=DAY + 2, subject=other).cursor is None
    assert read(store, "c5", at=DAY + 3, subject=other, anew=True).cursor is None


COMPARED = replace(SUBJECT, every=timedelta(0))
"""What is never polled."""


def test_what_is_only_compared_waits_for_its_time(store):
    """From when it is first heard of, whatever fields it is about by then."""
    assert due(store, COMPARED) is None
    assert begin(store, subject=COMPARED, due_only=True) is None
    assert due(store, COMPARED) == DAY
    other = replace(COMPARED, fields=frozenset({"a"}))
    assert begin(store, 10, subject=other, due_only=True) is None
    assert due(store, other) == DAY
    swept = begin(store, DAY, subject=other, due_only=True)
    assert (swept.is_sweep, swept.cursor) == (True, None)
    end(store, swept, DAY + 5)
    assert due(store, other) == 2 * DAY + 5


def test_a_sweep_keeps_no_poll_waiting(store):
    """Each has its own place; whoever takes the sweep over knows since when it goes on."""
    read(store, "c1")
    first = begin(store, DAY, anew=True)
    up_to(store, first, "s1", DAY)
    end(store, first, DAY, whole=False)
    poll = begin(store, DAY + 1, due_only=True)
    assert (poll.cursor, poll.is_sweep) == ("c1", False)
    up_to(store, poll, "c2", DAY + 1)
    end(store, poll, DAY + 1)
    second = begin(store, DAY + 2, due_only=True)
    assert (second.cursor, second.sweep_began_at) == ("s1", first.sweep_began_at)
    end(store, second, DAY + 2)
    assert begin(store, DAY + 400).cursor == "c2"


def test_a_sweep_waits_while_the_background_has_no_budget(store):
    """What changed does not."""
    assert due(store, sweep_from=seconds(60)) == 60
    read(store, "c1")
    held = seconds(2 * DAY)
    assert begin(store, DAY, due_only=True, sweep_from=held).is_sweep is False
    assert begin(store, DAY + 300, due_only=True, sweep_from=held).is_sweep is False


def test_what_is_not_compared_is_read_once(store):
    """Nothing of it is ever swept again."""
    once = replace(SUBJECT, sweep_every=None)
    assert read(store, "c1", subject=once).is_sweep
    assert due(store, once) == 300
    assert begin(store, 99 * DAY, subject=once).is_sweep is False
    assert not replace(once, every=timedelta(0)).is_read


def test_who_was_overtaken_cannot_hold_on(store):
    """Somebody else reads by now."""
    first = begin(store)
    second = begin(store, 120)

    def hold(reading):
        return store.database.transact(lambda c: cursors.hold(c, reading, seconds(300)))

    assert (hold(first), hold(second)) == (False, True)


def test_the_order_of_fields_says_nothing():
    """Only which there are."""
    same = replace(SUBJECT, fields=frozenset({"b", "a"}))
    assert same.fields_hash == SUBJECT.fields_hash
    assert replace(SUBJECT, fields=frozenset({"a\nb"})).fields_hash != ""


@pytest.mark.parametrize("was_read", [True, False])
def test_what_does_not_fit_rests(store, was_read):
    """Workers wait; somebody who asks by hand does not, and neither do other fields."""
    if was_read:
        read(store, "c1", at=-1_000)
    rest(store, 900)
    assert due(store) == 900
    assert due(store, replace(SUBJECT, fields=frozenset({"a"}))) is None
    assert begin(store, 1).cursor == ("c1" if was_read else None)


def test_a_rest_for_other_fields_forgets_how_far_was_read(store):
    """It would be taken for how far these were read."""
    read(store, "c1")
    other = replace(SUBJECT, fields=frozenset({"a"}))
    rest(store, 900, other)
    assert due(store, other) == 900
    reading = begin(store, 900, other)
    assert (reading.cursor, reading.is_sweep) == (None, True)


def test_who_reads_is_not_disturbed_by_a_rest(store):
    """Somebody else has found that it fits."""
    reading = begin(store)
    rest(store, 900)
    assert up_to(store, reading, "c1", 1)


def test_connections_and_subjects_are_their_own(store):
    """One that is read keeps nobody from another."""
    begin(store)
    assert begin(store, subject=replace(SUBJECT, connection="other")) is not None
    assert begin(store, subject=replace(SUBJECT, name=cursors.DEALS)) is not None


moves = st.lists(
    st.tuples(st.sampled_from(["begin", "page", "whole", "part"]), st.integers(0, 90)),
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
def test_pages_are_counted_without_a_gap(store, moves):
    """However readers come, go and lose their lease: each goes on from the last page taken."""
    store.database.transact(lambda c: c.execute(tables.cursors.delete()))
    read(store, "0", at=-DAY)
    readers, at, taken = [], 0.0, 0
    for move, wait in moves:
        at += wait
        if move == "begin":
            reading = begin(store, at, replace(SUBJECT, sweep_every=timedelta(days=999)))
            if reading is not None:
                assert reading.cursor == str(taken)
                readers.append(reading)
        elif readers:
            reading = readers[wait % len(readers)]
            if move == "page" and up_to(store, reading, str(taken + 1), at):
                assert reading is readers[-1]
                taken += 1
            elif move in {"whole", "part"}:
                end(store, reading, at, whole=move == "whole")
    last = begin(store, at + DAY, replace(SUBJECT, sweep_every=timedelta(days=999)))
    assert last.cursor == str(taken)
