"""What is wrong now, by cause, on both databases."""

from __future__ import annotations

from datetime import timedelta

from crmsync.model import CrmId, Failure, ProfileId, RunTrigger
from crmsync.planning.reading import Flips
from crmsync.store import failed_links, failing, link_records, read_log, runs
from crmsync.store.failing import FROZEN, NOTICED
from crmsync.store.links import LinkState
from crmsync.store.read_log import Entry
from tests.unit.store.queue import NOW, mark, put, row

DRIFT = Failure("DRIFT", "somebody changed name", "let one side own it", "name")
DAYS = timedelta(days=3)


def notice(store, who, failure, at=NOW):
    """Note that reading back came upon something."""

    def work(connection):
        run = runs.open_run(
            connection, "people", "crm", "contacts", RunTrigger.PULL,
            runs.window_start(RunTrigger.PULL, at), at,
        )  # fmt: skip
        entry = Entry(row(store, who).id, ProfileId(who), CrmId("1"), {}, failure)
        read_log.write(connection, store.vault, run, [entry], at)

    store.database.transact(work)


def test_what_was_noticed_lately_is_counted_by_record(store):
    """Twice of one record is one; what was longer ago is over; a deletion has its own place."""
    mark(store, "ann", "bo")
    for who in ("ann", "ann", "bo"):
        notice(store, who, DRIFT)
    notice(store, "ann", Failure("UNKNOWN_NAME", "no such user", "ask", "owner"), NOW - DAYS)
    notice(store, "bo", Failure("RECORD_DELETED", "gone", "replay"))
    with store.database.read() as connection:
        (group,) = failing.noticed(connection, store.vault, NOW - timedelta(hours=1))
    assert (group.code, group.field, group.count, group.state) == ("DRIFT", "name", 2, NOTICED)
    assert (group.message, group.hint) == (DRIFT.message, DRIFT.hint)


def test_frozen_fields_are_found_as_long_as_they_are(store):
    """By field; one that took turns and is not frozen is none."""
    mark(store, "ann")
    link = row(store, "ann").id
    kept = {
        (link, "name"): Flips(5, NOW, b"x", NOW),
        (link, "phone"): Flips(1, NOW, b"x"),
    }
    store.database.transact(lambda c: link_records.save_flips(c, kept))
    with store.database.read() as connection:
        (group,) = failing.frozen(connection, store.vault)
        (one,) = failed_links.frozen_links(connection, profile_id=ProfileId("ann"))
        assert failed_links.frozen_links(connection, profile_id=ProfileId("bo")) == []
    assert (group.field, group.count, group.state) == ("name", 1, FROZEN)
    assert (one.link_id, one.field, one.state) == (link, "name", FROZEN)


def test_only_a_deletion_is_undone_of_what_is_suppressed(store):
    """Who is erased or opted out stays out, whoever asks."""
    mark(store, "ann", "bo")
    put(store, "ann", state=LinkState.SUPPRESSED, error_class="deleted", crm_id="1")
    put(store, "bo", state=LinkState.SUPPRESSED)
    both = [row(store, who).id for who in ("ann", "bo")]
    with store.database.read() as connection:
        assert failed_links.failed_links(connection) == []
        assert failed_links.failed_links(connection, profile_id=ProfileId("bo")) == []
        (found,) = failed_links.failed_links(connection, profile_id=ProfileId("ann"))
    assert found.is_deleted
    store.database.transact(lambda c: failed_links.make_again(c, both, NOW))
    assert (row(store, "ann").state, row(store, "ann").crm_id) == (LinkState.ACTIVE, None)
    assert row(store, "bo").state == LinkState.SUPPRESSED
