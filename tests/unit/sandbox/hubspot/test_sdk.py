"""HubSpot's own client, unmodified, against the sandbox."""

from __future__ import annotations

import hubspot
import pytest
from hubspot.crm import companies, contacts, deals, pipelines, properties
from hubspot.crm.associations import v4
from hubspot.crm.contacts.exceptions import ApiException

CLIENT = {
    "client_id": "sandbox-client-id",
    "client_secret": "sandbox-client-secret",
    "refresh_token": "na1-sandbox-refresh-token",
}


@pytest.fixture
def client(sandbox):
    """The SDK, aimed at the sandbox with one keyword."""
    return hubspot.HubSpot(access_token="pat-na1-test", host=sandbox.url)  # noqa: S106


def test_contacts_one_at_a_time(client):
    """Create, read, update, list, archive."""
    api = client.crm.contacts.basic_api
    made = api.create(contacts.SimplePublicObjectInputForCreate(properties={"email": "A@x.io"}))
    changed = contacts.SimplePublicObjectInput(properties={"firstname": "Ann"})
    api.update(made.id, changed)
    read = api.get_by_id(made.id, properties=["firstname", "email"])
    assert (read.properties["firstname"], read.properties["email"]) == ("Ann", "a@x.io")
    by_email = api.get_by_id("a@x.io", id_property="email")
    assert by_email.id == made.id
    assert [one.id for one in client.crm.contacts.get_all()] == [made.id]
    api.archive(made.id)
    with pytest.raises(ApiException) as missing:
        api.get_by_id(made.id)
    assert missing.value.status == 404


def test_contacts_in_batches(client):
    """Create, upsert with a 207, update, read by address, archive."""
    api = client.crm.contacts.batch_api
    new = contacts.SimplePublicObjectBatchInputForCreate(properties={"email": "a@x.io"})
    made = api.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=[new]))
    upserts = [
        contacts.SimplePublicObjectBatchInputUpsert(
            id=address,
            id_property="email",
            object_write_trace_id=address,
            properties={"email": address},
        )
        for address in ("a@x.io", "b@x.io", "bad")
    ]
    answer = api.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=upserts))
    assert {(one.properties["email"], one.new) for one in answer.results} == {
        ("a@x.io", False),
        ("b@x.io", True),
    }
    assert answer.errors[0].context == {"objectWriteTraceId": ["bad"]}
    change = contacts.SimplePublicObjectBatchInput(
        id=made.results[0].id, properties={"lastname": "L"}
    )
    api.update(contacts.BatchInputSimplePublicObjectBatchInput(inputs=[change]))
    wanted = contacts.BatchReadInputSimplePublicObjectId(
        id_property="email",
        properties=["lastname"],
        properties_with_history=[],
        inputs=[contacts.SimplePublicObjectId(id="a@x.io")],
    )
    assert api.read(wanted).results[0].properties["lastname"] == "L"
    ids = [contacts.SimplePublicObjectId(id=one.id) for one in answer.results]
    api.archive(contacts.BatchInputSimplePublicObjectId(inputs=ids))
    assert client.crm.contacts.get_all() == []


def test_search_finds_by_filter(client, control):
    """Filters, sorting and paging go through the SDK's models."""
    control.seed("contacts", [{"email": f"{n}@x.io", "firstname": "Ann"} for n in range(3)])
    one = contacts.Filter(property_name="firstname", operator="EQ", value="ann")
    request = contacts.PublicObjectSearchRequest(
        filter_groups=[contacts.FilterGroup(filters=[one])],
        sorts=["email"],
        properties=["email"],
        limit=2,
        after="0",
    )
    answer = client.crm.contacts.search_api.do_search(request)
    assert answer.total == 3
    assert [found.properties["email"] for found in answer.results] == ["0@x.io", "1@x.io"]
    assert answer.paging.next.after == "2"


def test_companies_and_deals(client):
    """The other objects work the same way."""
    company = client.crm.companies.basic_api.create(
        companies.SimplePublicObjectInputForCreate(properties={"name": "X", "domain": "x.io"})
    )
    assert company.properties["website"] == "x.io"
    deal = client.crm.deals.basic_api.create(
        deals.SimplePublicObjectInputForCreate(
            properties={"dealname": "D", "dealstage": "closedwon"}
        )
    )
    assert deal.properties["hs_is_closed_won"] == "true"
    request = deals.PublicObjectSearchRequest(
        filter_groups=[], sorts=[], properties=[], limit=10, after="0"
    )
    assert client.crm.deals.search_api.do_search(request).total == 1


def test_properties_are_defined(client):
    """List, create, read, refuse a second one."""
    api = client.crm.properties.core_api
    assert "lifecyclestage" in {one.name for one in api.get_all("contacts").results}
    new = properties.PropertyCreate(
        name="crmsync_id",
        label="crmsync",
        type="string",
        field_type="text",
        group_name="contactinformation",
        has_unique_value=True,
    )
    assert api.create("contacts", new).has_unique_value
    assert api.get_by_name("contacts", "crmsync_id").label == "crmsync"
    with pytest.raises(properties.exceptions.ApiException) as taken:
        api.create("contacts", new)
    assert taken.value.status == 409


def test_owners_and_pipelines(client):
    """Owners answer under the trailing slash; stages have string metadata."""
    owners = client.crm.owners.owners_api.get_page().results
    assert owners[0].id != str(owners[0].user_id)
    assert client.crm.owners.get_all()[0].email == owners[0].email
    found = client.crm.pipelines.pipelines_api.get_all("deals").results
    won = next(stage for stage in found[0].stages if stage.id == "closedwon")
    assert (found[0].id, won.metadata["isClosed"]) == ("default", "true")
    stage = pipelines.PipelineStageInput(label="S", display_order=9, metadata={"probability": "1"})
    made = client.crm.pipelines.pipeline_stages_api.create("deals", "default", stage)
    assert made.id.isdigit()


def test_associations_v4(client, control):
    """In bulk, labelled, read, archived, and one at a time."""
    (contact,) = control.seed("contacts", [{"email": "a@x.io"}])
    (company,) = control.seed("companies", [{"name": "X"}])
    api = client.crm.associations.v4.batch_api
    source, target = v4.PublicObjectId(id=contact), v4.PublicObjectId(id=company)
    pair = v4.PublicDefaultAssociationMultiPost(_from=source, to=target)
    body = v4.BatchInputPublicDefaultAssociationMultiPost(inputs=[pair])
    made = api.create_default("contacts", "companies", body)
    assert made.results[0].association_spec.association_type_id == 279
    primary = v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)
    labelled = v4.PublicAssociationMultiPost(_from=source, to=target, types=[primary])
    api.create("contact", "company", v4.BatchInputPublicAssociationMultiPost(inputs=[labelled]))
    wanted = v4.PublicFetchAssociationsBatchRequest(id=contact)
    body = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[wanted])
    (associated,) = api.get_page("contacts", "companies", body).results[0].to
    assert str(associated.to_object_id) == company
    assert {kind.type_id for kind in associated.association_types} == {1, 279}
    one = client.crm.associations.v4.basic_api
    assert len(one.get_page("companies", company, "contacts").results) == 1
    one.archive("contacts", contact, "companies", company)
    assert one.get_page("companies", company, "contacts").results == []


def test_oauth_tokens(client):
    """A refresh through the SDK gives a token the SDK can use."""
    issued = client.oauth.tokens_api.create(grant_type="refresh_token", **CLIENT)
    client.access_token = issued.access_token
    assert issued.expires_in == 1800
    assert client.crm.contacts.get_all() == []
    info = client.oauth.access_tokens_api.get(issued.access_token)
    assert info.hub_id == 1_234_567
