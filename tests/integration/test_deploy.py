"""A rolling deploy under load: two releases, with two versions of a mapping, side by side.

Workers are killed and replaced in turn. Nothing is lost, nothing is there twice, and what the
newest mapping says holds in the end.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crmsync.sandbox import Control, Sandbox
from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.tables import processes
from tests.integration.workers import Start, workers
from tests.releases import EXPANDS, newer_release
from tests.workbench import (
    KEYED,
    QUICK,
    NewProject,
    Project,
    count_rows,
    crowd,
    expected_crowd,
    faults,
    ingest,
    is_at_rest,
    make_fields,
    the_sync,
    until,
)

PEOPLE = 150
TURNS = 4
WIDER = KEYED.replace("lastname: last_name", "lastname: last_name, our_ref: user_id")
"""What the newer release's mapping sends, too."""
TIMING = {**QUICK, "lease_seconds": 8.0, "settle_seconds": 8.5}


def wanted(last_name: str) -> dict[str, dict[str, str]]:
    """Return what the CRM must hold by the newer mapping."""
    return {f"Ann{n}": {"lastname": last_name, "our_ref": f"u{n}"} for n in range(PEOPLE)}


def test_two_releases_run_side_by_side(
    new_project: NewProject, sandbox: Sandbox, tmp_path, monkeypatch
):
    """Forth, back and forth again; each worker is killed while there is work."""
    project = new_project(sandbox.url, mappings={"contacts": KEYED}, timing=TIMING)
    works = project.open()
    make_fields(the_sync(works).connector, "our_ref")
    release = newer_release(tmp_path, EXPANDS)
    with workers(project, NEWER_MIGRATIONS=str(release.migrations)) as start:
        old = [start(), start()]
        ingest(works, crowd(PEOPLE, "Turn0"))
        with monkeypatch.context() as patch:  # the deploy begins: its tables first, under load
            release.put_on(patch)
            database = Database(project.env["CRMSYNC_DATABASE_URL"])
            schema.migrate(database)
            database.dispose()
        for turn in range(1, TURNS + 1):
            ingest(works, crowd(PEOPLE, f"Turn{turn}"))
            project.write_mapping("contacts", WIDER)
            new = start("newer_release")
            old.pop(0).kill()
            ingest(works, crowd(PEOPLE // 2, f"Turn{turn}b"))
            project.write_mapping("contacts", KEYED)
            old.append(start())  # one of the older release comes back, as after a crash
            new.kill()
        project.write_mapping("contacts", WIDER)
        start("newer_release")
        for one in old:
            one.kill()
        ingest(works, crowd(PEOPLE, "Last"))
        until(
            lambda: not faults(sandbox.control.records("contacts"), "firstname", wanted("Last")),
            "all is as the newest mapping says",
            seconds=90,
        )
        until(lambda: is_at_rest(works.store), "nothing is left to be done")
    assert faults(sandbox.control.records("contacts"), "firstname", wanted("Last")) == []


# --- what an older process does ------------------------------------------------------------

LOUD = KEYED.replace("lastname: last_name", "lastname: {from: last_name, transform: upper}")
"""The newer mapping: what the older one writes is told from what this one does."""
COMPARES_NOTHING = "reconcile: false\n"
FEW = 5


class Deploy:
    """Two mappings one after the other; the only process that had the newer one was killed."""

    def __init__(self, project: Project, control: Control, start: Start, *switches: str) -> None:
        """Begin it with an older process that has these switches."""
        self._control = control
        self.works = project.open()
        make_fields(the_sync(self.works).connector)
        start(*switches)
        self.change("Lee")
        until(lambda: self.holds("Lee"), "the older one works")
        project.write_mapping("contacts", LOUD + COMPARES_NOTHING)
        newer = start()
        until(lambda: count_rows(self.works.store, processes) > 1, "the newer one has marked all")
        newer.kill()

    def change(self, last_name: str) -> None:
        """Change everybody."""
        ingest(self.works, crowd(FEW, last_name))

    def holds(self, last_name: str) -> bool:
        """Whether the CRM's records are like that."""
        wanted = expected_crowd(FEW, last_name)
        return not faults(self._control.records("contacts"), "firstname", wanted)

    def was_written(self, last_name: str) -> bool:
        """Whether anybody ever wrote that."""
        return any(last_name in str(entry["body"]) for entry in self._control.ledger())

    def knows(self) -> bool:
        """Whether the older process says that it is."""
        with self.works.store.database.read() as connection:
            return ["contacts"] in connection.execute(select(processes.c.outdated)).scalars().all()


@pytest.fixture
def project(new_project: NewProject, sandbox: Sandbox) -> Project:
    """One of the older mapping."""
    mappings = {"contacts": KEYED + COMPARES_NOTHING}
    return new_project(sandbox.url, mappings=mappings, timing=TIMING)


def test_an_older_process_leaves_it_to_the_newer(project: Project, sandbox: Sandbox):
    """It writes nothing, however long it is alone; what came meanwhile waits for the newer one."""
    with workers(project) as start:
        deploy = Deploy(project, sandbox.control, start)
        until(deploy.knows, "it knows that it is the older one")
        deploy.change("Ray")
        start()
        until(lambda: deploy.holds("RAY"), "the newer one is back")
    assert not deploy.was_written("Ray")


def test_an_older_process_that_goes_on_writes_old_values(project: Project, sandbox: Sandbox):
    """Negative control: they stand, and nobody knows of anything to be done."""
    with workers(project) as start:
        deploy = Deploy(project, sandbox.control, start, "never_superseded")
        deploy.change("Ray")
        until(lambda: deploy.holds("Ray"), "it writes what its own mapping says")
        until(lambda: is_at_rest(deploy.works.store), "it is settled")
