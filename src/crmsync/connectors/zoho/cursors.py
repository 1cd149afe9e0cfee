"""Where a walk through a module's changes stands, and where the next one begins.

Records come by time of change and id. One may become visible after another that was changed later,
by less than `OVERLAP`: what was changed that long ago is settled, and a walk goes on right behind
it. What is newer is read again by the next walk, and by that one only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from crmsync.connectors.zoho.values import moment, written
from crmsync.errors import ConfigError

OVERLAP = timedelta(minutes=5)
"""How late a change may become visible."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place among a module's records, by time of change and id."""

    at: datetime
    after_id: str | None = None
    """Of what changed in that very second, ids up to this one have been seen."""


BEGINNING = Place(datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a module's changes were read."""

    place: Place = BEGINNING
    """Behind the last record that was seen."""
    since: datetime | None = None
    """Where the next walk begins: what was not settled when this one passed it. None: all was."""
    listed: datetime | None = None
    """Up to when was read what Zoho lists apart: the deleted, and converted leads. None: never."""

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Return what `str` wrote; the beginning for None. Raises ConfigError for anything else."""
        if text is None:
            return cls()
        try:
            told = orjson.loads(text)
            place = Place(moment(told["at"]), told.get("after"))
            since, listed = (_moment(told.get(name)) for name in ("since", "listed"))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                "where reading Zoho's changes had stopped cannot be told: read all of it again"
            ) from None
        return cls(place, since, listed)

    def __str__(self) -> str:
        """Give it as text that survives a store."""
        told = {
            "at": written(self.place.at),
            "after": self.place.after_id,
            "since": self.since and written(self.since),
            "listed": self.listed and written(self.listed),
        }
        return orjson.dumps({name: value for name, value in told.items() if value}).decode()

    def passed(self, place: Place, now: datetime) -> Cursor:
        """Return the cursor behind a page that ended at a place; `now` by Zoho's clock."""
        settled = now - OVERLAP
        is_settled = self.since is not None or place.at <= settled
        return replace(self, place=place, since=self.since if is_settled else settled)

    def ended(self) -> Cursor:
        """Return where the next walk begins, once this one has come to the last record."""
        return self if self.since is None else replace(self, place=Place(self.since), since=None)

    def having_listed(self, now: datetime) -> Cursor:
        """Return the cursor once the lists were read to their end, which was begun at `now`."""
        return replace(self, listed=now - OVERLAP)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)
