"""The JSON Schemas that editors complete from, against the same files as the loader."""

from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from crmsync.mapping.environment import plain_data
from crmsync.mapping.problems import Problems
from crmsync.mapping.schema import mapping_schema, project_schema
from crmsync.mapping.transforms import TRANSFORMS
from crmsync.mapping.yaml_nodes import read_yaml
from crmsync.model import FieldSchema, FieldType, ObjectSchema

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "mappings"
MAPPING = mapping_schema(["crm"], ["email", "plan"])
PROJECT = project_schema({"hubspot": ["calls_per_10s"], "memory": ["concurrent_calls"]})
STRUCTURAL = [
    "unknown-key",
    "unknown-key-in-field",
    "key-on",
    "missing-keys",
    "empty-fields",
    "fields-without-value",
    "fields-as-list",
    "wrong-type-of-object",
    "wrong-type-of-field",
    "unknown-source",
    "unknown-mode",
    "unknown-transform",
    "unknown-connection",
    "unknown-trigger",
    "trigger-as-number",
    "empty-event-list",
    "transform-argument-wrong",
    "transform-argument-surplus",
    "pull-empty",
    "pull-shapes",
    "deals-shapes",
    "deals-without-pull",
    "slip-in-choice",
    "project-webhooks",
    "project-unknown-connector",
    "project-no-connections",
    "project-auth-type",
    "project-limits",
    "project-quota",
    "project-identity",
    "project-trait-type",
    "project-unknown-key",
]


def validate(path: Path) -> None:
    """Validate a fixture as an editor would."""
    root = read_yaml(path.name, path.read_bytes(), Problems())
    assert root is not None
    schema = PROJECT if path.stem.startswith("project-") else MAPPING
    environment = {"CRM_TOKEN": "x", "CRM_HOST": "x"}
    jsonschema.Draft7Validator(schema).validate(plain_data(root, environment, Problems()))


@pytest.mark.parametrize("schema", [MAPPING, PROJECT])
def test_the_schemas_are_schemas(schema):
    """Of the draft that editors understand."""
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted((FIXTURES / "valid").glob("*.yaml")), ids=lambda p: p.stem)
def test_what_loads_is_valid_in_the_editor(path):
    """Otherwise an editor would mark a correct file."""
    validate(path)


@pytest.mark.parametrize("name", STRUCTURAL)
def test_a_wrong_shape_is_marked_in_the_editor(name):
    """Whatever a schema can tell without knowing the project."""
    with pytest.raises(jsonschema.ValidationError):
        validate(FIXTURES / "invalid" / f"{name}.yaml")


def test_live_fields_complete_for_their_own_object_only():
    """Described by label, type and choices; what cannot be written is not offered."""
    live = ObjectSchema(
        "contacts",
        {
            "stage": FieldSchema("stage", "Stage", FieldType.PICKLIST, options=(("a", "A"),)),
            "created": FieldSchema("created", "Created", FieldType.DATE, writable=False),
        },
    )
    schema = mapping_schema(["crm"], ["email"], {("crm", "contacts"): live})
    validator = jsonschema.Draft7Validator(schema)
    rule = schema["allOf"][0]["then"]["properties"]["fields"]["properties"]
    assert rule["stage"]["description"] == "Stage: picklist; one of a"
    good = {"connection": "crm", "object": "contacts", "match": {"stage": "email"}}
    assert validator.is_valid({**good, "fields": {"stage": "email"}})
    assert not validator.is_valid({**good, "fields": {"created": "email"}})
    assert not validator.is_valid({**good, "fields": {"other": "email"}})
    assert validator.is_valid({**good, "object": "deals", "fields": {"other": "email"}})


def test_what_is_read_back_completes_from_the_live_fields():
    """Behind a trait goes any field of the object, be it one that cannot be written."""
    made = FieldSchema("made", "Made", FieldType.DATE, writable=False)
    live = ObjectSchema(
        "contacts", {"made": made, "tier": FieldSchema("tier", "Tier", FieldType.TEXT)}
    )
    schema = mapping_schema(["crm"], ["email"], {("crm", "contacts"): live})
    validator = jsonschema.Draft7Validator(schema)
    good = {"connection": "crm", "object": "contacts", "match": {"tier": "email"}}
    good |= {"fields": {"tier": "plan"}}
    for line in ("made", {"from": "made", "conflict": "newest"}):
        assert validator.is_valid({**good, "pull": {"a": line}})
    for line in ("other", {"from": "other"}):
        assert not validator.is_valid({**good, "pull": {"a": line}})


def test_every_transform_with_an_argument_is_offered_with_its_bounds():
    """From the same list the loader checks."""
    transform = MAPPING["definitions"]["FieldKeys"]["properties"]["transform"]
    offered = transform["anyOf"][1]["properties"]
    assert set(offered) == {name for name, t in TRANSFORMS.items() if t.parameter}
