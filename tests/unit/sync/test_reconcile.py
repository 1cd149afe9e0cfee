"""What is believed is compared with what the CRM holds: deletions, drift and duplicates are found.

Each safeguard is taken out once: then the fault that it is there against must show.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from crmsync.connectors.memory import Memory
from crmsync.connectors.throttle import is_background
from crmsync.errors import BackgroundSpent, BatchRejected
from crmsync.model import CrmId
from crmsync.store import duplicates as store_duplicates
from crmsync.store import link_records, profiles, sightings, state
from crmsync.store.links import LinkState
from crmsync.store.tables import cursors, links, sync_log
from crmsync.store.tables import duplicates as table
from crmsync.sync import duplicates, schedule, sweeping
from crmsync.sync.drain import drain
from crmsync.sync.duplicates import judge
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from crmsync.sync.replay import failure_groups
from tests.unit.sync.people import NAMES, make_due, mapping, seed
from tests.workbench import ROOMY, count_rows, identify, ingest, let_pass, link_rows, the_sync

LONG = 10_000.0
"""More seconds than anything waits for."""
KEYS = "crmsync_id: profile_id, email: email"
PUSHED = mapping(f"email: email, {NAMES}", KEYS)
"""A mapping that reads nothing back."""


def send(works, people=1):
    """Send some people and let it settle; return the ids of their records."""
    ingest(
        works,
        [identify(f"u{n}", first_name="Ann", email=f"ann{n}@x.io") for n in range(people)],
    )
    push_now(works)
    return [crm_id for (crm_id,) in link_rows(works.store, "crm_id")]


def push_now(works):
    """Send everything, due or not, and let it settle."""
    make_due(works)
    push(the_sync(works))
    let_pass(works.store, LONG)


def reconcile(works):
    """Compare everything now, to the end."""
    pulled = pull(works, "crm", anew=True)
    let_pass(works.store, LONG)
    return pulled


def forget(crm, record):
    """Delete a record so that no list tells of it."""
    del crm.records["contacts"][record]


def told(works, code):
    """How often the log tells of something."""
    return count_rows(works.store, sync_log, sync_log.c.error_code == code)


def states(works):
    """What became of all links."""
    return [state for (state,) in link_rows(works.store, "state")]


def next_sweep(works):
    """Let it be time to compare everything, to the workers."""
    for subject, at in rows(works, cursors.c.subject, cursors.c.swept_at):
        earlier = at and at - timedelta(days=2)
        change(works, update(cursors).where(cursors.c.subject == subject).values(swept_at=earlier))


def change(works, statement):
    """Change what is stored."""
    works.store.database.transact(lambda connection: connection.execute(statement))


def rows(works, *columns):
    """Return columns of a table."""
    with works.store.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns))]


# --- what nobody tells of -----------------------------------------------------------------


@pytest.mark.parametrize("safeguard", [None, "the look for what was not seen"])
def test_a_record_that_vanished_is_missed(works_with, crm, monkeypatch, safeguard):
    """No list tells of it: it is not among all there are, and by its id it is not there."""
    works = works_with(PUSHED)
    gone, _ = send(works, 2)
    forget(crm, gone)
    if safeguard:
        monkeypatch.setattr(sightings, "unseen", lambda *_, **__: [])
    pulled = reconcile(works)
    push_now(works)
    left = LinkState.ACTIVE if safeguard else LinkState.SUPPRESSED
    assert states(works) == [left, LinkState.ACTIVE]
    assert pulled.sweep["unseen"] == (0 if safeguard else 1)
    assert pulled.is_swept


def test_what_vanished_is_made_anew_where_the_mapping_says_so(works_with, crm):
    """`on_delete: recreate`: one new record."""
    works = works_with(PUSHED + "on_delete: recreate\n")
    [gone] = send(works)
    forget(crm, gone)
    reconcile(works)
    push_now(works)
    assert link_rows(works.store, "crm_id", "state") != [(gone, LinkState.ACTIVE)]
    assert len(crm.records["contacts"]) == 1


@pytest.mark.parametrize("safeguard", [None, "the stamps"])
def test_what_was_seen_is_not_read_again(works_with, crm, monkeypatch, safeguard):
    """A comparison of people who are all there costs its pages, and no read by id."""
    works = works_with(PUSHED)
    send(works, 3)
    if safeguard:
        monkeypatch.setattr(sightings, "stamp", lambda *_: None)
    before = crm.calls["read"]
    pulled = reconcile(works)
    assert (pulled.sweep["compared"], pulled.counts["unchanged"]) == (3, 3 if not safeguard else 6)
    assert crm.calls["read"] - before == (1 if safeguard else 0)


def test_more_than_one_part_is_looked_through(works_with, crm, monkeypatch):
    """Links are looked through in parts, and none is left out."""
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    works = works_with(PUSHED)
    for record in send(works, 5):
        forget(crm, record)
    assert reconcile(works).sweep["unseen"] == 5


# --- drift ----------------------------------------------------------------------------------


def test_drift_is_found_where_nothing_is_read_back(works_with, crm):
    """Told once, by field; another comparison counts it and tells nothing new."""
    works = works_with(PUSHED)
    [record] = send(works)
    crm.edit("contacts", record, firstname="Anna")
    for _ in range(2):
        pulled = reconcile(works)
        assert pulled.drift == {"firstname": 1}
        assert pulled.sweep["drifted"] == 1
    assert told(works, "DRIFT") == 1


def test_what_others_keep_in_a_field_that_we_never_filled_is_no_drift(works_with, crm):
    """And `reassert` does not clear it."""
    works = works_with(PUSHED + "drift: reassert\n")
    [record] = send(works)
    crm.edit("contacts", record, lastname="Lee")
    assert reconcile(works).drift == {}
    push_now(works)
    assert crm.records["contacts"][record].fields["lastname"] == "Lee"


# --- duplicates -----------------------------------------------------------------------------


def with_duplicate(works, crm, key):
    """Send a person and have somebody make another record of theirs; return both."""
    [record] = send(works)
    [(person,)] = link_rows(works.store, "profile_id")
    values = {"crmsync_id": person} if key == "crmsync_id" else {"email": "Ann0@X.io"}
    return record, seed(crm, firstname="Ann", **values)


@pytest.mark.parametrize("key", ["crmsync_id", "email"])
def test_a_second_record_with_our_key_is_told_once(works_with, crm, key):
    """And listed among the failures as long as it is there."""
    works = works_with(PUSHED)
    record, other = with_duplicate(works, crm, key)
    seed(crm, email="stranger@x.io")
    for count in (1, 0):
        pulled = reconcile(works)
        assert (pulled.counts["duplicates"], pulled.sweep["unlinked"]) == (count, 2)
    [(_, group)] = failure_groups(works)
    assert (group.code, group.field, group.count) == ("DUPLICATE_RECORD", key, 1)
    assert record in group.message
    assert other in group.message
    assert told(works, "DUPLICATE_RECORD") == 1


@pytest.mark.parametrize("how", ["deleted", "vanished", "other key"])
def test_a_duplicate_that_is_done_away_with_is_forgotten(works_with, crm, how):
    """By whatever way."""
    works = works_with(PUSHED)
    _, other = with_duplicate(works, crm, "email")
    reconcile(works)
    if how == "deleted":
        crm.delete("contacts", other)
    elif how == "vanished":
        forget(crm, other)
    else:
        crm.edit("contacts", other, email="bo@x.io")
    reconcile(works)
    assert failure_groups(works) == []


def test_two_strangers_with_one_key_do_not_concern_us(works_with, crm):
    """Neither do records with the key of somebody who has none yet."""
    works = works_with(PUSHED)
    for _ in range(2):
        seed(crm, email="ann0@x.io")
    ingest(works, [identify("u0", first_name="Ann", email="ann0@x.io")])
    assert reconcile(works).counts["duplicates"] == 0
    assert count_rows(works.store, table) == 0


def test_the_first_key_decides_whose_a_record_is(works_with, crm):
    """One with Bo's id and Ann's e-mail is Bo's."""
    works = works_with(PUSHED)
    send(works, 2)
    bo = link_rows(works.store, "profile_id")[1][0]
    seed(crm, crmsync_id=bo, email="ann0@x.io")
    reconcile(works)
    with works.store.database.read() as connection:
        [row] = connection.execute(table.select()).all()
    assert row.linked_crm_id == link_rows(works.store, "crm_id")[1][0]


@pytest.mark.parametrize("safeguard", [None, "the linked record is read as well"])
def test_a_record_that_took_the_place_of_ours_is_no_duplicate(
    works_with, crm, monkeypatch, safeguard
):
    """Somebody merged ours into it and the CRM says nothing of it: the link moves there."""
    works = works_with(PUSHED)
    record, other = with_duplicate(works, crm, "email")
    forget(crm, record)
    if safeguard:

        def believed(books, records, owned, locked):
            judge(books, [replace(r, is_deleted=False) for r in records], owned, locked)

        monkeypatch.setattr(duplicates, "judge", believed)
    reconcile(works)
    assert told(works, "DUPLICATE_RECORD") == (1 if safeguard else 0)
    push_now(works)
    assert link_rows(works.store, "crm_id", "state") == [(other, LinkState.ACTIVE)]


def test_a_record_whose_link_is_being_written_is_judged_later(works_with, crm):
    """The write may move the link to that very record."""
    works = works_with(PUSHED)
    with_duplicate(works, crm, "email")
    change(works, update(links).values(lease_token="x" * 32, wake_at=None))
    assert reconcile(works).counts["duplicates"] == 0
    change(works, update(links).values(lease_token=None))
    assert pull(works, "crm").counts["duplicates"] == 1


# --- duplicates that are merged -------------------------------------------------------------

MERGING = PUSHED + "on_duplicate: merge\n"


def there(crm):
    """Return the ids of the records that were not merged away."""
    return [r.crm_id for r in crm.records["contacts"].values() if not r.is_deleted]


def test_duplicates_are_merged_where_the_mapping_says_so(works_with, crm):
    """The linked record wins; one record, one link."""
    works = works_with(MERGING)
    record, _ = with_duplicate(works, crm, "email")
    reconcile(works)
    drain(works, "crm")
    assert there(crm) == [record]
    assert link_rows(works.store, "crm_id") == [(record,)]
    assert failure_groups(works) == []


@pytest.mark.parametrize("why", ["paused", "found long ago", "the link has moved", "report"])
def test_no_duplicate_is_merged_without_need(works_with, crm, why):
    """A merge cannot be undone."""
    works = works_with(PUSHED if why == "report" else MERGING)
    bring_up_to_date(works)
    with_duplicate(works, crm, "email")
    reconcile(works)
    [(at,)] = rows(works, table.c.confirmed_at)
    if why == "paused":
        schedule.set_paused(works, "contacts", paused=True)
    elif why == "found long ago":
        change(works, update(table).values(confirmed_at=at - timedelta(hours=1)))
    elif why == "the link has moved":
        change(works, update(table).values(linked_crm_id="77"))
    drain(works, "crm")
    assert crm.calls["merge"] == 0


def test_a_merge_that_the_crm_refuses_is_left_to_a_person(works_with, crm):
    """It is asked for once, and stays among the failures."""
    works = works_with(MERGING)
    with_duplicate(works, crm, "email")
    reconcile(works)
    crm.fail_next(BatchRejected("not these two", code="NO"))
    drain(works, "crm")
    reconcile(works)
    drain(works, "crm")
    assert crm.calls["merge"] == 1
    [(_, group)] = failure_groups(works)
    assert group.code == "DUPLICATE_RECORD"


def test_what_a_forgotten_link_had_is_forgotten_with_it(works_with, crm):
    """SQLite gives its id to the next link."""
    works = works_with(PUSHED)
    with_duplicate(works, crm, "email")
    reconcile(works)
    [(link,)] = link_rows(works.store, "id")
    works.store.database.transact(lambda c: link_records.forget(c, [link]))
    assert count_rows(works.store, table) == 0


def test_a_duplicate_of_another_record_is_a_new_one(works_with, crm):
    """The person goes by another record by now: that is told, and asked to be merged again."""
    works = works_with(PUSHED)
    _, other = with_duplicate(works, crm, "email")
    reconcile(works)
    [(link, person)] = link_rows(works.store, "id", "profile_id")
    moved = store_duplicates.Doubled(CrmId(other), link, person, CrmId("99"), "email")

    def again(connection):
        now = works.store.database.now(connection)
        return store_duplicates.keep(connection, "crm", "contacts", [moved], now)

    assert works.store.database.transact(again) == {other}
    assert works.store.database.transact(again) == set()


# --- when, and at whose cost ------------------------------------------------------------------


def test_what_is_only_compared_waits_for_its_time(works_with, crm):
    """A day from when it is first heard of; then once."""
    works = works_with(PUSHED)
    send(works)
    drain(works, "crm")
    assert crm.calls["changes"] == 0
    next_sweep(works)
    drain(works, "crm")
    drain(works, "crm")
    assert crm.calls["changes"] == 1


def test_a_mapping_may_ask_not_to_be_compared(works_with, crm):
    """`reconcile: false`."""
    works = works_with(PUSHED + "reconcile: false\n")
    send(works)
    drain(works, "crm")
    next_sweep(works)
    drain(works, "crm")
    assert crm.calls["changes"] == 0


BOTH_WAYS = PUSHED + "pull: {position: stage}\n"


def test_all_of_it_is_read_in_the_background(works_with, crm, monkeypatch):
    """What changed is not: real-time work has a share that a sweep leaves alone."""
    works = works_with(BOTH_WAYS)
    send(works)
    seen = []
    original = Memory.changes

    def changes(self, object_type, cursor, fields):
        for page in original(self, object_type, cursor, fields):
            seen.append((cursor is None, is_background()))
            yield page

    monkeypatch.setattr(Memory, "changes", changes)
    pull(works, "crm")
    crm.edit("contacts", *there(crm), firstname="Anna")
    pull(works, "crm")
    assert seen == [(True, True), (False, False)]


def test_a_sweep_that_has_used_up_its_share_holds_up_no_poll(works_with, crm):
    """It goes on when the backfills do."""
    works = works_with(BOTH_WAYS, timing={**ROOMY, "pull_seconds": 0.001})
    [record] = send(works)
    pull(works, "crm")
    next_sweep(works)
    crm.edit("contacts", record, stage="hot")
    crm.fail_next(BackgroundSpent(retry_after_seconds=600))
    pull(works, "crm", anew=True)
    drain(works, "crm")
    assert rows(works, cursors.c.sweep_began_at) != [(None,)]
    with works.store.database.read() as connection:
        assert profiles.find(connection, "u0").traits["position"] == "hot"
    works.store.database.transact(lambda connection: state.resume(connection, "crm"))
    drain(works, "crm")
    assert rows(works, cursors.c.sweep_began_at) == [(None,)]


def test_a_long_sweep_keeps_no_change_waiting(works_with, crm):
    """Between two parts of it, what changed is read."""
    works = works_with(BOTH_WAYS, timing={**ROOMY, "pull_seconds": 0.001})
    [record] = send(works)
    for n in range(450):
        seed(crm, firstname=f"Bo{n}")
    while not pull(works, "crm", seconds=0.0).is_swept:
        pass
    first = pull(works, "crm", seconds=0.0, anew=True)
    assert first.records == 100
    crm.edit("contacts", record, stage="hot")
    poll = pull(works, "crm", seconds=0.0)
    assert (poll.records, poll.counts["taken"]) == (1, 1)
    assert rows(works, cursors.c.sweep_began_at) != [(None,)]


def test_a_sweep_is_gone_on_with_by_somebody_else(works_with, crm):
    """What the first one saw is seen: only who vanished is read by id."""
    works = works_with(PUSHED)
    records = send(works, 250)
    forget(crm, records[200])
    assert not pull(works, "crm", seconds=0.0, anew=True).is_swept
    next_sweep(works)
    pulled = pull(works, "crm", due_only=True)
    assert pulled.is_swept
    assert pulled.sweep["unseen"] == 1
