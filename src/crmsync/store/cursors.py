"""How far what changed in a CRM was read, and who reads on.

One row per connection and subject: an object type, or `DEALS`. Reading is leased, so that any
number of workers cost the CRM one poll; a page's cursor is saved in the transaction that takes the
page, and only while the lease is held. A lease without a holder is a rest: what is asked for does
not fit the CRM, and is not asked for again until then, or until something else is.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, update

from crmsync.store import bulk
from crmsync.store.links import earliest, latest
from crmsync.store.tables import cursors

DEALS = "@deals"
_FROM_THE_BEGINNING = {"cursor": None, "swept_at": None}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is read of one connection."""

    connection: str
    name: str
    """An object type, or `DEALS`."""
    fields: frozenset[str]
    """Which of its fields are asked for."""
    every: timedelta
    """How often what changed is asked for; zero where nothing is polled."""
    sweep_every: timedelta
    """How often all of it is read, also what did not change."""

    @property
    def fields_hash(self) -> str:
        """Return the same for the same fields."""
        return hashlib.sha256("\n".join(sorted(self.fields)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reading:
    """A lease on reading one subject."""

    subject: Subject
    token: str
    cursor: str | None
    """Where to go on; None: from the beginning."""
    is_sweep: bool
    """Everything is read, also what did not change."""


def next_reading(connection: Connection, subject: Subject) -> datetime | None:
    """Return when a subject is to be read next; None for at once."""
    row = connection.execute(select(cursors).where(_is(subject))).first()
    if row is None:
        return None
    if row.fields_hash != subject.fields_hash:
        return row.lease_until if row.lease_token else None
    due: datetime | None = None
    if row.read_at is not None:
        swept = row.swept_at + subject.sweep_every if row.swept_at else None
        due = earliest(row.read_at + subject.every, swept)
    return latest(due, row.lease_until)


def begin_reading(
    connection: Connection,
    subject: Subject,
    now: datetime,
    lease: timedelta,
    *,
    anew: bool = False,
) -> Reading | None:
    """Lease the reading of a subject, due, resting or not; None where somebody reads already.

    Everything is read from the beginning where other fields were asked for before, when the last
    time is too long ago, or `anew`.
    """
    row = _locked(connection, subject)
    if row.lease_token is not None and row.lease_until > now:
        return None
    is_due = row.swept_at is not None and row.swept_at + subject.sweep_every <= now
    begins = anew or is_due or row.fields_hash != subject.fields_hash
    values = _FROM_THE_BEGINNING if begins else {}
    token = secrets.token_hex(16)
    connection.execute(
        update(cursors)
        .where(_is(subject))
        .values(
            **values,
            fields_hash=subject.fields_hash,
            lease_token=token,
            lease_until=now + lease,
        )
    )
    is_sweep = begins or row.swept_at is None
    return Reading(subject, token, None if begins else row.cursor, is_sweep)


def read_up_to(connection: Connection, reading: Reading, cursor: str, until: datetime) -> bool:
    """Save a page's cursor and move the lease's end; False where somebody else reads by now."""
    return _update(connection, reading, cursor=cursor, lease_until=until)


def end_reading(connection: Connection, reading: Reading, now: datetime, *, whole: bool) -> None:
    """Give the lease back; `whole`: all there was has been read."""
    values: dict[str, object] = {"lease_token": None, "lease_until": None}
    if whole:
        values["read_at"] = now
        if reading.is_sweep:
            values["swept_at"] = now
    _update(connection, reading, **values)


def rest(connection: Connection, subject: Subject, until: datetime) -> None:
    """Keep the workers from a subject as long as these fields are asked for, unless one reads."""
    row = _locked(connection, subject)
    if row.lease_token is not None:
        return
    differs = row.fields_hash != subject.fields_hash
    values = {**_FROM_THE_BEGINNING, "fields_hash": subject.fields_hash} if differs else {}
    connection.execute(update(cursors).where(_is(subject)).values(**values, lease_until=until))


def _locked(connection: Connection, subject: Subject) -> Any:
    """Return the row of a subject, made where there was none."""
    fresh = {
        "connection": subject.connection,
        "subject": subject.name,
        "fields_hash": subject.fields_hash,
    }
    bulk.insert(connection, cursors, [fresh], or_ignore=True)
    return connection.execute(select(cursors).where(_is(subject)).with_for_update()).one()


def _update(connection: Connection, reading: Reading, **values: object) -> bool:
    result = connection.execute(
        update(cursors)
        .where(_is(reading.subject), cursors.c.lease_token == reading.token)
        .values(**values)
    )
    return result.rowcount == 1


def _is(subject: Subject) -> ColumnElement[bool]:
    return and_(cursors.c.connection == subject.connection, cursors.c.subject == subject.name)
