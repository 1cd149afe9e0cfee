"""What a person is told of a sync that is held: what would be lost, and the ways on."""

from __future__ import annotations

from rich.text import Text

from crmsync.cli.screen import Screen, change_text
from crmsync.cli.tables import Column
from crmsync.mapping.compiled import SyncMapping
from crmsync.store import state
from crmsync.sync.context import Works
from crmsync.sync.guard import Held, hold_of
from crmsync.sync.shown import Shown

MOST = 10
"""Fields that are listed."""
WOULD = {"cleared": "would be cleared in", "changed": "would be changed in"}


def tell_held(screen: Screen, works: Works, mapping: SyncMapping, held: Held) -> None:
    """Print which fields a run was stopped for, some examples, and what to do."""
    hold = held.hold
    screen.note(f"  held: {hold.message}", style="bold red")
    columns = (Column("field", least=8), Column(WOULD[hold.harm], "records", number=True))
    screen.table(columns, [(name, f"{count:,} records") for name, count in hold.fields[:MOST]])
    if len(hold.fields) > MOST:
        screen.say(f"and {len(hold.fields) - MOST} fields more")
    with works.store.database.read() as connection:
        shown = Shown(connection)
        place = mapping.connection, mapping.object_type
        for one in held.examples:
            change = [shown.value(*place, one.field, value) for value in (one.before, one.after)]
            screen.item("example", f"{one.profile_id} {change_text({one.field: change})}")
    tell_ways_on(screen, mapping.sync)


def tell_holds(screen: Screen, works: Works) -> bool:
    """Say which syncs are held, and how to go on; return whether any is."""
    with works.store.database.read() as connection:
        known = state.list_syncs(connection)
    holding = {m.sync: hold_of(m, known.get(m.sync)) for m in works.configuration.mappings}
    for sync, hold in holding.items():
        if hold is not None:
            screen.say(Text.assemble((sync, "bold red"), f" is held: {hold.message}"))
            tell_ways_on(screen, sync)
            screen.say()
    return any(holding.values())


def tell_ways_on(screen: Screen, sync: str) -> None:
    """Say what a person can do about a sync that is held."""
    for name, text in (
        ("intended", f"`crmsync push {sync} --yes` lets this through, this once"),
        ("mistake", f"correct the mapping, or the data and then `crmsync push {sync}`"),
        ("always", "`guard:` in the mapping or in crmsync.yaml says how much may change"),
    ):
        screen.item(name, text)
