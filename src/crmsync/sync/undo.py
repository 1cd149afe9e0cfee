"""Undo: what a run wrote is put back, except what others changed since.

    log of the run ─► lease the links ─► read the records ─► compare ─► write, in batches ─► settle

Page by page (`undo_rounds`). It is a run of its own, so that it can be seen and undone. What was
put back before is found so: the same command goes on after an interruption and does nothing twice.
Called by `crmsync undo`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from crmsync.errors import ConfigError, CrmsyncError
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import RunId, RunTrigger
from crmsync.store import runs, state
from crmsync.store.runs import Run
from crmsync.store.written import written
from crmsync.sync.command import Wait
from crmsync.sync.context import Works
from crmsync.sync.records import Target
from crmsync.sync.schemas import live_schema
from crmsync.sync.undo_rounds import Tell, Undoing, UndoTally

PAGE = 500
"""Entries of the log that are gone through together."""


def mapping_of(works: Works, run: Run) -> SyncMapping:
    """Return the mapping that writes to where a run wrote.

    Raises `CrmsyncError` for a run that wrote nothing to a CRM, and where no file leads there now.
    """
    if run.trigger == RunTrigger.PULL:
        raise CrmsyncError(
            f"run {run.id} read back what was changed in the CRM and wrote nothing there: correct "
            "it in the CRM, or send the right traits"
        )
    for mapping in works.configuration.mappings:
        if (mapping.connection, mapping.object_type) == (run.connection, run.object_type):
            return mapping
    raise ConfigError(
        f"no mapping leads to {run.connection} {run.object_type} any more: run {run.id} of "
        f"{run.sync} can be undone when its file is back"
    )


def pause(works: Works, mapping: SyncMapping, run: RunId) -> bool:
    """Keep the workers from sending the same again; return whether they were not kept before."""

    def work(connection: Connection) -> bool:
        known = state.lock_sync(connection, mapping.sync)
        if known is None or known.paused_at is not None:
            return False
        now = works.store.database.now(connection)
        state.set_paused(connection, mapping.sync, now, f"undo of run {run}")
        return True

    return works.store.database.transact(work)


def undo(  # noqa: PLR0913 - what is undone, and how the person who waits hears of it
    works: Works,
    mapping: SyncMapping,
    run: RunId,
    *,
    wait: Wait,
    tell: Tell,
    go_on: Callable[[], bool] = lambda: True,
    delete_created: bool = False,
) -> UndoTally:
    """Put back what a run wrote; `tell` hears of each record once it is settled."""
    sync = works.open_sync(mapping)
    target = Target.of(mapping, sync.connector, live_schema(sync))
    database, vault = works.store.database, works.store.vault
    own = database.transact(lambda c: _begin(works, c, mapping))
    tally = UndoTally(own)
    rounds = Undoing(sync, target, run, tally, wait, tell, go_on, delete_created)
    before: int | None = None
    while go_on() and tally.rest is None:
        with database.read() as connection:
            page, before = written(connection, vault, run, before, PAGE)
        if before is None:
            break
        rounds.page(page)
    database.transact(lambda c: runs.finish(c, own, database.now(c)))
    return tally


def _begin(works: Works, connection: Connection, mapping: SyncMapping) -> RunId:
    """Open the undo's run; whoever asks has cured what halted the connection."""
    now = works.store.database.now(connection)
    state.resume(connection, mapping.connection)
    place = mapping.sync, mapping.connection, mapping.object_type
    return runs.open_run(connection, *place, RunTrigger.UNDO, now, now)
