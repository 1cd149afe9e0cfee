"""What a worker is busy with when it is stopped, in all four CRMs, and what must be true at last.

    story.prepare(scene)      what was there before
    story.happen(scene)       what the worker is to do
    story.overtake(scene)     every second value is replaced by a newer one
    story.is_over(scene)      nobody has anything left to do
    story.wrong(scene)        what is wrong then: nothing

Whoever is not overtaken shows what was lost, whoever is what grew old.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from tests.chaos.checker import judge
from tests.crms import CRMS, Crm
from tests.integration.selling import Office, make_key
from tests.sandboxes import WatchedControl, running
from tests.workbench import (
    QUICK,
    Project,
    drain,
    identify,
    ingest,
    is_at_rest,
    make_project,
    until,
)

PEOPLE = 4
"""Two whose records are there, and two who are new."""
BRISK = {
    **QUICK,
    "request_deadline_seconds": 2.0,
    "lease_seconds": 3.0,
    "settle_seconds": 3.5,
}
OLDEST, OLD, NEWEST = "Oldest", "Old", "Newest"


@dataclass(slots=True)
class Scene:
    """A project connected to all CRMs, opened in this process."""

    controls: Mapping[Crm, WatchedControl]
    project: Project
    works: Works
    overtaken: frozenset[int] = frozenset()
    """Whose value was replaced by a newer one."""
    since: datetime | None = None
    """When nothing was left to be read again, or every CRM had been read since."""
    rounds: int = 0
    """How often that was."""

    @property
    def offices(self) -> list[Office]:
        """Return the scene, CRM by CRM."""
        return [Office(crm, c, self.project, self.works) for crm, c in self.controls.items()]

    def now(self) -> datetime:
        """Return the database's time."""
        database = self.works.store.database
        with database.read() as connection:
            return database.now(connection)

    def value_of(self, person: int) -> str:
        """Return which of two values somebody must have in the end."""
        return NEWEST if person in self.overtaken else OLD


class Story:
    """One thing that workers do."""

    timing: Mapping[str, float] = BRISK
    by_twos = False
    """Whether pages of changes, and steps of marking, hold two people and not all of them."""

    @contextmanager
    def begun(self, folder: Path, database_url: str) -> Iterator[Scene]:
        """Set the scene: the CRMs, the project, and what was there before."""
        with ExitStack() as stack:
            controls = {
                crm: stack.enter_context(
                    running(crm.name, limits=False, **{**crm.settings, **self.settings_of(crm)})
                ).control
                for crm in CRMS
            }
            project = make_project(
                folder,
                database_url,
                mappings={crm.name: self.mapping(crm) for crm in CRMS},
                connections={
                    crm.name: crm.connection(c.url, **self.auth(crm)) for crm, c in controls.items()
                },
                timing=self.timing,
            )
            stack.callback(project.close)
            scene = Scene(controls, project, project.open())
            for office in scene.offices:
                make_key(office.connector, office.crm, office.crm.object_type)
            bring_up_to_date(scene.works)
            self.prepare(scene)
            yield scene

    def settings_of(self, crm: Crm) -> Mapping[str, object]:
        """Return further settings of a simulated CRM."""
        return {}

    def auth(self, crm: Crm) -> Mapping[str, object]:
        """Return further keys of a connection."""
        return {}

    def mapping(self, crm: Crm) -> str:
        """Return the text of a CRM's mapping."""
        return crm.mapping(crm.by_key)

    def prepare(self, scene: Scene) -> None:
        """Have the first people in every CRM, and everything settled."""
        send(scene, range(PEOPLE // 2), OLDEST)

    def happen(self, scene: Scene) -> None:
        """Give the worker something to do."""
        name(scene, range(PEOPLE), OLD)

    def overtake(self, scene: Scene) -> None:
        """Replace every second value."""
        scene.overtaken = frozenset(range(0, PEOPLE, 2))
        name(scene, scene.overtaken, NEWEST)

    def is_over(self, scene: Scene) -> bool:
        """Whether nobody has anything left to do."""
        return is_at_rest(scene.works.store)

    def wrong(self, scene: Scene) -> list[str]:
        """Return what is wrong in the end, by the CRMs' own records."""
        wanted = {self.shown(f"Ann{n}"): self.shown(scene.value_of(n)) for n in range(PEOPLE)}
        return [
            f"{crm.name}: {line}"
            for crm, control in scene.controls.items()
            for line in judge(scene.works.store, crm, control.records(crm.object_type), wanted).all
        ]

    def shown(self, value: str) -> str:
        """Return what a name becomes in a CRM."""
        return value


def name(scene: Scene, people: Any, last_name: str) -> None:
    """Have it said what people are called."""
    traits = [
        (
            f"u{n}",
            {"first_name": f"Ann{n}", "last_name": last_name, "email": f"ann{n}@acme.example"},
        )
        for n in people
    ]
    ingest(scene.works, [identify(user, **said) for user, said in traits])


def send(scene: Scene, people: Any, last_name: str) -> None:
    """Have every CRM hold people by a name, and everything settled."""
    name(scene, people, last_name)

    def all_sent() -> bool:
        for crm in CRMS:
            drain(scene.works, crm.name)
        return is_at_rest(scene.works.store)

    until(all_sent, "all is sent before anything goes wrong")
