"""Related lists: the deals of a contact or account, and the contacts of a deal with their roles."""

from __future__ import annotations

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import MAX_PAGE, Call, listing
from crmsync.sandbox.zoho.calls.reading import fields_asked, shown
from crmsync.sandbox.zoho.calls.writing import write_each
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.records import Record

_LISTS = {
    ("Contacts", "Deals"): ("Deals", "Contact_Name"),
    ("Accounts", "Deals"): ("Deals", "Account_Name"),
    ("Accounts", "Contacts"): ("Contacts", "Account_Name"),
}
"""Which module's records a related list shows, and the lookup that relates them."""


def read_related(call: Call) -> Answer:
    """Return a page of the records related to one."""
    found = _LISTS.get((call.module, call.path["list"]))
    if found is None:
        text = "The relation name given seems to be invalid"
        raise ApiError(400, "INVALID_DATA", text, resource_path_index=2)
    record = _record(call)
    module, lookup = found
    other = Call(call.org, call.request, {"module": module}, call.scopes)
    names = fields_asked(other)
    related = [one for one in other.records.live() if one.values.get(lookup) == record.id]
    return _page(call, [shown(other, one, names) for one in related])


def read_contact_roles(call: Call) -> Answer:
    """Return the contacts of a deal, each with its role."""
    record = _record(call)
    other = Call(call.org, call.request, {"module": "Contacts"}, call.scopes)
    names = fields_asked(other)
    roles = call.org.contact_roles
    data = []
    primary = record.values.get("Contact_Name")
    contacts = {**({primary: None} if primary else {}), **roles.of_deal(record.id)}
    for contact_id, role_id in contacts.items():
        contact = other.records.find(contact_id)
        if contact is not None:
            role = {"name": roles.all[role_id], "id": role_id} if role_id is not None else None
            data.append({**shown(other, contact, names), "Contact_Role": role})
    return _page(call, data)


def set_contact_role(call: Call) -> Answer:
    """Give a contact of a deal a role."""
    deal, roles = _record(call), call.org.contact_roles
    contact_id = call.path["related"]
    if call.org.modules["Contacts"].find(contact_id) is None:
        raise errors.invalid_id(3)

    def one(place: int, given: Json) -> Json:
        role_id = (given.get("Contact_Role") or {}).get("id")
        if role_id is not None and role_id not in roles.all:
            raise errors.invalid_member("Contact_Role", f"$.data[{place}].Contact_Role")
        roles.of_deal(deal.id)[contact_id] = role_id
        details = {"id": contact_id}
        return {
            "code": "SUCCESS", "details": details, "message": "relation added", "status": "success",
        }  # fmt: skip

    return write_each(call, one, 200)


def list_roles(call: Call) -> Answer:
    """Return the roles a contact can have."""
    roles = [
        {"id": role_id, "name": name, "sequence_number": place}
        for place, (role_id, name) in enumerate(call.org.contact_roles.all.items(), 1)
    ]
    return Answer.of(200, {"contact_roles": roles})


def _record(call: Call) -> Record:
    record = call.records.find(call.path["id"])
    if record is None:
        raise errors.invalid_id(1)
    return record


def _page(call: Call, found: list[Json]) -> Answer:
    page = call.number("page", 1)
    per_page = call.number("per_page", MAX_PAGE, MAX_PAGE)
    data = found[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(data), "page": page, "more_records": more}
    return listing(data, info)
