"""A connection as its CRM answers: who we are there, its clock, what is left of the day, fields.

A few calls each, none of which writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crmsync.connectors.answers import Exchange
from crmsync.connectors.base import Connector
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    CrmsyncError,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
)
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.live import check_against
from crmsync.model import Action, Directory, ObjectSchema
from crmsync.sync.context import Works
from crmsync.sync.doctor.finding import Finding, Subject, lasting

CLOCK_SECONDS = 60.0
"""By how much our clock may differ: a JWT and HubSpot's signatures are valid for 3 to 5 minutes."""
SCARCE = 0.1
"""Of a day's calls, below which somebody should know."""
TROUBLE = (RetryLater, OutcomeUnknown, ConnectionHalted, BatchRejected, ConfigError)


@dataclass(frozen=True, slots=True)
class _Look:
    """One connection that is being looked at."""

    subject: Subject
    connector: Connector
    mappings: Sequence[SyncMapping]


def check_live(works: Works, name: str, exchanges: Sequence[Exchange]) -> list[Finding]:
    """Ask the CRM; `exchanges` gets an entry for every call that these works make."""
    subject = Subject(name)
    mappings = [one for one in works.configuration.mappings if one.connection == name]
    if not mappings:
        advice = "write a first mapping, as `crmsync init` does"
        return [subject.warning("credentials", "no mapping uses it: not tried", advice)]
    try:
        connector = works.open_sync(mappings[0]).connector
        account = connector.check()
    except TROUBLE as trouble:
        told = (*_clock(subject, exchanges), *_quota(subject, exchanges))
        return [_refused(subject, trouble), *told]
    look = _Look(subject, connector, mappings)
    findings = [subject.ok("credentials", f"account {account.id} {account.name}".strip())]
    for mapping in mappings:
        findings += _fields(look, mapping)
    quota = _quota(subject, exchanges)
    quota = quota or [subject.ok("quota", "the CRM does not say what is left of the day")]
    return [*findings, *_clock(subject, exchanges), *quota]


def _refused(subject: Subject, trouble: CrmsyncError) -> Finding:
    match trouble:
        case ConnectionHalted():
            advice = trouble.hint or f"run `crmsync connect {subject.name}`"
        case RateLimited():
            return subject.warning("credentials", trouble.user_message, "look again later")
        case RetryLater() | OutcomeUnknown():
            advice = "is its base_url right, and can this machine reach it? It is tried again"
        case _:
            advice = f"correct it, then `crmsync connect {subject.name}`"
    return subject.fault("credentials", trouble.user_message, advice)


def _fields(look: _Look, mapping: SyncMapping) -> Iterator[Finding]:
    """Yield whether the mapped fields are there, and whether what hangs on them may be read."""
    check = f"fields of {mapping.sync}"
    try:
        schema = look.connector.describe(mapping.object_type)
        deals = look.connector.describe_deals() if mapping.deals else None
    except TROUBLE as trouble:
        yield look.subject.fault(check, trouble.user_message, _advice(trouble))
        return
    unique = Action.UPSERT in look.connector.capabilities.records_per_call
    problems = check_against(mapping, schema, deals, knows_unique=unique)
    errors = [one for one in problems if one.severity == "error"]
    more = "`crmsync check --live` shows each with its line"
    if problems:
        worst = (errors or problems)[0]
        seen = f"{worst.message}{f' (and {len(problems) - 1} more)' if len(problems) > 1 else ''}"
        tell = look.subject.fault if errors else look.subject.warning
        yield tell(check, f"{worst.file}:{worst.line}: {seen}", more)
    else:
        keys = ", ".join(name for name, _ in mapping.match)
        yield look.subject.ok(check, f"{len(mapping.fields)} mapped, matched by {keys}")
    yield from _permissions(look, mapping, schema)


def _permissions(look: _Look, mapping: SyncMapping, schema: ObjectSchema) -> Iterator[Finding]:
    """Yield whether the lists may be read that values of the mapped fields are ids of."""
    names = {field.name for field in mapping.fields} | {pull.name for pull in mapping.pulls}
    wanted: dict[str, Callable[[], Sequence[object]]] = {}
    described = (schema.fields[name] for name in names if name in schema.fields)
    if any(field.directory is Directory.OWNERS for field in described):
        wanted["owners"] = look.connector.owners
    if mapping.deals is not None:
        wanted["stages"] = look.connector.stages
    for what, read in wanted.items():
        try:
            seen = f"{len(read()):,} {what} may be read"
        except TROUBLE as trouble:
            yield look.subject.fault(f"permission: {what}", trouble.user_message, _advice(trouble))
        else:
            yield look.subject.ok(f"permission: {what}", seen)


def _clock(subject: Subject, exchanges: Sequence[Exchange]) -> list[Finding]:
    """Compare our clock with the CRM's, as its last answer told it: to a second or two."""
    told = [one for one in exchanges if one.connection == subject.name and one.answered_at]
    if not told:
        return []
    last = told[-1]
    asked = last.started_at.timestamp()
    theirs = last.answered_at.timestamp() if last.answered_at else asked
    # It was true at some moment between question and answer, and is cut to the second.
    latest, earliest = asked + last.duration_seconds, asked - 1
    off = max(0.0, theirs - latest) or min(0.0, theirs - earliest)
    if abs(off) <= CLOCK_SECONDS:
        return [subject.ok("clock", f"the same as the CRM's, to {CLOCK_SECONDS:g} s")]
    way = "behind" if off > 0 else "ahead of"
    return [
        subject.fault(
            "clock",
            f"this machine's is {lasting(abs(off))} {way} the CRM's",
            "let it follow a time server: tokens and signatures are valid for minutes",
        )
    ]


def _quota(subject: Subject, exchanges: Sequence[Exchange]) -> list[Finding]:
    told = [one.quota for one in exchanges if one.connection == subject.name and one.quota]
    if not told:
        return []
    last = told[-1]
    seen = f"{last.left:,} left of the day" + (f"'s {last.total:,}" if last.total else "")
    advice = "what is in the background waits; `limits:` and `quota:` say how it is shared"
    if last.left == 0:
        return [subject.fault("quota", seen, f"{advice}; more is granted tomorrow")]
    if last.total and last.left < SCARCE * last.total:
        return [subject.warning("quota", seen, advice)]
    return [subject.ok("quota", seen)]


def _advice(trouble: CrmsyncError) -> str:
    if isinstance(trouble, ConnectionHalted) and trouble.hint:
        return trouble.hint
    return "mend what it names; nothing is lost meanwhile"
