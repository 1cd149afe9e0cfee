"""HubSpot's webhooks: whether a delivery is HubSpot's, and which records it is about.

An app has one address for all its events, set up by a person in the app. A delivery is an array of
events in any order, perhaps repeated; each is a reason to read a record, nothing more.
Signatures: developers.hubspot.com, "Validating requests", version 3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from crmsync.connectors.answers import UNREADABLE
from crmsync.connectors.base import Delivery, Webhooks
from crmsync.connectors.hubspot.sdk import DEALS, standard_type
from crmsync.connectors.hubspot.values import milliseconds, moment
from crmsync.connectors.hubspot.wire import crm_id_of
from crmsync.errors import ConfigError, Forged
from crmsync.model import Hint

SIGNATURE = "x-hubspot-signature-v3"
TIMESTAMP = "x-hubspot-request-timestamp"
FRESH_MS = 300_000
"""How old a delivery may be, and how far our clocks may be apart."""
DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""The escapes of an address that are taken for what they stand for before it is signed."""
MERGE, ASSOCIATION = "merge", "associationChange"
ABOUT = "objectId"
"""Where the id of the record is, unless the kind of event has its own place for it."""
KINDS = ("creation", "deletion", "propertyChange", "restore", "privacyDeletion", MERGE, ASSOCIATION)
SUBSCRIPTIONS: Mapping[str, str] = {
    "contacts": "contact",
    "companies": "company",
    DEALS: "deal",
}
"""Object type: how its subscriptions begin; those of others begin with `object`."""


def hints_of(delivery: Delivery, webhooks: Webhooks | None) -> list[Hint]:
    """Return what a delivery says was changed; raise Forged where it does not prove to be true."""
    if webhooks is None:
        raise Forged("this connection takes no webhooks: it has no `webhooks:` in crmsync.yaml")
    _verify(delivery, webhooks.secret)
    try:
        hints = [_hint(event) for event in _events(delivery.body)]
    except UNREADABLE:
        raise Forged("the delivery is signed, but is no list of HubSpot's events") from None
    return [hint for hint in hints if hint]


def to_set_up(object_types: Sequence[str], webhooks: Webhooks | None) -> ConfigError:
    """Return the steps that a person takes in HubSpot to let it tell of these objects."""
    names = [SUBSCRIPTIONS.get(standard_type(name), "object") for name in object_types]
    kinds = ", ".join(f"{name}.*" for name in dict.fromkeys(names))
    return ConfigError(
        "HubSpot's webhooks are set up in its app: under Webhooks enter the target URL"
        f" {_url_of(webhooks)} and subscribe to {kinds} ({', '.join(KINDS)}); then set"
        " `webhooks.secret` of the connection to the app's client secret"
    )


def to_take_down(webhooks: Webhooks | None) -> ConfigError:
    """Return the steps by which a person ends it."""
    return ConfigError(
        "HubSpot's webhooks are taken down in its app: under Webhooks delete the subscriptions and"
        f" the target URL {_url_of(webhooks)}"
    )


def _url_of(webhooks: Webhooks | None) -> str:
    return webhooks.url if webhooks else "of `crmsync serve` that ends in /hooks/<connection>"


# --- proof --------------------------------------------------------------------------------


def signature_of(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Return the signature that HubSpot gives a request."""
    address = DECODED.sub(lambda escape: chr(int(escape[0][1:], 16)), url)
    message = f"{method}{address}".encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def _verify(delivery: Delivery, secret: str) -> None:
    given, sent_ms = delivery.headers.get(SIGNATURE), delivery.headers.get(TIMESTAMP, "")
    if not given or not sent_ms.isdecimal():
        raise Forged("the delivery has no signature of version 3 with its time")
    made = signature_of(secret, delivery.method, delivery.url, delivery.body, sent_ms)
    if not hmac.compare_digest(made.encode(), given.encode()):
        raise Forged("the signature is not that of this delivery to this address")
    age_ms = milliseconds(delivery.received_at) - int(sent_ms)
    if abs(age_ms) > FRESH_MS:
        raise Forged(f"the delivery was signed {age_ms // 1000} seconds ago")


# --- events -------------------------------------------------------------------------------


def _events(body: bytes) -> list[Mapping[str, Any]]:
    events = orjson.loads(body)
    if not isinstance(events, list):
        raise TypeError("not a list")
    return events


def _hint(event: Mapping[str, Any]) -> Hint | None:
    """Return the record that an event is about; None where it is of a kind we do not know."""
    subject, _, kind = str(event["subscriptionType"]).partition(".")
    if kind not in KINDS:
        return None
    if kind == ASSOCIATION:
        object_type, crm_id = _associated(event)
    else:
        object_type = standard_type(str(event["objectTypeId"]) if subject == "object" else subject)
        # The survivor of a merge, often a third record, tells which ones it was.
        places = ("newObjectId", "primaryObjectId", ABOUT) if kind == MERGE else (ABOUT,)
        crm_id = next((event[place] for place in places if event.get(place)), "")
    if not object_type:
        raise ValueError("an event about nothing")
    return Hint(
        object_type=object_type,
        crm_id=crm_id_of({"id": crm_id}),
        at=moment(str(event["occurredAt"])),
        key=_key(event),
    )


def _associated(event: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the record to read of a pair: the deal, since it is read with its people."""
    source, _, target = str(event["associationType"]).partition("_TO_")
    pair = (
        (standard_type(source), event["fromObjectId"]),
        (standard_type(target), event["toObjectId"]),
    )
    return next((one for one in pair if one[0] == DEALS), pair[0])


def _key(event: Mapping[str, Any]) -> str:
    """Return what two deliveries of one event share; `eventId` is not promised to be unique."""
    names = ("portalId", "subscriptionType", ABOUT, "propertyName", "occurredAt",
             "primaryObjectId", "mergedObjectIds", "fromObjectId", "toObjectId")  # fmt: skip
    identity = orjson.dumps([event.get(name) for name in names])
    return hashlib.sha256(identity).hexdigest()[:32]
