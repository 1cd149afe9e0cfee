"""What the org says of its object types."""

from __future__ import annotations

from email.utils import formatdate


def fields(api, name="Contact"):
    """Return the fields of an object type by name."""
    return {field["name"]: field for field in api.ok("GET", f"sobjects/{name}/describe")["fields"]}


def test_the_objects_are_listed(api):
    """With what may be done to them."""
    listed = api.ok("GET", "sobjects/")
    assert (listed["encoding"], listed["maxBatchSize"]) == ("UTF-8", 200)
    types = {one["name"]: one for one in listed["sobjects"]}
    assert types["Contact"]["keyPrefix"] == "003"
    assert types["Contact"]["createable"] is True
    assert types["OpportunityStage"]["createable"] is False
    assert "sobjects" in api.ok("GET", "")


def test_required_fields_can_be_told(api):
    """Createable, not nillable, not defaulted: exactly those a create needs."""

    def required(name):
        return {
            name
            for name, field in fields(api, name).items()
            if field["createable"] and not field["nillable"] and not field["defaultedOnCreate"]
        }

    assert required("Contact") == {"LastName"}
    assert required("Lead") == {"LastName", "Company"}
    assert required("Account") == {"Name"}
    assert required("Opportunity") == {"Name", "StageName", "CloseDate"}
    assert required("OpportunityContactRole") == {"OpportunityId", "ContactId"}


def test_a_field_is_described_in_full(api):
    """Keys, lengths, references and picklists."""
    described = fields(api)
    key = described["Ext__c"]
    assert (key["externalId"], key["unique"], key["caseSensitive"]) == (True, True, False)
    assert (key["custom"], key["idLookup"], key["length"]) == (True, True, 255)
    assert described["AccountId"]["referenceTo"] == ["Account"]
    assert described["AccountId"]["relationshipName"] == "Account"
    assert described["Email"]["type"] == "email"
    assert described["MailingCity"]["compoundFieldName"] == "MailingAddress"
    assert described["Name"]["createable"] is False
    source = described["LeadSource"]
    assert source["restrictedPicklist"] is True
    assert source["picklistValues"][0] == {
        "active": True, "defaultValue": False, "label": "Web", "validFor": None, "value": "Web",
    }  # fmt: skip


def test_hidden_fields_do_not_exist(api, sandbox):
    """Absent here, and unknown wherever they are named."""
    contact = api.create("Contact", LastName="L", Phone="1")
    sandbox.control.settings(hidden_fields=["Contact.Phone"])
    assert "Phone" not in fields(api)
    assert "Phone" not in api.read("Contact", contact)
    body = {"LastName": "L", "Phone": "2"}
    (error,) = api.call("POST", "sobjects/Contact", body).json()
    assert error["message"] == "No such column 'Phone' on sobject of type Contact"
    soql = {"q": "SELECT Phone FROM Contact"}
    assert api.refused("GET", "query", params=soql) == (400, "INVALID_FIELD")
    sandbox.control.settings(hidden_fields=[])
    assert api.read("Contact", contact)["Phone"] == "1"


def test_read_only_fields_are_seen(api, sandbox):
    """And not written."""
    sandbox.control.settings(read_only_fields=["Contact.Phone"])
    assert fields(api)["Phone"]["updateable"] is False
    body = {"LastName": "L", "Phone": "2"}
    expected = (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert api.refused("POST", "sobjects/Contact", body) == expected


def test_an_unchanged_describe_is_a_304(api, sandbox):
    """Until a field changes."""
    path, later = "sobjects/Contact/describe", sandbox.control.now() + 10
    asked = {"If-Modified-Since": formatdate(later, usegmt=True)}
    assert api.call("GET", path, headers=asked).status_code == 304
    sandbox.control.advance(60)
    sandbox.control.act("change_field", object_type="Contact", name="Title", length=10)
    changed = api.call("GET", path, headers=asked)
    assert changed.status_code == 200
    assert changed.headers["Last-Modified"].endswith("GMT")


def test_fields_come_change_and_go(api, sandbox):
    """While calls go on: a new one, a shorter one, other options, none."""
    control = sandbox.control
    control.act("add_field", object_type="Contact", name="New__c", options=["A"], type="picklist",
                restricted=True)  # fmt: skip
    contact = api.create("Contact", LastName="L", New__c="A")
    control.act("change_field", object_type="Contact", name="New__c", options=["B"])
    path = f"sobjects/Contact/{contact}"
    code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert api.refused("PATCH", path, {"New__c": "A"})[1] == code
    api.ok("PATCH", path, {"New__c": "B"})
    control.act("change_field", object_type="Contact", name="Title", length=3)
    assert api.refused("PATCH", path, {"Title": "1234"})[1] == "STRING_TOO_LONG"
    control.act("remove_field", object_type="Contact", name="New__c")
    assert api.refused("PATCH", path, {"New__c": "B"})[1] == "INVALID_FIELD"


def test_an_unknown_type_is_not_described(api):
    """404, as for any path."""
    assert api.refused("GET", "sobjects/Nope/describe") == (404, "NOT_FOUND")
