"""Links seen from the CRM's side: whose a record is, and what is saved of one that was changed."""

from __future__ import annotations

import pytest

from crmsync.model import CrmId, LinkId, ProfileId
from crmsync.planning.reading import Flips
from crmsync.store import link_records
from crmsync.store.links import LinkState
from tests.unit.store.queue import NOW, claim, mark, names, put, row, seconds, settle_all

PLACE = ("crm", "contacts")


def linked(store, *people):
    """Give people a record each: ann's is crm-ann."""
    mark(store, *people)
    settle_all(store, claim(store))


def lock(store, person):
    """Return a person's link as it stands."""
    link = row(store, person).id
    return store.database.transact(lambda c: link_records.lock(c, store.vault, [link]))[link]


def save(store, *changed, now=NOW):
    """Save links."""
    store.database.transact(lambda c: link_records.save(c, store.vault, changed, now))


def give(store, person, crm_id):
    """Make a record somebody's own."""
    return store.database.transact(
        lambda c: link_records.give(c, *PLACE, ProfileId(person), CrmId(crm_id), seconds(60))
    )


def read(store, function, *given):
    """Ask something of the store."""
    with store.database.read() as connection:
        return function(connection, *given)


# --- whose is it --------------------------------------------------------------------------


def test_whose_a_record_is(store):
    """Of this connection and object only; whose link has ended, too."""
    linked(store, "ann", "bo")
    put(store, "bo", state=LinkState.SUPPRESSED)
    ids = [CrmId("crm-ann"), CrmId("crm-bo"), CrmId("nobody")]
    found = read(store, link_records.owners, *PLACE, ids)
    assert {crm_id: person for crm_id, (_, person) in found.items()} == {
        "crm-ann": "ann",
        "crm-bo": "bo",
    }
    assert read(store, link_records.owners, "crm", "companies", ids) == {}
    assert read(store, link_records.owners, "other", "contacts", ids) == {}


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (LinkState.ACTIVE, True),
        (LinkState.DEAD, True),
        (LinkState.CONFLICT, False),
        (LinkState.SUPPRESSED, False),
        (LinkState.CONVERTED, False),
    ],
)
def test_who_goes_by_a_record(store, state, counts):
    """A value that was refused does not end it; a deleted record and a converted lead do."""
    linked(store, "ann")
    put(store, "ann", state=state)
    people = [ProfileId("ann"), ProfileId("nobody")]
    assert read(store, link_records.of_people, *PLACE, people) == (
        {"ann": "crm-ann"} if counts else {}
    )


def test_who_may_be_about_to_get_a_record(store):
    """Nobody has looked at them yet, or somebody is just about it."""
    linked(store, "has")
    mark(store, "claimed")
    claim(store)
    mark(store, "due")
    mark(store, "idle", due=None)
    people = [ProfileId(one) for one in ("has", "claimed", "due", "idle", "nobody")]
    assert read(store, link_records.undecided, *PLACE, people) == {"claimed", "due"}


# --- what is saved ------------------------------------------------------------------------


def test_what_is_known_comes_back_as_it_was_saved(store):
    """Sealed for this link; what is not known anew stays as it was."""
    linked(store, "ann")
    link = lock(store, "ann")
    link.known, link.is_known_anew = {"f": "x", "n": None, "list": ["a"]}, True
    save(store, link)
    again = lock(store, "ann")
    assert again.known == {"f": "x", "n": None, "list": ["a"]}
    again.known = {}
    save(store, again)
    assert lock(store, "ann").known == link.known


def test_a_link_that_has_to_be_written_is_claimed(store):
    """Once more than it was; one that is not stays where it is."""
    linked(store, "ann", "bo")
    ann, bo = lock(store, "ann"), lock(store, "bo")
    ann.to_write = True
    save(store, ann, bo, now=seconds(60))
    assert names(claim(store, now=seconds(60))) == ["ann"]


def test_a_link_that_is_to_be_read_first_is_busy_until_then(store):
    """It moved to another record: nothing is written before that one is read."""
    linked(store, "ann")
    link = lock(store, "ann")
    assert not link.is_busy
    link.crm_id, link.to_write, link.to_read = CrmId("other"), True, True
    save(store, link, now=seconds(60))
    again = lock(store, "ann")
    assert (again.crm_id, again.is_busy) == ("other", True)
    [claimed] = claim(store, now=seconds(60)).claims
    assert (claimed.crm_id, claimed.verify) == ("other", True)


@pytest.mark.parametrize("state", [LinkState.SUPPRESSED, LinkState.CONVERTED, LinkState.CONFLICT])
def test_a_link_that_has_ended_is_claimed_by_nobody(store, state):
    """Though it was due; it says why."""
    linked(store, "ann")
    mark(store, "ann")
    link = lock(store, "ann")
    link.state, link.error_class, link.error_code = state, "deleted", "WHY"
    save(store, link)
    assert names(claim(store, now=seconds(9_000))) == []
    assert (row(store, "ann").state, row(store, "ann").error_code) == (state, "WHY")


def test_a_save_leaves_a_lease_alone(store):
    """Whoever is about to write keeps their hold, and looks again when it ends."""
    linked(store, "ann")
    mark(store, "ann")
    claim(store)
    link = lock(store, "ann")
    assert link.is_busy
    link.to_write = True
    save(store, link, now=seconds(1))
    assert row(store, "ann").wake_at == seconds(120)
    assert names(claim(store, now=seconds(60))) == []


def test_a_link_that_is_forgotten_is_gone(store):
    """The others stay."""
    linked(store, "ann", "bo")
    store.database.transact(lambda c: link_records.forget(c, [row(store, "ann").id]))
    people = [ProfileId("ann"), ProfileId("bo")]
    assert set(read(store, link_records.of_people, *PLACE, people)) == {"bo"}


# --- giving -------------------------------------------------------------------------------


def test_a_record_is_given_to_who_has_none(store):
    """Known or not; it is read before it is written."""
    mark(store, "ann")
    for person in ("ann", "new"):
        assert give(store, person, f"given-{person}")
        assert row(store, person).crm_id == f"given-{person}"
    claims = claim(store, now=seconds(60)).claims
    assert {(one.crm_id, one.verify) for one in claims} == {
        ("given-ann", True),
        ("given-new", True),
    }


def test_nobody_is_given_what_is_somebody_elses_or_a_second_one(store):
    """Nothing changes."""
    linked(store, "ann", "bo")
    assert not give(store, "ann", "other")
    assert not give(store, "new", "crm-bo")
    assert [row(store, one).crm_id for one in ("ann", "bo")] == ["crm-ann", "crm-bo"]


# --- fields that go back and forth --------------------------------------------------------


def test_turns_are_kept_by_link_and_field(store):
    """The last that was said of each; thawed, a link has none."""
    first, other = LinkId(1), LinkId(2)
    turn, frozen = Flips(1, NOW, b"x"), Flips(5, NOW, b"y", seconds(9))

    def keep(connection):
        link_records.save_flips(connection, {(first, "f"): turn, (other, "f"): turn})
        link_records.save_flips(connection, {(first, "f"): frozen, (first, "g"): turn})

    store.database.transact(keep)
    both = [first, other]
    assert read(store, link_records.flips, both) == {
        first: {"f": frozen, "g": turn},
        other: {"f": turn},
    }
    store.database.transact(lambda c: link_records.thaw(c, [first]))
    assert read(store, link_records.flips, both) == {other: {"f": turn}}
