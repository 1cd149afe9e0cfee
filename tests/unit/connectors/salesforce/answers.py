"""Answers as the REST API guide describes them, for tests of the connector."""

from __future__ import annotations

from typing import Any

import orjson

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection
from crmsync.connectors.salesforce.connector import Salesforce
from crmsync.connectors.salesforce.objects import Described, described
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.model import Action, Batch, CrmId, LinkId, Operation

ORG = "https://acme.my.salesforce.com"
API = f"{ORG}/services/data/v59.0"
CONTACTS = f"{API}/sobjects/Contact/describe"
COMPOSITE = f"{API}/composite"
COLLECTION = f"{COMPOSITE}/sobjects"
UPSERT = f"{COLLECTION}/Contact/Key__c"
FIRST, SECOND = CrmId("0035e00000AbCdEAAV"), CrmId("0035e00000AbCdFAAV")
"""Two contacts, by their 18 characters."""


def column(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    """A field as describe shows it."""
    field: dict[str, Any] = {
        "name": name,
        "label": name,
        "type": type_,
        "length": 80 if type_ in {"string", "email", "picklist"} else 0,
        "scale": 0,
        "nillable": True,
        "defaultedOnCreate": False,
        "createable": True,
        "updateable": True,
        "calculated": False,
        "externalId": False,
        "unique": False,
        "caseSensitive": False,
        "filterable": True,
        "restrictedPicklist": False,
        "picklistValues": [],
        "referenceTo": [],
    }
    return field | more


def choices(*pairs: tuple[str, str], active: bool = True) -> list[dict[str, Any]]:
    """Choices of a picklist, by value and label."""
    return [{"value": value, "label": label, "active": active} for value, label in pairs]


CONTACT = {
    "name": "Contact",
    "fields": [
        column("Id", "id", length=18, createable=False, updateable=False, nillable=False),
        column("LastName", nillable=False),
        column("Email", "email"),
        column("Key__c", externalId=True, unique=True),
        column("Number__c", "double", externalId=True, unique=True),
        column("Loose__c", externalId=True),
        column("Case__c", externalId=True, unique=True, caseSensitive=True),
        column("Visits__c", "double", scale=2),
        column("Notes__c", "textarea", length=32_000, filterable=False),
        column("Active__c", "boolean", nillable=False, defaultedOnCreate=True),
        column("LeadSource", "picklist", picklistValues=choices(("Web", "Web"), ("ph", "Phone"))),
        column("Tags__c", "multipicklist", picklistValues=choices(("A", "Aa"), ("B", "Bb"))),
        column(
            "Stage__c", "picklist", restrictedPicklist=True, picklistValues=choices(("Hot", "Hot"))
        ),
        column("AccountId", "reference", length=18, referenceTo=["Account"]),
        column("OwnerId", "reference", length=18, defaultedOnCreate=True, nillable=False,
               referenceTo=["Group", "User"]),
        column("Seen__c", "datetime"),
        column("Total__c", "currency", scale=2, calculated=True, createable=False,
               updateable=False),
        column("MailingAddress", "address", createable=False, updateable=False),
        column("MasterRecordId", "reference", createable=False, updateable=False,
               referenceTo=["Contact"]),
        column("IsDeleted", "boolean", createable=False, updateable=False),
        column("SystemModstamp", "datetime", createable=False, updateable=False),
    ],
}  # fmt: skip


def contact() -> Described:
    """The contacts of this org."""
    return described("Contact", CONTACT)


def connector(**settings: Any) -> Salesforce:
    """A connector with a token."""
    known = {"base_url": ORG, "remedy": "connect anew"} | settings
    connection = Connection("sf", "salesforce", {"token": "00D!t"}, **known)
    throttle = MemoryThrottle(Salesforce.limits(connection))
    return Salesforce(connection, throttle, FixedToken("00D!t"))


def upserts(*keys: str, match_field: str = "Key__c", **fields: Any) -> Batch:
    """A batch of upserts by our key."""
    operations = [
        Operation(LinkId(n), Action.UPSERT, {"LastName": "Li", **fields}, match_value=key)
        for n, key in enumerate(keys)
    ]
    return Batch("Contact", Action.UPSERT, operations, match_field)


def updates(*ids: str, **fields: Any) -> Batch:
    """A batch of updates by id."""
    changed = fields or {"LastName": "Li"}
    operations = [
        Operation(LinkId(n), Action.UPDATE, changed, crm_id=CrmId(crm_id))
        for n, crm_id in enumerate(ids)
    ]
    return Batch("Contact", Action.UPDATE, operations)


def saved(crm_id: str, **more: Any) -> dict[str, Any]:
    """The row of a record that was written."""
    return {"id": crm_id, "success": True, "errors": [], **more}


def refused(code: str, message: str = "no", *fields: str, **more: Any) -> dict[str, Any]:
    """The row of a record that was not."""
    error = {"statusCode": code, "message": message, "fields": list(fields), **more}
    return {"success": False, "errors": [error]}


def error(code: str, message: str = "no", **more: Any) -> list[dict[str, Any]]:
    """The body of a whole refused call."""
    return [{"errorCode": code, "message": message, **more}]


def answered(status: int, body: Any = b"", *, effect: Effect = Effect.WRITE, **headers: str):
    """An answer of that status."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, headers, raw, effect, "POST acme.my.salesforce.com/x", "connect anew")
