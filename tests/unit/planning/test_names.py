"""Ids of users and stages, and what people call them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.model import Directory, Owner, Stage
from crmsync.planning.names import Names, NoSuchName

ADA = Owner("18", "Ada@Acme.example", "Ada")
BOB = Owner("19", "", "Bob", is_active=False)
GONE = Owner("20", "gone@acme.example", "Gone", is_active=False)
TWIN = Owner("21", "ada@acme.example", "Ada's twin")
NAMES = Names.of([ADA, BOB, GONE, TWIN], [Stage("s1", "Negotiation"), Stage("7", "Closed")])
OWNERS, STAGES = Directory.OWNERS, Directory.STAGES


@pytest.mark.parametrize(
    ("directory", "value", "shown"),
    [
        (OWNERS, "18", "ada@acme.example"),
        (OWNERS, 18, "ada@acme.example"),
        (OWNERS, "19", "Bob"),
        (OWNERS, "20", "gone@acme.example"),
        (STAGES, "s1", "Negotiation"),
        (STAGES, 7, "Closed"),
        (OWNERS, None, None),
        (STAGES, None, None),
    ],
)
def test_what_people_call_it(directory, value, shown):
    """Owners by e-mail, else by name, who left too; stages by label; nothing is nothing."""
    assert NAMES.shown(directory, value) == shown
    assert NAMES.has(directory, value)


@pytest.mark.parametrize(
    ("directory", "value"), [(OWNERS, "s1"), (STAGES, "18"), (OWNERS, ""), (STAGES, "Closed")]
)
def test_what_is_not_there(directory, value):
    """It is said, and never guessed."""
    assert not NAMES.has(directory, value)
    with pytest.raises(NoSuchName):
        NAMES.shown(directory, value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("ada@acme.example", "18"), (" ADA@acme.example ", "18"), ("21", "21"), (20, "20")],
)
def test_whose_id_it_is(value, wanted):
    """By e-mail whatever its case, the first of two who share one; an id stays."""
    assert NAMES.owner_id(value) == wanted


@pytest.mark.parametrize("value", ["gone@acme.example", "Bob", "nobody@acme.example", ""])
def test_nobody_active_has_it(value):
    """Nobody is given work who left, or who is only named."""
    with pytest.raises(NoSuchName):
        NAMES.owner_id(value)


users = st.lists(
    st.builds(
        Owner,
        st.integers(1, 99).map(str),
        st.sampled_from(["", "a@x.io", "B@x.io", "c@x.io"]),
        st.just("N"),
        st.booleans(),
    ),
    unique_by=lambda user: user.id,
)


@given(users)
def test_there_and_back(people):
    """What an id is called leads back to somebody active whom one calls so."""
    names = Names.of(people, [])
    for user in people:
        if user.email and user.is_active:
            same = names.owner_id(names.shown(OWNERS, user.id))
            [found] = [one for one in people if one.id == same]
            assert found.is_active
            assert found.email.lower() == user.email.lower()
