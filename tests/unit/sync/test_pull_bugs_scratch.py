from tests.unit.sync.test_pull import *
from tests.unit.sync.test_pull import settle, pushed, push_all
from dataclasses import replace
from crmsync.errors import ConfigError
from crmsync.store import cursors, hints
from crmsync.store.tables import hints as ht
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.model import Hint


def two(works):
    ingest(works, [identify("u1", first_name="Ann", last_name="Lee"), identify("u2", first_name="Bo", last_name="Li")])
    make_due(works)
    push(the_sync(works))
    settle(works)
    return [c for (c,) in link_rows(works.store, "crm_id")]


def test_two_links_one_third(works_with, sales):
    works = works_with(mapping(TWO_WAY))
    one, other = two(works)
    third = sales.save("contacts", None, {"firstname": "A."})
    sales.merge("contacts", third, one)
    sales.merge("contacts", third, other)
    # as HubSpot lists it: the survivor alone
    del sales.records["contacts"][one]
    del sales.records["contacts"][other]
    pull(works, "crm")
    print(link_rows(works.store, "crm_id", "state"))


def test_misfit(works_with, sales):
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    sales.fail_next(ConfigError("field 'owner' is gone"))
    sales.edit("contacts", record, owner="18")
    p = pull(works, "crm", due_only=True)
    assert p.rest
    assert next_wake_seconds(works, "crm") > 0
    ingest(works, [identify("u1", first_name="Anna")])
    make_due(works)
    drain(works, "crm")
    assert held(sales)[0]["firstname"] == "Anna"


def test_winner_values(works_with, sales):
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    record = pushed(works, first_name="Ann")
    other = sales.save("contacts", None, {"firstname": "A.", "owner": "18"})
    pull(works, "crm")
    sales.merge("contacts", other, record)
    pull(works, "crm")
    for _ in range(3):
        push_all(works)
        let_pass(works.store, 1000)
        pull(works, "crm")
    assert traits(works)["contact_owner"] == "ada@acme.example"


def test_renamed_stage(works_with, sales):
    works = works_with(mapping(NAMES, deals=DEALS))
    record = pushed(works, first_name="Ann")
    sales.deal(Deal("d1", (record,), created_at=datetime(2026, 1, 1, tzinfo=UTC), fields={"stage": "s1", "owner": "18"}))
    pull(works, "crm")
    sales.stages = [Stage("s1", "Bargaining"), Stage("s2", "Closed")]
    from crmsync.store.tables import directories
    with works.store.database.engine.begin() as c:
        c.execute(directories.update().values(read_at=datetime(2020, 1, 1, tzinfo=UTC)))
    pull(works, "crm", anew=True)
    assert traits(works)["deal_stage"] == "Bargaining"


def test_hint_successor_busy(works_with, sales):
    works = works_with(mapping(TWO_WAY))
    record = pushed(works, first_name="Ann", last_name="Lee")
    pull(works, "crm")
    other = sales.save("contacts", None, {"firstname": "A."})
    sales.delete("contacts", record)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    pulled_ = pull(works, "crm")  # not busy would be suppressed


def test_same_profile_two_records(works_with, sales):
    works = works_with(mapping(NAMES, pull="{contact_owner: owner}"))
    by_email = identify("ann@acme.example", first_name="Ann")
    ingest(works, [by_email, identify("u2", first_name="Anna")])
    make_due(works)
    push(the_sync(works))
    ingest(works, [identify("u2", email="ann@acme.example")])
    settle(works)
    push_all(works)
    settle(works)
    rows = link_rows(works.store, "crm_id", "state", "is_primary")
    primary = next(c for c, _, p in rows if p)
    second = next(c for c, _, p in rows if not p)
    sales.merge("contacts", second, primary)
    pull(works, "crm")
    print(link_rows(works.store, "crm_id", "state", "is_primary"))
    rows = link_rows(works.store, "crm_id", "state")
    assert rows == [(second, "active")]
