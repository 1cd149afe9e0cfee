"""Tokens in the database: sealed, versioned, renewed by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from crmsync.errors import SealBroken
from crmsync.model import KeptTokens, Refusal, Tokens
from crmsync.store import tokens as tokens_module
from crmsync.store.tables import oauth_tokens
from crmsync.store.tokens import RowTokens, kept_tokens
from crmsync.store.vault import Vault

GRANTED = Tokens(
    "access-canary", "refresh-canary", 3600.0, "https://a.example", "https://b.example", "app", "h"
)
REFUSAL = Refusal("reauth_required", "no", "connect", "app", "h")


def of(store, name="crm", vault=None):
    """The tokens of a connection."""
    return RowTokens(store.database, vault or store.vault, name)


def rows(store):
    """All rows as they are stored."""
    with store.database.read() as connection:
        return connection.execute(select(oauth_tokens).order_by("connection")).all()


def earlier(store, **columns):
    """Move moments of every row into the past, by so many seconds."""
    [row] = rows(store)
    moved = {name: getattr(row, name) - timedelta(seconds=by) for name, by in columns.items()}
    store.database.transact(lambda c: c.execute(update(oauth_tokens).values(moved)))


def test_tokens_come_back_as_they_were(store):
    """Everything about a grant is kept, with a version that grows; its age is known."""
    tokens = of(store)
    assert tokens.load() == KeptTokens()
    assert tokens.save(GRANTED, 0) == 1
    assert tokens.save(GRANTED, None) == 2
    earlier(store, granted_at=100)
    kept = tokens.load()
    assert (kept.version, kept.tokens, kept.refusal) == (2, GRANTED, None)
    assert 100 <= kept.age_seconds < 160
    assert of(store, "other").load() == KeptTokens()


def test_nothing_of_it_lies_readable(store):
    """No column holds a part of a token, of a refusal or of the app's name."""
    tokens = of(store)
    tokens.save(GRANTED, None)
    tokens.refuse(REFUSAL, 1)
    stored = repr([tuple(row) for row in rows(store)])
    for canary in ("canary", "a.example", "b.example", "app", "reauth_required"):
        assert canary not in stored


def test_a_row_does_not_open_in_anothers_place(store):
    """Tokens, and refusals, that were moved to another connection or column are not used."""
    of(store).save(GRANTED, None)
    of(store).refuse(REFUSAL, 1)
    of(store, "other").save(GRANTED, None)
    mine, _ = rows(store)
    for moved in (
        {"sealed": mine.sealed},
        {"refusal_sealed": mine.refusal_sealed},
        {"refusal_sealed": mine.sealed},
    ):
        of(store, "other").save(GRANTED, None)
        move = update(oauth_tokens).where(oauth_tokens.c.connection == "other").values(moved)
        store.database.transact(lambda c, move=move: c.execute(move))
        with pytest.raises(SealBroken):
            of(store, "other").load()
    assert of(store).load().tokens == GRANTED


def test_keys_rotate(store):
    """A new key in front seals; the old one behind it still opens what was kept."""
    of(store).save(GRANTED, None)
    new_key = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="
    old_key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    both = of(store, vault=Vault([new_key, old_key]))
    assert both.load().tokens == GRANTED
    both.save(GRANTED, 1)
    assert of(store, vault=Vault([new_key])).load().version == 2
    with pytest.raises(SealBroken):
        of(store, vault=Vault([old_key])).load()


def test_a_save_in_the_place_of_an_old_version_is_refused(store):
    """Whoever comes late overwrites nothing."""
    tokens = of(store)
    tokens.save(GRANTED, 0)
    assert tokens.save(Tokens("late"), 0) is None
    assert tokens.load().tokens == GRANTED


def test_a_lease_is_one_workers(store):
    """Nobody else gets it until it ends, by release, by a save or by time."""
    tokens = of(store)
    lease = tokens.claim(0, 20)
    assert lease is not None
    assert tokens.claim(0, 20) is None
    tokens.release("another's")
    assert tokens.claim(0, 20) is None
    tokens.release(lease)
    assert tokens.claim(0, 20) is not None
    tokens.save(GRANTED, 0)
    assert tokens.claim(0, 20) is None, "the version is another now"
    assert tokens.claim(1, 20) is not None
    earlier(store, lease_until=21)
    assert tokens.claim(1, 20) is not None


def test_of_many_that_claim_at_once_one_gets_it(store):
    """Threads on their own database connections, first on a row that is not there yet."""
    together = threading.Barrier(8)
    tokens = [of(store) for _ in range(8)]

    def claim(version, n):
        together.wait()
        return tokens[n].claim(version, 20)

    with ThreadPoolExecutor(8) as pool:
        for version in range(5):
            leases = pool.map(claim, [version] * 8, range(8))
            assert sum(lease is not None for lease in leases) == 1
            tokens[0].save(GRANTED, None)


def test_a_refusal_is_news_once(store):
    """The first to hear of it raises the alarm; it ends with new tokens or when forgiven."""
    tokens = of(store)
    assert tokens.claim(0, 20)
    assert tokens.refuse(REFUSAL, 0)
    assert not tokens.refuse(REFUSAL, 0)
    assert tokens.claim(0, 20) is not None, "the lease ended"
    earlier(store, refused_at=50)
    kept = tokens.load()
    assert kept.refusal == REFUSAL
    assert 50 <= kept.refused_seconds_ago < 110
    tokens.forgive()
    assert tokens.load().refusal is None
    assert tokens.refuse(REFUSAL, 0)
    tokens.save(GRANTED, 0)
    assert tokens.load().refusal is None
    assert not tokens.refuse(REFUSAL, 0), "of an old version it is no news"
    assert tokens.load().refusal is None


def test_forgiving_leaves_the_tokens(store):
    """Only the refusal is forgotten; where there is none nothing happens."""
    tokens = of(store)
    tokens.forgive()
    tokens.save(GRANTED, None)
    tokens.forgive()
    assert tokens.load().tokens == GRANTED


def test_which_connections_have_tokens(store):
    """A row with a lease or a refusal alone is no token."""
    of(store, "leased").claim(0, 20)
    of(store, "refused").refuse(REFUSAL, 0)
    of(store, "granted").save(GRANTED, None)
    with store.database.read() as connection:
        assert kept_tokens(connection) == ["granted"]


def test_the_lease_runs_by_the_databases_clock(store, monkeypatch):
    """A worker's own clock has no part in it."""
    seen = []
    now = store.database.now

    def asked(connection):
        seen.append(True)
        return now(connection)

    monkeypatch.setattr(store.database, "now", asked)
    of(store).claim(0, 20)
    assert seen
    assert not hasattr(tokens_module, "time")
