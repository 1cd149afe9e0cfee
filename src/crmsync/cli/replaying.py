"""`crmsync replay`: sending again what failed."""

from __future__ import annotations

from typing import Annotated

import typer

from crmsync.cli.project import find_person, open_project
from crmsync.cli.pushing import push_and_tell
from crmsync.cli.screen import Screen
from crmsync.cli.stopping import stopping
from crmsync.errors import ConfigError
from crmsync.model import RunId
from crmsync.store.failed_links import FailedLink
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.replay import choose, failure_groups
from crmsync.sync.replay import replay as make_due_again

app = typer.Typer()


@app.command()
def replay(
    *,
    run: Annotated[int | None, typer.Option(help="What failed in this run.")] = None,
    group: Annotated[
        str | None, typer.Option(help="What fails for this cause; `crmsync failures` names it.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(help="One person: a profile id, a user id or an e-mail.")
    ] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Everything set aside.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
) -> None:
    """Send again what failed: choose by run, by cause, by person, or all of it.

    What is sent is what the records should hold now, not what was refused then.
    """
    if sum((run is not None, group is not None, record is not None, all_dead)) != 1:
        raise ConfigError("choose what to replay: one of --run, --group, --record and --all-dead")
    works = open_project()
    screen = Screen()
    person = find_person(works.store, record).id if record is not None else None
    chosen = choose(
        works,
        run_id=RunId(run) if run is not None else None,
        group=group,
        profile_id=person,
        dead_only=all_dead,
    )
    if not chosen:
        screen.say(_nothing(works, group))
        return
    if dry_run:
        _list(screen, chosen)
        return
    bring_up_to_date(works)
    make_due_again(works, chosen)
    if not _push(works, chosen):
        raise typer.Exit(1)


def _push(works: Works, chosen: list[FailedLink]) -> bool:
    pairs = [(link.connection, link.object_type) for link in chosen]
    fine = True
    with stopping() as asked:
        for mapping in works.configuration.mappings:
            count = pairs.count((mapping.connection, mapping.object_type))
            if count and not asked.is_set():
                fine &= push_and_tell(works, mapping, count, asked)
    return fine


def _nothing(works: Works, group: str | None) -> str:
    if group is not None:
        there = ", ".join(name for name, _ in failure_groups(works)) or "none"
        return f"nothing fails for the cause '{group}'; causes now: {there}"
    return "nothing to replay: nothing that was chosen fails now"


def _list(screen: Screen, chosen: list[FailedLink]) -> None:
    screen.table(
        ("profile", "connection", "object", "state", "code", "field"),
        [(c.profile_id, c.connection, c.object_type, c.state, c.code, c.field) for c in chosen],
    )
    screen.say(f"{len(chosen):,} would be sent again; nothing was sent")
