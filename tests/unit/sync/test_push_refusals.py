"""The push where the CRM refuses: one record's trouble is its own."""

from __future__ import annotations

from math import ceil, log2

import pytest

from crmsync.errors import BatchRejected, ConnectionHalted, RateLimited
from crmsync.mapping import render as mapping_render
from crmsync.model import Failure, Outcome, Result
from crmsync.sync import records
from crmsync.sync.delivery import MISFIT
from crmsync.sync.push import push
from tests.unit.sync.people import adopting, make_due, mapping, writes
from tests.workbench import (
    KEYED,
    drain,
    identify,
    ingest,
    link_rows,
    the_sync,
)


@pytest.mark.parametrize("poison", [0, 41, 99])
def test_a_refused_batch_is_halved_until_the_culprit_is_alone(works_with, crm, poison, monkeypatch):
    """One bad record among a hundred costs at most 2·log2(n)+1 calls and harms no other."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}") for n in range(100)])
    sync = the_sync(works)
    original = type(sync.connector).write

    def write(self, batch):
        if any(op.fields.get("firstname") == f"Ann{poison}" for op in batch.operations):
            crm.calls["write"] += 1
            raise BatchRejected("no", code="INVALID", field="firstname", hint="mend it")
        return original(self, batch)

    monkeypatch.setattr(type(sync.connector), "write", write)
    tally = push(sync)
    assert tally.counts == {"created": 99, "failed": 1}
    assert tally.calls == writes(crm) <= 2 * ceil(log2(100)) + 1
    failed = [row for row in link_rows(works.store, "state", "error_code", "error_field") if row[1]]
    assert failed == [("dead", "INVALID", "firstname")]


def test_a_record_that_breaks_the_rendering_is_alone_in_its_failure(works_with, crm, monkeypatch):
    """A fault of ours that one profile brings out does not keep the others from being sent."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}") for n in range(3)])
    render = mapping_render.render

    def fragile(mapping, facts):
        if facts["first_name"] == "Ann1":
            raise ZeroDivisionError
        return render(mapping, facts)

    monkeypatch.setattr(records, "render", fragile)
    assert drain(works)["created"] == 2


def test_a_value_of_the_wrong_type_is_one_persons_failure(works_with, crm):
    """What cannot be a number is reported with the field and keeps nobody else back."""
    works = works_with(mapping("visits: plan, firstname: first_name"))
    ingest(works, [identify("u1", plan="many"), identify("u2", plan="3")])
    assert drain(works) == {"created": 1, "failed": 1}
    assert link_rows(works.store, "error_code", "error_field")[0] == ("WRONG_TYPE", "visits")


@pytest.mark.parametrize(
    ("trouble", "cause", "seconds"),
    [
        (RateLimited(retry_after_seconds=7), "busy", 7),
        (ConnectionHalted("no", cause="reauth_required"), "reauth_required", 900),
    ],
)
def test_the_connection_rests(works_with, crm, trouble, cause, seconds):
    """A refused call pauses the connection; no attempt is charged and nothing is lost."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    push_sync = the_sync(works)
    push(push_sync, go_on=lambda: False)  # describes the fields
    crm.fail_next(trouble)
    tally = push(push_sync)
    assert tally.rest is not None
    assert (tally.rest.cause, tally.rest.seconds) == (cause, seconds)
    assert link_rows(works.store, "attempts", "state") == [(0, "active")]
    make_due(works)
    assert drain(works) == {"created": 1}


def test_a_record_that_is_busy_is_not_sent_again_and_again(works_with, crm):
    """A retry of one record in a call that went through waits, and the push comes to an end."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync, calls = the_sync(works), iter(range(100))

    def write(batch):
        next(calls)
        return [Result(Outcome.RETRY, failure=Failure("LOCKED", "", "")) for _ in batch.operations]

    sync.connector.write = write
    assert push(sync).counts == {"retried": 1}
    assert next(calls) == 1
    assert link_rows(works.store, "attempts", "state") == [(1, "active")]


def refusing(connector, *values: str) -> None:
    """Let the connector's CRM refuse to look for these values; without any, for all."""
    original = connector.read

    def read(object_type, keys, fields):
        if not values or any(key.value in values for key in keys):
            raise BatchRejected("no", code="INVALID_KEY", hint="mend it")
        return original(object_type, keys, fields)

    connector.read = read


@pytest.mark.parametrize("culprit", [0, 3, 6])
def test_a_key_that_cannot_be_looked_for_is_its_own_records_failure(works_with, crm, culprit):
    """One refused key among seven leaves the six others to be found and sent."""
    works, sync = adopting(works_with, 7)
    refusing(sync.connector, f"ann{culprit}@acme.example")
    tally = push(sync)
    assert (tally.counts, tally.rest) == ({"created": 6, "failed": 1}, None)
    failed = [row for row in link_rows(works.store, "state", "error_code") if row[1]]
    assert failed == [("dead", "INVALID_KEY")]


def test_where_every_key_is_refused_the_sync_rests(works_with, crm):
    """If nothing can be looked for it is not the records' fault, and none of them is set aside."""
    works, sync = adopting(works_with, 7)
    refusing(sync.connector)
    tally = push(sync)
    assert tally.rest is not None
    assert tally.rest.cause == MISFIT
    assert set(link_rows(works.store, "state", "attempts", "lease_token")) == {("active", 0, None)}
    assert writes(crm) == 0
