"""A project on a fresh database, events for it, and what the CRM must hold afterwards.

    works = new_project(sandbox.url, mappings={"contacts": KEYED}).open()
    ingest(works, [identify("u1", first_name="Ann")])
    drain(works)
    assert faults(sandbox.control.records("contacts"), "firstname", expected) == []

`new_project` is a fixture, for a `conftest.py` to import. The checker reads what the CRM holds
and nothing that crmsync says about itself.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml
from sqlalchemy import Connection, func, select

from crmsync.bootstrap import open_works
from crmsync.connectors.base import Connector
from crmsync.identity.calls import read_call
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Rules
from crmsync.model import Event, FieldSchema, FieldType, RunTrigger
from crmsync.settings import load_settings
from crmsync.store import bulk, links, profiles, schema
from crmsync.store.database import Database
from crmsync.store.links import Mark
from crmsync.store.tables import hints
from crmsync.store.tables import links as links_table
from crmsync.sync.context import Ring, Store, Sync, Works
from crmsync.sync.ingest import Ingested
from crmsync.sync.ingest import ingest as take
from crmsync.sync.push import push

KEY = "crmsync_id"
"""Our unique property in the CRM."""
ENCRYPTION_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
TOKEN = "pat-na1-test"  # noqa: S105 - of a simulated account
QUICK = {
    "request_deadline_seconds": 3.0,
    "lease_seconds": 5.0,
    "settle_seconds": 5.5,
    "sweep_seconds": 0.5,
    "linger_seconds": 0.0,
}
"""The product's timings, scaled down in the same order: deadline < lease < settle time."""

ROOMY = {
    **QUICK,
    "request_deadline_seconds": 10.0,
    "lease_seconds": 60.0,
    "settle_seconds": 100.0,
}
"""Long enough that no slow machine gets in the way; time passes by `let_pass`."""

KEYED = f"""
connection: crm
source: profiles
object: contacts
match: {{{KEY}: profile_id}}
fields: {{firstname: first_name, lastname: last_name}}
"""
"""People whose record the CRM itself finds or makes, by our unique property."""
ADOPTING = f"""
connection: crm
source: profiles
object: contacts
match: {{{KEY}: profile_id, email: email}}
fields: {{email: email, firstname: first_name, lastname: last_name}}
"""
"""The same, and a record that is there already is looked for first and taken over by e-mail."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a crmsync.yaml, and the environment that leads to it."""

    folder: Path
    env: Mapping[str, str]
    opened: list[Works] = field(default_factory=list)

    def open(self, ring: Ring = lambda _: None) -> Works:
        """Build everything, as a process does when it starts."""
        works = open_works(load_settings(self.env), ring=ring, env=self.env)
        self.opened.append(works)
        return works

    def write_mapping(self, name: str, text: str) -> None:
        """Write or replace a mapping; what is open already does not see it."""
        (self.folder / "mappings" / f"{name}.yaml").write_text(text)

    def close(self) -> None:
        """Close the databases of all that was opened."""
        for works in self.opened:
            works.store.database.dispose()


class NewProject(Protocol):
    """What the fixture `new_project` gives."""

    def __call__(
        self, crm_url: str | None = None, *, mappings: Mapping[str, str], **keys: Any
    ) -> Project:
        """Make a project as `make_project` does, on the test's database."""
        ...


@pytest.fixture
def new_project(tmp_path: Path, database_url: str) -> Iterator[NewProject]:
    """Makes projects on the test's database, and closes them when the test ends."""
    made: list[Project] = []

    def make(crm_url: str | None = None, **keys: Any) -> Project:
        folder = tmp_path / f"project-{len(made)}"
        made.append(make_project(folder, database_url, crm_url, **keys))
        return made[-1]

    yield make
    for project in made:
        project.close()


def make_project(  # noqa: PLR0913 - each is a line of crmsync.yaml
    folder: Path,
    database_url: str,
    crm_url: str | None = None,
    *,
    mappings: Mapping[str, str],
    timing: Mapping[str, float] = QUICK,
    connector: str | None = None,
    **keys: object,
) -> Project:
    """Write a project and migrate its database. Without `crm_url`, the CRM is the one in memory."""
    connection: dict[str, Any] = {"connector": connector or ("hubspot" if crm_url else "memory")}
    if crm_url:
        connection |= {"auth": {"token": "${CRM_TOKEN}"}, "base_url": crm_url}
    content = {"connections": {"crm": connection}, "timing": dict(timing), **keys}
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    (folder / "crmsync.yaml").write_text(yaml.safe_dump(content))
    database = Database(database_url)
    schema.migrate(database)
    database.dispose()
    project = Project(
        folder,
        {
            "CRMSYNC_CONFIG": str(folder / "crmsync.yaml"),
            "CRMSYNC_DATABASE_URL": database_url,
            "CRMSYNC_KEYS": ENCRYPTION_KEY,
            "CRM_TOKEN": TOKEN,
        },
    )
    for name, text in mappings.items():
        project.write_mapping(name, text)
    return project


def make_fields(connector: Connector, *names: str, object_type: str = "contacts") -> None:
    """Make our unique property, and plain text properties of these names."""
    unique = FieldSchema(KEY, KEY, FieldType.TEXT, unique=True)
    for made in (unique, *(FieldSchema(name, name, FieldType.TEXT) for name in names)):
        connector.create_field(object_type, made)


# --- what comes in -------------------------------------------------------------------------


def call(kind: str, user_id: str, *, at: datetime | None = None, **body: Any) -> Event:
    """Return one call of the tracking specification, as it comes out of the reader."""
    now = datetime.now(UTC)
    content = {"userId": user_id, "timestamp": (at or now).isoformat(), **body}
    return read_call(kind, content, Arrival("test", now, Rules()), [])


def identify(user_id: str, *, at: datetime | None = None, **traits: object) -> Event:
    """Return an identify call."""
    return call("identify", user_id, at=at, traits=traits)


def track(user_id: str, event: str, **properties: object) -> Event:
    """Return a track call."""
    return call("track", user_id, event=event, properties=properties)


def ingest(works: Works, events: Sequence[Event]) -> Ingested:
    """Take events as the API does, a thousand at once at most."""
    return take(works, events)


def crowd(count: int, last_name: str) -> list[Event]:
    """Return one identify call per person: u0 is Ann0, u1 is Ann1 and so on."""
    return [
        identify(f"u{n}", first_name=f"Ann{n}", last_name=last_name, email=f"ann{n}@acme.example")
        for n in range(count)
    ]


def expected_crowd(count: int, last_name: str) -> dict[str, dict[str, str]]:
    """Return what the CRM must hold of a crowd, by first name."""
    return {f"Ann{n}": {"lastname": last_name} for n in range(count)}


# --- the push ------------------------------------------------------------------------------


def the_sync(works: Works, name: str = "contacts") -> Sync:
    """Open the sync of a mapping file."""
    return works.open_sync(works.mappings[name])


def drain(works: Works, name: str = "contacts") -> Counter[str]:
    """Push what is due of a sync; return the counts by what became of each link."""
    return push(the_sync(works, name)).counts


def link_rows(store: Store, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of all links, in order of their ids."""
    with store.database.read() as connection:
        wanted = [links_table.c[name] for name in columns]
        return [
            tuple(row) for row in connection.execute(select(*wanted).order_by(links_table.c.id))
        ]


def mark_dirty(store: Store, user_id: str, *, object_type: str = "contacts") -> None:
    """Mark a person's link as if something that its mapping reads had changed."""

    def work(connection: Any) -> None:
        person = profiles.find(connection, user_id)
        assert person is not None
        now = store.database.now(connection)
        links.mark(connection, [Mark("crm", object_type, person.id, now, RunTrigger.REALTIME)])

    store.database.transact(work)


def is_at_rest(store: Store, horizon_seconds: float = 3600.0) -> bool:
    """Whether nothing is left to be done by anybody within the next hour."""
    with store.database.read() as connection:
        now = store.database.now(connection)
        moments = connection.execute(
            select(links_table.c.wake_at).where(links_table.c.wake_at.is_not(None))
        ).scalars()
        return all((moment - now).total_seconds() > horizon_seconds for moment in moments)


def let_pass(store: Store, seconds: float) -> None:
    """Let so much time pass for every link, and every record that is to be read, at once."""
    moments = ("due_at", "verify_at", "wake_at", "create_intent_at", "written_at")
    rows = link_rows(store, "id", *moments)
    earlier = timedelta(seconds=seconds)
    moved = [
        {"id": link, **{n: at and at - earlier for n, at in zip(moments, times, strict=True)}}
        for link, *times in rows
    ]

    def work(connection: Connection) -> None:
        bulk.update(connection, links_table, moved)
        told = connection.execute(select(hints)).all()
        connection.execute(hints.delete())
        rows = [{**row._mapping, "due_at": row.due_at - earlier} for row in told]
        bulk.insert(connection, hints, rows)

    store.database.transact(work)


def count_rows(store: Store, table: Any, *conditions: Any) -> int:
    """Return how many rows of a table meet the conditions."""
    with store.database.read() as connection:
        query = select(func.count()).select_from(table).where(*conditions)
        return connection.execute(query).scalar_one()


def until(fact: Callable[[], bool], what: str, *, seconds: float = 90.0) -> None:
    """Return once a fact holds, looked at 50 times a second; fail the test where it never does."""
    give_up_at = time.monotonic() + seconds
    turn = threading.Event()
    while not fact():
        assert time.monotonic() < give_up_at, f"not within {seconds:g} s: {what}"
        turn.wait(0.02)


# --- the checker ---------------------------------------------------------------------------


def faults(
    records: Iterable[Mapping[str, Any]], name: str, expected: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return what is wrong with the records a CRM holds: missing, twice, of a wrong value, unknown.

    `expected` gives the fields of each record by its value of the field `name`.
    """
    live = [r["properties"] for r in records if not r["archived_at"] and not r["merged_into"]]
    count = Counter(record.get(name) for record in live)
    wrong = [f"{key}: {count[key]} records" for key in expected if count[key] != 1]
    for record in live:
        wanted = expected.get(str(record.get(name)))
        if wanted is None:
            wrong.append(f"{record.get(name)}: nobody's record")
            continue
        wrong += [
            f"{record[name]}.{other}: {record.get(other)!r}, not {value!r}"
            for other, value in wanted.items()
            if record.get(other) != value
        ]
    return wrong
