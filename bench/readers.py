"""Who takes part in the pull: each reads the same deals of one simulated CRM, and keeps them.

`begin` forgets everything and is not timed; `read` is, in a fresh process; `check` looks at what is
known afterwards, so that nobody wins by leaving something out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, select, update

from bench import hubspot_deals, plain_deals, salesforce_deals
from bench.backends import Backend
from bench.children import Job, run
from bench.contacts import everybody
from bench.deals import Deal, Desk
from bench.figures import Figures
from bench.product import SYNC, Project, open_project, take_everybody, timed_pull
from bench.rivals import Wrong
from crmsync.model import CrmId
from crmsync.planning.names import Names
from crmsync.sandbox import Control
from crmsync.store import link_records, profiles
from crmsync.store.tables import links
from crmsync.store.tables import profiles as profiles_table
from crmsync.sync.context import Works
from crmsync.sync.reading import Reader
from crmsync.sync.schemas import live_schema

CHANGED = 100
"""Deals that change in each round."""
STEPS = 3
"""Stages and owners that take turns: open stages all, of people who are there."""
POPULATION = "pulls"
SCRIPTS: Mapping[str, tuple[str, Job]] = {
    "hubspot": ("hubspot-api-client", hubspot_deals.read_all),
    "salesforce": ("simple-salesforce", salesforce_deals.read_all),
    "zoho": ("requests", plain_deals.read_zoho),
    "pipedrive": ("requests", plain_deals.read_pipedrive),
}
"""The CRM's name: the library of its script, and the job that uses it."""


class Account:
    """The people and deals of one simulated CRM."""

    def __init__(self, desk: Desk, control: Control, works: Works, count: int) -> None:
        """Make so many deals, and half as many people."""
        self.desk, self.control, self._count = desk, control, count
        connector = works.open_sync(works.mappings[SYNC]).connector
        steps = connector.stages()
        first = [stage for stage in steps if stage.pipeline_id == steps[0].pipeline_id]
        self._stages = sorted(first, key=lambda stage: stage.position)[:STEPS]
        self._owners = [owner for owner in connector.owners() if owner.is_active][:STEPS]
        crm = desk.crm
        self.emails = [p["email"] for p in everybody(count // 2, 0, POPULATION)]
        made = [crm.typed(crm.record(p)) for p in everybody(count // 2, 0, POPULATION)]
        self.people = control.seed(crm.object_type, made)
        self.edition = 0
        self.ids = desk.make(control, [self.deal(number) for number in range(count)])
        self.change()

    def change(self) -> None:
        """Let the salespeople move some deals on, always the same."""
        self.edition += 1
        for number in range(self._count // 2, self._count // 2 + CHANGED):
            self.desk.change(self.control, self.ids[number], self.deal(number))

    def deal(self, number: int) -> Deal:
        """Return a deal as it is now."""
        place = number - self._count // 2
        turn = number + (self.edition if 0 <= place < CHANGED else 0)
        return Deal(
            number,
            self.people[number % len(self.people)],
            self._stages[turn % len(self._stages)],
            self._owners[turn // STEPS % len(self._owners)],
        )

    def speaking(self) -> Iterator[tuple[str, Deal]]:
        """Yield each person's e-mail, and the deal that speaks for them."""
        half = self._count // 2
        return ((email, self.deal(half + place)) for place, email in enumerate(self.emails))


class Rival(Protocol):
    """One way to know the deals of a CRM."""

    name: str

    def begin(self) -> None:
        """Forget everything that was read."""

    def read(self) -> Figures:
        """Read what changed; return what the process that did it used."""

    def check(self) -> None:
        """Raise `Wrong` where something else is known than the CRM holds."""

    def server_cpu_seconds(self) -> float | None:
        """Return what its servers used so far; None where it has none."""


@dataclass(slots=True)
class Script:
    """The plain script with the CRM's usual library, and its tables."""

    name: str
    job: Job
    account: Account
    file: Path

    def begin(self) -> None:
        """Remove the tables."""
        self.file.unlink(missing_ok=True)

    def read(self) -> Figures:
        """Run it."""
        figures, _ = run(self.job, url=self.account.control.url, database=str(self.file))
        return figures

    def check(self) -> None:
        """Look at stages, owners, amounts and people in its tables."""
        query = (
            "SELECT person, label, email, amount FROM deal_people JOIN deals ON deal = deals.id "
            "JOIN stages ON stage = stages.id JOIN owners ON owner = owners.id"
        )
        with closing(sqlite3.connect(self.file)) as kept:
            rows = sorted(kept.execute(query), key=lambda row: row[3])
        account = self.account
        deals = map(account.deal, range(len(account.ids)))
        wanted = [(d.person, d.stage.label, d.owner.email, d.amount) for d in deals]
        _compare(self.name, rows, wanted)

    def server_cpu_seconds(self) -> float | None:
        """Return None: there is no server."""
        return None


class Product:
    """crmsync, from the CRM to the traits of the people in its database."""

    def __init__(self, account: Account, backend: Backend, folder: Path) -> None:
        """Make a project whose people are all linked, and in step."""
        self.name = f"crmsync on {backend.name}"
        self._account, self._backend = account, backend
        self._project = new_project(account.desk, account.control.url, backend, folder)
        works = self._project.prepare()
        take_everybody(works, len(account.people), 0, POPULATION)
        link(works, dict(zip(account.emails, account.people, strict=True)))
        works.store.database.dispose()
        self._copy: Project | None = None

    @property
    def project(self) -> Project:
        """Return the project as it is read with: on a copy of the database."""
        if self._copy is None:
            copy = self._backend.copy(self._project.database_url)
            self._copy = replace(self._project, database_url=copy)
        return self._copy

    def begin(self) -> None:
        """Go back to the people as they were before any deal was read."""
        if self._copy is not None:
            self._backend.drop(self._copy.database_url)
            self._copy = None

    def read(self) -> Figures:
        """Pull in a fresh process."""
        figures, said = run(timed_pull, project=self.project.plain())
        if said["rest"]:
            raise Wrong(f"{self.name}: it stopped early: {said['rest']}")
        return figures

    def check(self) -> None:
        """Look at everybody's traits, and that nobody is written to for their sake."""
        works = open_project(self.project.plain())
        with works.store.database.read() as connection:
            rows = connection.execute(select(profiles_table.c.email, profiles_table.c.traits))
            traits = {email: held for email, held in rows if email}
            waiting = connection.execute(
                select(links.c.id).where(links.c.wake_at.is_not(None))
            ).first()
        works.store.database.dispose()
        if waiting is not None:
            raise Wrong(f"{self.name}: people are to be written, of whom nothing changed here")
        names = ("deal_stage", "deal_owner", "deal_amount")
        wanted = [
            (email, deal.stage.label, deal.owner.email, deal.amount)
            for email, deal in self._account.speaking()
        ]
        held = [(email, *map(traits[email].get, names)) for email, *_ in wanted]
        _compare(self.name, held, wanted)

    def server_cpu_seconds(self) -> float | None:
        """Return what the database and Redis used so far."""
        return self._backend.server_cpu_seconds()


def new_project(desk: Desk, url: str, backend: Backend, folder: Path) -> Project:
    """Return a project that reads deals."""
    return Project(
        folder, url, backend.new_database(), backend.broker_url, desk.crm.name, reads=desk.reads
    )


def link(works: Works, ids: Mapping[str, str]) -> None:
    """Say that everybody was sent: whose record is which, by e-mail, and all of it up to date."""
    sync = works.open_sync(works.mappings[SYNC])
    reader = Reader.of(works, sync, live_schema(sync), Names.of((), ()))
    database, vault = works.store.database, works.store.vault

    def work(connection: Connection) -> None:
        every = connection.execute(select(links.c.id)).scalars().all()
        linked = link_records.lock(connection, vault, every)
        people = profiles.load(connection, {one.profile_id for one in linked.values()})
        for one in linked.values():
            person = people[one.profile_id]
            one.crm_id = CrmId(ids[str(person.email)])
            one.known, one.is_known_anew = reader.desired(person, None), True
        link_records.save(connection, vault, list(linked.values()), database.now(connection))
        in_step = {"acked_version": links.c.desired_version, "due_at": None, "wake_at": None}
        connection.execute(update(links).values(in_step))

    database.transact(work)


def _compare(name: str, held: Sequence[object], wanted: Sequence[object]) -> None:
    if len(held) != len(wanted):
        raise Wrong(f"{name}: {len(held)} are known, not {len(wanted)}")
    wrong = [pair for pair in zip(held, wanted, strict=True) if pair[0] != pair[1]]
    if wrong:
        raise Wrong(f"{name}: {len(wrong)} of {len(held)} are wrong, as {wrong[0]}")
