"""Deals as the CRMs hold them: whole, sealed, and whom a change concerns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crmsync.errors import SealBroken
from crmsync.model import CrmId, Deal, DealStatus
from crmsync.store import deals, tables
from tests.unit.store.queue import NOW, seconds

ANN, BO, CY = CrmId("1"), CrmId("2"), CrmId("3")
DEAL = Deal(
    CrmId("d1"),
    people=(BO, ANN),
    status=DealStatus.WON,
    amount=12.5,
    created_at=NOW,
    modified_at=seconds(1),
    closed_at=seconds(2),
    fields={"stage": "s1", "name": "Secret plan"},
)


def save(store, *found, name="crm"):
    """Keep deals; return whom they concern."""
    return store.database.transact(lambda c: deals.save(c, store.vault, name, found))


def of(store, *people, name="crm"):
    """Return each one's deals."""
    with store.database.read() as connection:
        return deals.of_people(connection, store.vault, name, people)


def test_a_deal_comes_out_as_it_went_in(store):
    """The main person first; nobody else has it, in no other CRM."""
    assert save(store, DEAL) == {ANN, BO}
    assert of(store, ANN, BO, CY) == {ANN: [DEAL], BO: [DEAL], CY: []}
    assert of(store, ANN, name="other") == {ANN: []}


def test_what_is_as_it_was_concerns_nobody(store):
    """A page that comes again is no news."""
    save(store, DEAL)
    assert save(store, DEAL) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"status": DealStatus.LOST},
        {"amount": None},
        {"created_at": None},
        {"closed_at": None},
        {"modified_at": seconds(9)},
        {"fields": {"stage": "s2"}},
    ],
)
def test_any_difference_concerns_its_people(store, change):
    """And is kept."""
    save(store, DEAL)
    changed = replace(DEAL, **change)
    assert save(store, changed) == {ANN, BO}
    assert of(store, ANN) == {ANN: [changed]}


def test_who_was_on_it_is_concerned_too(store):
    """Somebody left, somebody came."""
    save(store, DEAL)
    changed = replace(DEAL, people=(CY, ANN))
    assert save(store, changed) == {ANN, BO, CY}
    assert of(store, ANN, BO, CY) == {ANN: [changed], BO: [], CY: [changed]}


def test_a_deleted_deal_is_forgotten(store):
    """Whom it was about is told once; one that nobody knew concerns nobody."""
    save(store, DEAL)
    gone = Deal(DEAL.crm_id, is_deleted=True)
    assert save(store, gone) == {ANN, BO}
    assert of(store, ANN) == {ANN: []}
    assert save(store, gone) == set()


def test_the_last_of_a_page_holds(store):
    """A deal that changed while the list was read is on two pages; somebody may be named twice."""
    later = replace(DEAL, people=(ANN, ANN), amount=1.0)
    assert save(store, DEAL, later) == {ANN}
    assert of(store, ANN) == {ANN: [replace(later, people=(ANN,))]}


def test_what_a_deal_says_is_sealed(store):
    """Its fields are for nobody who reads the database, and belong to this deal alone."""
    save(store, DEAL, replace(DEAL, crm_id=CrmId("d2")))
    with store.database.read() as connection:
        rows = connection.execute(select(tables.deals.c.sealed)).scalars().all()
    assert all(b"Secret" not in row for row in rows)
    with store.database.engine.begin() as connection:
        connection.execute(tables.deals.update().values(sealed=rows[0]))
    with pytest.raises(SealBroken):
        of(store, ANN)


everybody = [CrmId(str(n)) for n in range(4)]
any_deal = st.builds(
    Deal,
    st.sampled_from(["d1", "d2", "d3"]).map(CrmId),
    st.lists(st.sampled_from(everybody), max_size=3, unique=True).map(tuple),
    st.sampled_from(list(DealStatus)),
    st.none() | st.sampled_from([0.0, 1.5]),
    fields=st.dictionaries(st.sampled_from("ab"), st.sampled_from(["x", None]), max_size=2),
    is_deleted=st.booleans(),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(any_deal, max_size=4), max_size=4))
def test_whoever_is_not_concerned_has_the_deals_they_had(store, pages):
    """Page after page, against a dictionary."""
    held = {one.crm_id: one for deals in of(store, *everybody).values() for one in deals}
    save(store, *(Deal(one, is_deleted=True) for one in held))
    held = {}
    for page in pages:
        before = of(store, *everybody)
        concerned = save(store, *page)
        held |= {one.crm_id: one for one in page}
        now = of(store, *everybody)
        for person in everybody:
            wanted = [d for d in held.values() if person in d.people and not d.is_deleted]
            assert sorted(now[person], key=lambda d: d.crm_id) == sorted(
                wanted, key=lambda d: d.crm_id
            )
            if person not in concerned:
                assert sorted(d.crm_id for d in before[person]) == sorted(
                    d.crm_id for d in now[person]
                )
