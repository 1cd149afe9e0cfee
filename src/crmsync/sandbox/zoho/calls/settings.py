"""Settings: modules, fields, layouts, pipelines, users and the organisation."""

from __future__ import annotations

import re
from typing import Any

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import MAX_PAGE, NOT_MODIFIED, NOTHING, Call
from crmsync.sandbox.zoho.default_fields import options
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.fields import UNIQUE_TYPES, Field
from crmsync.sandbox.zoho.metadata import (
    field_report,
    layout_report,
    module_report,
    org_report,
    pipeline_reports,
    user_report,
)
from crmsync.sandbox.zoho.org import Org

MAX_NEW_FIELDS = 5
_LENGTHS = {
    "text": 255,
    "textarea": 2_000,
    "email": 100,
    "phone": 30,
    "website": 450,
    "integer": 9,
    "bigint": 18,
    "double": 16,
    "currency": 16,
    "percent": 5,
    "date": 20,
    "datetime": 120,
    "boolean": 5,
    "picklist": 120,
    "multiselectpicklist": 120,
}
"""Types of fields that can be added, and the most their values can measure."""


def list_modules(call: Call) -> Answer:
    """Describe every module."""
    return Answer.of(200, {"modules": [module_report(call.org, name) for name in call.org.modules]})


def read_module(call: Call) -> Answer:
    """Describe one module."""
    call.org.records(call.module, 3)
    return Answer.of(200, {"modules": [module_report(call.org, call.module)]})


def list_fields(call: Call) -> Answer:
    """Describe the fields of a module; `type=unused`, those of no layout: there are none."""
    module = _module(call)
    if call.request.one("type") == "unused":
        return Answer(NOTHING)
    fields = call.org.modules[module].fields.all.values()
    return Answer.of(200, {"fields": [field_report(call.org, module, f) for f in fields]})


def read_field(call: Call) -> Answer:
    """Describe the field with an id."""
    module = _module(call)
    for field in call.org.modules[module].fields.all.values():
        if field.id == call.path["id"]:
            return Answer.of(200, {"fields": [field_report(call.org, module, field)]})
    return Answer(NOTHING)


def create_fields(call: Call) -> Answer:
    """Add custom fields to a module."""
    module = _module(call)
    entries = []
    for place, given in enumerate(call.listed("fields", MAX_NEW_FIELDS)):
        try:
            field = add_field(call.org, module, given, f"$.fields[{place}]")
            entries.append(_success("field created", {"id": field.id}))
        except ApiError as error:
            entries.append(error.entry())
    failed = [entry for entry in entries if entry["status"] == "error"]
    status = 201 if not failed else 207 if len(failed) < len(entries) else 400
    return Answer.of(status, {"fields": entries})


def add_field(org: Org, module: str, given: dict[str, Any], path: str = "$") -> Field:
    """Add a custom field; 400 says what is wrong with its definition."""
    label, data_type = given.get("field_label"), given.get("data_type")
    if not isinstance(label, str) or not label:
        raise errors.missing_member("field_label", f"{path}.field_label")
    if data_type not in _LENGTHS:
        raise errors.invalid_member("data_type", f"{path}.data_type")
    length = given.get("length") or _LENGTHS[data_type]
    if not isinstance(length, int) or not 0 < length <= _LENGTHS[data_type]:
        raise errors.invalid_member("length", f"{path}.length")
    unique = given.get("unique")
    if unique and data_type not in UNIQUE_TYPES:
        raise errors.invalid_member("unique", f"{path}.unique")
    records = org.modules[module]
    api_name = given.get("api_name") or re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_")
    if records.fields.find(api_name) is not None:
        place = f"{path}.field_label"
        raise ApiError(400, "DUPLICATE_DATA", "duplicate data", api_name="field_label",
                       json_path=place)  # fmt: skip
    listed = [one["actual_value"] for one in given.get("pick_list_values") or ()]
    sensitive = unique.get("casesensitive") if isinstance(unique, dict) else False
    field = Field(
        id=org.new_id(),
        api_name=api_name,
        label=label,
        data_type=data_type,
        length=length,
        decimal_place=given.get("decimal_place", 2)
        if data_type in ("double", "currency")
        else None,
        custom=True,
        unique=bool(unique),
        case_sensitive=str(sensitive).lower() == "true",
        options=options(listed, org.new_id) if listed else (),
        created=org.now(),
    )
    return records.fields.put(field)


def list_layouts(call: Call) -> Answer:
    """Describe the layout of a module."""
    return Answer.of(200, {"layouts": [layout_report(call.org, _module(call))]})


def list_pipelines(call: Call) -> Answer:
    """Describe the pipelines of the deals' layout."""
    layout_id = call.request.one("layout_id")
    if layout_id is None:
        raise errors.missing_parameter("layout_id")
    if layout_id != call.org.layout_ids["Deals"]:
        raise errors.invalid_parameter("layout_id")
    return Answer.of(200, {"pipeline": pipeline_reports(call.org)})


def list_users(call: Call) -> Answer:
    """Describe the users of a type, in pages."""
    users = call.org.users.of_type(call.request.one("type") or "AllUsers")
    if users is None:
        raise errors.invalid_parameter("type")
    since = call.time_header("If-Modified-Since")
    found = [user for user in users if since is None or user.modified > since]
    page = call.number("page", 1)
    per_page = call.number("per_page", MAX_PAGE, MAX_PAGE)
    shown = found[(page - 1) * per_page : page * per_page]
    if not shown:
        return Answer(NOTHING if since is None else NOT_MODIFIED)
    info = {
        "per_page": per_page,
        "count": len(shown),
        "page": page,
        "more_records": page * per_page < len(found),
    }
    return Answer.of(200, {"users": [user_report(call.org, user) for user in shown], "info": info})


def read_user(call: Call) -> Answer:
    """Describe one user."""
    user = call.org.users.all.get(call.path["id"])
    if user is None:
        return Answer(NOTHING)
    return Answer.of(200, {"users": [user_report(call.org, user)]})


def read_org(call: Call) -> Answer:
    """Describe the organisation."""
    return Answer.of(200, {"org": [org_report(call.org)]})


def _module(call: Call) -> str:
    module = call.request.one("module")
    if module is None:
        raise errors.missing_parameter("module")
    if module not in call.org.modules:
        text = "the module name given seems to be invalid"
        raise ApiError(400, "INVALID_MODULE", text, api_name="module")
    return module


def _success(message: str, details: Json) -> Json:
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}
