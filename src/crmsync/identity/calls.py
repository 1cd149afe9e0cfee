"""One inbound call -> one event: the tracking specification, checked by hand, in one shape.

Names may be camelCase or snake_case (segment.com/docs/connections/spec/common, read 2026-11).
A call whose ids, time or name are wrong raises EventRejected; a trait or property that cannot be
kept is left out with a note. No message ever holds a value. `feeds` reads many calls at once;
docs/identity.md gives the rules.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crmsync.errors import EventRejected
from crmsync.identity.clean import Unusable, clean_id, digest
from crmsync.identity.emails import email_like, normalise_email
from crmsync.identity.reading import Arrival, Reading
from crmsync.identity.rules import EmailAsUserId, Note, NoteCode
from crmsync.identity.times import parse_time
from crmsync.identity.traits import company_traits, person_traits
from crmsync.model import Event, EventType

MAX_KEYS = 10_000
"""Names in one object of traits or properties; more is a mistake, not a description."""
CLOCK_TOLERANCE = timedelta(seconds=10)
"""A sender's clock this near to ours counts as right: the difference may be the way here."""
AHEAD_TOLERANCE = timedelta(minutes=5)
"""Events further ahead than this are set to the moment they were received."""
EARLIEST_YEAR = 1990
LATEST_YEARS_AHEAD = 10

UNNAMED = "auto-"
"""How the message id begins that we give to a call without id and time: sent again it counts again.
"""

_CHANGED_BY_RETRIES = frozenset({"sentAt", "sent_at"})
_KINDS = {kind.value: kind for kind in EventType}
_PLACEHOLDERS = frozenset(
    {"null", "undefined", "none", "nil", "nan", "n/a", "[object object]", "{}", "[]", "true"}
    | {"false", "unknown", "anonymous", "guest", "00000000-0000-0000-0000-000000000000"}
)
"""User ids that broken clients send for everybody; believed, they would join strangers."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a batch says for all its calls."""

    sent_at: object = None
    """As sent."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """Cleaned; a call's own context goes before it."""


_NO_ENVELOPE = Envelope()


def read_call(
    kind: str,
    body: Mapping[str, Any],
    arrival: Arrival,
    notes: list[Note],
    envelope: Envelope = _NO_ENVELOPE,
) -> Event:
    """Read one call; notes about it are appended to `notes`.

    Raises EventRejected, which names the field and says what to do.
    """
    try:
        return _read(kind, body, arrival, notes, envelope)
    except Unusable as error:
        raise EventRejected(f"{error}; nothing of this call was taken") from None


def _read(
    kind_name: str,
    body: Mapping[str, Any],
    arrival: Arrival,
    notes: list[Note],
    envelope: Envelope,
) -> Event:
    kind = _KINDS.get(kind_name)
    if kind is None:
        raise Unusable(f"type is missing or is not one of {', '.join(_KINDS)}")
    sent_at = body.get("sentAt") or body.get("sent_at")
    if sent_at is not None:
        body = {n: v for n, v in body.items() if n not in _CHANGED_BY_RETRIES}
    found = digest(body, arrival.rules.max_trait_bytes)
    time, is_corrected = _sent_time(body)
    message_id = _message_id(body, found.sha256, arrival.source, timed=time is not None)
    reading = Reading(arrival, notes, message_id, harmless=found.harmless)
    user_id, anonymous_id, email, traits, context = _who(body, kind, reading, envelope.context)
    session_id = body.get("sessionId") or context.get("sessionId") or context.get("session_id")
    return Event(
        type=kind,
        source=arrival.source,
        message_id=message_id,
        at=_moment(time, None if is_corrected else sent_at or envelope.sent_at, reading),
        body_sha256=found.sha256,
        user_id=user_id,
        anonymous_id=anonymous_id,
        email=email,
        previous_id=_previous_id(body) if kind is EventType.ALIAS else None,
        group_id=_group_id(body) if kind is EventType.GROUP else None,
        session_id=clean_id(session_id, "context.sessionId"),
        name=_name(body, kind, reading),
        traits=traits,
        properties=reading.values(_object(body, "properties"), "properties"),
        context=context,
    )


def _who(
    body: Mapping[str, Any],
    kind: EventType,
    reading: Reading,
    shared_context: Mapping[str, Any],
) -> tuple[str | None, str | None, str | None, dict[str, Any], Mapping[str, Any]]:
    """Read who the call is about: (user id, anonymous id, e-mail, traits, context)."""
    user_id = _user_id(body, kind, reading)
    anonymous_id = clean_id(body.get("anonymousId") or body.get("anonymous_id"), "anonymousId")
    traits, context, email = _traits(body, kind, reading, shared_context)
    if user_id is not None and "@" in user_id:
        user_id, address = _email_as_user_id(user_id, reading)
        if address is not None:
            email = address
            if kind is not EventType.GROUP:
                traits.setdefault("email", address)
    if not (user_id or email or anonymous_id or kind is EventType.GROUP):
        raise Unusable("userId, email and anonymousId are all missing; send at least one of them")
    if kind is EventType.IDENTIFY and not (user_id or email):
        detail = "identify without userId or email: the visitor stays anonymous"
        reading.note(NoteCode.ANONYMOUS_IDENTIFY, detail)
    return user_id, anonymous_id, email, traits, context


def _email_as_user_id(user_id: str, reading: Reading) -> tuple[str | None, str | None]:
    """Apply the rule of that name to a user id with an @: (user id, e-mail taken from it)."""
    address = email_like(user_id)
    if address is None:
        return user_id, None
    advice = "people change their e-mail: send a stable id as userId"
    if reading.arrival.rules.email_as_user_id is EmailAsUserId.KEEP:
        reading.note(NoteCode.EMAIL_AS_USER_ID, f"userId is an e-mail; {advice}")
        return user_id, None
    reading.note(NoteCode.EMAIL_AS_USER_ID, f"userId is an e-mail and was taken as one; {advice}")
    return None, address


def _message_id(body: Mapping[str, Any], body_sha256: bytes, source: str, *, timed: bool) -> str:
    """Give the sender's id, else one of our own.

    A body with its own time is the same call when it comes again, so its hash names it. Without
    a time two equal bodies may be two equal deeds, so each gets a random id.
    """
    sent = clean_id(body.get("messageId") or body.get("message_id"), "messageId")
    if sent is not None:
        return sent
    if timed:
        return "body-" + hashlib.sha256(source.encode() + b"\0" + body_sha256).hexdigest()[:32]
    return UNNAMED + uuid.uuid4().hex


def _user_id(body: Mapping[str, Any], kind: EventType, reading: Reading) -> str | None:
    raw = body.get("userId") or body.get("user_id") or body.get("person_id")
    if raw is None and kind is EventType.IDENTIFY:
        raw = body.get("id")
        traits = body.get("traits")
        if raw is None and isinstance(traits, Mapping):
            raw = traits.get("id")
    user_id = clean_id(raw, "userId")
    if user_id is not None and user_id.lower() in _PLACEHOLDERS:
        reading.note(
            NoteCode.PLACEHOLDER_ID, "userId is a placeholder that names nobody; it was left out"
        )
        return None
    return user_id


def _traits(
    body: Mapping[str, Any],
    kind: EventType,
    reading: Reading,
    shared_context: Mapping[str, Any],
) -> tuple[dict[str, Any], Mapping[str, Any], str | None]:
    """Give (traits, context, the e-mail among the person's traits)."""
    context = reading.values(_object(body, "context"), "context")
    if shared_context:
        context = {**shared_context, **context}
    sent = _object(body, "traits") or {}
    of_person = context.get("traits")
    if not isinstance(of_person, Mapping):
        of_person = {}
    if kind is EventType.GROUP:
        email = of_person.get("email")
        of_group = company_traits(sent, reading)
        return of_group, context, normalise_email(email) if isinstance(email, str) else None
    if kind is EventType.IDENTIFY and "id" in sent:
        sent = {name: value for name, value in sent.items() if name != "id"}
    merged = {**of_person, **sent} if of_person else sent
    traits = person_traits(merged, reading) if merged else {}
    if "email" not in traits and "email" in body:
        traits.update(person_traits({"email": body["email"]}, reading))
    return traits, context, traits.get("email")


def _sent_time(body: Mapping[str, Any]) -> tuple[object, bool]:
    """Give the call's time as sent, and whether an earlier receiver has corrected it already."""
    original = body.get("originalTimestamp") or body.get("original_timestamp")
    timestamp = body.get("timestamp")
    return timestamp or original, bool(timestamp and original)


def _moment(raw: object, sent_at: object, reading: Reading) -> datetime:
    """Give when the call happened, by our clock. Raises Unusable."""
    received_at = reading.arrival.received_at
    if raw is None:
        return reading.arrival.moment()
    try:
        at = parse_time(raw)
        if sent_at is not None and reading.arrival.live:
            skew = received_at - _departure(sent_at, reading)
            if abs(skew) > CLOCK_TOLERANCE:
                at += skew
    except ValueError as error:
        raise Unusable(f"timestamp is {error}; leave it out for now") from None
    except OverflowError:
        raise Unusable("timestamp is out of range; send ISO 8601") from None
    if not EARLIEST_YEAR <= at.year <= received_at.year + LATEST_YEARS_AHEAD:
        raise Unusable("timestamp is in a year that cannot be right; check its unit")
    if at > received_at + AHEAD_TOLERANCE:
        reading.note(
            NoteCode.CLOCK_AHEAD,
            "timestamp is more than 5 minutes ahead; the time of receipt was taken",
        )
        return reading.arrival.moment()
    return at


def _departure(sent_at: object, reading: Reading) -> datetime:
    """Read `sentAt`; where it is no time the clocks are taken to agree."""
    try:
        return parse_time(sent_at)
    except ValueError as error:
        reading.dropped(Unusable(f"sentAt is {error}"))
        return reading.arrival.received_at


def _previous_id(body: Mapping[str, Any]) -> str:
    previous = clean_id(body.get("previousId") or body.get("previous_id"), "previousId")
    if previous is None or previous.lower() in _PLACEHOLDERS:
        raise Unusable("previousId is missing; alias needs the id that the person had before")
    return previous


def _group_id(body: Mapping[str, Any]) -> str:
    group_id = clean_id(body.get("groupId") or body.get("group_id"), "groupId")
    if group_id is None or group_id.lower() in _PLACEHOLDERS:
        raise Unusable("groupId is missing; group needs the company's id")
    return group_id


def _name(body: Mapping[str, Any], kind: EventType, reading: Reading) -> str | None:
    if kind is EventType.TRACK:
        name = clean_id(body.get("event"), "event")
        if name is None:
            raise Unusable("event is missing; track needs the name of what was done")
        return name
    title = body.get("name") if kind in (EventType.PAGE, EventType.SCREEN) else None
    try:
        kept = reading.value(title, "name")
    except Unusable as error:
        reading.dropped(error)
        return None
    return kept if isinstance(kept, str) else None


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Give a part of the body that must be an object. Raises Unusable."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Unusable(f"{name} is not an object; send {{name: value, ...}}")
    if len(value) > MAX_KEYS:
        raise Unusable(f"{name} has {len(value):,} names; at most {MAX_KEYS:,} are taken")
    return value
