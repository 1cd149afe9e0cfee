"""`crmsync webhooks`: have CRMs tell us of changes at once, instead of at the next poll."""

from __future__ import annotations

from typing import Annotated

import typer

from crmsync.cli.advice import advice_on
from crmsync.cli.connections import mappings_of
from crmsync.cli.project import open_project
from crmsync.cli.screen import Screen, moment
from crmsync.errors import ConfigError
from crmsync.store import watches
from crmsync.sync.context import Works
from crmsync.sync.webhooks import TROUBLE, set_up, take_down

app = typer.Typer()


@app.command()
def webhooks(
    connection: Annotated[
        str | None, typer.Argument(help="A connection of crmsync.yaml; all when left out.")
    ] = None,
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Have the CRM tell us nothing more.")
    ] = False,
) -> None:
    """Have CRMs call us when a record is changed, and show how that stands.

    For connections with `webhooks:` in crmsync.yaml. Where the CRM's API can, everything is set up;
    else the steps are told that a person takes in the CRM. Workers renew what would end.
    """
    works, screen = open_project(), Screen()
    names = _chosen(works, connection)
    if not names:
        screen.note("no connection has `webhooks:`; docs/connecting.md tells what to write there")
    act = _remove if remove else arrange
    done = [act(screen, works, name) for name in names]
    if not all(done):
        raise typer.Exit(1)


def arrange(screen: Screen, works: Works, name: str) -> bool:
    """Set a connection's webhooks up and tell how they stand; whether news comes, or will."""
    with works.store.database.read() as reading:
        told_at = watches.last_told(reading, name)
    try:
        watch = set_up(works, name)
    except TROUBLE as trouble:
        screen.note(f"{name}: {advice_on(trouble)}", style="yellow")
        is_set_up = told_at is not None
    else:
        screen.say(f"{name}: {watch.detail}", style="green")
        if watch.ends_at is not None:
            screen.say(f"  workers renew it; else it ends {moment(watch.ends_at)}")
        is_set_up = True
    screen.say(f"  last news  {moment(told_at) if told_at else 'none yet'}")
    return is_set_up


def _remove(screen: Screen, works: Works, name: str) -> bool:
    try:
        take_down(works, name)
    except TROUBLE as trouble:
        screen.note(f"{name}: {advice_on(trouble)}", style="yellow")
        return False
    screen.say(f"{name}: the CRM tells us nothing more; it is asked now and then what changed")
    return True


def _chosen(works: Works, name: str | None) -> list[str]:
    """Return the connections to see to; ConfigError for one that has no webhooks."""
    known = works.configuration.connections
    if name is None:
        mapped = {mapping.connection for mapping in works.configuration.mappings}
        return [one for one in known if known[one].webhooks and one in mapped]
    mappings_of(works, name)
    if known[name].webhooks is None:
        raise ConfigError(
            f"connection '{name}' has no `webhooks:` in crmsync.yaml; docs/connecting.md tells"
            " what to write there"
        )
    return [name]
