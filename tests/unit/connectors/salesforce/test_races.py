"""A second try for upserts that met another of the same new key."""

from __future__ import annotations

import pytest

from crmsync.connectors.salesforce import races
from crmsync.connectors.salesforce.races import Races
from crmsync.model import CrmId, Failure, Outcome, Result
from tests.unit.connectors.salesforce.answers import FIRST, updates, upserts


def taken(field=None, code="DUPLICATE_VALUE"):
    """The refusal of a value that somebody else holds."""
    return Result(Outcome.REJECTED, failure=Failure(code, "", "", field), existing_id=FIRST)


@pytest.mark.parametrize("field", ["Key__c", None])
def test_a_race_is_tried_once_more(field):
    """The first refusal is to be tried again, the second is the record's; then it begins anew."""
    met, batch = Races(), upserts("a")
    outcomes = [met.settle(batch, [taken(field)])[0] for _ in range(3)]
    assert [one.outcome for one in outcomes] == [Outcome.RETRY, Outcome.REJECTED, Outcome.RETRY]
    assert [one.existing_id for one in outcomes] == [None, FIRST, None]


def test_a_race_that_was_won_is_forgotten():
    """Each key has its own count, and a success ends it."""
    met = Races()
    met.settle(upserts("a"), [taken()])
    met.settle(upserts("a"), [Result(Outcome.SUCCEEDED, CrmId("1"))])
    assert met.settle(upserts("a"), [taken()])[0].outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("batch", "result"),
    [
        (upserts("a"), taken("Email")),
        (upserts("a"), taken("Key__c", code="DUPLICATES_DETECTED")),
        (updates(FIRST), taken("Key__c")),
        (upserts("a"), Result(Outcome.SUCCEEDED, FIRST)),
    ],
)
def test_what_is_no_race_stays_as_it_is(batch, result):
    """Another field's value, another code, another action."""
    assert Races().settle(batch, [result]) == [result]


def test_what_is_remembered_is_bounded(monkeypatch):
    """The oldest key is forgotten first."""
    monkeypatch.setattr(races, "REMEMBERED", 2)
    met = Races()
    for key in "abc":
        met.settle(upserts(key), [taken()])
    assert met.settle(upserts("c"), [taken()])[0].outcome is Outcome.REJECTED
    assert met.settle(upserts("a"), [taken()])[0].outcome is Outcome.RETRY
