"""Row locks, and two calls that create the same key."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.salesforce.conftest import UPSERT, codes, collection, in_flight

LOCKED, WRAPPED = "UNABLE_TO_LOCK_ROW", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


@pytest.fixture
def account(api, sandbox):
    """An account, in an org where every row that meets a lock fails plainly."""
    sandbox.control.settings(lock_failure_share=1, lock_wrapped_share=0)
    return api.create("Account", Name="X")


def people(account, start, count):
    """Return contacts of an account."""
    return [
        {"Ext__c": f"p-{start + n}", "LastName": "L", "AccountId": account} for n in range(count)
    ]


def test_a_row_of_an_account_under_way_fails(api, sandbox, account):
    """Contacts of the same account in two calls at once; those of none are not touched."""
    alone = {"Ext__c": "alone", "LastName": "L"}
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(*people(account, 0, 2))) as first:
        rows = api.upsert(*people(account, 10, 2), alone)
        path = f"sobjects/Account/{account}"
        assert api.refused("PATCH", path, {"Name": "Y"}) == (400, LOCKED)
    assert codes(first.result()) == [None, None]
    assert codes(rows) == [LOCKED, LOCKED, None]
    assert codes(api.upsert(*people(account, 10, 2))) == [None, None]


def test_the_row_itself_is_locked(api, sandbox, account):
    """Two updates of one contact at once."""
    api.upsert({"Ext__c": "p", "LastName": "L"})
    change = {"Ext__c": "p", "LastName": "M"}
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(change)):
        assert codes(api.upsert(change)) == [LOCKED]


def test_only_some_rows_fail_and_some_wrapped(api, sandbox, account):
    """As the shares say."""
    sandbox.control.settings(lock_failure_share=0.5, lock_wrapped_share=0.5)
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(*people(account, 0, 1))):
        rows = api.upsert(*people(account, 1, 100))
    assert {None, LOCKED, WRAPPED} == set(codes(rows))
    wrapped = next(row for row in rows if codes([row]) == [WRAPPED])
    assert LOCKED in wrapped["errors"][0]["message"]


def test_locks_end_by_themselves(api, sandbox, account):
    """However long the answer is kept back."""
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(*people(account, 0, 1))):
        sandbox.control.advance(10)
        assert codes(api.upsert(*people(account, 1, 1))) == [None]


def test_locks_can_be_switched_off(api, sandbox, account):
    """Then nobody meets anybody."""
    sandbox.control.settings(row_locks=False)
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(*people(account, 0, 1))):
        rows = api.upsert(*people(account, 0, 2))
    assert [row["created"] for row in rows] == [False, True]


def test_a_row_is_held_on_order(api, sandbox, account):
    """Until it is released, or for so long."""
    control = sandbox.control
    control.act("hold_lock", id=account)
    assert codes(api.upsert(*people(account, 0, 1))) == [LOCKED]
    control.act("release_lock", id=account)
    assert codes(api.upsert(*people(account, 0, 1))) == [None]
    control.act("hold_lock", id=account, seconds=5)
    assert codes(api.upsert(*people(account, 0, 1))) == [LOCKED]
    control.advance(5)
    assert codes(api.upsert(*people(account, 0, 1))) == [None]


def test_a_composite_does_not_lock_itself_out(api, account):
    """Its calls are one transaction."""
    url = f"/services/data/v59.0/{UPSERT}"
    calls = [
        {"method": "PATCH", "url": url, "referenceId": f"c{n}",
         "body": collection(*people(account, 10 * n, 2))}
        for n in range(3)
    ]  # fmt: skip
    answers = api.ok("POST", "composite", {"compositeRequest": calls})["compositeResponse"]
    assert [codes(answer["body"]) for answer in answers] == [[None, None]] * 3


def test_a_failed_call_holds_nothing(api, sandbox, account):
    """What is refused whole locks nothing."""
    sandbox.control.fault("answer", status=503, path=f"*/{UPSERT}", times=1)
    assert api.call("PATCH", UPSERT, collection(*people(account, 0, 1))).status_code == 503
    assert codes(api.upsert(*people(account, 0, 1))) == [None]


def test_two_creates_of_one_unique_key_clash(api, sandbox):
    """The second does not see the first, and meets its value all the same."""
    new = {"Ext__c": "p", "LastName": "L"}
    with in_flight(sandbox, f"*/{UPSERT}", lambda: api.upsert(new)) as first:
        assert codes(api.upsert(new)) == ["DUPLICATE_VALUE"]
    assert codes(first.result()) == [None]
    assert api.upsert(new)[0]["created"] is False


def test_two_creates_of_one_loose_key_are_two_records(api, sandbox):
    """Without uniqueness nothing stops them."""
    sandbox.control.act("add_field", object_type="Contact", name="Loose__c", external_id=True)
    path = "composite/sobjects/Contact/Loose__c"
    body = collection({"Loose__c": "p", "LastName": "L"})
    with in_flight(sandbox, f"*/{path}", lambda: api.ok("PATCH", path, body)):
        assert api.ok("PATCH", path, body)[0]["created"] is True
    assert api.query("SELECT COUNT() FROM Contact")["totalSize"] == 2
