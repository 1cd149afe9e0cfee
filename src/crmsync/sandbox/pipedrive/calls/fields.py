"""The fields of each object type, and the options of those that have some."""

from __future__ import annotations

from crmsync.sandbox.http import Answer
from crmsync.sandbox.pipedrive import errors, values
from crmsync.sandbox.pipedrive.calls.call import Call, Json, answer, offset_page
from crmsync.sandbox.pipedrive.errors import Invalid
from crmsync.sandbox.pipedrive.fields import CREATABLE_TYPES, WITH_OPTIONS, Field, Fields, Option

MAX_OPTIONS = 10_000
_LOOKS = ("ui_visibility", "important_fields", "required_fields", "description")
"""How and where a field is shown to people: accepted and forgotten."""


def list_fields(call: Call) -> Answer:
    """Return a page of fields, the company's own last."""
    call.allow("include_fields", "limit", "cursor")
    return offset_page(call, [field.report() for field in _fields(call)])


def read_field(call: Call) -> Answer:
    """Return one field."""
    call.allow("include_fields")
    return answer(_fields(call).get(call.path["code"]).report())


def create_field(call: Call) -> Answer:
    """Add a field; a second one of the same name is no matter."""
    body = call.body
    _check_keys(body, ("field_name", "field_type"), ("options", *_LOOKS))
    name = _label(body["field_name"], "field_name")
    if body["field_type"] not in CREATABLE_TYPES:
        raise errors.invalid([f"field_type: Expected one of {', '.join(CREATABLE_TYPES)}"])
    labels = _labels(body.get("options"), "options")
    if bool(labels) is not (body["field_type"] in WITH_OPTIONS):
        words = "Parameter 'options' is required" if not labels else "Expected no options"
        raise errors.invalid([f"options: {words} for field_type '{body['field_type']}'"])
    _check_plan(call)
    return answer(_fields(call).add(name, body["field_type"], labels).report())


def rename_field(call: Call) -> Answer:
    """Give a field another name; its code stays."""
    body, fields = call.body, _fields(call)
    field = fields.get_custom(call.path["code"])
    _check_keys(body, (), ("field_name", *_LOOKS))
    if "field_name" in body:
        field = fields.rename(field.code, _label(body["field_name"], "field_name"))
    return answer(field.report())


def delete_field(call: Call) -> Answer:
    """Delete a field with all its values."""
    field = _fields(call).get_custom(call.path["code"])
    call.company.remove_field(call.type, field.code)
    return answer(field.report())


def add_options(call: Call) -> Answer:
    """Add options."""
    fields, field = _with_options(call)
    labels = _labels(call.sent(), "body")
    if not labels or len(field.options) + len(labels) > MAX_OPTIONS:
        raise errors.invalid([f"body: Expected 1 option or more, {MAX_OPTIONS} in all at most"])
    added = fields.new_options(labels)
    fields.set_options(field.code, (*field.options, *added))
    return answer([option.report() for option in added])


def rename_options(call: Call) -> Answer:
    """Give options other labels."""
    fields, field = _with_options(call)
    changed = {one["id"]: _label(one["label"], "label") for one in _known(call, field, "label")}
    options = [Option(o.id, changed.get(o.id, o.label)) for o in field.options]
    fields.set_options(field.code, options)
    return answer([option.report() for option in options if option.id in changed])


def delete_options(call: Call) -> Answer:
    """Delete options; records that have them keep the ids."""
    fields, field = _with_options(call)
    gone = {one["id"] for one in _known(call, field)}
    fields.set_options(field.code, [o for o in field.options if o.id not in gone])
    return answer([option.report() for option in field.options if option.id in gone])


# --- reading bodies -----------------------------------------------------------------------------


def _fields(call: Call) -> Fields:
    return call.company.fields[call.type]


def _with_options(call: Call) -> tuple[Fields, Field]:
    fields = _fields(call)
    field = fields.get_custom(call.path["code"])
    if field.type not in WITH_OPTIONS:
        raise errors.invalid([f"field_code: Field '{field.code}' has no options"])
    return fields, field


def _check_keys(body: Json, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    problems = [f"{key}: Parameter '{key}' is required" for key in required if key not in body]
    problems += [errors.not_allowed(key) for key in body if key not in (*required, *optional)]
    if problems:
        raise errors.invalid(problems)


def _label(value: object, key: str) -> str:
    try:
        return str(values.text(empty=False)(value))
    except Invalid as refusal:
        raise errors.invalid([f"{key}: {refusal}"]) from None


def _labels(given: object, key: str) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise errors.invalid([f"{key}: Expected 'array' of objects as value"])
    for one in given:
        _check_keys(one, ("label",), ())
    return [_label(one["label"], "label") for one in given]


def _known(call: Call, field: Field, *more: str) -> list[Json]:
    given = call.sent()
    if not isinstance(given, list) or not given or not all(isinstance(o, dict) for o in given):
        raise errors.invalid(["body: Expected 'array' of objects as value"])
    for one in given:
        _check_keys(one, ("id", *more), ())
        if field.option(one["id"]) is None:
            raise errors.not_found("option")
    return given


def _check_plan(call: Call) -> None:
    limit = call.company.settings.custom_fields_limit
    used = sum(len(fields.custom) for fields in call.company.fields.values())
    if limit is not None and used >= limit:
        text = "Couldn't add the field. Custom fields limit reached."
        raise errors.capped(text, "feature_capping_custom_fields_limit")
