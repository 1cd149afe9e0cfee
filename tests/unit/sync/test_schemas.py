"""What follows when a CRM describes its fields otherwise than before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crmsync.model import FieldType
from crmsync.store import failed_links, schemas
from crmsync.sync.push import push
from tests.workbench import KEYED, identify, ingest, link_rows, the_sync

STAGED = KEYED.replace("lastname: last_name", "stage: since, visits: seats")


def stage_is_a(crm, kind: FieldType) -> None:
    """Let the CRM's stage take values of this sort."""
    fields = crm.schemas["contacts"]
    fields["stage"] = replace(fields["stage"], type=kind)


@pytest.mark.parametrize("is_taken_out", [False, True])
def test_a_field_that_takes_more_brings_back_who_was_refused_for_it(
    works_with, crm, monkeypatch, is_taken_out
):
    """Only they: who was refused for another field waits for that one."""
    if is_taken_out:
        monkeypatch.setattr(failed_links, "revive_refused", lambda *_: 0)
    stage_is_a(crm, FieldType.DATE)
    works = works_with(STAGED)
    people = [identify("u1", since="long ago"), identify("u2"), identify("u3", seats="many")]
    ingest(works, people)
    sync = the_sync(works)
    assert push(sync).counts["failed"] == 2
    stage_is_a(crm, FieldType.TEXT)
    assert push(sync).counts["created"] == 0, "it was described within the last day"
    works.store.database.transact(lambda c: schemas.forget_schema(c, "crm", "contacts"))
    assert push(sync).counts["created"] == (0 if is_taken_out else 1)
    states = [state for (state,) in link_rows(works.store, "state")]
    assert states == (["dead"] if is_taken_out else ["active"]) + ["active", "dead"]


def test_the_same_description_brings_nobody_back(works_with, crm):
    """Or everybody who is refused would be tried once a day."""
    stage_is_a(crm, FieldType.DATE)
    works = works_with(STAGED)
    ingest(works, [identify("u1", since="long ago")])
    sync = the_sync(works)
    assert push(sync).counts["failed"] == 1
    works.store.database.transact(lambda c: schemas.forget_schema(c, "crm", "contacts"))
    assert not push(sync).counts
