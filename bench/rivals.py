"""Who takes part in the push: each changes contacts of its own in the same simulated CRM.

`change` prepares a round and is not timed; `push` is, in a fresh process; `check` looks at what the
CRM holds afterwards, so that nobody wins by leaving something out.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import redis

from bench import hubspot_script, salesforce_script
from bench.backends import Backend
from bench.children import Job, run
from bench.contacts import everybody
from bench.crms import HUBSPOT, SALESFORCE, Crm
from bench.figures import Figures
from bench.floor import BULKS, send_ready_made
from bench.product import Project, drain_all, standing, take_everybody, timed_drain
from bench.script import make_database
from crmsync.sandbox import Control
from crmsync.sync.context import Works

SAMPLE = 50
SCRIPTS: Mapping[str, tuple[str, Job]] = {
    HUBSPOT.name: ("hubspot-api-client", hubspot_script.send_all),
    SALESFORCE.name: ("simple-salesforce", salesforce_script.send_all),
}
"""The CRM's name: its usual library, and the job that uses it."""


class Wrong(Exception):
    """A rival did not do what it was measured for."""


class Rival(Protocol):
    """One way to bring contacts up to date."""

    name: str

    def change(self, edition: int) -> None:
        """Change three fields of everybody where this rival reads them."""

    def push(self) -> Figures:
        """Bring the CRM up to date; return what the process that did it used."""

    def check(self, edition: int) -> None:
        """Raise `Wrong` where the CRM does not hold what it should."""

    def server_cpu_seconds(self) -> float | None:
        """Return what its servers used so far; None where it has none."""


class Seeded:
    """Contacts that were there before, for those who keep no state of their own."""

    def __init__(self, crm: Crm, control: Control, count: int) -> None:
        """Create them past the API."""
        self.crm, self.control = crm, control
        self.population = f"p{secrets.token_hex(3)}"
        keys = [f"{self.population}-{number}" for number in range(count)]
        records: list[Mapping[str, str]] = self.records(keys, 0)
        by_key = BULKS[crm.name].by_key
        if by_key:
            records = [{**r, crm.key: key} for r, key in zip(records, keys, strict=True)]
        self.ids = control.seed(crm.object_type, records)
        self.names = keys if by_key else self.ids
        """What a plain call names them by."""

    def records(self, names: Sequence[str], edition: int) -> list[Mapping[str, str]]:
        """Return the fields of everybody as the CRM should hold them."""
        return [self.crm.record(p) for p in everybody(len(names), edition, self.population)]

    def check(self, edition: int) -> None:
        """Look at some of the records."""
        _check(self.crm, self.control, self.ids[:SAMPLE], edition, self.population)


@dataclass(slots=True)
class Floor:
    """Ready-made batches of whole contacts over plain `requests`."""

    name: str
    contacts: Seeded
    threads: int
    edition: int = 0

    def change(self, edition: int) -> None:
        """Say which round it is: the batches are made in the process that sends them."""
        self.edition = edition

    def push(self) -> Figures:
        """Send them."""
        figures, _ = run(
            send_ready_made,
            crm=self.contacts.crm.name,
            url=self.contacts.control.url,
            contacts={"names": self.contacts.names, "population": self.contacts.population},
            edition=self.edition,
            threads=self.threads,
        )
        return figures

    def check(self, edition: int) -> None:
        """See `Rival`."""
        self.contacts.check(edition)

    def server_cpu_seconds(self) -> float | None:
        """Return None: there is no server."""
        return None


@dataclass(slots=True)
class Script:
    """Rows of a SQLite table through the CRM's usual library."""

    name: str
    job: Job
    contacts: Seeded
    threads: int
    file: Path

    def change(self, edition: int) -> None:
        """Rewrite the table."""
        names = self.contacts.names
        make_database(self.file, names, self.contacts.records(names, edition))

    def push(self) -> Figures:
        """Run the script."""
        figures, _ = run(
            self.job,
            url=self.contacts.control.url,
            database=str(self.file),
            threads=self.threads,
        )
        return figures

    def check(self, edition: int) -> None:
        """See `Rival`."""
        self.contacts.check(edition)

    def server_cpu_seconds(self) -> float | None:
        """Return None: there is no server."""
        return None


class Product:
    """crmsync, from the profiles in its database to its log."""

    def __init__(
        self, crm: Crm, control: Control, backend: Backend, folder: Path, count: int
    ) -> None:
        """Make a project and bring so many contacts into the CRM and into step."""
        self.name = f"crmsync on {backend.name}"
        self._control, self._backend, self._count = control, backend, count
        self._population = f"p{secrets.token_hex(3)}"
        self.project = Project(
            folder, control.url, backend.new_database(), backend.broker_url, crm.name
        )
        self.works: Works = self.project.prepare()
        take_everybody(self.works, count, 0, self._population)
        drain_all(self.works)
        self._logged = standing(self.works).logged

    def change(self, edition: int) -> None:
        """Tell it through the door where events come in."""
        marked = take_everybody(self.works, self._count, edition, self._population)
        if marked != self._count:
            raise Wrong(f"{self.name}: {marked} of {self._count} links were marked")

    def push(self) -> Figures:
        """Drain in a fresh process."""
        figures, _ = run(timed_drain, project=self.project.plain())
        return figures

    def check(self, edition: int) -> None:
        """See that nothing waits, everything is logged, and the CRM holds it."""
        stand = standing(self.works, SAMPLE)
        logged, self._logged = stand.logged - self._logged, stand.logged
        if stand.waiting or logged != self._count:
            raise Wrong(f"{self.name}: {stand.waiting} wait, {logged} of {self._count} were logged")
        _check(self.project.crm, self._control, stand.crm_ids, edition, self._population)

    def server_cpu_seconds(self) -> float | None:
        """Return what the database and Redis used so far."""
        return self._backend.server_cpu_seconds()

    def counts_in_redis(self) -> bool:
        """Say whether the rate budget was kept in Redis, where there is one."""
        if self._backend.broker_url is None:
            return True
        with redis.Redis.from_url(self._backend.broker_url) as client:
            return next(client.scan_iter("crmsync:throttle:*", count=1000), None) is not None

    def close(self) -> None:
        """Close its connections."""
        self.works.store.database.dispose()


def _check(crm: Crm, control: Control, ids: Sequence[str], edition: int, population: str) -> None:
    held, labels = control.records(crm.object_type, ids), crm.labels(control)
    wrong = [
        r["id"] for r in held if not crm.is_as_told(r["properties"], labels, edition, population)
    ]
    if wrong or len(held) != len(ids):
        raise Wrong(f"the CRM does not hold what it should: {wrong[:5]} of {len(held)} looked at")
