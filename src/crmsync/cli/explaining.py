"""`crmsync explain`: why each CRM field holds what it holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from crmsync.cli.finding import find_person
from crmsync.cli.history import OURS
from crmsync.cli.options import PERSON, AsJson
from crmsync.cli.project import open_to_look
from crmsync.cli.screen import STYLES, Screen, json_line, moment, safe, shortened, value_text
from crmsync.errors import CrmsyncError
from crmsync.identity.facts import facts
from crmsync.model import Profile
from crmsync.store.inbox import StoredEvent
from crmsync.store.runs import LogEntry
from crmsync.sync.explain import FieldStory, RecordStory
from crmsync.sync.explain import explain as tell_story
from crmsync.sync.witness import FactStory

STATES = {
    "clean": "in step",
    "dirty": "waits to be sent",
    "leased": "being sent",
    "dead": "refused by the CRM, set aside",
    "conflict": "waits for a person: two profiles, one record",
    "suppressed": "not sent any more",
    "converted": "a lead that became a contact",
}

_COMMENT = re.compile(r"""\s#(?=[^"']*$).*$""")
"""Of a line of YAML: what follows a `#` that stands in no quotes."""

app = typer.Typer()


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help=PERSON)],
    *,
    field: Annotated[str | None, typer.Option(help="Only this CRM field.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell why each CRM field holds what it holds: event, trait, mapping line, sync log entry."""
    works = open_to_look()
    profile = find_person(works.store, name)
    stories = tell_story(works, profile)
    named = [one for story in stories for one in story.fields if field in (None, one.name)]
    if field is not None and not named:
        known = sorted({one.name for story in stories for one in story.fields})
        raise CrmsyncError(f"no mapping writes a field '{field}'; there are: {', '.join(known)}")
    if as_json:
        for story in stories:
            for one in story.fields:
                if one in named:
                    json_line(_as_json(story, one))
        return
    tell(Screen(), profile, stories, None if field is None else {field})


def tell(
    screen: Screen,
    profile: Profile,
    stories: Sequence[RecordStory],
    only: Collection[str] | None = None,
) -> None:
    """Print one person's story, field by field; `only` these fields, where any are named."""
    title = facts(profile).get("name") or profile.email or profile.user_id or "somebody unnamed"
    known = [text for text in (profile.email, profile.user_id, profile.id) if text]
    screen.say(Text.assemble((safe(str(title)), "bold"), "  ", (safe("  ".join(known)), "dim")))
    for story in stories:
        _tell_record(screen, story)
        if story.refused is not None:
            _refusal(screen, story.refused)
        for one in story.fields:
            if only is None or one.name in only:
                _tell_field(screen, one)


def _tell_record(screen: Screen, story: RecordStory) -> None:
    mapping, record = story.mapping, story.record
    state = record.state if record else ""
    what = STATES.get(state, "no record yet")
    if not story.addressable:
        what = "never sent: no match key of the mapping is known"
    elif not story.in_scope:
        what = f"{what}; does not meet `only`"
    crm_id = f" {record.crm_id}" if record and record.crm_id else ""
    screen.say(
        Text.assemble(
            "\n", (f"{mapping.connection} {mapping.object_type}{crm_id}", "bold cyan"), "  ",
            (what, STYLES.get(state, "")), "  ", (mapping.place.file, "dim"),
        )
    )  # fmt: skip


def _tell_field(screen: Screen, one: FieldStory) -> None:
    screen.say(_title(one))
    for fact in one.facts:
        _step(screen, "from", _fact_text(fact, is_read=not one.is_pushed))
    _step(screen, "mapped", f"{one.place.file}:{one.place.line}  {_line_text(one)}")
    if one.unusable:
        _step(screen, "problem", one.unusable, style="red")
    if one.written is not None:
        _step(screen, "sent", _entry_text(one.written, one.name))
    if one.taken is not None:
        _step(screen, "read back", _entry_text(one.taken, one.name))
    if one.noticed is not None and one.noticed.error is not None:
        _step(screen, "noticed", _notice_text(one.noticed, one.name), style="yellow")
        _step(screen, "do this", str(one.noticed.error["hint"]))
    if one.is_frozen:
        _step(screen, "frozen", "both sides leave it alone until it is replayed", style="yellow")
    if one.failed is not None and one.failed.error is not None:
        at_fault = one.failed.error["field"]
        if at_fault == one.name:
            _refusal(screen, one.failed, one.name)
        else:
            why = f"'{safe(at_fault)}'" if at_fault else "the record"
            _step(screen, "waits", f"{why} was refused in run {one.failed.run}", style="yellow")
    elif one.written is None and one.held is None and one.is_pushed:
        _step(screen, "sent", "never" if one.wanted is None else "not yet")


def _title(one: FieldStory) -> Text:
    if one.is_pushed:
        return Text.assemble("\n  ", (one.name, "bold"), " = ", value_text(one.held))
    value = one.facts[0].value if one.facts else None
    where = " of the deal" if one.is_of_deal else ""
    return Text.assemble(
        "\n  ", (one.name, "bold"), f"{where} → {one.trait} = ", value_text(value)
    )  # fmt: skip


def _refusal(screen: Screen, entry: LogEntry, field: str | None = None) -> None:
    error = entry.error or {}
    what = _entry_text(entry, field) if field else f"run {entry.run}, {moment(entry.at)}"
    _step(screen, "refused", what, style="red")
    words = "what" if error["class"] in OURS else "they say"
    _step(screen, words, shortened(f"{error['code']}: {error['message']}"))
    _step(screen, "do this", str(error["hint"]))


def _notice_text(entry: LogEntry, field: str) -> str:
    """Return what reading back came upon, and left as it was."""
    if field in entry.fields:
        old, new = entry.fields[field]
        change = f"{value_text(old)} → {value_text(new)}"
        return f"somebody in {entry.connection} changed it: {change}, read {moment(entry.at)}"
    message = shortened(str((entry.error or {}).get("message")))
    return f"{message}, read {moment(entry.at)}"


def _step(screen: Screen, name: str, text: str, *, style: str = "") -> None:
    screen.item(name, text, indent=4, style=style)


def _line_text(one: FieldStory) -> str:
    """Return the line of the mapping, without its comment."""
    line = _COMMENT.sub("", one.place.source_line).strip()
    return line or f"{one.name}: {one.origin}"


def _fact_text(fact: FactStory, *, is_read: bool = False) -> str:
    value = value_text(fact.value)
    if fact.how == "never sent":
        why = "empty in the CRM, or not read back yet" if is_read else "which no event has brought"
        return f"{fact.name}, {why}"
    if fact.how == "given by crmsync":
        return f"{fact.name} {value}, given by crmsync"
    if fact.how == "counted":
        latest = f", last by {_event_text(fact.event)}" if fact.event else ""
        return f"{fact.name} {value}, counted{latest}"
    owner = " of the company" if fact.how == "sent for the company" else ""
    via = f" ({fact.trait}{owner})" if fact.trait else owner
    before = "" if fact.old is None else f", before {value_text(fact.old)}"
    return f"{fact.name} {value}{via}, {_source_text(fact)}{before}"


def _source_text(fact: FactStory) -> str:
    if fact.event is not None:
        return f"by {_event_text(fact.event)}"
    if fact.source is None:
        return "by an event that is no longer kept"
    at, (kind, _, name) = fact.source.at, fact.source.origin.partition(":")
    if kind != "connection":
        return f"by {fact.source.origin}, {moment(at)} (the event is no longer kept)"
    read = f", read back {moment(fact.read_at)}" if fact.read_at else ""
    return f"somebody in {name} changed it {moment(at)}{read}"


def _event_text(event: StoredEvent) -> str:
    name = f" '{event.name}'" if event.name else ""
    return f"{event.type}{name} from {event.source}, {moment(event.at)}, message {event.message_id}"


def _entry_text(entry: LogEntry, field: str) -> str:
    old, new = entry.fields[field]
    change = f"{value_text(old)} → {value_text(new)}"
    return f"run {entry.run}, {moment(entry.at)}, {entry.action}: {change}"


def _as_json(story: RecordStory, one: FieldStory) -> dict[str, object]:
    record = story.record
    return {
        "connection": story.mapping.connection,
        "object": story.mapping.object_type,
        "crm_id": record.crm_id if record else None,
        "state": record.state if record else None,
        "field": one.name,
        "held": one.held,
        "wanted": one.wanted,
        "problem": one.unusable,
        "mapping": {"file": one.place.file, "line": one.place.line, "from": one.origin},
        "facts": [_fact_as_json(fact) for fact in one.facts],
        "written": _entry_as_json(one.written, one.name),
        "failed": _entry_as_json(one.failed, one.name),
        "trait": one.trait,
        "deal": one.is_of_deal,
        "read_back": _entry_as_json(one.taken, one.name),
        "noticed": _entry_as_json(one.noticed, one.name),
        "frozen": one.is_frozen,
    }


def _fact_as_json(fact: FactStory) -> dict[str, object]:
    event, source = fact.event, fact.source
    return {
        "name": fact.name,
        "value": fact.value,
        "how": fact.how,
        "trait": fact.trait,
        "old": fact.old,
        "read_at": fact.read_at,
        "source": source and asdict(source),
        "event": event
        and {
            "type": event.type,
            "name": event.name,
            "source": event.source,
            "message_id": event.message_id,
            "at": event.at,
        },
    }


def _entry_as_json(entry: LogEntry | None, field: str) -> dict[str, object] | None:
    if entry is None:
        return None
    old, new = entry.fields.get(field, (None, None))
    return {
        "run": entry.run,
        "at": entry.at,
        "action": entry.action,
        "old": old,
        "new": new,
        "error": entry.error,
    }
