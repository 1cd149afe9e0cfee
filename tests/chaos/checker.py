"""The verdict on one CRM: what it holds itself, against what was accepted and what is believed.

Reads the simulated CRM's own records. What crmsync says of itself counts only where it claims
more than the CRM holds, or does not claim to be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from crmsync.store.links import open_snapshot
from crmsync.store.tables import links
from crmsync.sync.context import Store
from tests.crms import Crm
from tests.workbench import faults

NONE, SOME = ": 0 records", " records"
"""How the checker's line of a record ends that is not there, or is there more than once."""
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with what one CRM holds; nothing, where all of it is empty."""

    lost: list[str] = field(default_factory=list)
    """Who has no record."""
    twice: list[str] = field(default_factory=list)
    """Who has several."""
    wrong: list[str] = field(default_factory=list)
    """A value that is not the last one accepted, or a record that is nobody's."""
    untrue: list[str] = field(default_factory=list)
    """What crmsync believes a record to hold, and it does not; what it gave up or has yet to do."""

    @property
    def all(self) -> list[str]:
        """Return every line."""
        return [*self.lost, *self.twice, *self.wrong, *self.untrue]


def judge(
    store: Store, crm: Crm, records: Iterable[Record], accepted: Mapping[str, str]
) -> Verdict:
    """Compare the CRM's records with the last names accepted, by first name, and with the links."""
    held = list(records)
    found = faults(
        held, crm.first_name, {first: {crm.last_name: last} for first, last in accepted.items()}
    )
    lost = [line for line in found if line.endswith(NONE)]
    twice = [line for line in found if line.endswith(SOME) and line not in lost]
    wrong = [line for line in found if line not in lost and line not in twice]
    return Verdict(lost, twice, wrong, list(_untrue(store, crm, held)))


def _untrue(store: Store, crm: Crm, held: Iterable[Record]) -> Iterable[str]:
    """Say of each link what it claims and the CRM does not bear out."""
    known = {str(record["id"]): record["properties"] for record in held}
    with store.database.read() as connection:
        rows = connection.execute(select(links).where(links.c.connection == crm.name)).all()
    for row in rows:
        if row.state != "active" or row.desired_version != row.acked_version:
            yield f"link {row.id}: {row.state}, {row.acked_version} of {row.desired_version}"
        snapshot, _ = open_snapshot(store.vault, row)
        properties = known.get(str(row.crm_id), {})
        yield from (
            f"link {row.id}: {name} is held to be {snapshot[name]!r}, not {properties.get(name)!r}"
            for name in crm.fields
            if name in snapshot and snapshot[name] != properties.get(name)
        )
