"""`crmsync fields`: what a CRM object looks like now."""

from __future__ import annotations

from typing import Annotated

import typer

from crmsync.cli.files import known_objects, write_editor_schemas
from crmsync.cli.options import AsJson
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen, json_line
from crmsync.cli.tables import Column
from crmsync.errors import ConfigError
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import FieldSchema, ObjectSchema
from crmsync.settings import HIDDEN_FOLDER, Settings
from crmsync.store import profiles
from crmsync.sync.context import Works
from crmsync.sync.schemas import keep_schema

FIELD_COLUMNS = (
    Column("field"),
    Column("label", least=8, rank=1),
    Column("type"),
    Column("notes", least=12),
)
"""A name is what people copy into a mapping: it stays whole."""

app = typer.Typer()


@app.command()
def fields(
    connection: Annotated[str, typer.Argument(help="A connection of crmsync.yaml.")],
    object_type: Annotated[str, typer.Argument(metavar="OBJECT", help="The CRM's own name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """List the fields of a CRM object as they are now, and let your editor complete them."""
    settings = open_settings()
    works = open_project(settings=settings)
    connector = works.open_sync(mappings_of(works, connection)[0]).connector
    schema = connector.describe(object_type)
    _remember(works, settings, connection, schema)
    listed = sorted(schema.fields.values(), key=lambda one: one.name)
    if as_json:
        for one in listed:
            json_line(_as_json(one))
        return
    Screen().table(
        FIELD_COLUMNS,
        [(one.name, one.label, one.type, _notes(one)) for one in listed],
    )


def mappings_of(works: Works, name: str) -> list[SyncMapping]:
    """Return the mappings that use a connection; ConfigError where there are none."""
    if name not in works.configuration.connections:
        there = ", ".join(works.configuration.connections) or "none yet"
        raise ConfigError(f"crmsync.yaml has no connection '{name}'; there are: {there}")
    found = [m for m in works.configuration.mappings if m.connection == name]
    if not found:
        known = ", ".join(works.configuration.connections)
        raise ConfigError(
            f"no mapping uses a connection '{name}' (crmsync.yaml has: {known}): write a first "
            "one in mappings/, as `crmsync init` does"
        )
    return found


def _remember(works: Works, settings: Settings, connection: str, schema: ObjectSchema) -> None:
    keep_schema(works.store, connection, schema)
    with works.store.database.read() as reading:
        seen = profiles.known_trait_names(reading)
    write_editor_schemas(
        settings.config_path.parent / HIDDEN_FOLDER,
        connections=list(works.configuration.connections),
        facts=sorted(seen),
        objects={
            **known_objects(works.store, works.configuration),
            (connection, schema.object_type): schema,
        },
    )


def _as_json(field: FieldSchema) -> dict[str, object]:
    return {
        "name": field.name,
        "label": field.label,
        "type": str(field.type),
        "writable": field.writable,
        "required": field.required,
        "unique": field.unique,
        "max_length": field.max_length,
        "options": [{"value": value, "label": label} for value, label in field.options],
    }


def _notes(field: FieldSchema) -> str:
    notes = []
    if not field.writable:
        notes.append("read only")
    if field.required:
        notes.append("required")
    if field.unique:
        notes.append("unique")
    if field.options:
        values = [value for value, _ in field.options]
        notes.append("one of " + ", ".join(values[:6]) + (", …" if len(values) > 6 else ""))  # noqa: PLR2004 - as many as fit a line
    return "; ".join(notes)
