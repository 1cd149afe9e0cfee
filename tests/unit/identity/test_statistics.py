"""Visit statistics."""

from __future__ import annotations

import itertools
import json

import pytest

from crmsync.identity import statistics
from crmsync.model import Profile, ProfileId
from tests.unit.identity.story import at, call

GOALS = frozenset({"plan_upgraded"})


def count(*calls):
    """Count calls, given as (kind, clock, more), for a new person."""
    person = Profile(ProfileId("p1"))
    for kind, clock, more in calls:
        body = {"userId": "u1", "timestamp": at(clock), **more}
        statistics.count(person, call(kind, **({"event": "x"} if kind == "track" else {}) | body),
                         GOALS)  # fmt: skip
    return person


def pages(*clocks, **more):
    """Give page calls at these times."""
    return [("page", clock, more) for clock in clocks]


def session(session_id):
    """Give the context of a page in a session with an id."""
    return {"context": {"sessionId": session_id}}


@pytest.mark.parametrize(
    ("calls", "sessions"),
    [
        (pages("09:00", "09:30", "10:00"), 1),
        (pages("09:00", "09:31"), 2),
        (pages("09:00", "09:40", "09:20"), 1),
        ([("page", "09:00", session("a")), ("page", "11:00", session("a"))], 1),
        ([("page", "09:00", session("a")), ("page", "09:01", session("b"))], 2),
        ([("page", "09:00", session("a")), ("track", "09:20", {})], 1),
        ([("track", "09:00", {}), ("page", "09:20", session("a"))], 1),
        ([("page", "09:00", session(7)), ("page", "09:20", session("7"))], 1),
    ],
)
def test_sessions(calls, sessions):
    """A session id decides, else 30 minutes of inactivity, in any order of arrival."""
    for order in itertools.permutations(calls):
        assert count(*order).stats["sessions"] == sessions


def test_a_late_event_joins_two_sessions():
    """What lies between two sessions makes them one."""
    person = count(*pages("09:00", "09:50"))
    assert person.stats["sessions"] == 2
    statistics.count(person, call("page", userId="u1", timestamp=at("09:25")), GOALS)
    assert person.stats["sessions"] == 1


def test_the_memory_of_sessions_is_bounded():
    """Sixteen sessions are remembered; an event before them counts as in a known one."""
    clocks = [f"{n // 60:02}:{n % 60:02}" for n in range(0, 700, 31)]
    person = count(*pages(*clocks))
    assert person.stats["sessions"] == len(clocks) == 23
    assert len(person.stats["recent_sessions"]) == statistics.RECENT_SESSIONS
    statistics.count(person, call("page", userId="u1", timestamp=at("00:00")), GOALS)
    assert person.stats["sessions"] == 23


def test_only_pages_screens_and_goals_count_as_such():
    """Pages and screens are pages; a goal is a tracked event of the list, with its revenue."""
    person = count(
        ("page", "09:00", {}),
        ("screen", "09:01", {}),
        ("track", "09:02", {"event": "plan_upgraded", "properties": {"revenue": 49}}),
        ("track", "09:03", {"event": "plan_upgraded", "properties": {"revenue": "0.10"}}),
        ("track", "09:04", {"event": "order", "properties": {"revenue": 1000}}),
        ("track", "09:05", {"event": "plan_upgraded"}),
    )
    assert person.stats["pages_viewed"] == 2
    assert person.stats["goals_completed"] == 3
    assert person.stats["revenue"] == pytest.approx(49.1)


@pytest.mark.parametrize("revenue", ["much", True, None, [], 1e13, "nan", "inf", {}])
def test_an_absurd_revenue_is_none(revenue):
    """The goal counts; a revenue that is no amount does not."""
    more = {"event": "plan_upgraded", "properties": {"revenue": revenue}}
    person = count(("track", "09:00", more))
    assert person.stats["goals_completed"] == 1
    assert "revenue" not in person.stats


def test_sums_do_not_depend_on_their_order():
    """0.1 + 0.2 + 0.3 is the same however it is added."""
    amounts = (0.1, 0.2, 0.3, 0.7)
    sums = {
        count(
            *(
                ("track", "09:00", {"event": "plan_upgraded", "properties": {"revenue": amount}})
                for amount in order
            )
        ).stats["revenue"]
        for order in itertools.permutations(amounts)
    }
    assert sums == {1.3}


def test_seen_is_the_range_of_the_visits():
    """First and last seen are the earliest and latest activity, not the latest arrival."""
    person = count(*pages("10:00", "09:00", "09:30"))
    assert (person.first_seen.hour, person.last_seen.hour) == (9, 10)


def test_merged_statistics_add_up():
    """Counts add, sessions that are one are counted once, times widen."""
    one, other = count(*pages("09:00", "11:00")), count(*pages("09:10", "10:00"))
    changed = statistics.merge(one, other)
    assert (one.stats["sessions"], one.stats["pages_viewed"]) == (3, 4)
    assert changed == {"sessions", "visits", "pages_viewed"}
    assert statistics.merge(one, Profile(ProfileId("p2"))) == set()
    fresh = Profile(ProfileId("p3"))
    assert "first_seen" in statistics.merge(fresh, other)
    assert fresh.stats == {**other.stats}
    assert (fresh.first_seen, fresh.last_seen) == (other.first_seen, other.last_seen)


def test_statistics_are_plain_json():
    """They are the same after JSON and back."""
    person = count(("page", "09:00", session("a")), ("page", "09:00", {}))
    assert json.loads(json.dumps(person.stats)) == person.stats
