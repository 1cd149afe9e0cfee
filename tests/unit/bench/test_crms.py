"""What is read of each CRM's calls and records."""

from __future__ import annotations

from typing import Any

import pytest

from bench.contacts import traits
from bench.crms import CRMS, HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm

COMPOSITE = "/services/data/v{version}/composite"
HASH = "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e"


def _composite(*methods: str) -> dict[str, Any]:
    return {"compositeRequest": [{"method": method, "body": {}} for method in methods]}


@pytest.mark.parametrize(
    ("crm", "method", "route", "body", "kind"),
    [
        (HUBSPOT, "POST", "/crm/v3/objects/{type}/batch/update", None, "write"),
        (HUBSPOT, "DELETE", "/crm/v3/objects/{type}/{id}", None, "write"),
        (HUBSPOT, "POST", "/crm/v3/objects/{type}/batch/read", None, "read"),
        (HUBSPOT, "POST", "/crm/v3/objects/{type}/search", None, "read"),
        (HUBSPOT, "GET", "/crm/v3/properties/{type}", None, "metadata"),
        (SALESFORCE, "PATCH", f"{COMPOSITE}/sobjects/{{type}}/{{key}}", None, "write"),
        (SALESFORCE, "POST", f"{COMPOSITE}/sobjects", None, "write"),
        (SALESFORCE, "POST", f"{COMPOSITE}/sobjects/{{type}}", None, "read"),
        (SALESFORCE, "POST", COMPOSITE, _composite("GET", "GET"), "read"),
        (SALESFORCE, "POST", COMPOSITE, _composite("GET", "PATCH"), "write"),
        (SALESFORCE, "GET", "/services/data/v{version}/query", None, "read"),
        (SALESFORCE, "GET", "/services/data/v{version}/sobjects/{type}/describe", None, "metadata"),
        (ZOHO, "POST", "/crm/v8/{module}/upsert", None, "write"),
        (ZOHO, "POST", "/crm/v8/coql", None, "read"),
        (ZOHO, "GET", "/crm/v8/settings/fields", None, "metadata"),
        (PIPEDRIVE, "PATCH", "/api/v2/persons/{id}", None, "write"),
        (PIPEDRIVE, "GET", "/api/v2/persons", None, "read"),
        (PIPEDRIVE, "GET", "/api/v2/personFields", None, "metadata"),
        (PIPEDRIVE, "POST", "/somewhere/new", None, "write"),
    ],
)
def test_reads_by_post_are_no_writes(
    crm: Crm, method: str, route: str, body: object, kind: str
) -> None:
    """CRMs read and search by POST; whatever may change a record counts as a write."""
    assert crm.kind({"method": method, "route": route, "body": body}) == kind


@pytest.mark.parametrize(
    ("crm", "body"),
    [
        (HUBSPOT, {"inputs": [{"id": "1", "properties": {"city": "Lisbon", "zip": "1"}}]}),
        (
            SALESFORCE,
            {"records": [{"attributes": {"type": "Contact"}, "Id": "003", "city": "a", "zip": 1}]},
        ),
        (
            SALESFORCE,
            {
                "compositeRequest": [
                    {"body": {"records": [{"attributes": {}, "id": "003", "city": "Lisbon"}]}},
                    {"body": {"records": [{"crmsync_id__c": "ours", "zip": "00001"}]}},
                ]
            },
        ),
        (ZOHO, {"data": [{"id": "55", "city": "Lisbon"}, {"crmsync_id": "ours", "zip": "1"}]}),
        (PIPEDRIVE, {"city": "Lisbon", "custom_fields": {HASH: "00001"}}),
    ],
)
def test_the_fields_of_a_write_are_found_whatever_its_shape(crm: Crm, body: object) -> None:
    """Fields are named by what they are called; ids, types and our own key are none."""
    assert crm.fields_sent({"body": body}, {HASH: "zip"}) == {"city", "zip"}


@pytest.mark.parametrize("crm", CRMS.values(), ids=CRMS)
def test_a_record_with_an_old_value_is_not_as_told(crm: Crm) -> None:
    """A record is right only where every field has the value of the round."""
    record = crm.record(traits(7, 3, "here"))
    held = _as_pipedrive_holds(record, {}) if crm is PIPEDRIVE else record
    assert crm.is_as_told(held, {}, 3, "here")
    assert not crm.is_as_told(held, {}, 2, "here")


def test_pipedrives_own_fields_are_known_by_their_labels() -> None:
    """What Pipedrive holds under a hash is compared under the label of the mapping."""
    record = PIPEDRIVE.record(traits(7, 3, "here"))
    held = _as_pipedrive_holds(record, {HASH: record.pop("City")})
    assert PIPEDRIVE.is_as_told(held, {HASH: "City"}, 3, "here")
    assert not PIPEDRIVE.is_as_told(held, {}, 3, "here")


def _as_pipedrive_holds(record: dict[str, str], custom: dict[str, str]) -> dict[str, Any]:
    several = {f"{name}s": [{"value": record.pop(name)}] for name in ("email", "phone")}
    return {**record, **several, "custom_fields": custom}
