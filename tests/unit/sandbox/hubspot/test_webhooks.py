"""What the simulated HubSpot tells by webhooks, and how it proves it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from tests.receiver import receiving
from tests.workbench import until

SECRET = "app-secret"  # noqa: S105 - a simulated one
CONTACTS = "/crm/v3/objects/contacts"


@pytest.fixture
def receiver(control):
    """An address that is told of everything."""
    with receiving("/hooks/hubspot?a=%2Fb") as receiver:
        control.act("subscribe", url=receiver.url, secret=SECRET)
        yield receiver


@pytest.fixture
def told(control, receiver):
    """Return the events told since this was last asked."""
    seen = 0

    def told():
        nonlocal seen
        until(lambda: not control.act("pending_deliveries"), "every delivery was made")
        new, seen = receiver.received[seen:], len(receiver.received)
        return [event for request in new for event in request.json()]

    return told


def kinds(events):
    """What the events are about, in short."""
    return [(e["subscriptionType"], e.get("propertyName", "")) for e in events]


def test_a_delivery_is_signed(api, receiver):
    """By the app's secret over method, address with its escapes undone, body and time."""
    api.contact("a@x.io")
    [request] = receiver.wait(1)
    sent_ms = request.headers["x-hubspot-request-timestamp"]
    message = f"POST{receiver.url.replace('%2F', '/')}".encode() + request.body + sent_ms.encode()
    proof = base64.b64encode(hmac.digest(SECRET.encode(), message, hashlib.sha256)).decode()
    assert request.headers["x-hubspot-signature-v3"] == proof
    first = hashlib.sha256(SECRET.encode() + request.body).hexdigest()
    assert request.headers["x-hubspot-signature"] == first


def test_writes_are_told_property_by_property(api, told):
    """A new record, then each of its values; later only values that differ."""
    contact = api.contact("a@x.io", firstname="Ann")
    assert kinds(told()) == [
        ("contact.creation", ""),
        ("contact.propertyChange", "email"),
        ("contact.propertyChange", "firstname"),
    ]
    changes = {"email": "a@x.io", "firstname": "Anna"}
    api.ok("PATCH", f"{CONTACTS}/{contact}", {"properties": changes})
    [event] = told()
    assert event["objectId"] == int(contact)
    assert (event["propertyName"], event["propertyValue"]) == ("firstname", "Anna")
    assert event["changeSource"] == "INTEGRATION"


def test_a_person_in_hubspot_is_told_of_too(control, told):
    """What salespeople do is the reason for webhooks."""
    [deal] = control.seed("deals", [{"dealname": "X", "dealstage": "contractsent"}])
    told()
    control.edit("deals", deal, dealstage="closedwon")
    [event] = told()
    assert (event["subscriptionType"], event["propertyValue"]) == (
        "deal.propertyChange",
        "closedwon",
    )
    assert event["changeSource"] == "CRM_UI"


def test_a_life_is_told(api, control, told):
    """Deletion, restore, merge and erasure have events of their own; a merge no others."""
    one, two = api.contact("a@x.io"), api.contact("b@x.io")
    told()
    control.act("archive", object_type="contacts", id=one)
    control.act("restore", object_type="contacts", id=one)
    assert kinds(told()) == [("contact.deletion", ""), ("contact.restore", "")]
    survivor = control.act("merge", object_type="contacts", primary=one, other=two)
    [event] = told()
    assert event["subscriptionType"] == "contact.merge"
    assert (event["primaryObjectId"], event["mergedObjectIds"]) == (int(one), [int(two)])
    assert event["newObjectId"] == int(survivor)
    api.call("POST", f"{CONTACTS}/gdpr-delete", {"objectId": survivor})
    assert kinds(told()) == [("contact.privacyDeletion", "")]


def test_associations_are_told_from_both_sides(api, control, told):
    """A pair that is made again is no news; one that is taken away is."""
    [deal] = control.seed("deals", [{"dealname": "X"}])
    contact = api.contact("a@x.io")
    told()
    path = f"/crm/v4/objects/deals/{deal}/associations"
    for _ in range(2):
        api.ok("PUT", f"{path}/default/contacts/{contact}")
    made = told()
    assert [e["associationType"] for e in made] == ["DEAL_TO_CONTACT", "CONTACT_TO_DEAL"]
    assert (made[0]["fromObjectId"], made[0]["toObjectId"]) == (int(deal), int(contact))
    api.call("DELETE", f"{path}/contacts/{contact}")
    assert [event["associationRemoved"] for event in told()] == [True, True]


def test_many_events_go_in_arrays_of_a_hundred(api, receiver):
    """One request that brings about more is told in several deliveries."""
    inputs = [{"properties": {"email": f"p{n}@x.io"}} for n in range(75)]
    api.ok("POST", f"{CONTACTS}/batch/create", {"inputs": inputs})
    assert [len(request.json()) for request in receiver.wait(2)] == [100, 50]
