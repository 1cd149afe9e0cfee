"""The push against a CRM in memory: what is sent, what is looked at first, what follows."""

from __future__ import annotations

import threading
from concurrent import futures
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil, log2
from types import SimpleNamespace

import pytest

from crmsync.errors import BatchRejected, ConnectionHalted, OutcomeUnknown, RateLimited
from crmsync.mapping import render as mapping_render
from crmsync.model import Action, Failure, FieldSchema, FieldType, Outcome, Result, Timing
from crmsync.store import bulk
from crmsync.store import links as store_links
from crmsync.store.database import Database
from crmsync.store.tables import links, sync_log
from crmsync.sync import flight as flight_module
from crmsync.sync import outcomes, records
from crmsync.sync import push as push_module
from crmsync.sync.push import push
from tests.unit.sync.people import held, mapping, seed
from tests.workbench import (
    ADOPTING,
    KEYED,
    ROOMY,
    count_rows,
    drain,
    identify,
    ingest,
    is_at_rest,
    let_pass,
    link_rows,
    mark_dirty,
    the_sync,
)

NAMES = "firstname: first_name, lastname: last_name"


def writes(crm) -> int:
    """Return how many write calls the CRM has had."""
    return crm.calls["write"]


def test_people_are_created_a_hundred_in_a_call(works_with, crm):
    """250 new people cost three write calls, and the log has an entry for each."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}") for n in range(250)])
    assert drain(works) == {"created": 250}
    assert (writes(crm), len(held(crm))) == (3, 250)
    assert count_rows(works.store, sync_log, sync_log.c.outcome == Outcome.SUCCEEDED) == 250


def test_only_what_differs_travels(works_with, crm):
    """Once a link exists, an update carries the changed fields and leaves the others alone."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    drain(works)
    (crm_id,) = crm.records["contacts"]
    crm.save("contacts", crm_id, {"firstname": "edited by a salesperson"})
    ingest(works, [identify("u1", last_name="Ray")])
    assert drain(works) == {"updated": 1}
    assert held(crm)[0]["firstname"] == "edited by a salesperson"
    assert held(crm)[0]["lastname"] == "Ray"


def test_nothing_is_sent_where_nothing_differs(works_with, crm):
    """A link that is marked without a changed value costs no call."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    mark_dirty(works.store, "u1")
    before = dict(crm.calls)
    assert drain(works) == {"unchanged": 1}
    assert dict(crm.calls) == before
    assert is_at_rest(works.store)


def test_a_burst_is_one_write(works_with, crm):
    """Ten changes of one person before the push are one write of the last values."""
    works = works_with(KEYED)
    for n in range(10):
        ingest(works, [identify("u1", first_name=f"Ann{n}")])
    drain(works)
    assert writes(crm) == 1
    assert held(crm)[0]["firstname"] == "Ann9"


def test_a_trait_that_is_removed_is_cleared(works_with, crm):
    """Null for a trait empties the field that it was sent to."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee")])
    drain(works)
    ingest(works, [identify("u1", last_name=None)])
    drain(works)
    assert "lastname" not in held(crm)[0]


def test_a_record_is_adopted_by_its_email(works_with, crm):
    """A record that is there already is taken over: updated and given our id, not made twice."""
    works = works_with(ADOPTING)
    crm_id = seed(crm, email="ann@acme.example", phone="1")
    ingest(works, [identify("u1", email="Ann@acme.example", first_name="Ann")])
    assert drain(works) == {"updated": 1}
    (record,) = held(crm)
    assert record["firstname"] == "Ann"
    assert record["phone"] == "1"
    assert record["crmsync_id"]
    assert link_rows(works.store, "crm_id") == [(crm_id,)]


def test_two_profiles_cannot_claim_one_record(works_with, crm):
    """The second profile that comes to a record with an owner is in conflict, with a reason."""
    works = works_with(mapping(NAMES, match="our_ref: plan"))
    ingest(works, [identify("u1", plan="shared", first_name="Ann")])
    drain(works)
    ingest(works, [identify("u2", plan="shared", first_name="Bob")])
    drain(works)
    assert link_rows(works.store, "state", "error_code")[1] == ("conflict", "RECORD_TAKEN")


@pytest.mark.parametrize(
    ("mode", "there", "expected"),
    [
        ("update", False, {"unchanged": 1}),
        ("update", True, {"updated": 1}),
        ("insert", False, {"created": 1}),
        ("insert", True, {"unchanged": 1}),
        ("upsert", False, {"created": 1}),
        ("upsert", True, {"updated": 1}),
    ],
)
def test_a_mode_decides_what_may_be_written(works_with, crm, mode, there, expected):
    """`update` never creates, `insert` never overwrites, `upsert` does both."""
    works = works_with(mapping(NAMES + ", email: email", match="email: email", mode=mode))
    if there:
        seed(crm, email="ann@acme.example", firstname="Old")
    ingest(works, [identify("u1", email="ann@acme.example", first_name="Ann")])
    assert drain(works) == expected
    assert is_at_rest(works.store)


@pytest.mark.parametrize(("theirs", "expected"), [("555", "555"), (None, "123")])
def test_only_if_empty_leaves_what_is_there(works_with, crm, theirs, expected):
    """A field that is only filled where it is empty keeps the value somebody typed in."""
    field = "phone: {from: phone, conflict: only_if_empty}, firstname: first_name"
    works = works_with(mapping(field, match="email: email"))
    seed(crm, email="ann@acme.example", phone=theirs)
    ingest(works, [identify("u1", email="ann@acme.example", phone="123", first_name="Ann")])
    drain(works)
    assert held(crm)[0]["phone"] == expected
    assert held(crm)[0]["firstname"] == "Ann"


@pytest.mark.parametrize(
    ("on_leave", "stage", "first"),
    [("keep", "pro", "Ann"), ("clear", None, None), ("{set: {stage: gone}}", "gone", "Ann")],
)
def test_a_mapping_says_what_is_left_behind(works_with, crm, on_leave, stage, first):
    """A person who no longer meets `only` keeps the record as it is, cleared, or set as told."""
    works = works_with(
        mapping("stage: plan, firstname: first_name", only='plan = "pro"', on_leave=on_leave)
    )
    ingest(works, [identify("u1", plan="pro", first_name="Ann")])
    drain(works)
    ingest(works, [identify("u1", plan="free", first_name="Eve")])
    drain(works)
    (record,) = held(crm)
    assert (record.get("stage"), record.get("firstname")) == (stage, first)


def test_who_was_never_in_is_not_sent(works_with, crm):
    """A person outside `only` who has no record gets none."""
    works = works_with(mapping(NAMES, only='plan = "pro"'))
    ingest(works, [identify("u1", plan="free")])
    drain(works)
    assert held(crm) == []


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


def make_due(works) -> None:
    """Let time pass until everything is due."""
    database = works.store.database
    database.transact(
        lambda connection: store_links.make_due(
            connection, "crm", "contacts", database.now(connection)
        )
    )


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_sent_again_and_verified(works_with, crm, carried_out):
    """After an unknown outcome the record is written again and read after the settle time."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    crm.fail_next(OutcomeUnknown(), carried_out=carried_out)
    assert drain(works) == {"retried": 1}
    assert link_rows(works.store, "attempts", "error_class") == [(1, "unknown")]
    make_due(works)
    drain(works)
    reads = crm.calls["read"]
    assert drain(works) == {}
    let_pass(works.store, ROOMY["settle_seconds"])
    assert drain(works) == {"unchanged": 1}
    assert crm.calls["read"] == reads + 1
    assert is_at_rest(works.store)
    assert len(held(crm)) == 1


def test_a_lost_create_is_looked_for_before_it_is_repeated(works_with, crm, monkeypatch):
    """Where the CRM has no unique field, a lost create is looked for after the settle time."""
    works = works_with(mapping(NAMES, match="our_ref: user_id"))
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    lose_answers = monkeypatch.context()
    with lose_answers as patch:
        patch.setattr(type(sync.connector), "write", losing(type(sync.connector).write))
        assert drain(works) == {"retried": 1}
    make_due(works)  # a new value comes within the settle time
    drain(works)
    assert writes(crm) == 1
    let_pass(works.store, ROOMY["settle_seconds"])
    drain(works)
    assert writes(crm) == 1
    assert len(held(crm)) == 1
    assert is_at_rest(works.store)


def losing(write):
    """Return a write that is carried out and whose answer is lost."""

    def lost(self, batch):
        write(self, batch)
        raise OutcomeUnknown

    return lost


def test_a_create_that_may_land_late_is_waited_for_from_the_end_of_the_lease(works_with):
    """A dead worker may have sent its create just before its lease ended, however long that was."""
    timing = {"request_deadline_seconds": 10, "lease_seconds": 20, "settle_seconds": 100}
    works = works_with(
        mapping(NAMES, match="our_ref: user_id"), timing={**timing, "linger_seconds": 0}
    )
    ingest(works, [identify("u1", first_name="Ann")])
    sync, database = the_sync(works), works.store.database
    now = datetime.now(UTC)
    begun, renewed_until = now - timedelta(seconds=300), now - timedelta(seconds=1)

    def dead_worker(connection) -> None:
        lease = store_links.claim(
            connection, works.store.vault, "crm", "contacts",
            now=now, lease=timedelta(0), limit=1,
        )  # fmt: skip
        ids = [claim.link_id for claim in lease.claims]
        store_links.record_create_intents(connection, lease, ids, begun)
        store_links.renew(connection, lease, renewed_until)

    database.transact(dead_worker)
    assert push(sync).counts == {"unchanged": 1}
    ((intent, due),) = link_rows(works.store, "create_intent_at", "due_at")
    assert intent is not None
    assert due >= renewed_until + timedelta(seconds=100)


def test_what_a_dead_worker_sent_is_verified_even_after_a_refused_retry(works_with, crm):
    """A 429 between a worker's death and the next success does not lose the look that is owed."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync, database = the_sync(works), works.store.database
    push(sync, go_on=lambda: False)
    database.transact(
        lambda connection: store_links.claim(
            connection, works.store.vault, "crm", "contacts",
            now=database.now(connection), lease=timedelta(0), limit=1,
        )
    )  # fmt: skip
    crm.fail_next(RateLimited(retry_after_seconds=0.01))
    drain(works)
    make_due(works)
    assert drain(works) == {"created": 1}
    assert link_rows(works.store, "verify_at") != [(None,)]


def test_a_write_that_found_its_lease_ending_is_not_begun(works_with, crm, monkeypatch):
    """Where a request would not end within the lease, it is not sent, and not charged."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    slow = Timing(ROOMY["lease_seconds"], ROOMY["lease_seconds"], ROOMY["settle_seconds"])
    monkeypatch.setattr(push_module, "SLICE", 1)
    rounds = iter([True])
    tally = push(
        type(sync)(sync.mapping, sync.connector, slow, 1, sync.store),
        go_on=lambda: next(rounds, False),
    )
    assert tally.counts == {"retried": 1}
    assert (tally.calls, writes(crm)) == (0, 0)
    assert link_rows(works.store, "attempts") == [(0,)]


def test_backoff_grows_and_has_a_limit():
    """Waits double from a second on, with jitter, up to five minutes."""
    for attempts in range(1, 30):
        longest = min(300.0, 2.0 ** (attempts - 1))
        assert longest / 2 <= outcomes.backoff(attempts).total_seconds() <= longest


def test_uncertain_attempts_have_an_end(works_with, crm):
    """After twelve unknown outcomes in a row the link is set aside, visible and replayable."""
    works = works_with(KEYED)
    ingest(works, [identify("u1", first_name="Ann")])
    push(the_sync(works), go_on=lambda: False)
    for _ in range(outcomes.ATTEMPTS_BEFORE_SETTING_ASIDE):
        make_due(works)
        crm.fail_next(OutcomeUnknown())
        drain(works)
    assert link_rows(works.store, "state", "error_class") == [("dead", "unknown")]
    assert count_rows(works.store, links, links.c.wake_at.is_not(None)) == 0


# --- an uncertain write is not forgotten ---------------------------------------------------


def lose_an_answer(works, crm, **traits) -> None:
    """Write a change of u1 that is carried out and whose answer is lost."""
    ingest(works, [identify("u1", **traits)])
    crm.fail_next(OutcomeUnknown(), carried_out=True)
    assert drain(works) == {"retried": 1}


def test_a_repair_that_is_refused_for_now_is_repeated(works_with, crm):
    """A 429 on the write that repairs a lost one leaves the record to be read again."""
    works = works_with(mapping(NAMES))
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    lose_an_answer(works, crm, first_name="Eve")
    ingest(works, [identify("u1", first_name="Ann")])  # as the snapshot says: nothing to send
    assert drain(works) == {"unchanged": 1}
    let_pass(works.store, ROOMY["settle_seconds"])
    refuse_next_write(the_sync(works).connector, RateLimited(retry_after_seconds=1))
    assert drain(works) == {"retried": 1}
    let_pass(works.store, 2)
    assert drain(works) == {"updated": 1}
    assert held(crm)[0]["firstname"] == "Ann"
    assert is_at_rest(works.store)


def refuse_next_write(connector, error) -> None:
    """Let reads pass, and the next write raise."""
    original = connector.write

    def refuse(_):
        connector.write = original
        raise error

    connector.write = refuse


def test_a_refusal_between_does_not_hide_what_a_lost_write_left(works_with, crm):
    """A dead link that comes back to life has its record read before it is compared."""
    works = works_with(mapping("firstname: first_name, phone: phone"))
    ingest(works, [identify("u1", first_name="Ann", phone="1")])
    drain(works)
    lose_an_answer(works, crm, first_name="Eve")
    refuse_next_write(the_sync(works).connector, BatchRejected("no", code="INVALID", hint=""))
    ingest(works, [identify("u1", phone="bad")])
    let_pass(works.store, 5)
    assert drain(works) == {"failed": 1}
    assert count_rows(works.store, links, links.c.wake_at.is_not(None)) == 0
    ingest(works, [identify("u1", first_name="Ann", phone="2")])
    drain(works)
    let_pass(works.store, ROOMY["settle_seconds"])
    drain(works)
    assert (held(crm)[0]["firstname"], held(crm)[0]["phone"]) == ("Ann", "2")
    assert is_at_rest(works.store)


# --- one record, one profile ---------------------------------------------------------------

BY_PHONE = mapping(
    "firstname: first_name, phone: phone", match="crmsync_id: profile_id, phone: phone"
)
TAKEN = ("conflict", "RECORD_TAKEN")


def test_another_profiles_record_is_not_written_to(works_with, crm):
    """Who is found in a record that is somebody else's is in conflict, without a write."""
    works = works_with(BY_PHONE)
    ingest(works, [identify("u1", first_name="Ann", phone="555")])
    drain(works)
    before = held(crm), writes(crm)
    ingest(works, [identify("u2", first_name="Bob", phone="555")])
    assert drain(works) == {"failed": 1}
    assert (held(crm), writes(crm)) == before
    assert link_rows(works.store, "state", "error_code", "crm_id")[1] == (*TAKEN, None)


def test_two_people_who_find_one_record_do_not_both_write_to_it(works_with, crm):
    """Of two who come to a record at once, one has it and the other is in conflict."""
    works = works_with(BY_PHONE)
    seed(crm, phone="555")
    ingest(works, [identify(f"u{n}", first_name=f"Ann{n}", phone="555") for n in range(2)])
    assert drain(works) == {"updated": 1, "failed": 1}
    rows = link_rows(works.store, "state", "error_code", "crm_id")
    assert [row[:2] for row in rows].count(TAKEN) == 1
    (owner,) = [n for n, row in enumerate(rows) if row[2]]
    assert [record["firstname"] for record in held(crm)] == [f"Ann{owner}"]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_record_that_an_upsert_of_another_hit_is_repaired(works_with, crm, at_once):
    """Where the CRM finds the record itself, its owner's values are put back after a look."""
    crm.schemas["contacts"]["our_ref"] = FieldSchema("our_ref", "", FieldType.TEXT, unique=True)
    works = works_with(mapping(NAMES, match="our_ref: plan"))
    for user, name in (("u1", "Ann"), ("u2", "Bob")):
        ingest(works, [identify(user, plan="shared", first_name=name)])
        if not at_once:
            drain(works)
    drain(works)
    states = link_rows(works.store, "state", "error_code")
    assert sorted(states, key=str) == sorted([("active", None), TAKEN], key=str)
    let_pass(works.store, ROOMY["settle_seconds"] + 1)
    drain(works)
    owner = ("Ann", "Bob")[states.index(("active", None))]
    assert [record["firstname"] for record in held(crm)] == [owner]
    assert is_at_rest(works.store)


# --- slow looks and leases -----------------------------------------------------------------


class Clock:
    """The time of the product and of its database, which passes only when it is told to."""

    def __init__(self) -> None:
        """Begin now."""
        self.seconds = 1_000.0
        self._start = datetime.now(UTC) - timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.seconds

    def now(self) -> datetime:
        """Return the moment that it is."""
        return self._start + timedelta(seconds=self.seconds)


@pytest.fixture
def clock(monkeypatch):
    """Leases end by this clock."""
    made = Clock()
    for module in (push_module, flight_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(Database, "now", lambda _self, _connection: made.now())
    return made


def claim_by_another(works) -> int:
    """Let another worker take what it can get; return how many links that was."""
    store = works.store
    lease = store.database.transact(
        lambda connection: store_links.claim(
            connection, store.vault, "crm", "contacts",
            now=store.database.now(connection), lease=timedelta(seconds=60), limit=100,
        )
    )  # fmt: skip
    return len(lease.claims)


def read_slowly(sync, clock, monkeypatch, seconds: float, meanwhile=lambda: None) -> None:
    """Let each read of one record take so long."""
    original = sync.connector.read
    small = replace(sync.connector.capabilities, records_per_read=1)

    def read(*given):
        clock.seconds += seconds
        meanwhile()
        return original(*given)

    monkeypatch.setattr(sync.connector, "capabilities", small, raising=False)
    monkeypatch.setattr(sync.connector, "read", read)


def adopting(works_with, people: int):
    """Open a project in which these people are looked for by their e-mail before a write."""
    works = works_with(ADOPTING)
    sync = the_sync(works)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", email=f"ann{n}@acme.example") for n in range(people)])
    return works, sync


def test_a_look_that_outlasts_the_lease_keeps_it(works_with, crm, clock, monkeypatch):
    """Ten slow reads, together longer than a lease, lose nothing to another worker."""
    works, sync = adopting(works_with, 10)
    taken: list[int] = []
    read_slowly(sync, clock, monkeypatch, 10, lambda: taken.append(claim_by_another(works)))
    assert push(sync).counts == {"created": 10}
    assert taken == [0] * 10


def test_what_a_slow_look_left_little_time_for_is_sent(works_with, crm, clock, monkeypatch):
    """A lease that is near its end when the look is over is renewed before the write."""
    _, sync = adopting(works_with, 1)
    read_slowly(sync, clock, monkeypatch, ROOMY["lease_seconds"] - 1)
    tally = push(sync)
    assert (tally.counts, len(held(crm))) == ({"created": 1}, 1)


def test_a_lease_that_was_lost_in_a_look_is_not_written_under(works_with, crm, clock, monkeypatch):
    """What another worker has taken over meanwhile is that worker's to send."""
    works, sync = adopting(works_with, 1)
    taken: list[int] = []
    read_slowly(sync, clock, monkeypatch, 70, lambda: taken.append(claim_by_another(works)))
    tally = push(sync)
    assert (taken, writes(crm), tally.fenced) == ([1], 0, 1)


def test_a_long_flight_keeps_its_lease_while_parts_of_it_settle(
    works_with, crm, clock, monkeypatch
):
    """Ten calls of 15 s one after another are all sent, though settled links leave the lease."""
    works = works_with(KEYED)
    sync = replace(the_sync(works), calls_in_flight=1)
    push(sync, go_on=lambda: False)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(10)])
    single = replace(sync.connector.capabilities, records_per_call=dict.fromkeys(Action, 1))
    monkeypatch.setattr(sync.connector, "capabilities", single, raising=False)
    monkeypatch.setattr(flight_module, "SETTLE_AT", 1)
    may_end = threading.Semaphore(0)
    original = sync.connector.write

    def write(batch):
        assert may_end.acquire(timeout=30)
        return original(batch)

    def wait(air, **_):
        may_end.release()
        landed = futures.wait(air, timeout=30, return_when=futures.FIRST_COMPLETED)
        clock.seconds += 15
        return landed

    monkeypatch.setattr(sync.connector, "write", write)
    monkeypatch.setattr(flight_module, "wait", wait)
    assert push(sync).counts == {"created": 10}


# --- one record's trouble is its own -------------------------------------------------------


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
    assert tally.rest.cause == push_module.MISFIT
    assert set(link_rows(works.store, "state", "attempts", "lease_token")) == {("active", 0, None)}
    assert writes(crm) == 0


def test_a_snapshot_that_cannot_be_read_stops_nobody(works_with, crm):
    """A link whose snapshot does not open has its record read instead; the others go on."""
    works = works_with(KEYED)
    ingest(works, [identify(f"u{n}", first_name="Ann") for n in range(3)])
    drain(works)
    ((broken,), *_) = link_rows(works.store, "id")
    ruined = [{"id": broken, "snapshot_sealed": b"moved or changed"}]
    works.store.database.transact(lambda connection: bulk.update(connection, links, ruined))
    ingest(works, [identify(f"u{n}", first_name="Eve") for n in range(3)])
    reads = crm.calls["read"]
    assert drain(works) == {"updated": 3}
    assert {record["firstname"] for record in held(crm)} == {"Eve"}
    assert crm.calls["read"] == reads + 1


def test_a_field_that_was_missing_is_seen_when_it_is_there(works_with, crm):
    """After a mapping did not fit, the CRM's fields are described anew."""
    works = works_with(mapping(NAMES, match="new_key: profile_id"))
    ingest(works, [identify("u1", first_name="Ann")])
    rest = push(the_sync(works)).rest
    assert rest is not None
    assert "new_key" in rest.message
    crm.schemas["contacts"]["new_key"] = FieldSchema("new_key", "", FieldType.TEXT, unique=True)
    assert drain(works) == {"created": 1}
