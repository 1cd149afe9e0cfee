"""Every answer of the simulated HubSpot is what HubSpot's own description says it may be."""

from __future__ import annotations

import pytest
import requests

from tests.openapi.hubspot_exchanges import DESCRIPTION, EXCEPTIONS
from tests.openapi.tally import OPENAPI, available
from tests.sandboxes import running

pytestmark = pytest.mark.skipif(
    not available(), reason=f"the OpenAPI data of the CRMs is not at {OPENAPI}"
)

OBJECTS = "/crm/v3/objects"
ASSOCIATIONS = "/crm/v4/associations"
PROPERTIES = "/crm/v3/properties"
PIPELINES = "/crm/v3/pipelines"
CLIENT = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}
REFRESH = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "na1-sandbox-refresh-token"}
UNIQUE = {
    "name": "crmsync_id",
    "label": "crmsync",
    "type": "string",
    "fieldType": "text",
    "groupName": "contactinformation",
    "hasUniqueValue": True,
}


class Caller:
    """Calls the sandbox and remembers the last answer."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer pat-na1-test"

    def __call__(self, method, path, body=None, **more):
        """Send JSON; return the parsed answer."""
        response = self.session.request(method, self.url + path, json=body, timeout=10, **more)
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response.json()
        return None


def objects(call):
    """Records one at a time and in batches, right and wrong, in every spelling of the path."""
    for name, first in (
        ("contacts", {"email": "a@x.io", "firstname": "A"}),
        ("companies", {"name": "X", "domain": "x.io"}),
        ("deals", {"dealname": "D", "dealstage": "closedwon", "amount": "12.50"}),
    ):
        one = call("POST", f"{OBJECTS}/{name}", {"properties": first})["id"]
        two = call("POST", f"{OBJECTS}/{name}", {"properties": {}})["id"]
        query = {"properties": "createdate,hubspot_owner_id", "archived": "false"}
        call("GET", f"{OBJECTS}/{name}/{one}", params=query)
        call(
            "GET", f"{OBJECTS}/{name}/{one}", params={"propertiesWithHistory": "firstname,dealname"}
        )
        call("GET", f"{OBJECTS}/{name}/{one}", params={"associations": "contacts,companies"})
        call("GET", f"{OBJECTS}/{name}", params={"limit": 1})
        call("PATCH", f"{OBJECTS}/{name}/{one}", {"properties": first})
        call("PATCH", f"{OBJECTS}/{name}/{one}", {"properties": {"nope": "1"}})
        call("PATCH", f"{OBJECTS}/{name}/{one}", {"properties": {}})
        call("GET", f"{OBJECTS}/{name}/1")
        traced = [
            {"properties": {"nope": "1"}, "objectWriteTraceId": "1"},
            {"properties": {}, "objectWriteTraceId": "2"},
        ]
        call("POST", f"{OBJECTS}/{name}/batch/create", {"inputs": traced})
        call("POST", f"{OBJECTS}/{name}/batch/create", {"inputs": [{"properties": {}}]})
        inputs = [{"id": x, "properties": first, "objectWriteTraceId": x} for x in (one, "1")]
        call("POST", f"{OBJECTS}/{name}/batch/update", {"inputs": inputs})
        call("POST", f"{OBJECTS}/{name}/batch/update", {"inputs": inputs[:1]})
        read = {"inputs": [{"id": one}, {"id": "1"}], "properties": ["createdate", "nope"]}
        call("POST", f"{OBJECTS}/{name}/batch/read", read)
        call("POST", f"{OBJECTS}/{name}/batch/read", {"inputs": [{"id": one}]})
        wrong = {"inputs": [{"id": "x", "idProperty": "name", "properties": {}}]}
        call("POST", f"{OBJECTS}/{name}/batch/upsert", wrong)
        search = {
            "filterGroups": [
                {"filters": [{"propertyName": "createdate", "operator": "GTE", "value": "1"}]}
            ],
            "sorts": [{"propertyName": "createdate", "direction": "DESCENDING"}],
            "limit": 1,
        }
        call("POST", f"{OBJECTS}/{name}/search", search)
        call("POST", f"{OBJECTS}/{name}/search", {"after": "10000"})
        call("POST", f"{OBJECTS}/{name}/merge", {"primaryObjectId": one, "objectIdToMerge": two})
        call("POST", f"{OBJECTS}/{name}/batch/archive", {"inputs": [{"id": one}]})
        call("DELETE", f"{OBJECTS}/{name}/{two}")
        call("GET", f"{OBJECTS}/{name}", params={"archived": "true"})


def contacts(call):
    """What only contacts can do: upserts by address, conflicts, erasing."""
    item = {"id": "a@x.io", "idProperty": "email", "properties": {"email": "a@x.io"}}
    for path in (f"{OBJECTS}/contacts", "/crm/objects/2026-09/0-1", "/crm/objects/2026-03/CONTACT"):
        call("POST", f"{path}/batch/upsert", {"inputs": [item]})
    bad = {"id": "bad", "idProperty": "email", "properties": {}, "objectWriteTraceId": "2"}
    good = {**item, "objectWriteTraceId": "1"}
    call("POST", f"{OBJECTS}/contacts/batch/upsert", {"inputs": [good, bad]})
    call("POST", f"{OBJECTS}/contacts/batch/upsert", {"inputs": [item, item]})
    call("POST", f"{OBJECTS}/contacts", {"properties": {"email": "a@x.io"}})
    call("POST", f"{OBJECTS}/contacts/gdpr-delete", {"objectId": "a@x.io", "idProperty": "email"})


def associations(call):
    """Associations in bulk and one at a time, of records that exist and that do not."""
    contact = call("POST", f"{OBJECTS}/contacts", {"properties": {}})["id"]
    company = call("POST", f"{OBJECTS}/companies", {"properties": {}})["id"]
    pair, missing = ({"from": {"id": x}, "to": {"id": company}} for x in (contact, "1"))
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    path = f"{ASSOCIATIONS}/contacts/companies"
    call("POST", f"{path}/batch/associate/default", {"inputs": [pair]})
    call("POST", f"{path}/batch/associate/default", {"inputs": [pair, missing]})
    call("POST", f"{path}/batch/create", {"inputs": [{**pair, "types": types}]})
    call("POST", f"{path}/batch/create", {"inputs": [{**missing, "types": types}]})
    call("POST", f"{path}/batch/read", {"inputs": [{"id": contact}]})
    call("POST", f"{path}/batch/read", {"inputs": [{"id": contact}, {"id": "1"}]})
    call("GET", f"{path}/labels")
    call("POST", f"{path}/labels", {"label": "Boss", "name": "boss"})
    call("POST", f"{path}/batch/labels/archive", {"inputs": [{**pair, "types": types}]})
    one = f"/crm/v4/objects/contacts/{contact}/associations"
    call("GET", f"{one}/companies")
    call("GET", f"/crm/objects/2026-09/contacts/{contact}/associations/companies")
    call("PUT", f"{one}/default/companies/{company}")
    call("PUT", f"{one}/default/companies/1")
    call("PUT", f"{one}/companies/{company}", types)
    call("DELETE", f"{one}/companies/{company}")
    archive = {"inputs": [{"from": {"id": contact}, "to": [{"id": company}]}]}
    call("POST", f"{path}/batch/archive", archive)


def settings(call):
    """Properties, groups, owners, pipelines and stages."""
    for name in ("contacts", "companies", "deals", "0-1"):
        call("GET", f"{PROPERTIES}/{name}")
    call("POST", f"{PROPERTIES}/contacts", UNIQUE)
    call("POST", f"{PROPERTIES}/contacts", UNIQUE)
    call("GET", f"{PROPERTIES}/contacts/crmsync_id")
    call("GET", f"{PROPERTIES}/contacts/nope")
    call("PATCH", f"{PROPERTIES}/contacts/crmsync_id", {"label": "id"})
    call(
        "POST", f"{PROPERTIES}/contacts/batch/create", {"inputs": [{**UNIQUE, "name": "b"}, UNIQUE]}
    )
    call("POST", f"{PROPERTIES}/contacts/batch/read", {"inputs": [{"name": "b"}, {"name": "nope"}]})
    call("POST", f"{PROPERTIES}/contacts/batch/archive", {"inputs": [{"name": "b"}]})
    call("DELETE", f"{PROPERTIES}/contacts/crmsync_id")
    call("GET", f"{PROPERTIES}/contacts", params={"archived": "true"})
    call("GET", f"{PROPERTIES}/contacts/groups")
    call("POST", f"{PROPERTIES}/contacts/groups", {"name": "g", "label": "G"})
    call("GET", f"{PROPERTIES}/contacts/groups/g")
    owner = call("GET", "/crm/v3/owners/", params={"limit": 1})["results"][0]["id"]
    call("GET", "/crm/v3/owners/", params={"archived": "true"})
    call("GET", f"/crm/v3/owners/{owner}")
    call("GET", "/crm/v3/owners/1")
    call("GET", f"{PIPELINES}/deals")
    call("GET", f"{PIPELINES}/deals/default/stages")
    stage = {"label": "S", "displayOrder": 0, "metadata": {"probability": "0.5"}}
    made = call("POST", f"{PIPELINES}/deals", {"label": "P", "displayOrder": 9, "stages": [stage]})
    path = f"{PIPELINES}/deals/{made['id']}"
    call("GET", path)
    call("PATCH", path, {"label": "Q"})
    added = call("POST", f"{path}/stages", stage)["id"]
    call("GET", f"{path}/stages/{added}")
    call("PATCH", f"{path}/stages/{added}", {"label": "T"})
    call("DELETE", f"{path}/stages/{added}")
    call("DELETE", path)


def tokens(call):
    """Token calls of every version."""

    def form(path, fields):
        return call("POST", path, data=fields)

    issued = {}
    for version in ("v1", "v3", "2026-03", "2026-09"):
        issued = form(f"/oauth/{version}/token", REFRESH)
        form(f"/oauth/{version}/token", {**REFRESH, "refresh_token": "x"})
    call("GET", f"/oauth/v1/access-tokens/{issued['access_token']}")
    call("GET", f"/oauth/v1/refresh-tokens/{issued['refresh_token']}")
    call("GET", "/oauth/v1/refresh-tokens/x")
    about = {**CLIENT, "token": issued["refresh_token"]}
    form("/oauth/v3/token/introspect", about)
    form("/oauth/v3/token/revoke", about)
    call("DELETE", "/oauth/v1/refresh-tokens/x")


def refusals(call):
    """What is refused before anything is looked at."""
    for header in ("Bearer garbage", "Basic x"):
        call("GET", f"{OBJECTS}/contacts", headers={"Authorization": header})
    call("POST", f"{OBJECTS}/contacts", {})
    call("POST", f"{OBJECTS}/contacts/batch/read", {"inputs": [{}]})


@pytest.mark.parametrize("exercise", [objects, contacts, associations, settings, tokens, refusals])
def test_answers_are_as_described(exercise):
    """Each answer whose status is declared is valid, exceptions apart."""
    wrong_on_purpose = exercise is refusals
    with running(
        check_requests=not wrong_on_purpose, search_lag_seconds=0, limits=False
    ) as sandbox:
        call = Caller(sandbox.url)
        exercise(call)
        call.session.close()
        assert sandbox.control.calls() > 3


@pytest.mark.parametrize("status", [423, 429, 477, 500, 502, 504, 524])
def test_failures_on_order_are_as_described(status):
    """Faults are worded within the description too."""
    with running() as sandbox:
        sandbox.control.fault("answer", status=status)
        call = Caller(sandbox.url)
        call("GET", f"{OBJECTS}/contacts")
        call.session.close()
        assert DESCRIPTION.problems(sandbox.control.ledger()[0]) == []


def test_every_exception_has_a_reason():
    """The table explains itself."""
    assert all(exception.reason for exception in EXCEPTIONS)
