"""Webhooks are kept up by one worker of all, for connections where a person asked for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from crmsync.connectors.base import Watch
from crmsync.connectors.memory import Memory
from crmsync.errors import ConfigError, CrmsyncError, RateLimited
from crmsync.store import state, watches
from crmsync.store.tables import watches as watch_rows
from crmsync.sync.drain import drain
from crmsync.sync.webhooks import TRY_AGAIN_AFTER, keep_up, set_up, take_down, told_of
from tests.unit.sync.people import NAMES, mapping

HOOKS = {"connector": "memory", "webhooks": {"url": "http://127.0.0.1:1/hooks/crm", "secret": "s"}}
WEEK, HOUR, DAY = timedelta(days=7), timedelta(hours=1), timedelta(days=1)
READING = mapping(NAMES, pull="{contact_owner: owner}", deals="{pull: {deal_stage: stage}}")


class Vendor:
    """Counts what it was asked to tell of, and ends it after a while, or refuses."""

    def __init__(self):
        self.asked: list[list[str]] = []
        self.ends_after: timedelta | None = WEEK
        self.trouble: CrmsyncError | None = None

    def watch(self, object_types):
        """Note it."""
        self.asked.append(list(object_types))
        if self.trouble:
            raise self.trouble
        ends = self.ends_after
        return Watch("told", None if ends is None else datetime.now(UTC) + ends)


@pytest.fixture
def vendor(monkeypatch):
    """The CRM in memory, as one that tells of changes."""
    vendor = Vendor()
    monkeypatch.setattr(Memory, "watch", lambda _, types: vendor.watch(types))
    return vendor


@pytest.fixture
def works(works_with, vendor):
    """A connection with webhooks, whose contacts and deals are read back."""
    return works_with(READING, connections={"crm": HOOKS})


def until_look(works):
    """How long until somebody looks."""
    with works.store.database.read() as connection:
        look_at = watches.look_at(connection, "crm")
    assert look_at is not None
    return look_at - datetime.now(UTC)


def wait(works, time):
    """Let time pass for the webhooks."""
    with works.store.database.engine.begin() as connection:
        at = datetime.now(UTC) + until_look(works) - time
        connection.execute(update(watch_rows).values(look_at=at))


def test_what_is_read_back_is_what_the_crm_is_asked_to_tell(works, works_with):
    """By the names that hints have; what is only sent is nobody's business."""
    assert told_of(works, "crm") == ["contacts", "deals"]
    assert told_of(works_with(mapping(NAMES)), "crm") == []


@pytest.mark.parametrize(
    ("ends_after", "expected"), [(WEEK, DAY), (HOUR, HOUR / 2), (None, DAY), (DAY, DAY / 2)]
)
def test_somebody_looks_well_before_the_end(works, vendor, ends_after, expected):
    """At half of the time, and each day: what failed too long is deleted without a word."""
    vendor.ends_after = ends_after
    set_up(works, "crm")
    assert abs(until_look(works) - expected) < timedelta(minutes=1)


def test_it_is_looked_at_when_it_is_time(works, vendor):
    """By the worker that drains the connection, and once."""
    set_up(works, "crm")
    drain(works, "crm")
    assert len(vendor.asked) == 1
    wait(works, DAY)
    drain(works, "crm")
    drain(works, "crm")
    assert vendor.asked == [["contacts", "deals"]] * 2


def test_one_of_eight_workers_looks(works, vendor):
    """Any number may find at the same moment that it is time: a row decides."""
    set_up(works, "crm")
    wait(works, WEEK)
    begin = threading.Barrier(8)

    def look(_):
        begin.wait()
        keep_up(works, "crm")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    assert len(vendor.asked) == 2


@pytest.mark.parametrize("trouble", [RateLimited(), ConfigError("scope is missing")])
def test_what_fails_is_told_and_tried_again(works, vendor, trouble):
    """Not at once: meanwhile changes are found by asking."""
    set_up(works, "crm")
    wait(works, DAY)
    vendor.trouble = trouble
    with capture_logs() as lines:
        keep_up(works, "crm")
        keep_up(works, "crm")
    told = [line for line in lines if line["event"] == "webhooks_not_kept_up"]
    assert [line["why"] for line in told] == [trouble.user_message]
    assert len(vendor.asked) == 2
    assert abs(until_look(works) - TRY_AGAIN_AFTER) < timedelta(minutes=1)


def test_a_halted_connection_is_left_alone(works, vendor):
    """It makes no calls until it is let go on."""
    set_up(works, "crm")
    wait(works, DAY)
    later = datetime.now(UTC) + HOUR
    database = works.store.database
    database.transact(lambda c: state.pause(c, "crm", later, "reauth_required", "gone"))
    keep_up(works, "crm")
    assert len(vendor.asked) == 1


def test_workers_set_up_nothing_that_nobody_asked_for(works, vendor, monkeypatch):
    """Nor what a person took down."""
    keep_up(works, "crm")
    assert vendor.asked == []
    set_up(works, "crm")
    taken_down = []
    monkeypatch.setattr(Memory, "unwatch", lambda _: taken_down.append(1))
    take_down(works, "crm")
    keep_up(works, "crm")
    assert (len(vendor.asked), taken_down) == (1, [1])


def test_what_could_not_be_set_up_is_not_kept_up(works, vendor):
    """A person has to do something first."""
    vendor.trouble = ConfigError("do this")
    with pytest.raises(ConfigError, match="do this"):
        set_up(works, "crm")
    keep_up(works, "crm")
    assert len(vendor.asked) == 1


def test_there_must_be_something_to_tell_of(works_with, vendor):
    """A mapping that only sends reads nothing back."""
    works = works_with(mapping(NAMES), connections={"crm": HOOKS})
    with pytest.raises(ConfigError, match="nothing to be told of"):
        set_up(works, "crm")
    assert vendor.asked == []
