"""JSON Schemas for editors, from the same keys that the loader checks (`spec`).

`crmsync init` writes them to `.crmsync/`; `crmsync fields` writes them again with the CRM's own
field names, so that they complete, with their labels, while a mapping is typed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from crmsync.mapping.project_spec import ProjectKeys
from crmsync.mapping.spec import Keys, MappingKeys
from crmsync.mapping.transforms import TRANSFORMS
from crmsync.model import FieldSchema, ObjectSchema

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""What yaml-language-server understands."""
_ENVIRONMENT: Final = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}


def project_schema(limits: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return the schema of crmsync.yaml; `limits`: the names of their limits, by connector."""
    schema = _of(ProjectKeys, "crmsync.yaml")
    connection = schema["definitions"]["ConnectionKeys"]["properties"]
    connection["connector"]["enum"] = sorted(limits)
    amount = connection["limits"].pop("additionalProperties")
    names = set().union(*limits.values())
    connection["limits"]["properties"] = dict.fromkeys(sorted(names), amount)
    connection["limits"]["additionalProperties"] = False
    return schema


def mapping_schema(
    connections: Collection[str],
    facts: Collection[str],
    objects: Mapping[tuple[str, str], ObjectSchema] | None = None,
) -> dict[str, Any]:
    """Return the schema of a mapping file.

    `facts` are offered where a trait's name goes, and others stay allowed; `objects` are the live
    fields by (connection, object), and a mapping of that pair may name no others.
    """
    schema = _of(MappingKeys, "A mapping")
    definitions = schema["definitions"]
    names = _offered(facts)
    if connections:
        schema["properties"]["connection"]["enum"] = sorted(connections)
    definitions["FieldKeys"]["properties"]["from"] = {"description": "Ours.", **names}
    field = {"anyOf": [names, {"$ref": "#/definitions/FieldKeys"}]}
    schema["properties"]["match"]["additionalProperties"] = names
    schema["properties"]["fields"]["additionalProperties"] = field
    schema["properties"]["pull"]["propertyNames"] = names
    definitions["DealKeys"]["properties"]["pull"]["propertyNames"] = names
    transform = {"enum": sorted(TRANSFORMS)}
    one = {"anyOf": [transform, _transform_with_argument()]}
    definitions["FieldKeys"]["properties"]["transform"] = {
        "description": "Applied in order before `map`.",
        "anyOf": [*one["anyOf"], {"type": "array", "items": one}],
    }
    pairs = sorted((objects or {}).items())
    if pairs:
        schema["allOf"] = [_live(*pair, live, field, names) for pair, live in pairs]
    return schema


def _of(keys: type[Keys], title: str) -> dict[str, Any]:
    schema = keys.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    schema["definitions"] = schema.pop("$defs")
    return {"$schema": _DIALECT, **schema, "title": title}


def _offered(facts: Collection[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": sorted(facts)}, {"type": "string", "minLength": 1}]}


def _transform_with_argument() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, transform in sorted(TRANSFORMS.items()):
        parameter = transform.parameter
        if parameter is None:
            continue
        if parameter.type is int:
            bounds = {"type": "integer", "minimum": parameter.low, "maximum": parameter.high}
        else:
            bounds = {"type": "string", "minLength": parameter.low, "maxLength": parameter.high}
        properties[name] = {"description": transform.summary, **bounds}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _live(
    connection: str,
    object_type: str,
    live: ObjectSchema,
    field: Mapping[str, Any],
    names: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the rule for one object: its own fields, those that can be written under `fields`."""
    fields = {
        name: {"description": _described(schema), **field}
        for name, schema in sorted(live.fields.items())
        if schema.writable
    }
    keys = {
        name: {"description": _described(schema), **names}
        for name, schema in sorted(live.fields.items())
    }
    return {
        "if": {
            "properties": {
                "connection": {"const": connection},
                "object": {"const": object_type},
            },
            "required": ["connection", "object"],
        },
        "then": {
            "properties": {
                "fields": {"properties": fields, "additionalProperties": False},
                "match": {"properties": keys, "additionalProperties": False},
                "pull": {"additionalProperties": _read_from(live)},
            }
        },
    }


def _read_from(live: ObjectSchema) -> dict[str, Any]:
    """Return the rule for what stands behind a trait under `pull`: a field that there is."""
    name = {"enum": sorted(live.fields)}
    return {"anyOf": [name, {"type": "object", "properties": {"from": name}}]}


def _described(schema: FieldSchema) -> str:
    notes = [str(schema.type)]
    if schema.required:
        notes.append("required")
    if schema.unique:
        notes.append("unique")
    if schema.max_length is not None:
        notes.append(f"at most {schema.max_length} characters")
    if schema.options:
        notes.append("one of " + ", ".join(value for value, _label in schema.options[:20]))
    return f"{schema.label}: {'; '.join(notes)}"
