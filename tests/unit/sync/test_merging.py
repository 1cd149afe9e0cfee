"""Two profiles that turn out to be one, each with a record: what the mapping says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crmsync.errors import OutcomeUnknown
from crmsync.store import state
from crmsync.store.links import LinkState
from crmsync.store.tables import links
from crmsync.sync import marking, schedule
from crmsync.sync.drain import drain
from crmsync.sync.push import push
from tests.unit.sync.people import NAMES, held, mapping
from tests.workbench import count_rows, identify, ingest, let_pass, the_sync


def two_records(works, crm):
    """Give two people a record each, then say that they are one."""
    by_email = identify("ann@acme.example", first_name="Ann")
    ingest(works, [by_email, identify("u2", first_name="Anna")])
    let_pass(works.store, 10.0)
    push(the_sync(works))
    assert len(held(crm)) == 2
    ingest(works, [identify("u2", email="ann@acme.example")])
    let_pass(works.store, 10.0)


def there(crm):
    """Return the records that were not merged away."""
    return [r for r in crm.records["contacts"].values() if not r.is_deleted]


def test_both_records_stay_by_default(works_with, crm):
    """`keep`: the other one waits, visible, for a person."""
    works = works_with(mapping(NAMES))
    two_records(works, crm)
    drain(works, "crm")
    assert len(there(crm)) == 2
    assert count_rows(works.store, links, links.c.state == LinkState.CONFLICT) == 1


def test_the_records_are_merged_where_the_mapping_says_so(works_with, crm):
    """`merge_in_crm`: one record, one link, with our key."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    two_records(works, crm)
    drain(works, "crm")
    let_pass(works.store, 10.0)
    drain(works, "crm")
    [record] = there(crm)
    assert record.fields["firstname"] == "Anna"
    assert count_rows(works.store, links) == 1


def test_a_merge_whose_answer_was_lost_is_asked_for_again(works_with, crm):
    """What was merged already is no mistake."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    two_records(works, crm)
    push(the_sync(works))
    crm.fail_next(OutcomeUnknown(), carried_out=True)
    drain(works, "crm")
    assert count_rows(works.store, links) == 2
    works.store.database.transact(lambda connection: state.resume(connection, "crm"))
    let_pass(works.store, 10.0)
    drain(works, "crm")
    assert count_rows(works.store, links) == 1


def test_a_merge_into_who_was_set_aside_wakes_nobody(works_with, crm):
    """The one record waits for a new value; the workers do not turn in circles meanwhile."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    two_records(works, crm)
    push(the_sync(works))
    set_aside = links.update().where(links.c.is_primary).values(state=LinkState.DEAD, wake_at=None)
    works.store.database.transact(lambda connection: connection.execute(set_aside))
    drain(works, "crm")
    assert len(there(crm)) == 1
    assert drain(works, "crm") is False


def test_nothing_is_merged_while_the_connection_rests(works_with, crm):
    """What the CRM asked to be left alone for holds for merges as well."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    two_records(works, crm)
    later = datetime.now(UTC) + timedelta(hours=1)
    works.store.database.transact(lambda c: state.pause(c, "crm", later, "busy", "slow down"))
    drain(works, "crm")
    assert crm.calls["merge"] == 0


def test_nothing_is_merged_for_a_paused_sync(works_with, crm):
    """It sends nothing, and a merge least of all: nobody can undo it."""
    works = works_with(mapping(NAMES, on_merge="merge_in_crm"))
    marking.bring_up_to_date(works)
    two_records(works, crm)
    schedule.set_paused(works, "contacts", paused=True)
    drain(works, "crm")
    assert crm.calls["merge"] == 0
    schedule.set_paused(works, "contacts", paused=False)
    drain(works, "crm")
    assert crm.calls["merge"] == 1
