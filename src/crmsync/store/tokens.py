"""What each connection was granted, sealed, with a lease so that one worker renews it.

One row per connection; its version grows with each change. The sealed parts are bound to the row: a
ciphertext moved to another connection does not open. See `connectors.tokens.TokenStore`, which this
is for the connectors.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, select, update

from crmsync.model import KeptTokens, Refusal, Tokens
from crmsync.store import bulk
from crmsync.store.database import Database
from crmsync.store.tables import oauth_tokens
from crmsync.store.vault import Vault


class RowTokens:
    """The tokens of one connection, in its row; the clock is the database's."""

    def __init__(self, database: Database, vault: Vault, connection: str) -> None:
        """Keep the tokens of the connection of that name."""
        self._database = database
        self._vault = vault
        self._name = connection

    def load(self) -> KeptTokens:
        """Return what is kept; version 0 where nothing is. Raises SealBroken, StoreUnavailable."""
        with self._database.read() as connection:
            row = connection.execute(
                select(oauth_tokens).where(oauth_tokens.c.connection == self._name)
            ).first()
            now = self._database.now(connection)
        return KeptTokens() if row is None else self._opened(row, now)

    def claim(self, version: int, seconds: float) -> str | None:
        """Lease the right to renew this version; None where somebody has it, or it is gone."""
        lease = secrets.token_hex(16)

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            free = oauth_tokens.c.lease_until.is_(None) | (oauth_tokens.c.lease_until <= now)
            return self._change(
                connection,
                (oauth_tokens.c.version == version) & free,
                lease_token=lease,
                lease_until=now + timedelta(seconds=seconds),
            )

        return lease if self._database.transact(work) else None

    def save(self, tokens: Tokens, after: int | None) -> int | None:
        """Keep tokens in the place of version `after` (None: of any); return theirs.

        None where others were kept meanwhile. Ends every lease and refusal.
        """
        sealed = self._vault.seal(orjson.dumps(asdict(tokens)), self._context("tokens"))

        def work(connection: Connection) -> int | None:
            self._ensure(connection)
            version = oauth_tokens.c.version
            row = update(oauth_tokens).where(oauth_tokens.c.connection == self._name)
            kept: int | None = connection.execute(
                (row if after is None else row.where(version == after))
                .values(
                    version=version + 1,
                    sealed=sealed,
                    granted_at=self._database.now(connection),
                    refusal_sealed=None,
                    refused_at=None,
                    lease_token=None,
                    lease_until=None,
                )
                .returning(version)
            ).scalar_one_or_none()
            return kept

        return self._database.transact(work)

    def refuse(self, refusal: Refusal, version: int) -> bool:
        """Keep it that this version is renewed no more; return whether that is news."""
        sealed = self._vault.seal(orjson.dumps(asdict(refusal)), self._context("refusal"))

        def work(connection: Connection) -> bool:
            known = connection.execute(
                select(oauth_tokens)
                .where(oauth_tokens.c.connection == self._name)
                .with_for_update()
            ).first()
            now = self._database.now(connection)
            if known is None or known.version != version:
                return False
            self._change(
                connection,
                oauth_tokens.c.version == version,
                refusal_sealed=sealed,
                refused_at=now,
                lease_token=None,
                lease_until=None,
            )
            return self._opened(known, now).refusal != refusal

        return self._database.transact(work)

    def forgive(self) -> None:
        """Forget a refusal: a person says that what was wrong is put right."""
        self._database.transact(
            lambda connection: self._change(
                connection,
                oauth_tokens.c.refusal_sealed.is_not(None),
                refusal_sealed=None,
                refused_at=None,
            )
        )

    def release(self, lease: str) -> None:
        """End a lease that led to nothing."""
        self._database.transact(
            lambda connection: self._change(
                connection,
                oauth_tokens.c.lease_token == lease,
                lease_token=None,
                lease_until=None,
            )
        )

    def _change(self, connection: Connection, condition: Any, **values: Any) -> bool:
        """Change the row where a condition holds; return whether it did."""
        self._ensure(connection)
        done = connection.execute(
            update(oauth_tokens)
            .where(oauth_tokens.c.connection == self._name, condition)
            .values(values)
        )
        return done.rowcount == 1

    def _ensure(self, connection: Connection) -> None:
        row = {"connection": self._name, "version": 0}
        bulk.insert(connection, oauth_tokens, [row], or_ignore=True)

    def _opened(self, row: Row[Any], now: datetime) -> KeptTokens:
        tokens = refusal = None
        if row.sealed is not None:
            tokens = Tokens(**orjson.loads(self._vault.open(row.sealed, self._context("tokens"))))
        if row.refusal_sealed is not None:
            plain = self._vault.open(row.refusal_sealed, self._context("refusal"))
            refusal = Refusal(**orjson.loads(plain))
        return KeptTokens(
            version=row.version,
            tokens=tokens,
            age_seconds=_seconds(now, row.granted_at),
            refusal=refusal,
            refused_seconds_ago=_seconds(now, row.refused_at),
        )

    def _context(self, what: str) -> str:
        return f"oauth_tokens:{self._name}:{what}"


def forget_all(connection: Connection) -> None:
    """Drop what every connection was granted: where the CRMs themselves have begun anew."""
    connection.execute(delete(oauth_tokens))


def kept_tokens(connection: Connection) -> list[str]:
    """Return the connections that tokens are kept of."""
    has_some = oauth_tokens.c.sealed.is_not(None)
    return list(connection.execute(select(oauth_tokens.c.connection).where(has_some)).scalars())


def _seconds(now: datetime, since: datetime | None) -> float:
    return (now - since).total_seconds() if since is not None else 0.0
