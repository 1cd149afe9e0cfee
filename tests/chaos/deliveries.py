"""Webhooks as each CRM delivers them, with bodies that are spoilt and proofs that are good."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from crmsync.connectors.base import Delivery, Webhooks
from crmsync.connectors.hubspot.webhooks import SIGNATURE, TIMESTAMP, signature_of
from crmsync.connectors.zoho.webhooks import _number
from crmsync.sandbox.http import Answer
from tests.chaos.mutations import spoil

HOOKS = "http://127.0.0.1:9/hooks/crm"
"""Where nobody listens."""
SECRET = "s3cret"  # noqa: S105 (of this test)


def _bodies(now: datetime) -> Mapping[str, Any]:
    """Return one delivery's body for each CRM that makes any."""
    ms = int(now.timestamp() * 1000)
    change = {"eventId": 1, "portalId": 7, "occurredAt": ms, "objectId": 9001}
    return {
        "hubspot": [
            {**change, "subscriptionType": "contact.propertyChange", "propertyName": "phone"},
            {**change, "subscriptionType": "object.creation", "objectTypeId": "0-3"},
            {
                **change,
                "subscriptionType": "contact.merge",
                "primaryObjectId": 5,
                "mergedObjectIds": [6, 7],
                "newObjectId": 8,
            },
            {
                **change,
                "subscriptionType": "deal.associationChange",
                "associationType": "DEAL_TO_CONTACT",
                "fromObjectId": 5,
                "toObjectId": 6,
            },
        ],
        "pipedrive": {
            "meta": {
                "action": "change",
                "entity": "person",
                "entity_id": "7",
                "timestamp": now.isoformat(),
                "id": "uuid",
                "attempt": 1,
                "merged_to_id": 8,
            },
            "data": {"id": 7},
            "previous": {},
        },
        "zoho": {
            "server_time": ms,
            "module": "Contacts",
            "ids": ["3652397000000624046", "3652397000000624047"],
            "operation": "update",
            "affected_fields": [{"3652397000000624046": ["Phone"]}],
            "token": SECRET,
            "channel_id": _number("crm", Webhooks(HOOKS, SECRET)),
        },
        "salesforce": {},
    }


def spoilt_delivery(crm: str, chance: random.Random) -> Delivery:
    """Return a delivery that proves itself, however odd its body is."""
    now = datetime.now(UTC)
    whole = Answer(200, orjson.dumps(_bodies(now)[crm]))
    body = spoil(whole, chance, keeps_order=False).body
    sent_ms = str(int(now.timestamp() * 1000))
    proof = base64.b64encode(f"crmsync:{SECRET}".encode()).decode()
    headers = {
        SIGNATURE: signature_of(SECRET, "POST", HOOKS, body, sent_ms),
        TIMESTAMP: sent_ms,
        "authorization": f"Basic {proof}",
    }
    return Delivery("POST", HOOKS, headers, body, now)
