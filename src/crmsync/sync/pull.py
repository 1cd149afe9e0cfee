"""The pull: what changed in a CRM ─► pages ─► profiles, for one connection.

Three ways in, one way on: what changed of each object type (and of deals) is read every
`timing.pull_seconds`; all of it, every `timing.reread_seconds`, in the background; and records that
a webhook or a sweep told of, at once. A page and its cursor are taken in one transaction (`taking`,
`deal_taking`), so a crash repeats a page and loses none; what is taken twice changes nothing.
Called by the workers, by `crmsync pull` and by `crmsync reconcile`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, RetryLater
from crmsync.mapping.compiled import SyncMapping
from crmsync.store.cursors import DEALS
from crmsync.sync.context import Works
from crmsync.sync.delivery import BACKFILL, HALT_SECONDS, MISFIT, Rest
from crmsync.sync.pull_task import Task
from crmsync.sync.pulled import Progress, Pulled
from crmsync.sync.resting import leave_alone, rest_for
from crmsync.sync.subjects import is_outdated, is_read, subjects_of

UNUSABLE = "misconfigured"
"""The cause of a rest because a connection cannot even be opened."""


def pull(  # noqa: PLR0913 - what to read, when to stop, whom to tell
    works: Works,
    name: str,
    *,
    only: Sequence[SyncMapping] = (),
    go_on: Callable[[], bool] = lambda: True,
    seconds: float = math.inf,
    due_only: bool = False,
    anew: bool = False,
    progress: Progress = lambda _: None,
) -> Pulled:
    """Read what changed in a connection's CRM, for about so many `seconds`.

    `only` these mappings; `due_only`: what it is time for; `anew`: everything, from the beginning.
    Its object types and its deals share the time, so that a long list keeps no other waiting.
    """
    pulled = Pulled()
    if due_only and is_outdated(works, name):
        return pulled
    try:
        tasks = list(_tasks(works, name, only))
    except ConfigError as mistake:  # the connection cannot be opened at all
        pulled.rest = Rest(HALT_SECONDS, UNUSABLE, mistake.user_message)
        leave_alone(works.store, _first_mapping(works, name), pulled.rest)
        return pulled
    for task in tasks:
        if not go_on():
            break
        stop_at = time.monotonic() + seconds / len(tasks)
        try:
            task.run(
                pulled,
                lambda: go_on() and time.monotonic() < stop_at,  # noqa: B023 - used at once
                due_only=due_only,
                anew=anew,
                progress=progress,
            )
        except (RetryLater, ConnectionHalted, BatchRejected, ConfigError) as trouble:
            pulled.rest = rest_for(trouble)
            if pulled.rest.cause == MISFIT:
                task.let_rest(pulled.rest)
                continue
            leave_alone(works.store, task.sync.mapping, pulled.rest)
            if pulled.rest.cause != BACKFILL:  # a sweep waits, what changed does not
                break
    return pulled


def _first_mapping(works: Works, name: str) -> SyncMapping:
    return next(m for m in works.configuration.mappings if m.connection == name)


def _tasks(works: Works, name: str, only: Sequence[SyncMapping]) -> Iterator[Task]:
    mappings = [m for m in works.configuration.mappings if m.connection == name]
    wanted = [m for m in mappings if is_read(m) and (not only or m in only)]
    by_type = {subject.name: subject for subject in subjects_of(works, name)}
    for mapping in wanted:
        subject = by_type[mapping.object_type]
        yield Task(works, works.open_sync(mapping), subject, [mapping])
    with_deals = [m for m in mappings if m.deals]
    if any(m.deals for m in wanted):
        yield Task(works, works.open_sync(with_deals[0]), by_type[DEALS], with_deals)
