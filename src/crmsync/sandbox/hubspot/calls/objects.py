"""Records one at a time: list, read, create, update, archive, merge, erase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.associations import Kind
from crmsync.sandbox.hubspot.calls.call import Call, Json, fields_of, required, shown, text_of
from crmsync.sandbox.hubspot.default_properties import DEFAULTS
from crmsync.sandbox.hubspot.portal import Portal
from crmsync.sandbox.hubspot.records import Claims, Record, Records
from crmsync.sandbox.hubspot.wire import SINGULAR, TYPE_IDS, iso, object_type

_PAGE = 10
_MAX_PAGE = 100
_NO_CONTENT = Answer(204)

_COMPUTED = {
    "contacts": ("hs_email_domain", "hs_full_name_or_email"),
    "companies": ("website",),
    "deals": ("hs_is_closed", "hs_is_closed_won", "hs_deal_stage_probability"),
}
"""What a write answers with besides what was sent."""


def list_records(call: Call) -> Answer:
    """Return a page of records, lowest id first."""
    limit = call.limit(_PAGE, _MAX_PAGE)
    after = call.request.one("after") or "0"
    if not after.isdigit():
        raise errors.invalid(f"after is not a cursor of this list: {after}")
    found = list(islice(_listed(call, int(after) - 1), limit + 1))
    page = found[:limit]
    body: Json = {"results": [_read_out(call, record) for record in page]}
    if len(found) > limit:
        following = str(int(page[-1].id) + 1)
        body["paging"] = {"next": {"after": following, "link": call.link(following)}}
    return Answer.of(200, body)


def read_record(call: Call) -> Answer:
    """Return one record; 404 for an archived one, unless archived ones are asked for."""
    archived = call.flag("archived")
    id_property = call.request.one("idProperty")
    if archived and id_property is None:
        record = call.portal.find_archived(call.type, call.path["id"])
    else:
        record = find(call, call.type, call.path["id"], id_property)
    if record is None:
        raise errors.not_found()
    return Answer.of(200, _read_out(call, record))


def create_record(call: Call) -> Answer:
    """Create a record, with its associations where any are given."""
    portal, name = call.portal, call.type
    body = call.body
    draft = portal.draft_create(name, fields_of(body), Claims())
    targets = list(targets_of(portal, name, body))
    record = portal.objects[name].commit(draft, portal.by_api(name))
    associate(portal, name, record, targets)
    return Answer.of(201, written(portal.objects[name], name, record, draft.changes))


def update_record(call: Call) -> Answer:
    """Change a record found by its id, an id merged into it, or a unique property."""
    portal, name = call.portal, call.type
    fields = fields_of(call.body)
    record = find(call, name, call.path["id"], call.request.one("idProperty"))
    if record is None:
        raise errors.not_found()
    draft = portal.draft_update(name, record, fields, Claims())
    portal.objects[name].commit(draft, portal.by_api(name))
    return Answer.of(200, written(portal.objects[name], name, record, fields))


def archive_record(call: Call) -> Answer:
    """Put a record into the recycle bin; 204 also where it is there already, or never was."""
    record = call.records.find(call.path["id"])
    if record is not None:
        call.portal.archive(call.type, record)
    return _NO_CONTENT


def merge_records(call: Call) -> Answer:
    """Merge two records and return the survivor."""
    body = call.body
    primary, other = text_of(body, "primaryObjectId"), text_of(body, "objectIdToMerge")
    survivor = call.portal.merge(call.type, primary, other)
    return Answer.of(200, shown(call.records, survivor, DEFAULTS[call.type]))


def erase_contact(call: Call) -> Answer:
    """Erase a contact for good, known by its id or its address."""
    if call.type != "contacts":
        raise errors.no_such_path()
    body = call.body
    wanted = text_of(body, "objectId")
    if body.get("idProperty") == "email":
        call.portal.erase(call.records.find_by("email", wanted), wanted)
    else:
        call.portal.erase(call.records.find(wanted), None)
    return _NO_CONTENT


# --- shared with batches ------------------------------------------------------------------------


def find(call: Call, name: str, wanted: str, id_property: str | None) -> Record | None:
    """Find a live record by its id or by a unique property; 400 where that is not unique."""
    records = call.portal.objects[name]
    if id_property in (None, "hs_object_id"):
        return records.find(wanted)
    check_unique(records, name, id_property or "")
    return records.find_by(id_property or "", wanted)


def check_unique(records: Records, name: str, id_property: str) -> None:
    """Refuse a property by which no single record can be found."""
    if id_property not in records.properties.unique:
        raise errors.not_unique(TYPE_IDS[name], id_property)


def written(
    records: Records, name: str, record: Record, sent: Sequence[str] | Json, *, bare: bool = False
) -> Json:
    """Return a record as a write shows it: what was sent, what HubSpot computed, system values."""
    system = () if bare else ("createdate", "hs_object_id")
    return shown(records, record, [*sent, *system, records.modified_name, *_COMPUTED[name]])


Target = tuple[str, str, list[Kind]]
"""Object type, id, association types."""


def targets_of(portal: Portal, name: str, item: Json) -> Iterator[Target]:
    """Yield what a new record is to be associated with; 400 for types that do not exist."""
    for association in item.get("associations") or ():
        to, types = required(association, "to", "types")
        to_id = text_of(to, "id")
        kinds = [(kind["associationCategory"], int(kind["associationTypeId"])) for kind in types]
        yield target_of(portal, name, kinds), to_id, kinds


def target_of(portal: Portal, name: str, kinds: list[Kind]) -> str:
    """Return the object type association types lead to; 400 where they do not exist."""
    for target in TYPE_IDS:
        if kinds and all(portal.associations.find_label(name, target, kind) for kind in kinds):
            return target
    raise errors.invalid(f"No association types {kinds} exist from {TYPE_IDS[name]}")


def associate(portal: Portal, name: str, record: Record, targets: list[Target]) -> None:
    """Associate a new record; a target that does not exist is left out."""
    for target, to_id, kinds in targets:
        other = portal.objects[target].find(to_id)
        if other is not None:
            portal.associations.label(name, record.id, target, other.id, kinds)


def _listed(call: Call, after: int) -> Iterator[Record]:
    archived = call.flag("archived")
    for record in call.records.after(after):
        if call.portal.restorable(record) if archived else record.archived is None:
            yield record


def read_properties(name: str, asked: Sequence[str], modified_name: str) -> list[str]:
    """Return what a read shows: what was asked for and the system values, or the defaults."""
    if not asked:
        return list(DEFAULTS[name])
    return list(dict.fromkeys([*asked, "createdate", modified_name, "hs_object_id"]))


def _read_out(call: Call, record: Record) -> Json:
    name, records = call.type, call.records
    records.settle(record, call.portal.clock.milliseconds())
    asked_history = call.names("propertiesWithHistory")
    asked = [*call.names("properties"), *asked_history]
    out = shown(records, record, read_properties(name, asked, records.modified_name))
    if asked_history:
        out["propertiesWithHistory"] = {x: history(record, x) for x in asked_history}
    associations = {}
    for target_name in call.names("associations"):
        target = object_type(target_name)
        if target is None:
            raise errors.unknown_type(target_name)
        listed = _associated(call.portal, name, record, target)
        if listed:
            associations[target] = {"results": listed}
    if associations:
        out["associations"] = associations
    return out


def _associated(portal: Portal, name: str, record: Record, target: str) -> list[Json]:
    kind = f"{SINGULAR[name]}_to_{SINGULAR[target]}"
    return [
        {"id": to_id, "type": kind}
        for to_id in portal.associations.of(name, record.id, target)
        if portal.objects[target].find(to_id) is not None
    ]


def history(record: Record, name: str) -> list[Json]:
    """Return the changes of one property, newest first; a write of the same value is none."""
    entries: list[Json] = []
    last: str | None = None
    for write in record.history:
        value = write.changes.get(name)
        if value is None or value == last:
            continue
        last = value
        entry: Json = {
            "value": value,
            "timestamp": iso(write.stamp.at),
            "sourceType": write.stamp.source,
            "sourceId": write.stamp.source_id,
        }
        if write.stamp.source == "CRM_UI":
            entry["updatedByUserId"] = int(write.stamp.source_id.partition(":")[2])
        entries.append(entry)
    return entries[::-1]
