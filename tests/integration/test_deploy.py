"""A rolling deploy under load: two releases, with two versions of a mapping, side by side.

Workers are killed and replaced in turn. Nothing is lost, nothing is there twice, and what the
newest mapping says holds in the end.
"""

from __future__ import annotations

import pytest

from crmsync.sandbox import Sandbox
from crmsync.store import schema
from crmsync.store.database import Database
from tests.integration.workers import workers
from tests.releases import EXPANDS, newer_release
from tests.workbench import (
    KEYED,
    QUICK,
    NewProject,
    crowd,
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
TIMING = {**QUICK, "lease_seconds": 3.0, "settle_seconds": 3.5}


def wanted(last_name: str) -> dict[str, dict[str, str]]:
    """Return what the CRM must hold by the newer mapping."""
    return {f"Ann{n}": {"lastname": last_name, "our_ref": f"u{n}"} for n in range(PEOPLE)}


@pytest.mark.timeout(240)
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
        until(lambda: is_at_rest(works.store), "nothing is left to be done", seconds=60)
    assert faults(sandbox.control.records("contacts"), "firstname", wanted("Last")) == []
