"""`crmsync connect`: authorise a CRM account, prepare it, prove that it works.

How a connection proves who it is stands in crmsync.yaml (`auth:`); docs/connecting.md tells for
each CRM how to make what is needed there.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from crmsync.bootstrap import connection_of, open_store, tokens_of
from crmsync.cli.connections import mappings_of
from crmsync.cli.consenting import PORT, ask_consent, redirect_uri
from crmsync.cli.project import open_project, open_settings
from crmsync.cli.screen import Screen
from crmsync.cli.webhooks import arrange
from crmsync.connectors import registry
from crmsync.connectors.auth.consent import Consent
from crmsync.connectors.base import Connector
from crmsync.errors import ConfigError, ConnectionHalted
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.environment import reference_at
from crmsync.mapping.problems import Problems
from crmsync.mapping.yaml_nodes import read_yaml
from crmsync.model import Account, Action, FieldSchema, FieldType, Tokens
from crmsync.settings import Settings
from crmsync.store import state
from crmsync.sync.context import Works

PROFILE_ID = "profile_id"
"""The fact whose match field is ours to make: nobody else can fill it."""
CURED_BY_CONSENT = {"reauth_required", "missing_scope"}

app = typer.Typer()


@app.command()
def connect(
    name: Annotated[str, typer.Argument(help="A connection of crmsync.yaml.")],
    *,
    again: Annotated[
        bool, typer.Option("--again", help="OAuth: ask for consent though there are tokens.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="OAuth: where the browser is sent back to on this machine.")
    ] = PORT,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="OAuth: print the address, open nothing.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=1, help="OAuth: how many seconds to wait for the consent.")
    ] = 300.0,
) -> None:
    """Authorise a connection, make the match field in the CRM where it can be made, and try it.

    With `auth: {token: ...}` the token comes from the environment variable that crmsync.yaml names;
    where that is not set, from stdin, and is then kept encrypted. With `auth: {oauth: ...}` your
    browser opens the CRM's page, and what you agree to there is kept encrypted.
    """
    settings = open_settings()
    screen = Screen()
    variable = _token_variable(settings, name)
    token = None
    if variable and not os.environ.get(variable):
        token = _read_token(settings, name, variable)
    env: Mapping[str, str] = os.environ
    if variable and token:
        env = {**os.environ, variable: token}
    works = open_project(settings=settings, env=env)
    mappings = mappings_of(works, name)
    tokens = tokens_of(works.store, name)
    tokens.forgive()

    def authorise() -> None:
        granted = ask_consent(
            _consent(works, name, port),
            port=port,
            wait_seconds=wait,
            open_browser=not no_browser,
            screen=screen,
        )
        tokens.save(granted, None)

    by_consent = "oauth" in works.configuration.connections[name].auth
    if by_consent and again:
        authorise()
    try:
        account = _prepare(screen, works, mappings)
    except ConnectionHalted as halt:
        if not by_consent or again or halt.cause not in CURED_BY_CONSENT:
            raise
        authorise()
        account = _prepare(screen, works, mappings)
    if token:
        tokens.save(Tokens(token), None)
        screen.say(f"The token is kept, encrypted. Where {variable} is set, that counts instead.")
    detail = f" ({account.detail})" if account.detail else ""
    screen.say(f"{name} answers: account {account.id} {account.name}{detail}", style="green")
    works.store.database.transact(lambda c: state.resume(c, name))
    if works.configuration.connections[name].webhooks is not None:
        arrange(screen, works, name)


def _consent(works: Works, name: str, port: int) -> Consent:
    """Return the question to put to a person, with a secret of its own."""
    connection = connection_of(works.configuration.connections[name])
    vendor = registry.vendor_of(registry.load(connection.connector))
    return Consent.of(connection, vendor, redirect_uri(port))


def _prepare(screen: Screen, works: Works, mappings: list[SyncMapping]) -> Account:
    """Make the match fields and try the connection; return who answers."""
    connector = works.open_sync(mappings[0]).connector
    for mapping in mappings:
        _make_match_field(screen, connector, mapping)
    return connector.check()


def _make_match_field(screen: Screen, connector: Connector, mapping: SyncMapping) -> None:
    """Make the unique field that is ours, where the CRM lets us and does not have it."""
    name, fact = mapping.match[0]
    where = f"{mapping.connection} {mapping.object_type}"
    if name in connector.describe(mapping.object_type).fields:
        screen.say(f"{where} has its match field '{name}'")
        return
    if fact != PROFILE_ID:
        screen.note(f"{where} has no field '{name}': make it in the CRM", style="yellow")
        return
    why = "the CRM's API makes none"
    if connector.capabilities.creates_fields:
        try:
            field = FieldSchema(name, "crmsync id", FieldType.TEXT, unique=True)
            connector.create_field(mapping.object_type, field)
        except ConfigError as refusal:
            why = refusal.user_message
        else:
            unique = Action.UPSERT in connector.capabilities.records_per_call
            note = "unique" if unique else "this CRM knows no unique fields"
            screen.say(f"{where}: made the match field '{name}' ({note})")
            return
    steps = connector.capabilities.field_steps.format(object=mapping.object_type, field=name)
    screen.note(f"{where} has no field '{name}', and {why}.", style="yellow")
    screen.note(steps or "Make a unique text field of that name in the CRM.", style="yellow")


def _token_variable(settings: Settings, name: str) -> str | None:
    """Return the environment variable that the file takes a connection's token from."""
    path = settings.config_path
    root = read_yaml(path.name, path.read_bytes(), Problems())
    return reference_at(root, ("connections", name, "auth", "token")) if root else None


def _read_token(settings: Settings, name: str, variable: str) -> str | None:
    """Return the token that a person gives; None where they give none and one is kept."""
    if sys.stdin.isatty():
        token = getpass.getpass(f"{variable} is not set. Token (not shown): ")
    else:
        token = sys.stdin.readline()
    if token.strip():
        return token.strip()
    store = open_store(settings)
    kept = tokens_of(store, name).load().tokens
    store.database.dispose()
    if kept is None:
        raise ConfigError(
            f"no token: set {variable}, or give the token on stdin "
            "(crmsync connect NAME < file-with-the-token)"
        )
    return None
