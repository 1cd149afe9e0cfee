"""Workers whose connection to Redis breaks in all the ways it can: they hear bells again.

Their own sweep is an hour away, so that nothing but a bell brings work to them in time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import pytest

from crmsync import tasks
from crmsync.sandbox import Sandbox
from crmsync.store.tables import processes
from tests.integration.silent_proxy import SilentProxy, silent_proxy
from tests.integration.workers import workers
from tests.servers import redis
from tests.workbench import (
    KEYED,
    ROOMY,
    NewProject,
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

pytestmark = pytest.mark.integration
SLOW_SWEEP = {**ROOMY, "sweep_seconds": 3600.0}
BELL_ONLY = KEYED + "reconcile: false\n"
PEOPLE = 5
DEAF_SECONDS = 90.0
"""Within which a worker that cannot hear any more has to hear again, or to be another one."""
CONTROL_SECONDS = DEAF_SECONDS / 2
"""Longer than any of them takes: a silent connection is noticed within 31 s."""


@pytest.fixture
def database_url(pg_database: str) -> str:
    """PostgreSQL: what runs apart shares no file."""
    return pg_database


@pytest.fixture
def own_redis() -> Iterator[redis.OwnRedis]:
    """A Redis that the test may stop and freeze."""
    with redis.start_own() as server:
        yield server


@pytest.fixture
def proxy(own_redis) -> Iterator[SilentProxy]:
    """What stands between the worker and that Redis."""
    where = urlsplit(own_redis.url)
    with silent_proxy(where.hostname or "", where.port or 0) as started:
        yield started


def restart(server: redis.OwnRedis, _proxy: SilentProxy) -> None:
    """Let Redis lose all it held, and everybody's connection."""
    server.restart(immediate=True)


def freeze(server: redis.OwnRedis, proxy: SilentProxy) -> None:
    """Let Redis answer nothing until the worker has given up whatever it waited for."""
    server.pause()
    until(lambda: not server.answers(), "it answers nothing")
    asked = proxy.waiting()
    until(lambda: not asked & proxy.waiting(), "it is given up", seconds=DEAF_SECONDS)
    server.resume()


def silence(_server: redis.OwnRedis, proxy: SilentProxy) -> None:
    """Leave the worker's connections open with nobody at the other end."""
    proxy.silence()


Break = Callable[[redis.OwnRedis, SilentProxy], None]
NAMES = ("Ray", "Kay", "Fay")
"""A round that is not quite over may come upon the first of them, never upon all."""


@pytest.fixture
def heard(
    new_project: NewProject, sandbox: Sandbox, own_redis, proxy
) -> Iterator[Callable[..., bool]]:
    """Breaks the connection of a worker that works; says whether it hears a bell again in time."""
    project = new_project(sandbox.url, mappings={"contacts": BELL_ONLY}, timing=SLOW_SWEEP)
    make_fields(the_sync(project.open()).connector)
    control = sandbox.control
    heard_by = f"redis://127.0.0.1:{proxy.port}/0"
    with (
        tasks.make_app(own_redis.url, ["crm"]) as app,
        workers(project, CRMSYNC_BROKER_URL=heard_by) as start,
    ):
        bell = tasks.Doorbell(app, 0.0)
        works = project.open(bell.ring)

        def comes(last_name: str, seconds: float) -> bool:
            until(lambda: is_at_rest(works.store), "it is settled")
            ingest(works, crowd(PEOPLE, last_name))
            give_up_at, turn = time.monotonic() + seconds, threading.Event()
            wanted = expected_crowd(PEOPLE, last_name)
            while faults(control.records("contacts"), "firstname", wanted):
                if time.monotonic() > give_up_at:
                    return False
                bell.ring("crm")  # one that was lost is no news: the next one counts
                turn.wait(0.1)
            return True

        def try_it(break_: Break, *switches: str, names: Sequence[str], seconds: float) -> bool:
            start(*switches, role="celery")
            # A mapping that is new to it rings, too, which would be heard for ours.
            until(lambda: count_rows(works.store, processes) == 1, "it has looked at its files")
            until(proxy.waiting, "it listens")
            if "no_hearing" not in switches:
                assert comes("Lee", 30)
                assert comes("Kim", 30)
            break_(own_redis, proxy)
            return all(comes(name, seconds) for name in names)

        yield try_it


@pytest.mark.parametrize("break_", [restart, freeze, silence], ids=lambda one: one.__name__)
def test_a_worker_hears_again(heard, break_: Break):
    """After Redis was restarted, was frozen, or left its connection half open."""
    assert heard(break_, names=["Ray"], seconds=DEAF_SECONDS)


@pytest.mark.control
@pytest.mark.parametrize(
    ("break_", "switch"),
    [(restart, "no_reconnecting"), (silence, "no_health_checks"), (freeze, "no_hearing")],
    ids=["restart", "silence", "freeze"],
)
def test_without_its_safeguard_it_stays_deaf(heard, break_: Break, switch: str):
    """Negative control: what it hears by does break, and nothing but a bell brings work in time.

    What a frozen Redis was asked is answered when it thaws, so that no setting is needed to hear.
    """
    assert not heard(break_, switch, names=NAMES, seconds=CONTROL_SECONDS)
