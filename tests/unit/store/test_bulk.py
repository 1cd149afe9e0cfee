"""Many rows in one statement: every column type comes back as it went in, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import select

from crmsync.store import bulk, runs
from crmsync.store.tables import events, profiles, schedule_ticks

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
TRAITS = {
    "nested": {"a": [1, 2.5, None, True]},
    "text": "żółć 🎈 \u202e % %s :x '\"\\",
    "empty": {},
}


def profile(name: str, **changes: object) -> dict[str, Any]:
    """Return one row with text, numbers, JSON, times and nulls."""
    row = {
        "id": name,
        "kind": "person",
        "version": 2**40,
        "user_id": None,
        "email": "100%@x.example",
        "traits": TRAITS,
        "trait_sources": {},
        "stats": {},
        "first_seen": AT,
        "last_seen": None,
    }
    return {**row, **changes}


def rows(store) -> dict[str, dict[str, Any]]:
    """Return all profiles by id."""
    with store.database.read() as connection:
        found = connection.execute(select(profiles)).mappings()
        return {row["id"]: dict(row) for row in found}


def test_what_is_inserted_comes_back(store):
    """Text, numbers, JSON, times with microseconds and nulls survive."""
    given = profile("a")
    store.database.transact(lambda c: bulk.insert(c, profiles, [given, profile("b")]))
    found = rows(store)
    assert set(found) == {"a", "b"}
    assert {name: found["a"][name] for name in given} == given
    assert found["a"]["first_seen"].tzinfo is not None


def test_bytes_come_back(store):
    """Ciphertext is kept byte by byte."""
    row: dict[str, Any] = {
        "source": "s", "message_id": "m", "body_sha256": bytes(range(32)), "profile_id": None,
        "type": "track", "name": None, "at": AT, "received_at": AT, "sealed": b"\x00\xff'",
    }  # fmt: skip
    store.database.transact(lambda c: bulk.insert(c, events, [row]))
    with store.database.read() as connection:
        found = connection.execute(select(events)).one()
    assert (found.body_sha256, found.sealed) == (row["body_sha256"], row["sealed"])


def test_times_are_utc_whatever_zone_they_come_in(store):
    """A moment is the same moment after it was stored."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=-7)))
    store.database.transact(lambda c: bulk.insert(c, profiles, [profile("a", last_seen=elsewhere)]))
    assert rows(store)["a"]["last_seen"] == AT


def test_an_update_changes_its_rows_and_its_columns(store):
    """Each row gets its own values; other rows and other columns stay."""
    store.database.transact(
        lambda c: bulk.insert(c, profiles, [profile("a"), profile("b"), profile("c")])
    )
    changes: list[dict[str, Any]] = [
        {"id": "a", "user_id": "ann", "traits": {"x": 1}, "first_seen": None},
        {"id": "b", "user_id": None, "traits": {}, "first_seen": AT},
    ]
    store.database.transact(lambda c: bulk.update(c, profiles, changes))
    found = rows(store)
    for change in changes:
        assert {name: found[change["id"]][name] for name in change} == change
    assert found["a"]["email"] == "100%@x.example"
    assert found["c"]["traits"] == TRAITS


def test_nothing_to_write_is_nothing(store):
    """Without rows there is no statement."""
    assert store.database.transact(lambda c: bulk.insert(c, profiles, [])) == 0
    store.database.transact(lambda c: bulk.update(c, profiles, []))


def test_what_exists_is_skipped_where_that_is_asked(store):
    """`or_ignore` counts only what was new."""
    put = lambda *names: store.database.transact(  # noqa: E731 - one call, twice
        lambda c: bulk.insert(c, profiles, [profile(n) for n in names], or_ignore=True)
    )
    assert put("a") == 1
    assert put("a", "b") == 1


def test_one_of_many_takes_a_tick(store):
    """Of eight that ask for a tick at once, one gets it."""
    begin = threading.Barrier(8)

    def ask(_: int) -> bool:
        begin.wait()
        return store.database.transact(lambda c: runs.take_tick(c, "contacts", "hourly", AT))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    with store.database.read() as connection:
        assert len(connection.execute(select(schedule_ticks)).all()) == 1


def test_values_are_looked_for_as_they_stand(store):
    """Text that looks like a number, a null or a list is that text; of no values there is none."""
    names = ["7", "007", "7.0", "1e3", "null", "true", "[1]", "it's", "żółć", "9" * 20]
    store.database.transact(lambda c: bulk.insert(c, profiles, [profile(name) for name in names]))

    def found(*wanted: str) -> list[str]:
        with store.database.read() as connection:
            condition = bulk.among(connection, profiles.c.id, wanted)
            return list(connection.execute(select(profiles.c.id).where(condition)).scalars())

    assert [found(name) for name in names] == [[name] for name in names]
    assert sorted(found(*names, "unknown")) == sorted(names)
    assert found() == found("1000", "0007") == []


def test_a_value_that_is_too_long_finds_nobody(store):
    """What is longer than the column is not cut until it names somebody else."""
    name = "p" * 26
    with store.database.read() as connection:
        found = bulk.among(connection, profiles.c.id, [f"{name}-and-more"])
        store.database.transact(lambda c: bulk.insert(c, profiles, [profile(name)]))
        assert connection.execute(select(profiles.c.id).where(found)).all() == []
        known = bulk.among(connection, profiles.c.id, [name])
        assert connection.execute(select(profiles.c.id).where(known)).scalars().all() == [name]
