"""`crmsync connect` and `crmsync fields`: a CRM account, seen and prepared."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from crmsync.cli.files import known_objects, write_editor_schemas
from crmsync.cli.options import AsJson
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen, json_line
from crmsync.connectors.base import Connector
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.environment import REFERENCE
from crmsync.mapping.problems import Problems
from crmsync.mapping.yaml_nodes import ScalarNode, node_at, read_yaml
from crmsync.model import FieldSchema, FieldType, ObjectSchema
from crmsync.settings import HIDDEN_FOLDER, Settings
from crmsync.store import profiles, state
from crmsync.sync.context import Works

PROFILE_ID = "profile_id"
"""The fact whose match field is ours to make: nobody else can fill it."""

app = typer.Typer()


@app.command()
def connect(name: Annotated[str, typer.Argument(help="A connection of crmsync.yaml.")]) -> None:
    """Try a connection's token, and make the match field in the CRM where it can be made.

    The token comes from the environment variable that crmsync.yaml names; where that is not set,
    it is read from stdin. (OAuth in the terminal comes with a later version.)
    """
    settings = open_settings()
    screen = Screen()
    variable = _token_variable(settings, name)
    env: Mapping[str, str] = os.environ
    given = variable is not None and not os.environ.get(variable)
    if variable is not None and given:
        env = {**os.environ, variable: _read_token(variable)}
    works = open_project(settings=settings, env=env)
    _demand_token(works, name)
    mappings = _mappings_of(works, name)
    connector = works.open_sync(mappings[0]).connector
    for mapping in mappings:
        _make_match_field(screen, connector, mapping)
    account = connector.check()
    detail = f" ({account.detail})" if account.detail else ""
    screen.say(f"{name} answers: account {account.id} {account.name}{detail}", style="green")
    if given:
        screen.say(
            f"The token works. It is not kept: set {variable} in the environment of crmsync."
        )
    works.store.database.transact(lambda c: state.resume(c, name))


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
    connector = works.open_sync(_mappings_of(works, connection)[0]).connector
    schema = connector.describe(object_type)
    _remember(works, settings, connection, schema)
    listed = sorted(schema.fields.values(), key=lambda one: one.name)
    if as_json:
        for one in listed:
            json_line(_as_json(one))
        return
    Screen().table(
        ("field", "label", "type", "notes"),
        [(one.name, one.label, one.type, _notes(one)) for one in listed],
    )


def _token_variable(settings: Settings, name: str) -> str | None:
    """Return the environment variable that the file takes a connection's token from."""
    path = settings.config_path
    if not path.exists():
        return None  # opening the project says so, with what to do
    root = read_yaml(path.name, path.read_bytes(), Problems())
    wanted = ("connections", name, "auth", "token")
    node, _, found = node_at(root, wanted) if root else (None, None, ())
    if found != wanted or not isinstance(node, ScalarNode):
        return None
    reference = REFERENCE.fullmatch(node.text)
    return reference[1] if reference else None


def _read_token(variable: str) -> str:
    if sys.stdin.isatty():
        token = getpass.getpass(f"{variable} is not set. Token (not shown): ")
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise ConfigError(
            f"no token: set {variable}, or give the token on stdin "
            "(crmsync connect NAME < file-with-the-token)"
        )
    return token.strip()


def _demand_token(works: Works, name: str) -> None:
    known = works.configuration.connections.get(name)
    if known is None:
        there = ", ".join(works.configuration.connections) or "none yet"
        raise ConfigError(f"crmsync.yaml has no connection '{name}'; there are: {there}")
    if "oauth" in known.auth and not known.auth["oauth"].get("refresh_token"):
        raise CrmsyncError(
            f"'{name}' uses OAuth, which this version cannot set up in the terminal yet: give a "
            "refresh_token in crmsync.yaml, or use `auth: {token: ...}`"
        )


def _mappings_of(works: Works, name: str) -> list[SyncMapping]:
    found = [m for m in works.configuration.mappings if m.connection == name]
    if not found:
        known = ", ".join(works.configuration.connections)
        raise ConfigError(
            f"no mapping uses a connection '{name}' (crmsync.yaml has: {known}): write a first "
            "one in mappings/, as `crmsync init` does"
        )
    return found


def _make_match_field(screen: Screen, connector: Connector, mapping: SyncMapping) -> None:
    """Make the unique field that is ours, where the CRM lets us and does not have it."""
    name, fact = mapping.match[0]
    described = connector.describe(mapping.object_type).fields
    where = f"{mapping.connection} {mapping.object_type}"
    if name in described:
        screen.say(f"{where} has its match field '{name}'")
    elif fact != PROFILE_ID:
        screen.note(f"{where} has no field '{name}': make it in the CRM", style="yellow")
    elif not connector.capabilities.creates_fields:
        screen.note(
            f"{where} has no field '{name}', and its API makes none: make a unique text field "
            "of that name in the CRM", style="yellow",
        )  # fmt: skip
    else:
        field = FieldSchema(name, "crmsync id", FieldType.TEXT, unique=True)
        connector.create_field(mapping.object_type, field)
        screen.say(f"{where}: made the match field '{name}' (unique)")


def _remember(works: Works, settings: Settings, connection: str, schema: ObjectSchema) -> None:
    database = works.store.database
    database.transact(lambda c: state.save_schema(c, connection, schema, database.now(c)))
    with database.read() as reading:
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
