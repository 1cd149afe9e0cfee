"""Associations v4: in bulk and one at a time. Ids of associated records are numbers on the wire."""

from __future__ import annotations

from itertools import islice
from typing import Any

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import errors
from crmsync.sandbox.hubspot.associations import HUBSPOT_DEFINED, UNLABELLED, Kind
from crmsync.sandbox.hubspot.calls.call import Call, Json, required, text_of
from crmsync.sandbox.hubspot.errors import ApiError
from crmsync.sandbox.hubspot.wire import KINDS, SINGULAR, TYPE_IDS, iso

MAX_WRITES = 2_000
MAX_READS = 1_000
_PAGE = 500


def associate_default_batch(call: Call) -> Answer:
    """Add the unlabelled type to pairs."""
    source, target = call.type_at("from"), call.type_at("to")
    results, failures = [], []
    for item in call.inputs(MAX_WRITES):
        try:
            from_id, to_id = _pair(call, source, target, item)
        except ApiError as error:
            failures.append(error.entry(None))
            continue
        call.portal.associations.connect(source, from_id, target, to_id)
        results.append(_default(source, from_id, target, to_id))
        if call.portal.settings.associate_default_both_ways:
            results.append(_default(target, to_id, source, from_id))
    return _answer(call, 200, results, failures)


def create_batch(call: Call) -> Answer:
    """Replace the labels of pairs."""
    source, target = call.type_at("from"), call.type_at("to")
    results, failures = [], []
    for item in call.inputs(MAX_WRITES):
        kinds = _kinds(call, source, target, required(item, "types")[0])
        try:
            from_id, to_id = _pair(call, source, target, item)
        except ApiError as error:
            failures.append(error.entry(None))
            continue
        call.portal.associations.label(source, from_id, target, to_id, kinds)
        results.append(_labelled(call, source, from_id, target, to_id))
    return _answer(call, 201, results, failures)


def read_batch(call: Call) -> Answer:
    """Return what records are associated with."""
    source, target = call.type_at("from"), call.type_at("to")
    results, failures = [], []
    for item in call.inputs(MAX_READS):
        from_id = text_of(item, "id")
        associated = _associated(call, source, from_id, target)
        if associated:
            results.append({"from": {"id": from_id}, "to": associated})
        elif call.portal.settings.association_read_misses == "error":
            failures.append(_no_associations(source, from_id, target))
    return _answer(call, 200, results, failures)


def archive_batch(call: Call) -> Answer:
    """Remove pairs; those that do not exist do not matter."""
    source, target = call.type_at("from"), call.type_at("to")
    for item in call.inputs(MAX_WRITES):
        from_id = text_of(required(item, "from")[0], "id")
        for to in required(item, "to")[0]:
            call.portal.associations.disconnect(source, from_id, target, text_of(to, "id"))
    return Answer(204)


def archive_labels_batch(call: Call) -> Answer:
    """Take labels from pairs; taking the unlabelled type takes all."""
    source, target = call.type_at("from"), call.type_at("to")
    for item in call.inputs(MAX_WRITES):
        from_id = text_of(required(item, "from")[0], "id")
        to_id = text_of(required(item, "to")[0], "id")
        kinds = _kinds(call, source, target, required(item, "types")[0])
        call.portal.associations.unlabel(source, from_id, target, to_id, kinds)
    return Answer(204)


# --- one pair -----------------------------------------------------------------------------------


def list_associated(call: Call) -> Answer:
    """Return a page of what one record is associated with."""
    source, target, from_id = call.type, call.type_at("to"), call.path["id"]
    if call.portal.objects[source].find(from_id) is None:
        raise errors.not_found()
    limit = call.limit(_PAGE, _PAGE)
    after = int(call.request.one("after") or "0")
    associated = _associated(call, source, from_id, target)
    associated.sort(key=lambda entry: int(entry["toObjectId"]))
    later = (entry for entry in associated if entry["toObjectId"] > after)
    found = list(islice(later, limit + 1))
    body: Json = {"results": found[:limit]}
    if len(found) > limit:
        following = str(found[limit - 1]["toObjectId"])
        body["paging"] = {"next": {"after": following, "link": call.link(following)}}
    return Answer.of(200, body)


def associate_default(call: Call) -> Answer:
    """Add the unlabelled type to one pair."""
    source, target = call.type, call.type_at("to")
    from_id, to_id = _named_pair(call, source, target)
    call.portal.associations.connect(source, from_id, target, to_id)
    both = [_default(source, from_id, target, to_id), _default(target, to_id, source, from_id)]
    return _answer(call, 200, both, [])


def associate(call: Call) -> Answer:
    """Replace the labels of one pair."""
    source, target = call.type, call.type_at("to")
    types = call.sent() if call.request.body else []
    kinds = _kinds(call, source, target, types)
    from_id, to_id = _named_pair(call, source, target)
    call.portal.associations.label(source, from_id, target, to_id, kinds)
    return Answer.of(201, _labelled(call, source, from_id, target, to_id))


def dissociate(call: Call) -> Answer:
    """Remove one pair."""
    call.portal.associations.disconnect(
        call.type, call.path["id"], call.type_at("to"), call.path["to_id"]
    )
    return Answer(204)


# --- types --------------------------------------------------------------------------------------


def list_labels(call: Call) -> Answer:
    """Return the association types from one object type to another."""
    labels = call.portal.associations.labels(call.type_at("from"), call.type_at("to"))
    return Answer.of(200, {"results": [_type(x.category, x.type_id, x.label) for x in labels]})


def create_label(call: Call) -> Answer:
    """Define a label."""
    source, target = call.type_at("from"), call.type_at("to")
    body = call.body
    label, _name = required(body, "label", "name")
    inverse = body.get("inverseLabel") or label
    made = call.portal.associations.add_label(source, target, label, inverse)
    return Answer.of(200, {"results": [_type(x.category, x.type_id, x.label) for x in made]})


# --- reading and showing ------------------------------------------------------------------------


def _pair(call: Call, source: str, target: str, item: Json) -> tuple[str, str]:
    from_id = text_of(required(item, "from")[0], "id")
    to_id = text_of(required(item, "to")[0], "id")
    return _existing(call, source, from_id), _existing(call, target, to_id)


def _named_pair(call: Call, source: str, target: str) -> tuple[str, str]:
    return _existing(call, source, call.path["id"]), _existing(call, target, call.path["to_id"])


def _existing(call: Call, name: str, record_id: str) -> str:
    record = call.portal.objects[name].find(record_id)
    if record is None:
        text = f"No {SINGULAR[name]} with ID {record_id} exists"
        raise ApiError(404, text, errors.NOT_FOUND, context={"ids": [record_id]})
    return record.id


def _kinds(call: Call, source: str, target: str, types: list[Json]) -> list[Kind]:
    if not isinstance(types, list):
        raise errors.wrong_shape("`types`: a list is expected")
    kinds = []
    for one in types:
        category, type_id = required(one, "associationCategory", "associationTypeId")
        if call.portal.associations.find_label(source, target, (category, type_id)) is None:
            pair = f"{KINDS[source]} to {KINDS[target]}"
            raise errors.invalid(f"{category} type {type_id} is not an association from {pair}")
        kinds.append((category, type_id))
    return kinds


def _associated(call: Call, source: str, from_id: str, target: str) -> list[Json]:
    portal = call.portal
    if portal.objects[source].find(from_id) is None:
        return []
    pairs = portal.associations.of(source, from_id, target)
    return [
        {"toObjectId": int(to_id), "associationTypes": _types(call, source, target, kinds)}
        for to_id, kinds in pairs.items()
        if portal.objects[target].find(to_id) is not None
    ]


def _types(call: Call, source: str, target: str, kinds: set[Kind]) -> list[Json]:
    found = (call.portal.associations.find_label(source, target, kind) for kind in sorted(kinds))
    return [_type(x.category, x.type_id, x.label) for x in found if x is not None]


def _type(category: str, type_id: int, label: str | None) -> Json:
    return {"category": category, "typeId": type_id, "label": label}


def _default(source: str, from_id: str, target: str, to_id: str) -> Json:
    spec = {
        "associationCategory": HUBSPOT_DEFINED,
        "associationTypeId": UNLABELLED[source, target],
    }
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec}


def _labelled(call: Call, source: str, from_id: str, target: str, to_id: str) -> Json:
    kinds = call.portal.associations.of(source, from_id, target).get(to_id, set())
    types = _types(call, source, target, kinds)
    return {
        "fromObjectTypeId": TYPE_IDS[source],
        "fromObjectId": int(from_id),
        "toObjectTypeId": TYPE_IDS[target],
        "toObjectId": int(to_id),
        "labels": [one["label"] for one in types if one["label"] is not None],
    }


def _no_associations(source: str, from_id: str, target: str) -> Json:
    text = f"No {SINGULAR[target]} is associated with {SINGULAR[source]} {from_id}."
    return {
        "status": "error",
        "category": errors.NOT_FOUND,
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": text,
        "context": {"fromObjectId": [from_id]},
    }


def _answer(call: Call, status: int, results: list[Json], failures: list[Json]) -> Answer:
    now = iso(call.portal.clock.milliseconds())
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": now,
        "completedAt": now,
    }
    if not failures:
        return Answer.of(status, body)
    return Answer.of(207, {**body, "numErrors": len(failures), "errors": failures})
