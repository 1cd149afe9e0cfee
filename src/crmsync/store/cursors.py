"""How far what changed in a CRM was read, and who reads on.

One row per connection and subject: an object type, or `DEALS`. It has two places: how far what
changed was read (a poll), and how far all of it was (a sweep, from the beginning, now and then), so
that a sweep of hours keeps no poll waiting. Reading is leased, so that any number of workers cost
the CRM one poll; a page's cursor is saved in the transaction that takes the page, and only while
the lease is held. A lease without a holder is a rest: what is asked for does not fit the CRM, and
is not asked for again until then, or until something else is.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, select, update

from crmsync.store import bulk
from crmsync.store.links import earliest, latest
from crmsync.store.tables import Instant, cursors

DEALS = "@deals"
AT_ONCE = datetime.min.replace(tzinfo=UTC)
_NO_SWEEP = {"sweep_cursor": None, "sweep_began_at": None}


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
    sweep_every: timedelta | None
    """How often all of it is read, also what did not change; None: never again."""

    @property
    def is_read(self) -> bool:
        """Whether it is ever read without being told of."""
        return bool(self.every) or self.sweep_every is not None

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
    sweep_began_at: datetime | None = None
    """Of a sweep: when it was begun, by whatever process."""

    @property
    def is_sweep(self) -> bool:
        """Everything is read, also what did not change."""
        return self.sweep_began_at is not None


def next_reading(
    connection: Connection, subject: Subject, *, sweep_from: datetime | None = None
) -> datetime | None:
    """Return when a subject is to be read next; None for at once.

    `sweep_from`: until then nothing is swept.
    """
    row = connection.execute(select(cursors).where(_is(subject))).first()
    if row is None:
        return sweep_from if subject.every else None
    if row.fields_hash != subject.fields_hash and subject.every:
        return latest(sweep_from, row.lease_until if row.lease_token else None)
    due = earliest(_poll_due(row, subject), _sweep_due(row, subject, sweep_from))
    due = latest(due, row.lease_until)
    return None if due == AT_ONCE else due


def begin_reading(  # noqa: PLR0913 - what to read, and whether it is time to
    connection: Connection,
    subject: Subject,
    now: datetime,
    lease: timedelta,
    *,
    anew: bool = False,
    due_only: bool = False,
    just_polled: bool = False,
    sweep_from: datetime | None = None,
) -> Reading | None:
    """Lease the reading of a subject, due, resting or not; None where somebody reads already.

    What changed goes first, then the sweep, where that is due or was not ended. Everything is read
    from the beginning where other fields were asked for before, when the last time is too long ago,
    or `anew`. None, too, where nothing of it is due and `due_only`, or it is never polled: what is
    only compared waits for its time from the day on which it is first heard of. `just_polled`: what
    changed has had its turn, however often it is asked for.
    """
    row = _locked(connection, subject, now)
    if row.lease_token is not None and row.lease_until > now:
        return None
    if row.fields_hash != subject.fields_hash:
        row = _asked_anew(connection, subject)
    poll, sweep = _poll_due(row, subject), _sweep_due(row, subject, sweep_from)
    poll = None if just_polled else poll
    is_sweep = anew or (_is_due(sweep, now) and not _is_due(poll, now))
    if not is_sweep and (poll is None or (due_only and not _is_due(poll, now))):
        return None
    token = secrets.token_hex(16)
    values: dict[str, object] = {"lease_token": token, "lease_until": now + lease}
    begins = anew or row.sweep_began_at is None
    if is_sweep and begins:
        values |= {"sweep_cursor": None, "sweep_began_at": now}
    connection.execute(update(cursors).where(_is(subject)).values(**values))
    if not is_sweep:
        return Reading(subject, token, row.cursor)
    return Reading(
        subject,
        token,
        None if begins else row.sweep_cursor,
        now if begins else row.sweep_began_at,
    )


def read_up_to(connection: Connection, reading: Reading, cursor: str, until: datetime) -> bool:
    """Save a page's cursor and move the lease's end; False where somebody else reads by now."""
    place = "sweep_cursor" if reading.is_sweep else "cursor"
    return _update(connection, reading, **{place: cursor}, lease_until=until)


def hold(connection: Connection, reading: Reading, until: datetime) -> bool:
    """Move the lease's end; False where somebody else reads by now."""
    return _update(connection, reading, lease_until=until)


def end_reading(connection: Connection, reading: Reading, now: datetime, *, whole: bool) -> None:
    """Give the lease back; `whole`: all there was has been read.

    Where the first sweep ended, the polls begin.
    """
    values: dict[str, object] = {"lease_token": None, "lease_until": None}
    if whole and reading.is_sweep:
        first = cursors.c.read_at.is_(None)
        values |= {
            "swept_at": now,
            "cursor": case((first, cursors.c.sweep_cursor), else_=cursors.c.cursor),
            "read_at": func.coalesce(cursors.c.read_at, literal(now, Instant())),
            **_NO_SWEEP,
        }
    elif whole:
        values["read_at"] = now
    _update(connection, reading, **values)


def rest(connection: Connection, subject: Subject, now: datetime, until: datetime) -> None:
    """Keep the workers from a subject as long as these fields are asked for, unless one reads."""
    row = _locked(connection, subject, now)
    if row.lease_token is not None:
        return
    if row.fields_hash != subject.fields_hash:
        _asked_anew(connection, subject)
    connection.execute(update(cursors).where(_is(subject)).values(lease_until=until))


def _poll_due(row: Any, subject: Subject) -> datetime | None:
    """Return when what changed is due; None where it is not polled, or not until it was swept."""
    if not subject.every or row.read_at is None:
        return None
    due: datetime = row.read_at + subject.every
    return due


def _sweep_due(row: Any, subject: Subject, sweep_from: datetime | None) -> datetime | None:
    if row.sweep_began_at is not None or row.swept_at is None:
        return latest(AT_ONCE, sweep_from)
    if subject.sweep_every is None:
        return None
    return latest(row.swept_at + subject.sweep_every, sweep_from)


def _is_due(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _asked_anew(connection: Connection, subject: Subject) -> Any:
    """Forget how far other fields were read; what is only compared keeps its time."""
    values: dict[str, object] = {"fields_hash": subject.fields_hash, **_NO_SWEEP}
    values |= {"cursor": None, "read_at": None}
    if subject.every:
        values["swept_at"] = None
    connection.execute(update(cursors).where(_is(subject)).values(**values))
    return connection.execute(select(cursors).where(_is(subject))).one()


def _locked(connection: Connection, subject: Subject, now: datetime) -> Any:
    """Return the row of a subject, made where there was none."""
    fresh = {
        "connection": subject.connection,
        "subject": subject.name,
        "fields_hash": subject.fields_hash,
        "swept_at": None if subject.every else now,
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
