"""HubSpot's deliveries: the signature, the events, and what is no event at all."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from crmsync.connectors.base import Delivery, Webhooks
from crmsync.connectors.hubspot.webhooks import SIGNATURE, TIMESTAMP, hints_of, signature_of
from crmsync.errors import Forged

SECRET = "test-secret"  # noqa: S105 (of the vector)
URL = "https://example.org/hooks/hubspot"
AT_MS = 1_700_000_000_000
AT = datetime.fromtimestamp(AT_MS / 1000, UTC)
CHANGE = {
    "eventId": 1,
    "portalId": 7,
    "occurredAt": AT_MS,
    "subscriptionType": "deal.propertyChange",
    "objectId": 9001,
    "propertyName": "dealstage",
}


def delivered(body, *, at=AT, url=URL, sent_ms=str(AT_MS), signature=None):
    """A delivery of these events, signed as HubSpot does it."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    signature = signature or signature_of(SECRET, "POST", url, raw, sent_ms)
    return Delivery("POST", url, {SIGNATURE: signature, TIMESTAMP: sent_ms}, raw, at)


def hints(delivery):
    """What it hints at."""
    return hints_of(delivery, Webhooks(URL, SECRET))


def named(events):
    """The objects and ids that events name."""
    return [(hint.object_type, hint.crm_id) for hint in hints(delivered(events))]


def test_the_signature_is_hubspots():
    """A vector that was computed by other code."""
    made = signature_of(SECRET, "POST", URL, b'[{"eventId":1}]', "1700000000000")
    assert made == "qcpzVs1aWHqIN0P8KFQX9qN8iw7aBpfbVHfkWrQpRJI="


def test_some_escapes_of_the_address_are_undone_first():
    """Those that HubSpot names, in either case, and no others."""
    plain = signature_of(SECRET, "POST", "https://x.io/a:b?c=/d e%20", b"", "1")
    assert signature_of(SECRET, "POST", "https://x.io/a%3Ab%3fc=%2Fd e%20", b"", "1") == plain
    assert signature_of(SECRET, "POST", "https://x.io/a:b?c=/d e ", b"", "1") != plain


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_fresh_delivery_is_believed(seconds):
    """Clocks may be apart by the same five minutes either way."""
    assert hints(delivered([CHANGE], at=AT + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    ("delivery", "message"),
    [
        (delivered([CHANGE], at=AT + timedelta(seconds=301)), "signed 301 seconds ago"),
        (delivered([CHANGE], at=AT - timedelta(seconds=301)), "signed -301 seconds ago"),
        (delivered([CHANGE], signature="forged"), "not that of"),
        (delivered([CHANGE], signature="fälschung"), "not that of"),
        (delivered([CHANGE], signature=hashlib.sha256(b"x").hexdigest()), "not that of"),
        (delivered([CHANGE], sent_ms=""), "no signature"),
        (delivered([CHANGE], sent_ms="now"), "no signature"),
        (Delivery("POST", URL, {}, b"[]", AT), "no signature"),
    ],
)
def test_what_proves_nothing_is_forged(delivery, message):
    """Too old, from the future, signed by somebody else, or not at all."""
    with pytest.raises(Forged, match=message):
        hints(delivery)


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"{}", b"7", b'"abc"', [7], [None], [{}], [{**CHANGE, "objectId": "x"}],
     [{**CHANGE, "occurredAt": None}], [{**CHANGE, "occurredAt": 10**18}],
     [{"subscriptionType": "deal.merge", "occurredAt": AT_MS}]],
)  # fmt: skip
def test_what_is_signed_and_no_list_of_events_is_refused(body):
    """With words of its own, since the proof was right."""
    with pytest.raises(Forged, match="no list of"):
        hints(delivered(body))


def test_objects_have_the_names_of_mappings():
    """Old subscriptions name the object, new ones its number; a custom one has only that."""
    generic = {**CHANGE, "subscriptionType": "object.propertyChange"}
    assert named(
        [
            {**CHANGE, "subscriptionType": "contact.creation"},
            {**CHANGE, "subscriptionType": "company.deletion"},
            {**CHANGE, "subscriptionType": "contact.privacyDeletion"},
            {**CHANGE, "subscriptionType": "contact.restore"},
            CHANGE,
            {**generic, "objectTypeId": "0-1"},
            {**generic, "objectTypeId": "0-3"},
            {**generic, "objectTypeId": "2-345"},
        ]
    ) == [
        (name, "9001")
        for name in (
            "contacts",
            "companies",
            "contacts",
            "contacts",
            "deals",
            "contacts",
            "deals",
            "2-345",
        )
    ]


def test_kinds_of_events_that_are_not_known_are_passed_over():
    """HubSpot may add some; the rest of the delivery is good."""
    events = [{**CHANGE, "subscriptionType": "contact.somethingNew"}, CHANGE]
    assert named(events) == [("deals", "9001")]


def test_a_merge_is_about_the_one_that_is_left():
    """A third record where there is one, else the first."""
    merge = {**CHANGE, "subscriptionType": "contact.merge", "primaryObjectId": 1}
    merge |= {"mergedObjectIds": [2]}
    assert named([{**merge, "newObjectId": 3}, merge]) == [("contacts", "3"), ("contacts", "1")]


def test_an_association_is_about_the_deal_of_a_pair():
    """Whichever side tells of it; without a deal it is about the record that tells."""
    pair = {**CHANGE, "subscriptionType": "x.associationChange", "fromObjectId": 1}
    pair |= {"toObjectId": 2}
    kinds = ["DEAL_TO_CONTACT", "CONTACT_TO_DEAL", "CONTACT_TO_COMPANY"]
    found = named([{**pair, "associationType": kind} for kind in kinds])
    assert found == [("deals", "1"), ("deals", "2"), ("contacts", "1")]


def test_an_event_is_known_by_what_happened_not_by_its_number():
    """`eventId` and the attempt may differ; another moment, field or record is another event."""
    again = {**CHANGE, "eventId": 2, "attemptNumber": 3}
    other = [{**CHANGE, name: 5} for name in ("objectId", "propertyName", "occurredAt", "portalId")]
    keys = [hint.key for hint in hints(delivered([CHANGE, again, *other]))]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5
