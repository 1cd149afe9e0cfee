"""`crmsync replay`: sending again what failed, thawing what is frozen, making deleted ones anew."""

from __future__ import annotations

from typing import Annotated

import typer

from crmsync.cli.finding import find_person_id, find_run
from crmsync.cli.options import OnePerson, OneRun
from crmsync.cli.project import open_project
from crmsync.cli.pushing import push_and_tell
from crmsync.cli.screen import Screen, safe, state_text
from crmsync.cli.stopping import stopping
from crmsync.cli.tables import Column
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.store.failed_links import DELETED, FailedLink
from crmsync.store.failing import FROZEN, NOTICED, FailureGroup
from crmsync.sync.context import Works
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.pull import pull
from crmsync.sync.replay import choose, failure_groups
from crmsync.sync.replay import replay as make_due_again
from crmsync.sync.subjects import reads_back

COLUMNS = (
    Column("profile"),
    Column("connection", least=8, rank=2),
    Column("object", least=8, rank=1),
    Column("state"),
    Column("code", least=14),
    Column("field", least=8),
)

app = typer.Typer()


@app.command()
def replay(
    *,
    run: OneRun = None,
    group: Annotated[
        str | None, typer.Option(help="What fails for this cause; `crmsync failures` names it.")
    ] = None,
    record: OnePerson = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Everything set aside.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
) -> None:
    """Send again what failed: choose by run, by cause, by person, or all of it.

    What is sent is what the records should hold now, not what was refused then. A frozen field is
    read and written again. With --record, a record that was deleted in the CRM is made again.
    """
    if sum((run is not None, group is not None, record is not None, all_dead)) != 1:
        raise ConfigError("choose what to replay: one of --run, --group, --record and --all-dead")
    works = open_project()
    screen = Screen()
    chosen = choose(
        works,
        run_id=find_run(works.store, run),
        group=group,
        profile_id=find_person_id(works.store, record),
        dead_only=all_dead,
    )
    if not chosen and all_dead:
        screen.say("nothing is set aside")
        return
    if not chosen:
        raise CrmsyncError(_nothing(works, group, record))
    if dry_run:
        _list(screen, chosen)
        return
    _warn(screen, chosen)
    bring_up_to_date(works)
    make_due_again(works, chosen)
    _read_again(works, chosen)
    if not _push(works, chosen):
        raise typer.Exit(1)


def _warn(screen: Screen, chosen: list[FailedLink]) -> None:
    """Say before it is done what is more than sending again."""
    for link in chosen:
        if link.is_deleted:
            screen.note(
                f"{link.connection} {link.object_type}: the record was deleted in the CRM; it is "
                "looked for by its match keys, and made again where there is none",
                style="yellow",
            )
        elif link.state == FROZEN:
            screen.note(f"{link.field} thaws: it is read, and written again", style="yellow")


def _read_again(works: Works, chosen: list[FailedLink]) -> None:
    """Read the records whose fields thaw: who decides them is judged by what they hold now."""
    stiff = {(link.connection, link.object_type) for link in chosen if link.state == FROZEN}
    for mapping in works.configuration.mappings:
        if (mapping.connection, mapping.object_type) in stiff and reads_back(mapping):
            pull(works, mapping.connection, only=[mapping], due_only=True)


def _push(works: Works, chosen: list[FailedLink]) -> bool:
    pairs = [(link.connection, link.object_type) for link in chosen]
    fine = True
    with stopping() as asked:
        for mapping in works.configuration.mappings:
            count = pairs.count((mapping.connection, mapping.object_type))
            if count and not asked.is_set():
                fine &= push_and_tell(works, mapping, count, asked)
    return fine


def _nothing(works: Works, group: str | None, record: str | None) -> str:
    """Say that nothing matches, and what would."""
    groups = failure_groups(works)
    lost = [one for name, one in groups if name == group and one.error_class == DELETED]
    if lost:
        return (
            "records that were deleted in the CRM are made again one person at a time: "
            f"`crmsync replay --record {lost[0].example}`"
        )
    if any(name == group for name, _ in groups):
        return f"there is nothing to send again for '{group}': it was noticed when reading back"
    there = [f"{name} ({_cause(one)})" for name, one in groups if one.state != NOTICED]
    known = f"causes now: {', '.join(there)}" if there else "nothing fails now"
    if group is not None:
        return f"no cause is called '{safe(group)}'; {known}"
    if record is not None:
        return f"nothing of '{safe(record)}' fails now; {known}"
    return f"nothing that failed in that run still fails; {known}"


def _cause(group: FailureGroup) -> str:
    where = f" in '{safe(group.field)}'" if group.field else ""
    return f"{group.count:,} {safe(group.code)}{where}"


def _list(screen: Screen, chosen: list[FailedLink]) -> None:
    screen.table(
        COLUMNS,
        [
            (c.profile_id, c.connection, c.object_type, state_text(c.state), c.code, c.field)
            for c in chosen
        ],
    )
    screen.say(f"{len(chosen):,} would be sent again; nothing was sent")
