"""crmsync itself, as it is measured: a project folder, the door events come in by, the drain.

`Project.take` tells it of contacts through the same door as the API; `drain_all` is the job that is
timed: claim, render, diff, write, settle and log until nothing is due, as a worker does it.
`timed_pull` is the same of the other direction.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select

from bench.children import Said
from bench.contacts import OWN_TRAITS, identify
from bench.crms import CRMS, HUBSPOT, TOKEN, Crm
from bench.figures import Figures, measured
from crmsync.bootstrap import open_works, tune_collector
from crmsync.errors import EventRejected
from crmsync.identity.feeds import read_batch
from crmsync.identity.reading import Arrival
from crmsync.model import FieldSchema, FieldType
from crmsync.settings import load_settings, new_key
from crmsync.store.tables import links, sync_log
from crmsync.sync.context import Works
from crmsync.sync.drain import drain, next_wake_seconds
from crmsync.sync.ingest import ingest
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.pull import pull

CONNECTION = "crm"
SYNC = "contacts"
EVENTS_PER_COMMIT = 500
SWEEP_SECONDS = 3_600
"""Longer than any wait there can be: whoever would sleep so long has nothing left to do."""
GOAL = "plan_upgraded"


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder and the environment that goes with it."""

    folder: Path
    crm_url: str
    database_url: str
    broker_url: str | None = None
    crm_name: str = HUBSPOT.name
    limits: Mapping[str, int] = field(default_factory=dict)
    """Those of the connection that are not lifted."""
    reads: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the mapping that say what is read back."""
    key: str = field(default_factory=new_key, repr=False)
    write_key: str = "bench"

    @property
    def crm(self) -> Crm:
        """Return which CRM it pushes to."""
        return CRMS[self.crm_name]

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of a process that works on this project."""
        ours = {
            "CRMSYNC_CONFIG": str(self.folder / "crmsync.yaml"),
            "CRMSYNC_DATABASE_URL": self.database_url,
            "CRMSYNC_KEYS": self.key,
            "CRMSYNC_WRITE_KEY": self.write_key,
            "CRM_TOKEN": TOKEN,
        }
        broker = {"CRMSYNC_BROKER_URL": self.broker_url} if self.broker_url else {}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CRMSYNC_")}
        return inherited | ours | broker

    def write(self) -> None:
        """Write crmsync.yaml and the one mapping."""
        (self.folder / "mappings").mkdir(parents=True, exist_ok=True)
        configuration = {
            "connections": {
                CONNECTION: {
                    "connector": self.crm.name,
                    "auth": {"token": "${CRM_TOKEN}"},
                    "base_url": self.crm_url,
                    "limits": {**self.crm.lifted, **self.limits},
                }
            },
            "timing": {"linger_seconds": 0, "sweep_seconds": SWEEP_SECONDS},
            "goals": {GOAL: {}},
            "traits": dict.fromkeys(OWN_TRAITS, "string"),
        }
        mapping = {
            "connection": CONNECTION,
            "source": "profiles",
            "object": self.crm.object_type,
            "match": {self.crm.key: "profile_id", self.crm.email: "email"},
            "trigger": "realtime",
            "fields": dict(self.crm.fields),
            **self.reads,
        }
        # JSON is YAML too.
        (self.folder / "crmsync.yaml").write_text(json.dumps(configuration, indent=2))
        file = self.folder / "mappings" / f"{SYNC}.yaml"
        file.write_text(json.dumps(mapping, indent=2))

    def plain(self) -> dict[str, object]:
        """Return it as arguments of a job."""
        return {**asdict(self), "folder": str(self.folder)}

    def open(self) -> Works:
        """Open it as a worker or the API would."""
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        return open_works(load_settings(self.env), env=self.env)

    def prepare(self) -> Works:
        """Write it, make our fields in the CRM, and mark the mapping as known."""
        self.write()
        works = self.open()
        connector = works.open_sync(works.mappings[SYNC]).connector
        for name in self.crm.made:
            own = FieldSchema(name, name, FieldType.TEXT, unique=name == self.crm.key)
            connector.create_field(self.crm.object_type, own)
        bring_up_to_date(works)
        return works


def take(works: Works, calls: Iterable[Mapping[str, Any]]) -> int:
    """Take calls through the door, some hundreds to a commit; return how many links they marked."""
    marked, some = 0, []
    for call in calls:
        some.append(call)
        if len(some) == EVENTS_PER_COMMIT:
            marked += _commit(works, some)
            some = []
    return marked + _commit(works, some)


def take_everybody(works: Works, count: int, edition: int, population: str) -> int:
    """Tell crmsync of all contacts as they are in one round; return how many links were marked."""
    return take(works, (identify(number, edition, population) for number in range(count)))


def drain_all(works: Works) -> None:
    """Push until nothing is left to do, as a worker does: sleep when there is nothing yet."""
    while (wait_seconds := next_wake_seconds(works, CONNECTION)) < SWEEP_SECONDS:
        time.sleep(wait_seconds)
        drain(works, CONNECTION)


def open_project(plain: Mapping[str, Any]) -> Works:
    """Open a project that came as arguments of a job."""
    return Project(**{**plain, "folder": Path(plain["folder"])}).open()


def timed_drain(project: Mapping[str, Any]) -> tuple[Figures, Said]:
    """Drain in a process of its own: the job that is measured."""
    works = open_project(project)
    works.open_sync(works.mappings[SYNC])  # a worker that is up has its connection open
    tune_collector()
    with measured() as figures:
        drain_all(works)
    return figures, {}


def timed_pull(project: Mapping[str, Any]) -> tuple[Figures, Said]:
    """Read back what changed in the CRM, in a process of its own: the job that is measured."""
    works = open_project(project)
    works.open_sync(works.mappings[SYNC])
    tune_collector()
    with measured() as figures:
        pulled = pull(works, CONNECTION)
    return figures, {"deals": pulled.counts["deals"], "rest": pulled.rest and pulled.rest.cause}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the links and the log stand."""

    waiting: int
    """Links with anything left to do."""
    logged: int
    """Entries of the log that say a write succeeded."""
    crm_ids: tuple[str, ...]
    """Of some of the records."""


def standing(works: Works, sample: int = 50) -> Standing:
    """Return how the links and the log stand."""
    with works.store.database.read() as connection:
        waiting = select(func.count()).where(
            (links.c.wake_at.is_not(None)) | (links.c.desired_version > links.c.acked_version)
        )
        logged = select(func.count()).where(sync_log.c.outcome == "succeeded")
        some = select(links.c.crm_id).where(links.c.crm_id.is_not(None)).limit(sample)
        return Standing(
            connection.execute(waiting).scalar_one(),
            connection.execute(logged).scalar_one(),
            tuple(connection.execute(some).scalars()),
        )


def _commit(works: Works, calls: list[Mapping[str, Any]]) -> int:
    if not calls:
        return 0
    arrival = Arrival("bench", datetime.now(UTC), works.rules)
    events = read_batch({"batch": calls}, arrival, [])
    for event in events:
        if isinstance(event, EventRejected):
            raise event
    report = ingest(works, [event for event in events if not isinstance(event, EventRejected)])
    return report.marked
