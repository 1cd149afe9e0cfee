"""What a CRM holds is compared with what we believe, over HTTP, in each of the four simulated CRMs.

Found is what no list tells of, and nothing is told that is not so, whatever happens meanwhile. Each
safeguard is taken out once: then the fault that it is there against must show.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from crmsync.store import cursors as store_cursors
from crmsync.store import link_records, sightings, state
from crmsync.store.links import LinkState
from crmsync.store.tables import cursors, sync_log
from crmsync.store.tables import duplicates as found_duplicates
from crmsync.sync import duplicates, life, pull_task, taking
from crmsync.sync.drain import drain
from crmsync.sync.pull import pull
from crmsync.sync.taking import How
from tests.crms import CRMS, HUBSPOT, PIPEDRIVE, ZOHO, Crm
from tests.integration.selling import AN_HOUR, Office, office, while_reading
from tests.integration.workers import workers
from tests.workbench import (
    QUICK,
    count_rows,
    crowd,
    ingest,
    let_pass,
    link_rows,
    new_project,
    until,
)

__all__ = ["new_project"]

every_crm = pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)
with_control = pytest.mark.parametrize("safeguard", [True, False], ids=["", "without"])
BRISK = {**QUICK, "request_deadline_seconds": 4.0, "lease_seconds": 8.0, "settle_seconds": 8.5}
MORE_THAN_A_PAGE = {"hubspot": 260, "salesforce": 2_100, "zoho": 2_100, "pipedrive": 650}
"""Strangers who fill a second page of a list, after the people of ours."""


def pushed(crm: Crm, match=None, **more) -> str:
    """Return a mapping that reads nothing back."""
    return crm.mapping(match or crm.by_key, **more)


def reconcile(desk: Office, **how):
    """Compare everything now, to the end."""
    return desk.pull(anew=True, **how)


def told(desk: Office, *codes: str) -> int:
    """How often the log tells of something, or of anything at all."""
    wanted = sync_log.c.error_code.in_(codes) if codes else sync_log.c.error_code.is_not(None)
    return count_rows(desk.works.store, sync_log, wanted)


def states(desk: Office) -> list[str]:
    """What became of all links."""
    return [state for (state,) in link_rows(desk.works.store, "state")]


def stranger(crm: Crm, **values) -> dict[str, object]:
    """Return a record that is nobody's, as `Control.seed` takes it."""
    return {**({"name": "Lee"} if crm is PIPEDRIVE else {crm.last_name: "Lee"}), **values}


def second_record(desk: Office, key: str) -> str:
    """Have somebody make another record of u0 by hand, with the same key; return its id."""
    crm = desk.crm
    person = link_rows(desk.works.store, "profile_id")[0][0]
    ours = {"crmsync_id": person, "user_id": "u0", "email": "ann0@acme.example"}[key]
    values: dict[str, object] = {field_of(crm, key): ours}
    if crm is PIPEDRIVE and key == "email":
        values = {"emails": [{"value": ours, "primary": True, "label": "work"}]}
    elif crm is PIPEDRIVE:
        codes = [code for one in desk.held() for code in one["custom_fields"]]
        values = {"custom_fields": {codes[0]: ours}}
    [record] = desk.control.seed(crm.object_type, [stranger(crm, **values)])
    return record


def field_of(crm: Crm, key: str) -> str:
    """Return the field that holds a key."""
    loose = {fact: field for field, fact in crm.loose.items()}
    return {"crmsync_id": crm.key, "email": crm.email, **loose}[key]


def key_of(crm: Crm) -> str:
    """Return a key that the CRM lets two records have."""
    return "crmsync_id" if crm is PIPEDRIVE else next(iter(crm.loose.values()))


def matching(crm: Crm, key: str) -> dict[str, str]:
    """Return a match line by our id and by a key."""
    return {**crm.by_key, **({field_of(crm, key): key} if key != "crmsync_id" else {})}


# --- deletions ------------------------------------------------------------------------------


@every_crm
@with_control
def test_a_record_that_no_list_tells_of_is_missed(new_project, crm, monkeypatch, safeguard):
    """Its person is not sent again, as the mapping says; nobody else is touched."""
    with office(new_project, crm, {crm.name: pushed(crm)}) as desk:
        gone, *_ = desk.send(3)
        crm.sales.delete(desk.control, gone)
        desk.control.advance(AN_HOUR)
        if not safeguard:
            monkeypatch.setattr(sightings, "unseen", lambda *_, **__: [])
            only_live(monkeypatch)
        pulled = reconcile(desk)
        desk.push()
        first = LinkState.SUPPRESSED if safeguard else LinkState.ACTIVE
        assert states(desk) == [first, LinkState.ACTIVE, LinkState.ACTIVE]
        assert pulled.counts[life.DELETED] == safeguard
        assert told(desk, life.DELETED) == safeguard


def only_live(monkeypatch):
    """Have no list tell of what is gone, as of what was purged."""
    original = taking.take

    def take(reader, records, *given, how=How.LISTED):
        live = [r for r in records if how is How.BY_ID or not r.is_deleted]
        return original(reader, live, *given, how=how)

    monkeypatch.setattr(pull_task, "take", take)


# --- drift ------------------------------------------------------------------------------------


@every_crm
def test_drift_is_found_where_nothing_is_read_back(new_project, crm):
    """By field, without a write; and the others are as believed."""
    with office(new_project, crm, {crm.name: pushed(crm)}) as desk:
        record, *_ = desk.send(3)
        field = "name" if crm is PIPEDRIVE else crm.last_name
        desk.control.edit(crm.object_type, record, **{field: "Somebody Else"})
        before = desk.writes()
        pulled = reconcile(desk)
        assert pulled.drift == {field: 1}
        assert (pulled.sweep["compared"], pulled.counts["unchanged"]) == (3, 2)
        assert told(desk) == told(desk, "DRIFT") == 1
        assert desk.writes() == before


# --- duplicates ---------------------------------------------------------------------------------


@every_crm
def test_a_duplicate_made_by_hand_is_told_once(new_project, crm):
    """And forgotten when somebody does away with it."""
    key = key_of(crm)
    with office(new_project, crm, {crm.name: pushed(crm, matching(crm, key))}) as desk:
        desk.send(2)
        other = second_record(desk, key)
        counts = [reconcile(desk).counts["duplicates"] for _ in range(2)]
        assert counts == [1, 0]
        assert told(desk) == told(desk, "DUPLICATE_RECORD") == 1
        crm.sales.delete(desk.control, other)
        desk.control.advance(AN_HOUR)
        reconcile(desk)
        assert count_rows(desk.works.store, found_duplicates) == 0


def test_a_duplicate_with_the_e_mail_alone_is_told_too(new_project):
    """Where the mapping finds people by it."""
    crm = PIPEDRIVE
    with office(new_project, crm, {crm.name: pushed(crm, crm.adopting)}) as desk:
        desk.send(2)
        second_record(desk, "email")
        assert reconcile(desk).counts["duplicates"] == 1


@pytest.mark.parametrize("crm", [HUBSPOT, ZOHO, PIPEDRIVE], ids=lambda crm: crm.name)
def test_a_duplicate_is_merged_where_the_mapping_says_so(new_project, crm):
    """The linked record stays, with our key; HubSpot may give it an id of its own."""
    key = key_of(crm)
    text = pushed(crm, matching(crm, key), on_duplicate="merge")
    with office(new_project, crm, {crm.name: text}) as desk:
        [linked, _] = desk.send(2)
        second_record(desk, key)
        reconcile(desk)

        def is_merged():
            desk.works.store.database.transact(lambda c: state.resume(c, crm.name))
            drain(desk.works, crm.name)
            return count_rows(desk.works.store, found_duplicates) == 0

        until(is_merged, "the CRM has merged them")
        desk.control.advance(AN_HOUR)
        desk.push()
        until(lambda: len(desk.held()) == 2, "a merge that the CRM does by and by is done")
        assert states(desk) == [LinkState.ACTIVE] * 2
        assert crm is HUBSPOT or linked in desk.records()


# --- what happens meanwhile -----------------------------------------------------------------------


@every_crm
def test_nothing_is_told_that_is_not_so(new_project, crm):
    """People are made, changed and written while the page is on its way to us."""
    with office(new_project, crm, {crm.name: pushed(crm, matching(crm, key_of(crm)))}) as desk:
        desk.send(3)

        def meanwhile():
            ingest(desk.works, crowd(6, "Lind"))
            desk.push_now()

        slow = while_reading(desk.works, meanwhile)
        pull(slow, crm.name, anew=True)
        let_pass(desk.works.store, 100_000.0)
        for _ in range(2):
            desk.pull()
            desk.push()
        pulled = reconcile(desk)
        assert (pulled.sweep["compared"], pulled.sweep["unlinked"]) == (6, 0)
        assert told(desk) == 0
        assert states(desk) == [LinkState.ACTIVE] * 6
        assert len(desk.held()) == 6


@every_crm
@with_control
def test_a_duplicate_that_is_gone_by_now_is_not_told(new_project, crm, monkeypatch, safeguard):
    """It is on the page; judged is the record itself."""
    key = key_of(crm)
    with office(new_project, crm, {crm.name: pushed(crm, matching(crm, key))}) as desk:
        desk.send(2)
        other = second_record(desk, key)
        if not safeguard:
            judge_pages(monkeypatch)
        slow = while_reading(desk.works, lambda: crm.sales.delete(desk.control, other))
        pull(slow, crm.name, anew=True)
        assert told(desk, "DUPLICATE_RECORD") == (not safeguard)


def judge_pages(monkeypatch):
    """Judge duplicates by what a page of a list says."""

    def came_upon(books, records, owners):
        vault = books.reader.sync.store.vault
        locked = link_records.lock(books.connection, vault, {link for link, _ in owners.values()})
        duplicates.judge(books, records, owners, locked)

    monkeypatch.setattr(taking, "came_upon", came_upon)


# --- killed in the middle -----------------------------------------------------------------------


@every_crm
@with_control
def test_a_sweep_whose_worker_is_killed_is_gone_on_with(new_project, crm, monkeypatch, safeguard):
    """By another one, from the last page taken: what the first one saw is not missed.

    Without what is kept of its beginning, everybody whom the first one saw would be read by id.
    """
    with office(new_project, crm, {crm.name: pushed(crm)}, BRISK) as desk:
        desk.send(4)
        desk.control.advance(AN_HOUR)
        many = [stranger(crm) for _ in range(MORE_THAN_A_PAGE[crm.name])]
        desk.control.seed(crm.object_type, many)
        pull(desk.works, crm.name)  # heard of: a day from now it is compared
        desk.all_again()
        with workers(desk.project) as start:
            first = start(role="freeze_at_second_page")
            first.wait_frozen()
            first.kill()
        with desk.works.store.database.read() as connection:
            [row] = connection.execute(cursors.select()).all()
        assert row.sweep_cursor is not None
        gone, *_ = desk.records()
        crm.sales.delete(desk.control, gone)
        only_live(monkeypatch)
        if not safeguard:
            forget_beginnings(monkeypatch)
        pulls = []

        def is_over():
            pulls.append(pull(desk.works, crm.name, due_only=True))
            return pulls[-1].is_swept

        until(is_over, "the lease is over, and somebody else has read the rest")
        assert sum(p.sweep["unseen"] for p in pulls) == (0 if safeguard else 4)
        if not safeguard:  # the fault is found
            return
        desk.all_again()
        until(is_over, "the next one misses who went away behind the first one's back")
        assert pulls[-1].sweep["unseen"] == 1
        assert sum(p.counts[life.DELETED] for p in pulls) >= 1


def forget_beginnings(monkeypatch):
    """Let whoever takes a sweep over take it for begun by then."""
    original = store_cursors.begin_reading

    def begin_reading(connection, subject, now, *given, **named):
        reading = original(connection, subject, now, *given, **named)
        return reading and replace(reading, sweep_began_at=now)

    monkeypatch.setattr(store_cursors, "begin_reading", begin_reading)


# --- what it costs ----------------------------------------------------------------------------


@every_crm
def test_a_comparison_of_few_people_costs_few_calls(new_project, crm):
    """No call for each of them, and no write."""
    with office(new_project, crm, {crm.name: pushed(crm)}) as desk:
        desk.send(50)
        reconcile(desk)
        before, writes = desk.control.calls(), desk.writes()
        pulled = reconcile(desk)
        assert pulled.counts["unchanged"] == 50
        assert desk.control.calls() - before <= 4
        assert desk.writes() == writes
