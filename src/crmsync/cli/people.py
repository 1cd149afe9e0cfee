"""`crmsync profiles`: who is known, and what the CRMs hold of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from crmsync.cli.finding import find_person
from crmsync.cli.options import PERSON, AsJson
from crmsync.cli.project import open_database
from crmsync.cli.screen import STATES, Either, Screen, json_line, moment, safe, value_text
from crmsync.cli.tables import Column
from crmsync.identity.facts import facts
from crmsync.model import Identifier, Profile, ProfileKind
from crmsync.store import known_records
from crmsync.store import profiles as stored
from crmsync.store.known_records import KnownRecord
from crmsync.sync.context import Store
from crmsync.sync.shown import Shown

PAGE = 500
COLUMNS = (
    Column("id", rank=1),
    Column("user id", least=12),
    Column("name", least=12),
    Column("e-mail", least=20),
    Column("visits", number=True, rank=2),
    Column("last seen", rank=3),
    Column("in the CRM", least=14),
)
COUNTS = ("sessions", "visits", "pages_viewed", "goals_completed", "revenue")

app = typer.Typer()


@app.command()
def profiles(  # noqa: PLR0913 - each is one way to narrow the list
    name: Annotated[str | None, typer.Argument(metavar="ID", help=PERSON)] = None,
    *,
    search: Annotated[
        str, typer.Option(metavar="WORDS", help="Only those whose e-mail or user id holds this.")
    ] = "",
    companies: Annotated[bool, typer.Option("--companies", help="Companies, not people.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, metavar="N", help="At most so many; 50, or with --json all."
        ),
    ] = None,
    after: Annotated[str, typer.Option(metavar="ID", help="Go on after this profile id.")] = "",
    as_json: AsJson = False,
) -> None:
    """List people, or tell all about one of them."""
    store = open_database()
    if name is not None:
        person = find_person(store, name)
        (told,) = _whole(store, [person])
        if as_json:
            json_line(_as_json(*told))
        else:
            _tell(Screen(), store, *told)
        return
    kind = ProfileKind.COMPANY if companies else ProfileKind.PERSON
    if as_json:
        for page in _pages(store, kind, search, after, limit or sys.maxsize):
            for one in _whole(store, page):
                json_line(_as_json(*one))
        return
    _list(store, kind, search, after, limit or 50)


def _pages(
    store: Store, kind: ProfileKind, words: str, after: str, limit: int
) -> Iterator[list[Profile]]:
    while limit > 0:
        size = min(PAGE, limit)
        with store.database.read() as connection:
            page = (
                stored.search(connection, kind, words, after=after, limit=size)
                if words
                else stored.page(connection, kind, after=after, limit=size)
            )
        if not page:
            return
        yield page
        limit -= len(page)
        after = page[-1].id


def _whole(
    store: Store, page: Sequence[Profile]
) -> list[tuple[Profile, list[Identifier], list[KnownRecord]]]:
    """Return profiles with what names them and what the CRMs hold of them."""
    ids = [profile.id for profile in page]
    with store.database.read() as connection:
        names = stored.identifiers_of_each(connection, ids)
        records = known_records.known_records(connection, store.vault, ids)
    return [(p, names.get(p.id, []), records.get(p.id, [])) for p in page]


def _list(store: Store, kind: ProfileKind, words: str, after: str, limit: int) -> None:
    screen = Screen()
    found = [
        one for page in _pages(store, kind, words, after, limit) for one in _whole(store, page)
    ]
    if not found:
        screen.say(
            "nobody matches" if words else "nobody is known yet: `crmsync ingest` takes events"
        )
        return
    screen.table(COLUMNS, [_row(profile, records) for profile, _, records in found])
    with store.database.read() as connection:
        total = stored.count(connection, kind)
    if len(found) == limit and not words:
        screen.note(f"{limit} of {total:,}; go on with --after {found[-1][0].id}")


def _row(profile: Profile, records: Sequence[KnownRecord]) -> tuple[object, ...]:
    """Return one row; briefly, a person without a user id is named by our own."""
    return (
        profile.id,
        Either(profile.user_id, profile.user_id or profile.id),
        facts(profile).get("name"),
        profile.email,
        profile.stats.get("sessions", 0),
        profile.last_seen,
        Either(
            ", ".join(
                f"{r.connection} {r.crm_id or '-'} ({STATES.get(r.state, r.state)})"
                for r in records
            ),
            ", ".join(_brief_record(record) for record in records),
        ),
    )


def _brief_record(record: KnownRecord) -> str:
    """Return where a record is, and its state where that is worth a word."""
    state = f"({STATES.get(record.state, record.state)})" if record.state != "clean" else ""
    return " ".join(filter(None, (record.connection, record.crm_id, state)))


def _tell(
    screen: Screen,
    store: Store,
    profile: Profile,
    names: list[Identifier],
    records: list[KnownRecord],
) -> None:
    known = facts(profile)
    title = known.get("name") or profile.email or profile.user_id or profile.id
    screen.say(safe(str(title)), style="bold")
    screen.say(f"  id         {profile.id}")
    for one in names:
        screen.say(f"  {one.kind.ljust(10)} {safe(one.value)}")
    screen.say("traits", style="bold")
    for trait, value in sorted(profile.traits.items()):
        screen.say(f"  {safe(trait)}: {value_text(value)}")
    screen.say("visits", style="bold")
    for name, value in _stats(profile).items():
        shown = value if isinstance(value, int | float) else value and moment(value)
        screen.say(f"  {name}: {'-' if shown is None else shown}")
    for record, held in zip(records, _named(store, records), strict=True):
        screen.say(f"{record.connection} {record.object_type} {record.crm_id or ''}", style="bold")
        screen.say(f"  state: {STATES.get(record.state, record.state)}")
        for name, value in sorted(held.items()):
            screen.say(f"  {safe(name)}: {value_text(value)}")
    screen.note(f"`crmsync explain {profile.id}` tells where each CRM field comes from")


def _named(store: Store, records: Sequence[KnownRecord]) -> list[dict[str, Any]]:
    """Return what each record holds, with users and stages as people know them."""
    with store.database.read() as connection:
        shown = Shown(connection)
        return [shown.fields(r.connection, r.object_type, r.snapshot) for r in records]


def _stats(profile: Profile) -> dict[str, Any]:
    if profile.kind is ProfileKind.COMPANY:
        return {}
    known = facts(profile)
    return {name: known.get(name, 0) for name in COUNTS} | {
        "first_seen": profile.first_seen,
        "last_seen": profile.last_seen,
    }


def _as_json(
    profile: Profile, names: list[Identifier], records: list[KnownRecord]
) -> dict[str, object]:
    return {
        "id": profile.id,
        "user_id": profile.user_id,
        "email": profile.email,
        "traits": profile.traits,
        "stats": _stats(profile),
        "identifiers": [{"kind": one.kind, "value": one.value} for one in names],
        "segments": [],
        "links": [
            {
                "connection": record.connection,
                "object": record.object_type,
                "crm_id": record.crm_id,
                "state": record.state,
                "snapshot": record.snapshot,
            }
            for record in records
        ],
    }
