"""Draining a connection: what it leaves alone, and how long until there is work."""

from __future__ import annotations

from types import SimpleNamespace

from crmsync.bootstrap import CALLS_IN_FLIGHT
from crmsync.errors import RateLimited
from crmsync.model import FieldSchema, FieldType
from crmsync.store import state
from crmsync.sync import drain as drain_module
from crmsync.sync import push as push_module
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.push import push
from tests.unit.sync.people import held, mapping
from tests.workbench import (
    KEY,
    KEYED,
    ROOMY,
    crowd,
    identify,
    ingest,
    link_rows,
    the_sync,
)

PUSHED = f"{KEYED}reconcile: false\n"
"""Whose records are never read."""


def test_a_connection_is_drained_to_the_end(works_with, crm):
    """One call of `drain` sends everything that is due, over all slices."""
    works = works_with(KEYED)
    for start in (0, 1000):
        ingest(works, [identify(f"u{start + n}", first_name="Ann") for n in range(1000)])
    assert drain(works, "crm") is False
    assert len(held(crm)) == 2000


def test_after_a_refusal_nobody_calls_for_a_while(works_with, crm):
    """A 429 rests the connection for as long as the CRM asked; then the same work goes on."""
    works = works_with(PUSHED)
    push(the_sync(works), go_on=lambda: False)
    ingest(works, [identify("u1", first_name="Ann")])
    crm.fail_next(RateLimited(retry_after_seconds=60))
    drain(works, "crm")
    calls = dict(crm.calls)
    assert drain(works, "crm") is False
    assert dict(crm.calls) == calls
    works.store.database.transact(lambda connection: state.resume(connection, "crm"))
    assert next_wake_seconds(works, "crm") == ROOMY["sweep_seconds"]


def test_a_refusal_rests_the_connections_other_syncs_too(works_with, crm):
    """A connection that asked one sync for patience is not called for another one."""
    crm.schemas["deals"] = {KEY: FieldSchema(KEY, KEY, FieldType.TEXT, unique=True)} | {
        "stage": FieldSchema("stage", "stage", FieldType.TEXT)
    }
    works = works_with(KEYED, others={"deals": mapping("stage: plan", object="deals")})
    for name in ("contacts", "deals"):
        push(the_sync(works, name), go_on=lambda: False)
    ingest(works, [identify("u1", first_name="Ann", plan="pro")])
    crm.fail_next(RateLimited(retry_after_seconds=60))
    calls = crm.calls["write"]
    drain(works, "crm")
    assert crm.calls["write"] == calls + 1


def test_stopping_ends_a_drain_between_slices(works_with, crm):
    """A worker that is to stop claims nothing more."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    assert drain(works, "crm", stopping=lambda: True) is False
    assert link_rows(works.store, "lease_token") == [(None,)]


def test_the_next_look_is_when_work_is_due(works_with, crm):
    """Without work it is a sweep away, with work due now it is at once."""
    works = works_with(PUSHED)
    assert next_wake_seconds(works, "crm") == ROOMY["sweep_seconds"]
    ingest(works, [identify("u1", first_name="Ann")])
    assert next_wake_seconds(works, "crm") == 0.0


def test_a_mapping_that_does_not_fit_rests_alone(works_with, crm):
    """A sync that nobody has marked yet and that misfits keeps no other of its CRM waiting."""
    bad = mapping("stage: plan", match="no_such_key: profile_id", object="companies")
    works = works_with(others={"a-bad": bad, "b-good": KEYED})
    ingest(works, [identify("u1", first_name="Ann", plan="pro")])
    assert drain(works, "crm") is False
    assert len(held(crm)) == 1
    with works.store.database.read() as connection:
        assert state.list_pauses(connection, works.store.database.now(connection)) == []
        assert state.list_syncs(connection)["a-bad"].rests_until is not None
    calls = dict(crm.calls)
    assert drain(works, "crm") is False
    assert dict(crm.calls) == calls


def test_the_syncs_of_a_connection_share_its_time(works_with, crm, monkeypatch):
    """The backlog of one sync leaves the next one its part of the slice."""
    crm.schemas["deals"] = dict(crm.schemas["contacts"])
    fields = "firstname: first_name"
    works = works_with(
        others={"a": mapping(fields, object="deals"), "b": mapping(fields, object="contacts")}
    )
    ingest(works, crowd(50, "Lee"))
    connector = the_sync(works, "a").connector
    original, clock, sent = connector.write, [0.0], []

    def write(batch):
        clock[0] += 1.0
        sent.append(batch.object_type)
        return original(batch)

    monkeypatch.setattr(connector, "write", write)
    monkeypatch.setattr(drain_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(push_module, "SLICE", 1)
    assert drain(works, "crm") is True
    half = drain_module.SLICE_SECONDS / 2
    for object_type in ("deals", "contacts"):
        assert half <= sent.count(object_type) <= half + CALLS_IN_FLIGHT
