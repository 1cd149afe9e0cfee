"""Two profiles that turn out to be one, each with a record: what the mapping says of it."""

from __future__ import annotations

from crmsync.errors import OutcomeUnknown
from crmsync.store import state
from crmsync.store.links import LinkState
from crmsync.store.tables import links
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
