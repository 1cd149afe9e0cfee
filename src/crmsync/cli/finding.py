"""Finding what a person names on the command line: somebody, by any id; a run, by its number.

Somebody is named by an id of the profile, a user id, an e-mail or whatever else has ever named
them, or by the id of their record in a CRM: `ID`, and where several records have it
`CONNECTION:ID` or `CONNECTION:OBJECT:ID`. What names the person goes before a CRM's id. Raises
`CrmsyncError` where nobody or several fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.cli.screen import safe
from crmsync.errors import CrmsyncError
from crmsync.model import Profile, ProfileId, RunId
from crmsync.store import known_records, profiles, runs
from crmsync.store.known_records import Holder
from crmsync.sync.context import Store

LARGEST_ID = 2**63 - 1
"""What a database can number."""


def find_person(store: Store, name: str) -> Profile:
    """Return the profile that a name of any sort leads to."""
    with store.database.read() as connection:
        profile = profiles.find(connection, name)
        if profile is not None:
            return profile
        holders = known_records.holders(connection, name)
        if len({one.profile_id for one in holders}) > 1:
            raise CrmsyncError(_ambiguous(name, holders))
        for one in holders:
            found = profiles.find(connection, one.profile_id)
            if found is not None:
                return found
    raise CrmsyncError(
        f"nobody is known by '{safe(name)}': give an e-mail, a user id, a profile id or a CRM id; "
        "`crmsync profiles --search` finds people by a part of these"
    )


def find_person_id(store: Store, name: str | None) -> ProfileId | None:
    """Return the id of whom a name leads to; None where no name is given."""
    return None if name is None else find_person(store, name).id


def find_run(store: Store, number: int | None) -> RunId | None:
    """Return the id of a run that there is; None where no number is given."""
    if number is None:
        return None
    with store.database.read() as connection:
        if 0 < number <= LARGEST_ID and runs.exists(connection, RunId(number)):
            return RunId(number)
        latest = runs.list_runs(connection, 1)
    known = f"the latest is {latest[0].id}" if latest else "there are none yet"
    raise CrmsyncError(f"there is no run {number}; {known} (`crmsync runs` lists them)")


def _ambiguous(name: str, holders: Sequence[Holder]) -> str:
    """Name each record as shortly as tells it from the others."""
    short = len({one.connection for one in holders}) == len(holders)
    ways = [
        f"{one.connection}:{'' if short else f'{one.object_type}:'}{one.crm_id}" for one in holders
    ]
    return f"several records have the id '{safe(name)}'; say which: {', '.join(ways)}"
