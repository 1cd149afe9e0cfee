"""The data set of the demo."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

from crmsync.demo.people import GOALS, REFUSED_EMAIL, REFUSED_PLAN, generate
from crmsync.identity.feeds import read_batch
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Rules
from crmsync.model import Event, ProfileKind
from tests.unit.identity.story import NOON, Story


def test_the_set_is_what_it_says():
    """1,000 people of 40 companies, every call good, two of them made to be refused by the CRM."""
    calls = list(generate(NOON))
    notes = []
    rules = Rules(goals=frozenset(GOALS))
    events = read_batch({"batch": calls}, Arrival("demo", NOON, rules), notes)
    assert 6_000 <= len(events) <= 8_000
    assert all(isinstance(event, Event) for event in events)
    story = Story(rules)
    outcome = story.fold(events)
    assert notes == outcome.notes == []
    known = [person for person in story.all() if person.identified_at]
    assert (len(known), len(story.all(ProfileKind.COMPANY))) == (1000, 40)
    assert len({person.email for person in known}) == 1000
    emails = [p.email for p in known if not p.email.endswith(".example")]
    assert emails == [REFUSED_EMAIL]
    plans = Counter(person.traits["plan"] for person in known)
    assert plans.pop(REFUSED_PLAN) == 1
    assert plans.keys() == {"free", "trial", "pro", "enterprise"}
    assert sum(person.stats.get("revenue", 0) for person in known) > 0


def test_the_set_is_the_same_every_time():
    """The same arguments give the same calls; another seed gives other people."""
    one = list(generate(NOON, people=30))
    assert one == list(generate(NOON, people=30))
    assert one != list(generate(NOON, people=30, seed=8))
    assert json.loads(json.dumps(one)) == one


def test_times_are_before_now_and_in_order_for_each_person():
    """Nothing is ahead of `now`, and everybody's calls come as they happened."""
    last = {}
    for call in generate(NOON, people=200):
        moment = datetime.fromisoformat(call["timestamp"])
        key = call["messageId"].rpartition("-")[0]
        assert last.get(key, moment) <= moment <= NOON
        last[key] = moment
