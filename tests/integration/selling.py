"""A project of one CRM whose people salespeople work on, for `test_reading_back*`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Table

from crmsync.connectors.base import Connector
from crmsync.model import CrmId, FieldSchema, FieldType, Owner, Page
from crmsync.sandbox import Control
from crmsync.store import profiles
from crmsync.store.tables import cursors, directories
from crmsync.sync.context import Sync, Works
from crmsync.sync.pull import pull
from crmsync.sync.pulled import Pulled
from crmsync.sync.push import push
from tests.crms import Crm
from tests.sandboxes import running
from tests.workbench import (
    ROOMY,
    NewProject,
    Project,
    crowd,
    ingest,
    let_pass,
    link_rows,
    the_sync,
)

LONG = 100_000.0
"""More seconds than anything waits for."""
AN_HOUR = 3_600.0
"""Longer than any CRM's list of changes reaches back, and any of its lists is kept."""


@dataclass(frozen=True, slots=True)
class Office:
    """One CRM, the people of ours in it, and what is known of them here."""

    crm: Crm
    control: Control
    project: Project
    works: Works

    @property
    def connector(self) -> Connector:
        """Return the connector that crmsync uses."""
        return the_sync(self.works, self.crm.name).connector

    # --- what we do -------------------------------------------------------------------------

    def send(self, people: int, last_name: str = "Lee") -> list[str]:
        """Send so many people, and let it settle; return their records' ids, u0's first."""
        ingest(self.works, crowd(people, last_name))
        self.push()
        return self.records()

    def push(self) -> None:
        """Send everything, due or not, and let it settle."""
        for name in self.works.mappings:
            let_pass(self.works.store, LONG)
            push(the_sync(self.works, name))
        let_pass(self.works.store, LONG)

    def push_now(self) -> None:
        """Send everything, due or not; nothing has settled yet."""
        let_pass(self.works.store, 10.0)
        push(the_sync(self.works, self.crm.name))

    def pull(self, **how: Any) -> Pulled:
        """Read what changed, and read again what was put off."""
        pulled = pull(self.works, self.crm.name, **how)
        let_pass(self.works.store, LONG)
        return pulled

    def records(self) -> list[str]:
        """Return the records of all links, in the order in which they were made."""
        return [crm_id for (crm_id,) in link_rows(self.works.store, "crm_id")]

    def trait(self, user: str, name: str) -> Any:
        """Return what is known of a person."""
        with self.works.store.database.read() as connection:
            person = profiles.find(connection, user)
            assert person is not None
            return person.traits.get(name)

    def traits(self, people: int, name: str) -> list[Any]:
        """Return what is known of everybody."""
        return [self.trait(f"u{n}", name) for n in range(people)]

    def age(self, table: Table = cursors, *columns: str) -> None:
        """Let a day pass for all rows of a table."""
        day = timedelta(days=2)
        with self.works.store.database.engine.begin() as connection:
            for row in connection.execute(table.select()).mappings().all():
                keys = [table.c[key.name] == row[key.name] for key in table.primary_key]
                moved = {name: row[name] and row[name] - day for name in columns}
                connection.execute(table.update().where(*keys).values(**moved))

    def forget_names(self) -> None:
        """Let owners and stages have been read long ago."""
        self.age(directories, "read_at")

    def all_again(self) -> None:
        """Let it be time to read everything from the beginning."""
        self.age(cursors, "read_at", "swept_at")

    # --- what salespeople do ----------------------------------------------------------------

    def call(self, record: str, number: str) -> None:
        """Give a person another telephone number."""
        self.control.edit(self.crm.object_type, record, **self.crm.sales.number(number))

    def give(self, record: str, owner: Owner) -> None:
        """Give a person to somebody."""
        value = self.crm.sales.refer(owner.id)
        self.control.edit(self.crm.object_type, record, **{self.crm.sales.owner: value})

    def deal(self, record: str, stage: str) -> str:
        """Begin a deal with a person, in a stage by its label."""
        stages = {stage.label: stage.id for stage in self.connector.stages()}
        return self.crm.sales.deal(self.control, self.connector, record, stages[stage])

    def held(self) -> list[Mapping[str, Any]]:
        """Return the records that are there."""
        records = self.control.records(self.crm.object_type)
        return [r["properties"] for r in records if not (r.get("archived_at") or r["merged_into"])]

    def values(self, field: str) -> list[Any]:
        """Return what everybody's record holds, as the connector reads it."""
        pages = self.connector.changes(self.crm.object_type, None, [field])
        found = {r.crm_id: r for page in pages for r in page.records if not r.is_deleted}
        return [found[CrmId(one)].fields[field] for one in self.records()]

    def writes(self) -> int:
        """Return how many calls that make or change people there were."""
        crm = self.crm
        routes = {(r["method"], r["path"]): r for r in (crm.make, crm.create, crm.update)}
        return sum(self.control.calls(**sort) for sort in routes.values())

    def reads(self) -> int:
        """Return how many calls for records there were that are no writes."""
        return self.control.calls(path=self.crm.records) - self.writes()


def two_way(crm: Crm, match: Mapping[str, str] | None = None, **more: Any) -> str:
    """Return a mapping of names, a telephone number that goes both ways, and the owner."""
    phone = {"from": "phone", "conflict": "newest"}
    both = replace_fields(crm, **{crm.sales.phone: phone})
    return both.mapping(match or crm.by_key, **{"pull": {"rep": crm.sales.owner}, **more})


def replace_fields(crm: Crm, **fields: Any) -> Crm:
    """Return the CRM with more fields to map."""
    return replace(crm, fields={**crm.fields, **fields})


@contextmanager
def office(
    new_project: NewProject,
    crm: Crm,
    mappings: Mapping[str, str],
    timing: Mapping[str, float] = ROOMY,
    **settings: Any,
) -> Iterator[Office]:
    """Open a project of one CRM; the mapping of its people is called like the CRM."""
    with running(crm.name, limits=False, **{**crm.settings, **settings}) as sandbox:
        project = new_project(
            connections={crm.name: crm.connection(sandbox.url)}, mappings=mappings, timing=timing
        )
        opened = Office(crm, sandbox.control, project, project.open())
        make_key(opened.connector, crm, crm.object_type)
        yield opened


def make_key(connector: Connector, crm: Crm, object_type: str) -> None:
    """Make our unique field, where the API can."""
    if connector.capabilities.creates_fields:
        ours = FieldSchema(crm.key, crm.key, FieldType.TEXT, unique=True)
        connector.create_field(object_type, ours)


def while_reading(works: Works, happens: Callable[[], object]) -> Works:
    """Return works in which something happens while a page is under way from the CRM to us."""

    def open_sync(mapping: Any) -> Sync:
        sync = works.open_sync(mapping)
        slow: Any = _Slow(sync.connector, happens)
        return replace(sync, connector=slow)

    return replace(works, open_sync=open_sync)


class _Slow:
    """A connector whose first page of changes is a while under way."""

    def __init__(self, connector: Connector, happens: Callable[[], object]) -> None:
        self._connector = connector
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        for page in self._connector.changes(object_type, cursor, fields):
            happens, self._happens = self._happens, None
            if happens is not None:
                happens()
            yield page
