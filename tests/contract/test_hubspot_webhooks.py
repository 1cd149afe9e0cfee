"""What HubSpot tells unasked: signed deliveries, and only those, against its simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Key, Webhooks
from crmsync.connectors.registry import open_connector
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError, Forged
from tests.contract.hubspot_account import crm, deals, joined, people, pulled_deals
from tests.receiver import receiving

__all__ = ["crm"]

SECRET = "the-apps-client-secret"  # noqa: S105 (of a simulated app)


@pytest.fixture
def told(crm):
    """A connector, and the address at which HubSpot tells of changes."""
    with receiving() as receiver:
        crm.control.act("subscribe", url=receiver.url, secret=SECRET)
        connection = Connection(
            "crm",
            "hubspot",
            {"token": crm.secret},
            base_url=crm.control.url,
            webhooks=Webhooks(receiver.url, SECRET),
        )
        connector = open_connector(
            connection, lambda _connection, limits: MemoryThrottle(limits), MemoryTokens()
        )
        yield connector, receiver


def hints(told, count):
    """Wait for so many deliveries; return what each one hints at."""
    connector, receiver = told
    return [connector.hints(r.delivery(receiver.url)) for r in receiver.wait(count)]


def test_a_delivery_names_the_records_to_read(crm, told):
    """A contact, a deal by its own name, and both at once by what ties them: the deal."""
    [contact] = people(crm, 1)
    [deal] = deals(crm, 1)
    joined(crm, [(deal, contact)])
    first, second, third = hints(told, 3)
    assert {(hint.object_type, hint.crm_id) for hint in first} == {("contacts", contact)}
    assert {(hint.object_type, hint.crm_id) for hint in second} == {("deals", deal)}
    assert {(hint.object_type, hint.crm_id) for hint in third} == {("deals", deal)}
    assert abs(third[0].at.timestamp() - crm.control.now()) < 60


def test_people_who_join_a_deal_are_told_of(crm, told):
    """Their coming does not change the deal itself, so that no search finds it."""
    connector, _ = told
    [deal], [contact] = deals(crm, 1), people(crm, 1)
    _, cursor = pulled_deals(connector)
    crm.control.advance(600)
    deals(crm, 1)
    _, cursor = pulled_deals(connector, cursor)
    joined(crm, [(deal, contact)])
    assert deal not in pulled_deals(connector, cursor)[0]
    [hint] = {hint.crm_id for hint in hints(told, 4)[-1]}
    [read] = connector.deals_by_id([hint], [])
    assert (read.crm_id, read.people) == (deal, (contact,))


def test_a_merge_names_the_one_that_is_left(crm, told):
    """It tells which ones it was."""
    connector, _ = told
    one, two = people(crm, 2)
    survivor = crm.control.act("merge", object_type="contacts", primary=one, other=two)
    [hint] = hints(told, 2)[-1]
    assert (hint.object_type, hint.crm_id) == ("contacts", survivor)
    [record] = connector.read("contacts", [Key(hint.crm_id)], ["email"])
    assert set(record.former_ids) == {one, two}


def test_an_event_has_one_key_however_often_it_comes(crm, told):
    """Repeated deliveries, and later attempts, have the keys of the first; other events others."""
    _, receiver = told
    crm.control.act("delivery_faults", repeat=1)
    receiver.statuses = [500]
    people(crm, 1)
    receiver.wait(2)
    crm.control.advance(10)
    keys = [[hint.key for hint in delivered] for delivered in hints(told, 3)]
    crm.control.act("delivery_faults")
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys[0])) == len(keys[0]) == 3


def test_forged_old_and_strange_deliveries_are_refused(crm, told):
    """Altered, unsigned, for another address, older than five minutes, or by another secret."""
    connector, receiver = told
    people(crm, 1)
    [received] = receiver.wait(1)
    good = received.delivery(receiver.url)
    assert connector.hints(good)
    unsigned = {k: v for k, v in good.headers.items() if k != "x-hubspot-signature-v3"}
    refused = {
        "no signature": replace(good, headers=unsigned),
        "not that of": replace(good, body=good.body.replace(b"creation", b"deletion")),
        "was signed": replace(good, received_at=good.received_at + timedelta(seconds=301)),
    }
    for message, delivery in refused.items():
        with pytest.raises(Forged, match=message) as caught:
            connector.hints(delivery)
        assert SECRET not in str(caught.value)
        assert good.headers["x-hubspot-signature-v3"] not in str(caught.value)
    with pytest.raises(Forged, match="not that of"):
        connector.hints(replace(good, url=f"{receiver.url}?other=1"))
    crm.control.act("subscribe", url=receiver.url, secret=SECRET[::-1])
    people(crm, 1, name="q")
    other = receiver.wait(2)[-1].delivery(receiver.url)
    with pytest.raises(Forged, match="not that of"):
        connector.hints(other)


def test_a_connection_without_webhooks_takes_none(crm, told):
    """Nothing is believed where nobody said what proves it."""
    _, receiver = told
    people(crm, 1)
    [received] = receiver.wait(1)
    with pytest.raises(Forged, match="takes no webhooks"):
        crm.connector().hints(received.delivery(receiver.url))


def test_setting_webhooks_up_is_explained(crm, told):
    """No API does it for a project's app, so a person is told how."""
    connector, receiver = told
    with pytest.raises(ConfigError, match="client secret") as caught:
        connector.watch(["contacts", "deals"])
    assert receiver.url in caught.value.user_message
    assert "contact.*, deal.*" in caught.value.user_message
    assert SECRET not in caught.value.user_message
    with pytest.raises(ConfigError, match="delete the subscriptions"):
        connector.unwatch()
