"""`crmsync init` and `crmsync check`: the files a person writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.text import Text

from crmsync.bootstrap import open_store, read_configuration
from crmsync.cli.advice import advice_on
from crmsync.cli.options import AsJson
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen, json_line
from crmsync.connectors import registry
from crmsync.connectors.starters import starter_of
from crmsync.errors import ConfigError, ConnectionHalted, Problem, RetryLater
from crmsync.identity.facts import COMPANY_FACTS, KNOWN_FACTS
from crmsync.mapping.configuration import MAPPINGS, Configuration
from crmsync.mapping.live import check_against
from crmsync.mapping.schema import mapping_schema, project_schema
from crmsync.mapping.starter import connection_text, mapping_text, project_text
from crmsync.model import Action, ObjectSchema
from crmsync.settings import HIDDEN_FOLDER, Settings
from crmsync.store.schemas import find_schema
from crmsync.sync.context import Store, Works
from crmsync.sync.schemas import keep_schema

SCHEMA_AGE = timedelta(days=3650)
"""For completing names in an editor, fields described long ago serve as well."""

app = typer.Typer()


@app.command()
def init(
    connector: Annotated[
        str | None,
        typer.Option("--crm", "--connector", help="Which CRM; the first there is, if left out."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the connection.")] = None,
    object_type: Annotated[
        str | None,
        typer.Option("--object", help="What people become; the CRM's contacts, if left out."),
    ] = None,
) -> None:
    """Write a commented crmsync.yaml, a first mapping and the schemas for your editor.

    A file that is there already is left as it is.
    """
    screen = Screen()
    kind = connector or registry.names()[0]
    registry.load(kind)
    name = name or kind
    first = starter_of(kind)
    object_type = object_type or first.object_type
    mapping = mapping_text(
        name,
        object_type,
        (first.match_field, first.email_field),
        first.further_fields,
        first.owner_field,
    )
    path = Path(os.environ.get("CRMSYNC_CONFIG") or "crmsync.yaml").resolve()
    hidden = path.parent / HIDDEN_FOLDER
    written = {
        path: project_text(name, kind, first.auth(name), first.limit),
        path.parent / MAPPINGS / f"{name}-{object_type.lower()}.yaml": mapping,
        hidden / ".gitignore": "*\n",
    }
    for file, text in written.items():
        kept = file.exists()
        if not kept:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if file.parent != hidden:
            screen.say(f"{'kept   ' if kept else 'written'}  {_near(file)}")
    project = path.read_text()
    if f"{name}:" not in project:
        project = connection_text(name, kind, first.auth(name))
        screen.note(f"\n{_near(path)} has no connection '{name}': put this under `connections:`")
        screen.say(project)
    write_editor_schemas(hidden, connections=[name])
    secrets = "client id and secret" if first.has_oauth else "token"
    variables = [one for one in first.variables(name) if f"${{{one}}}" in project]
    before = f"put the CRM's {secrets} into the environment ({' and '.join(variables)}), then "
    screen.say(f"\nNext: {before if variables else ''}run\n  crmsync connect {name}\n  crmsync up")


@app.command()
def check(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the CRM too: fields, types, choices.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find every mistake in crmsync.yaml and the mappings.

    Exit code 1 when there is an error; a warning alone does not count.
    """
    settings = open_settings()
    try:
        configuration = read_configuration(settings, os.environ, _store(settings))
    except ConfigError as error:
        if not error.problems:
            raise
        _show(error.problems, as_json=as_json)
        raise typer.Exit(1) from None
    problems = list(configuration.warnings)
    if live:
        problems += _live_problems(open_project(settings=settings))
    _show(problems, as_json=as_json)
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)
    if not as_json:
        Screen().say(_summary(configuration, live=live), style="green")


def write_editor_schemas(
    hidden: Path,
    *,
    connections: Sequence[str],
    facts: Sequence[str] = (),
    objects: Mapping[tuple[str, str], ObjectSchema] | None = None,
) -> None:
    """Write the JSON Schemas by which an editor completes and checks the files."""
    hidden.mkdir(parents=True, exist_ok=True)
    known = {*KNOWN_FACTS, *COMPANY_FACTS, *facts}
    schemas = {
        "project.json": project_schema(
            {name: registry.limits_of(name) for name in registry.names()}
        ),
        "schema.json": mapping_schema(connections, known, objects),
    }
    for name, schema in schemas.items():
        (hidden / name).write_bytes(orjson.dumps(schema, option=orjson.OPT_INDENT_2))


def known_objects(
    store: Store, configuration: Configuration
) -> dict[tuple[str, str], ObjectSchema]:
    """Return the fields of every mapped object that a CRM has ever described to us."""
    pairs = [(mapping.connection, mapping.object_type) for mapping in configuration.mappings]
    with store.database.read() as connection:
        oldest = store.database.now(connection) - SCHEMA_AGE
        found = {pair: find_schema(connection, *pair, oldest) for pair in pairs}
    return {pair: schema for pair, schema in found.items() if schema is not None}


def _store(settings: Settings) -> Store | None:
    """Open the database where there is one; checking makes none."""
    database = settings.config_path.parent / HIDDEN_FOLDER / "crmsync.db"
    if settings.database_url.startswith("sqlite") and not database.exists():
        return None
    return open_store(settings)


def _live_problems(works: Works) -> list[Problem]:
    """Compare each mapping with what its CRM says of its fields, and remember what it said.

    A CRM that does not answer is a problem of its first mapping; the others are compared.
    """
    problems: list[Problem] = []
    silent: set[str] = set()
    for mapping in works.configuration.mappings:
        if mapping.connection in silent:
            continue
        try:
            connector = works.open_sync(mapping).connector
            schema = connector.describe(mapping.object_type)
            deals = connector.describe_deals() if mapping.deals else None
        except ConfigError as mistake:
            problems.append(mapping.place.problem(mistake.user_message))
            continue
        except (ConnectionHalted, RetryLater) as away:
            silent.add(mapping.connection)
            message = f"connection '{mapping.connection}' does not answer: {advice_on(away)}"
            problems.append(mapping.place.problem(message))
            continue
        knows_unique = Action.UPSERT in connector.capabilities.records_per_call
        problems += check_against(mapping, schema, deals, knows_unique=knows_unique)
        keep_schema(works.store, mapping.connection, schema)
    return problems


def _show(problems: Sequence[Problem], *, as_json: bool) -> None:
    screen = Screen()
    for problem in problems:
        if as_json:
            json_line(
                {
                    "file": problem.file,
                    "line": problem.line,
                    "column": problem.column,
                    "severity": problem.severity,
                    "message": problem.message,
                }
            )
        else:
            style = "red" if problem.severity == "error" else "yellow"
            first, _, below = str(problem).partition("\n")
            mark = "" if problem.severity == "error" else "warning: "
            screen.err.print(Text(mark + first, style=style), soft_wrap=True)
            if below:
                screen.err.print(below, soft_wrap=True)


def _summary(configuration: Configuration, *, live: bool) -> str:
    mappings, connections = len(configuration.mappings), len(configuration.connections)
    against = ", and the CRM agrees" if live else "; `crmsync check --live` asks the CRM too"
    return (
        f"{_counted(mappings, 'mapping')} for {_counted(connections, 'connection')}: fine{against}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _near(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
