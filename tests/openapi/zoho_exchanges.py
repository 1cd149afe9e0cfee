"""Zoho's descriptions of its API, and where the API is known to differ from them.

Zoho lists the alternatives of an answer without saying which applies when, and declares hardly any
status but 200. Here an answer is held against the alternative that has its `code` and `status`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30ReadValidator

from tests.openapi.described import Description, Difference, Entry
from tests.openapi.tally import CHECKED, OPENAPI

_FILES = (
    "fields",
    "modules",
    "layouts",
    "pipeline",
    "users",
    "org",
    "coql",
    "notifications",
    "find_and_merge",
    "contact_roles",
    "related_records",
    "record",
)
_RECORD = OPENAPI / "zoho" / "record.json"
_FIRST_ERROR_STATUS = 400
_NOTHING_TO_SAY = (204, 304)
_OUTSIDE = (500, 502, 503, 504)
_GATEWAY = (502, 503, 504)
_NULL = r"None (is not of type|for not nullable)"

EXCEPTIONS = (
    Difference(
        r"(GET|POST) /oauth/v2/\w+ .*",
        r"not described",
        "The accounts server is not part of these descriptions.",
    ),
    Difference(
        r"\w+ /crm/v9/.*|\w+ .* 40[45]",
        r"not described",
        "Paths and methods that do not exist are refused.",
    ),
    Difference(
        r"\w+ .* [245]\d\d",
        r"answer: (data\.\d+\.|fields\.\d+\.|watch\.\d+\.)?code: '\w+' is not one of",
        "The descriptions' README: the list of codes is of observed ones, and lacks "
        "TOO_MANY_REQUESTS, ALREADY_MODIFIED, AMBIGUITY_DURING_PROCESSING and others.",
    ),
    Difference(
        r"\w+ .* [245]\d\d",
        r"answer: (data\.\d+\.|fields\.\d+\.|watch\.\d+\.)?message: '[^']+' is not one of",
        "The descriptions' README: the list of texts is of observed ones.",
    ),
    Difference(
        r"\w+ .* \d+",
        rf"answer: data\.\d+\.duplicate_field: {_NULL}",
        "What was inserted matched by no field, and says so.",
    ),
    Difference(
        r"\w+ .* \d+",
        r"answer: data\.\d+\.details\.maximum_length: \d+ is not of type 'string'",
        "A length is a number in recorded answers, as it is in the other descriptions.",
    ),
    Difference(
        r"GET /crm/v8/\w+ 200",
        rf"answer: info\.(next_page_token|previous_page_token|page_token_expiry): {_NULL}",
        "There is no token where there is no page.",
    ),
    Difference(
        r"POST /crm/v8/settings/fields \w+",
        r"request: fields\.\d+(\.pick_list_values\.\d+)?: '[\w.]+' is a required property",
        "One schema serves reading and making a field; the documentation demands of a new one its "
        "label and type alone.",
    ),
    Difference(
        r"POST /crm/v8/settings/fields 207",
        r"answer: fields\.\d+\.(status: 'error' is not one of|details: 'id' is a required)",
        "A call of which a part failed has entries of both kinds.",
    ),
    Difference(
        r"POST /crm/v8/settings/fields 400",
        r"answer: fields\.\d+\.details: 'expected_data_type' is a required",
        "A label that is taken is DUPLICATE_DATA, which the description leaves out.",
    ),
    Difference(
        r"POST /crm/v8/coql 400",
        r"answer: (code: 'MANDATORY_NOT_FOUND' is not one of|details: 'clause' is a required)",
        "A body without a query is refused like any other body.",
    ),
    Difference(
        r"GET /crm/v8/settings/(fields|layouts)(/\d+)? 200",
        r"answer: (layouts\.\d+\.sections\.\d+\.)?fields\.\d+: '(refer_from_field|sub_module"
        r"|autonumber|textarea|allowed_modules|common\.picklist|_update_existing_records"
        r"|validation_rule|default_value|section_id|static_values|_delete|sequence_number)'"
        r" is a required property",
        "Members that belong to other kinds of field, or to requests, are left out.",
    ),
    Difference(
        r"GET /crm/v8/settings/(fields|layouts)(/\d+)? 200",
        r"answer: (layouts\.\d+\.sections\.\d+\.)?fields\.\d+\.(quick_sequence_number"
        r"|sharing_properties|multiuserlookup|crypt|tooltip|history_tracking|association_details"
        r"|hipaa_compliance|associated_module|external"
        rf"|pick_list_values\.\d+\.colour_code): {_NULL}",
        "Members that say nothing about a field are null.",
    ),
    Difference(
        r"GET /crm/v8/settings/modules(/\w+)? 200",
        r"answer: modules\.\d+\.(modified_by|lookup_field_properties|related_list_properties"
        rf"|custom_view): {_NULL}",
        "Members that say nothing about a module are null.",
    ),
    Difference(
        r"GET /crm/v8/settings/layouts 200",
        r"answer: layouts\.\d+: 'subform_properties' is a required property",
        "A layout without subforms has no properties of theirs.",
    ),
    Difference(
        r"GET /crm/v8/settings/layouts 200",
        r"answer: layouts\.\d+\.(created_for|convert_mapping|created_by|modified_by"
        rf"|actions_allowed|sections\.\d+\.(properties|_delete)): {_NULL}",
        "Members that say nothing about a layout are null.",
    ),
    Difference(
        r"GET /crm/v8/settings/layouts 200",
        r"answer: layouts\.\d+\.sections\.\d+: '_delete' is a required property",
        "A member of requests.",
    ),
    Difference(
        r"GET /crm/v8/users(/\d+)? 200",
        r"answer: users\.\d+\.(email|last_name|first_name|website): '[^']*' does not match",
        "The patterns fit the examples of the documentation, not people.",
    ),
    Difference(
        r"GET /crm/v8/users(/\d+)? 200",
        r"answer: users\.\d+\.time_zone: '[^']+' is not of type 'object'",
        "A time zone is a name.",
    ),
    Difference(
        r"GET /crm/v8/users \w+",
        r"request: : '(All|Deleted)Users' is not one of",
        "The documentation knows more types of users: all of them, and the deleted.",
    ),
    Difference(
        r"\w+ /crm/v8/actions/watch \w+",
        r"(request|answer): watch\.\d+\.(channel_id: '\d+' is not of type 'object'"
        rf"|notify_url: '[^']+' does not match|fields: {_NULL}|token: {_NULL})",
        "The schema of a channel does not fit the documentation: its number is digits, its "
        "address anybody's, and what was not asked for is null.",
    ),
    Difference(
        r"(DELETE|PUT) /crm/v8/actions/watch (202|400)",
        r"answer: (watch\.\d+\.)?details: '\w+' is a required property",
        "A channel that is not there is NOT_SUBSCRIBED, which is about no member of the body.",
    ),
    Difference(
        r"GET /crm/v8/users/\d+ 200",
        r"answer: : 'info' is a required property",
        "One user is no page of a list.",
    ),
)

_Schema = Mapping[str, Any]
_Located = tuple[_Schema, Path]
"""A schema without a reference at its top, and the file that references in it are relative to."""


class _Zoho(Description):
    """Zoho's description, with answers checked by the alternative they belong to."""

    def problems(
        self, entry: Entry, *, check_request: bool = True, check_answer: bool = True
    ) -> list[str]:
        """Return what is wrong with an exchange, one line each, known differences left out."""
        problems = super().problems(entry, check_request=check_request, check_answer=False)
        status = entry["status"]
        path = self._find(entry["method"], entry["path"])
        if not check_answer or status is None or path is None:
            return problems
        CHECKED["zoho answers"] += 1
        found = [f"answer: {problem}" for problem in _wrong(entry, path.file, path.pattern)]
        where = f"{entry['method']} {entry['path']} {status}"
        return problems + self._unexpected(where, found)


DESCRIPTION = _Zoho("zoho", _FILES, EXCEPTIONS)


def validate_exchange(entry: Entry) -> list[str]:
    """Return what is wrong with one ledger entry, exceptions left out."""
    return DESCRIPTION.problems(entry)


# --- inside -------------------------------------------------------------------------------------


def _wrong(entry: Entry, file: Path, pattern: re.Pattern[str]) -> list[str]:
    status, answer = entry["status"], entry["answer"]
    if status in _NOTHING_TO_SAY:
        return [] if answer is None else [f"a {status} has no body"]
    if status in _GATEWAY:
        return []  # the network in front of Zoho answers in HTML
    if not isinstance(answer, dict):
        return ["the body is not a JSON object"]
    if "code" in answer and (status in (*_OUTSIDE, 401, 403, 429) or file == _RECORD):
        alternatives = [_at(_RECORD, "#/components/schemas/API_Exception")]
    else:
        alternatives = _alternatives(file, pattern, entry["method"], status)
    return list(_differences(_chosen(alternatives, answer), answer, ""))


def _alternatives(file: Path, pattern: re.Pattern[str], method: str, status: int) -> list[_Located]:
    """Return what may be answered under a status, or under success where it is not declared."""
    for path, item in _read(file)["paths"].items():
        if pattern.fullmatch(re.sub(r"\{\w+\}", "x", path)) and method.lower() in item:
            declared = item[method.lower()]["responses"]
            success = declared.get("200") or declared["201"]
            response, _ = _followed(declared.get(str(status)) or success, file)
            schema = response["content"]["application/json"].get("schema", {})
            return [_followed(one, file) for one in schema.get("oneOf", [schema])]
    raise LookupError(f"{method} is not described by {pattern.pattern}")


def _chosen(alternatives: Sequence[_Located], value: object) -> _Located:
    """Return the alternative that resembles a value most."""
    return max(alternatives, key=lambda alternative: _likeness(alternative, value))


def _likeness(located: _Located, value: object) -> int:
    """Say how much a value has of a schema: above all its `status` and `code`."""
    schema, file = located
    members = value if isinstance(value, Mapping) else {}
    if "oneOf" in schema:
        return max(_likeness(_followed(one, file), value) for one in schema["oneOf"])
    properties = schema.get("properties", {})
    told = [
        members[name] in properties[name]["enum"]
        for name in ("status", "code")
        if name in members and "enum" in properties.get(name, {})
    ]
    known = sum(name in properties for name in members)
    missing = sum(name not in members for name in schema.get("required", ()))
    likeness = 100 * sum(told) + known - missing
    if "details" in members and "details" in properties:
        likeness += _likeness(_followed(properties["details"], file), members["details"])
    return likeness


def _differences(located: _Located, value: object, place: str) -> Iterator[str]:
    schema, file = located
    if "oneOf" in schema:
        chosen = _chosen([_followed(one, file) for one in schema["oneOf"]], value)
        yield from _differences(chosen, value, place)
        return
    # Members and items are looked at one by one, so that each finds its own alternative.
    own = {name: rule for name, rule in schema.items() if name not in ("properties", "items")}
    for error in OAS30ReadValidator(own).iter_errors(value):
        yield f"{place}: {error.message}"
    if isinstance(value, Mapping):
        for name, rule in schema.get("properties", {}).items():
            if name in value:
                inner = f"{place}.{name}" if place else name
                yield from _differences(_followed(rule, file), value[name], inner)
    elif isinstance(value, list) and "items" in schema:
        items = _followed(schema["items"], file)
        for number, item in enumerate(value):
            yield from _differences(items, item, f"{place}.{number}")


def _followed(schema: _Schema, file: Path) -> _Located:
    while "$ref" in schema:
        schema, file = _at(file, schema["$ref"])
    return schema, file


def _at(file: Path, reference: str) -> _Located:
    name, _, pointer = reference.partition("#/")
    target = file.parent / name.removeprefix("./") if name else file
    found: Any = _read(target)
    for part in pointer.split("/"):
        found = found[part.replace("~1", "/")]
    return found, target


@functools.cache
def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content
