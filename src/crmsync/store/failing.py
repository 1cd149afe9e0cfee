"""What is wrong now, by cause: links that fail, frozen fields, what was noticed in a CRM."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, select

from crmsync.model import LinkId, ProfileId, RunTrigger
from crmsync.store import bulk
from crmsync.store.links import LinkState
from crmsync.store.read_log import ACTION
from crmsync.store.runs import log_entries
from crmsync.store.tables import duplicates, field_flips, links, runs, sync_log, syncs
from crmsync.store.vault import Vault

NOTICED, FROZEN = "noticed", "frozen"
"""States of what no link fails for: a person may have to do something about it all the same."""
FROZEN_CODE = "FROZEN"
DUPLICATE = "DUPLICATE_RECORD"
_LINK_LEVEL = ("RECORD_DELETED", "RECORD_TAKEN", FROZEN_CODE, DUPLICATE)
"""Codes of the log that are told by what holds now: a link's state, a frozen field, a record."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Links that have one thing wrong with them."""

    sync: str
    error_class: str
    code: str
    field: str | None
    count: int
    message: str
    hint: str
    example: ProfileId
    state: str
    """That of the links; `NOTICED` or `FROZEN`."""

    @property
    def dead(self) -> bool:
        """Whether they are set aside until they are replayed."""
        return self.state == LinkState.DEAD


def failing(connection: Connection, vault: Vault) -> list[FailureGroup]:
    """Return what fails now, the most frequent cause first."""
    cause = (links.c.connection, links.c.object_type, links.c.error_class, links.c.error_code,
             links.c.error_field, links.c.state)  # fmt: skip
    groups = connection.execute(
        select(*cause, func.count().label("links"), func.max(links.c.id).label("example"))
        .where(links.c.error_class.is_not(None))
        .group_by(*cause)
        .order_by(func.count().desc())
    ).all()
    return _groups(connection, vault, groups)


def noticed(connection: Connection, vault: Vault, since: datetime) -> list[FailureGroup]:
    """Return what reading back came upon since a moment and left as it was, by cause.

    By run, since the log has an index on that: it may hold millions of entries.
    """
    lately = connection.execute(
        select(runs.c.id).where(runs.c.trigger == RunTrigger.PULL, runs.c.last_at >= since)
    ).scalars()
    cause = (runs.c.connection, runs.c.object_type, sync_log.c.error_class, sync_log.c.error_code,
             sync_log.c.error_field)  # fmt: skip
    number = func.count(sync_log.c.link_id.distinct())
    groups = connection.execute(
        select(*cause, number.label("links"), func.max(sync_log.c.link_id).label("example"))
        .join(runs, runs.c.id == sync_log.c.run_id)
        .where(
            bulk.among(connection, sync_log.c.run_id, lately.all()),
            sync_log.c.action == ACTION,
            sync_log.c.at >= since,
            sync_log.c.error_class.is_not(None),
            sync_log.c.error_code.not_in(_LINK_LEVEL),
        )
        .group_by(*cause)
        .order_by(number.desc())
    ).all()
    return _groups(connection, vault, groups, NOTICED)


def doubled(connection: Connection, vault: Vault) -> list[FailureGroup]:
    """Return the records that are nobody's and have the key of somebody with another one."""
    cause = (duplicates.c.connection, duplicates.c.object_type, duplicates.c.error_field)
    groups = connection.execute(
        select(
            *cause,
            literal("pull").label("error_class"),
            literal(DUPLICATE).label("error_code"),
            func.count().label("links"),
            func.max(duplicates.c.link_id).label("example"),
        )
        .group_by(*cause)
        .order_by(func.count().desc())
    ).all()
    return _groups(connection, vault, groups, NOTICED)


def frozen(connection: Connection, vault: Vault) -> list[FailureGroup]:
    """Return the fields that both sides leave alone."""
    cause = (links.c.connection, links.c.object_type, field_flips.c.field.label("error_field"))
    groups = connection.execute(
        select(*cause, func.count().label("links"), func.max(links.c.id).label("example"))
        .join(links, links.c.id == field_flips.c.link_id)
        .where(field_flips.c.frozen_at.is_not(None))
        .group_by(*cause)
        .order_by(func.count().desc())
    ).all()
    return _groups(connection, vault, groups, FROZEN)


def _groups(
    connection: Connection, vault: Vault, groups: Iterable[Any], state: str | None = None
) -> list[FailureGroup]:
    names = {
        (row.connection, row.object_type): row.name
        for row in connection.execute(select(syncs.c.connection, syncs.c.object_type, syncs.c.name))
    }
    found = list(groups)
    people = _people(connection, [group.example for group in found])
    told = []
    for group in found:
        if group.example not in people:
            continue  # its link went away with a merged profile
        example = people[group.example]
        code = FROZEN_CODE if state == FROZEN else group.error_code or ""
        error = _latest(connection, vault, example, group.example, code, group.error_field)
        told.append(
            FailureGroup(
                sync=names.get(
                    (group.connection, group.object_type),
                    f"{group.connection}/{group.object_type}",
                ),
                error_class="pull" if state == FROZEN else group.error_class,
                code=code,
                field=group.error_field,
                count=group.links,
                message=error.get("message") or "",
                hint=error.get("hint") or "",
                example=example,
                state=state or group.state,
            )
        )
    return told


def _people(connection: Connection, ids: Collection[LinkId]) -> dict[LinkId, ProfileId]:
    rows = connection.execute(
        select(links.c.id, links.c.profile_id).where(bulk.among(connection, links.c.id, ids))
    )
    return {row.id: row.profile_id for row in rows}


def _latest(  # noqa: PLR0913, PLR0917 - an entry of the log is found by all of these
    connection: Connection,
    vault: Vault,
    person: ProfileId,
    link: LinkId,
    code: str,
    name: str | None,
) -> dict[str, str | None]:
    """Return the words of the latest entry that told of it."""
    conditions: list[ColumnElement[bool]] = [
        sync_log.c.profile_id == person,  # by its index
        sync_log.c.link_id == link,
        sync_log.c.error_code == code,
    ]
    if name is not None:
        conditions.append(sync_log.c.error_field == name)
    found = list(log_entries(connection, vault, *conditions, limit=1))
    return (found[0].error if found else None) or {}
