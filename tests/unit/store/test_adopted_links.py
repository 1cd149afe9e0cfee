"""Links to records that were there before us, on both databases."""

from __future__ import annotations

import pytest

from crmsync.model import CrmId, ProfileId
from crmsync.store import adopted_links, links
from crmsync.store.adopted_links import Found, Standing
from crmsync.store.links import LinkState
from tests.unit.store.queue import NOW, claim, mark, put, row, settle_all

PLACE = ("crm", "contacts")


def adopt(store, **found):
    """Give people the records that were found for them; return who got one."""
    records = [Found(ProfileId(who), CrmId(crm_id), {"name": who}) for who, crm_id in found.items()]
    taken = store.database.transact(
        lambda c: adopted_links.adopt(c, store.vault, *PLACE, records, NOW)
    )
    return [one.profile_id for one in taken]


def test_an_adopted_record_is_known_and_waits_for_the_push(store):
    """Whoever claims it knows what it holds; who had no link yet gets one."""
    mark(store, "ann")
    assert adopt(store, ann="1", bo="2") == ["ann", "bo"]
    claims = {one.profile_id: one for one in claim(store).claims}
    assert {who: one.crm_id for who, one in claims.items()} == {"ann": "1", "bo": "2"}
    assert claims["bo"].snapshot == {"name": "bo"}
    assert claims["bo"].desired_version > claims["bo"].acked_version


@pytest.mark.parametrize(
    ("values", "standing"),
    [
        ({"lease_token": "x" * 32}, Standing.BUSY),
        ({"create_intent_at": NOW}, Standing.BUSY),
        ({"verify_at": NOW}, Standing.BUSY),
        ({"state": LinkState.SUPPRESSED}, Standing.KEPT_OUT),
        ({"state": LinkState.CONFLICT}, Standing.KEPT_OUT),
        ({"crm_id": "9"}, Standing.LINKED),
    ],
)
def test_who_may_be_about_to_get_a_record_is_left_alone(store, values, standing):
    """Also who is not to get one."""
    mark(store, "ann")
    put(store, "ann", **values)
    before = row(store, "ann")
    assert adopt(store, ann="1") == []
    assert row(store, "ann") == before
    with store.database.read() as connection:
        assert adopted_links.standings(connection, *PLACE, [ProfileId("ann")]) == {"ann": standing}


def test_a_record_of_another_is_not_given_away(store):
    """Its holder keeps it."""
    mark(store, "ann")
    settle_all(store, claim(store))
    assert adopt(store, bo="crm-ann") == []
    with store.database.read() as connection:
        holder = links.owners_of(connection, *PLACE, [CrmId("crm-ann")])
    assert holder == {"crm-ann": row(store, "ann").id}


def test_a_refused_person_gets_another_chance(store):
    """With a record of their own the refusal is a thing of the past."""
    mark(store, "ann")
    put(store, "ann", state=LinkState.DEAD, error_class="rejected", error_code="NO")
    assert adopt(store, ann="1") == ["ann"]
    assert (row(store, "ann").state, row(store, "ann").error_class) == (LinkState.ACTIVE, None)
