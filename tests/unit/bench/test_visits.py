"""The traffic of the ingest measurement."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from bench.visits import CALLS_A_BODY, PEOPLE, bodies
from crmsync.identity.feeds import read_batch
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note, Rules
from crmsync.model import Event, EventType

SENT = list(bodies(4_050))


def test_bodies_hold_a_hundred_calls_and_the_last_the_rest() -> None:
    """Nothing is left out: full bodies, then what remains."""
    assert [len(body["batch"]) for body in SENT] == [CALLS_A_BODY] * 40 + [50]


def test_every_call_is_taken_without_a_note() -> None:
    """The traffic is what good clients send: nothing of it is refused or corrected."""
    notes: list[Note] = []
    arrival = Arrival("test", datetime.now(UTC), Rules())
    events = [event for body in SENT for event in read_batch(body, arrival, notes)]
    assert all(isinstance(event, Event) for event in events)
    assert notes == []


def test_the_mix_is_that_of_a_web_site() -> None:
    """Mostly pages, then tracked events, some identifies, over many people."""
    calls = [call for body in SENT for call in body["batch"]]
    kinds = Counter(EventType(call["type"]) for call in calls)
    assert kinds[EventType.PAGE] > kinds[EventType.TRACK] > kinds[EventType.IDENTIFY] > 100
    assert PEOPLE * 0.8 < len({call["anonymousId"] for call in calls}) <= PEOPLE
