"""The push while the CRM answers nothing, and while it answers all but one record's calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crmsync.errors import OutcomeUnknown
from crmsync.model import Action
from crmsync.store import state
from crmsync.store.tables import links
from crmsync.sync.breaker import LOSSES_IN_A_ROW, Breaker
from crmsync.sync.delivery import UNREACHABLE
from crmsync.sync.outcomes import ATTEMPTS_BEFORE_SETTING_ASIDE
from crmsync.sync.push import push
from tests.unit.sync.people import held, make_due, writes
from tests.workbench import KEYED, count_rows, drain, identify, ingest, link_rows, the_sync

PEOPLE = 200
LONG = 3 * ATTEMPTS_BEFORE_SETTING_ASIDE
"""Rounds: as long as it would take a record three times to be set aside."""


@pytest.fixture
def waiting(works_with):
    """Opens a project in which so many people wait to be sent."""

    def make(people: int):
        works = works_with(KEYED)
        push(the_sync(works), go_on=lambda: False)
        ingest(works, [identify(f"u{n}", first_name=f"Ann{n}") for n in range(people)])
        return works

    return make


def losing(works, crm, monkeypatch, first_name: str = "") -> list[int]:
    """Lose each call with this person in it, or every one; return how many each of them held."""
    connector = type(the_sync(works).connector)
    original, lost = connector.write, []

    def write(self, batch):
        names = [op.fields.get("firstname") for op in batch.operations]
        if not first_name or first_name in names:
            crm.calls["write"] += 1
            lost.append(len(batch.operations))
            raise OutcomeUnknown("502")
        return original(self, batch)

    monkeypatch.setattr(connector, "write", write)
    return lost


def rounds(works, count: int) -> None:
    """Push so many times, each time as if all waits were over."""
    for _ in range(count):
        make_due(works)
        drain(works)


def dead(works) -> int:
    """How many links are set aside."""
    return count_rows(works.store, links, links.c.state == "dead")


@pytest.mark.parametrize(("people", "first_calls"), [(2, [2]), (PEOPLE, [100, 100])])
def test_an_outage_sets_nobody_aside(waiting, crm, monkeypatch, people, first_calls):
    """However long it is, it costs one record's call a round, and the first write ends it."""
    works = waiting(people)
    with monkeypatch.context() as outage:
        lost = losing(works, crm, outage)
        rounds(works, LONG)
        assert set(link_rows(works.store, "state")) == {("active",)}
        assert lost == first_calls + [1] * (LONG - 1)
        assert max(attempts for (attempts,) in link_rows(works.store, "attempts")) == 1
    rounds(works, 1)
    assert len(held(crm)) == people
    assert set(link_rows(works.store, "attempts", "error_class")) == {(0, None)}


def test_without_the_rule_an_outage_sets_records_aside(waiting, crm, monkeypatch):
    """If each loss counted, the outage above would bury whoever was tried."""
    works, judge = waiting(2), Breaker.judge
    monkeypatch.setattr(Breaker, "judge", lambda *given, **named: judge(*given, **named) or True)
    losing(works, crm, monkeypatch)
    rounds(works, LONG)
    assert dead(works) == 2


def test_the_connection_rests_longer_each_time(waiting, crm, monkeypatch):
    """It is left alone for twice as long as before, until a write passes."""
    works, waits = waiting(2), []
    losing(works, crm, monkeypatch)
    for _ in range(4):
        rounds(works, 1)
        with works.store.database.read() as connection:
            now = works.store.database.now(connection)
            (pause,) = state.list_pauses(connection, now)
        assert (pause.cause, pause.message) == (UNREACHABLE, "502")
        waits.append(round((pause.until - now).total_seconds()))
    assert waits == [1, 2, 4, 8]
    monkeypatch.undo()
    rounds(works, 1)
    with works.store.database.read() as connection:
        assert not state.is_doubtful(connection, "crm")


def test_one_record_that_breaks_its_calls_is_set_aside_alone(waiting, crm, monkeypatch):
    """The others pass after a few rounds and few calls; it is told with what to do about it."""
    works = waiting(PEOPLE)
    lost = losing(works, crm, monkeypatch, "Ann41")
    rounds(works, 8)
    assert len(held(crm)) == PEOPLE - 1
    assert writes(crm) <= 30
    rounds(works, LONG)
    assert dead(works) == 1
    assert link_rows(works.store, "error_code").count(("ANSWER_LOST",)) == 1
    assert lost[-1] == 1
    calls = writes(crm)
    rounds(works, 2)
    assert writes(crm) == calls


def test_a_lone_record_is_set_aside_once_others_pass(waiting, crm, monkeypatch):
    """Alone it cannot be told from an outage; what passes beside it speaks against it."""
    works = waiting(1)
    losing(works, crm, monkeypatch, "Ann0")
    rounds(works, LONG)
    assert dead(works) == 0
    ingest(works, [identify("u2", first_name="Bo")])
    rounds(works, ATTEMPTS_BEFORE_SETTING_ASIDE)
    assert dead(works) == 1
    assert [record["firstname"] for record in held(crm)] == ["Bo"]


def test_a_batch_with_it_is_parted_also_where_nothing_else_is_due(waiting, crm, monkeypatch):
    """The record that is sent alone to see whether anybody answers is what tells."""
    works = waiting(60)
    losing(works, crm, monkeypatch, "Ann41")
    rounds(works, LONG)
    assert (len(held(crm)), dead(works)) == (59, 1)


def test_when_nobody_answers_calls_that_wait_are_not_begun(waiting, crm, monkeypatch):
    """In the middle of a push of many calls an outage costs those under way and a few more."""
    works = waiting(PEOPLE)
    sync = replace(the_sync(works), calls_in_flight=2)
    single = replace(sync.connector.capabilities, records_per_call=dict.fromkeys(Action, 1))
    monkeypatch.setattr(sync.connector, "capabilities", single, raising=False)
    lost = losing(works, crm, monkeypatch)
    assert push(sync).counts == {"retried": PEOPLE}
    assert len(lost) <= LOSSES_IN_A_ROW + 2
    assert set(link_rows(works.store, "lease_token")) == {(None,)}
