"""Reading HubSpot's refusals, whose meaning is in `codes.py`.

Two sorts: an *answer* that refuses a whole call (`refuse`), and an *entry* of a 207 that refuses
one record (`record_result`). Properties' failures hide a JSON array in `message`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from crmsync.connectors.answers import Answer, Effect, lost
from crmsync.connectors.failures import excerpt_in
from crmsync.connectors.hubspot.codes import (
    CATEGORIES,
    ENVELOPE,
    HINTS,
    NOT_FOUND,
    POLICIES,
    RECORD_HINT,
    STATUSES,
    TOLD_BY_STATUS,
    TYPE_UNKNOWN,
    Meaning,
)
from crmsync.connectors.unknown_codes import tell_unknown
from crmsync.connectors.waits import retry_after
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    RateLimited,
    RetryLater,
)
from crmsync.model import CrmId, Failure, Outcome, Result

_EXISTING_ID = re.compile(r"Existing ID:\s*(\d+)")
_HIDDEN_ARRAY = re.compile(r"\[\{.*\}\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One refusal, whatever of HubSpot's envelope it came in."""

    code: str
    message: str
    field: str | None
    scopes: tuple[str, ...]

    @property
    def hint(self) -> str:
        """Say what to do about it."""
        hint = HINTS.get(self.code, RECORD_HINT)
        return hint.format(
            field=self.field or "this property", scopes=", ".join(self.scopes) or "see `doctor`"
        )

    @property
    def existing_id(self) -> CrmId | None:
        """The record that holds the value already; HubSpot says it only in prose."""
        found = _EXISTING_ID.search(self.message)
        return CrmId(found[1]) if found else None


def complaint_of(envelope: Mapping[str, Any]) -> Complaint:
    """Read an error envelope; every part of it is optional."""
    message = str(envelope.get("message") or "")
    errors = envelope.get("errors")
    details = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    code = str(envelope.get("category") or envelope.get("errorType") or "")
    field = None
    if message.startswith("Duplicate IDs found"):
        code = "DUPLICATE_IDS"
    for entry in [*_hidden(message), *details]:
        code = str(entry.get("error") or entry.get("code") or code)
        field = next(filter(None, [entry.get("name"), *context_of(entry, "propertyName")]), None)
        if field:
            break
    return Complaint(
        code=code or "VALIDATION_ERROR",
        message=message,
        field=str(field) if field else None,
        scopes=tuple(s for detail in details for s in context_of(detail, "requiredScopes")),
    )


def context_of(entry: Mapping[str, Any], name: str) -> list[str]:
    """Return one list of an entry's `context`, which is where HubSpot says what it is about."""
    context = entry.get("context")
    values = context.get(name) if isinstance(context, dict) else None
    return [str(value) for value in values] if isinstance(values, list) else []


def record_result(envelope: Mapping[str, Any], crm_id: str = "") -> Result:
    """Return the result of one record, known by this id, that a 207 lists as not written."""
    complaint = complaint_of(envelope)
    category = str(envelope.get("category") or "")
    meaning = _meaning_of(category)
    outcome = {
        Meaning.RETRY: Outcome.RETRY,
        Meaning.AMBIGUOUS: Outcome.UNKNOWN,
    }.get(meaning, Outcome.REJECTED)
    # A pair may be refused for the sake of its other record.
    others = context_of(envelope, "ids")
    return Result(
        outcome,
        failure=failure_of(complaint, envelope),
        existing_id=complaint.existing_id,
        is_gone=complaint.code == NOT_FOUND and (not others or not crm_id or crm_id in others),
    )


def refused_record(answer: Answer, crm_id: str = "") -> Result:
    """Return the result of the one record that a refused call was about.

    Raises OutcomeUnknown where HubSpot itself has said nothing against it.
    """
    if not is_hubspots_own(answer):
        raise lost(answer.effect, f"{answer.what}: HubSpot answered {answer.status}")
    return record_result(_envelope(answer), crm_id)


def is_hubspots_own(answer: Answer) -> bool:
    """Say whether a refusal is HubSpot's, and not that of something in front of it."""
    return answer.status in TOLD_BY_STATUS or not ENVELOPE.isdisjoint(_envelope(answer))


def _meaning_of(category: str, status: int = 0) -> Meaning:
    """Return what a category means; one that is not known never stands for a no."""
    meaning = CATEGORIES.get(category)
    if meaning is None:
        tell_unknown("hubspot", category, status, "hubspot.codes:CATEGORIES")
        return Meaning.AMBIGUOUS
    return meaning


def failure_of(complaint: Complaint, envelope: Mapping[str, Any]) -> Failure:
    """Return what the log shows of a complaint."""
    return Failure(
        code=complaint.code,
        message=_spoken(complaint.message),
        hint=complaint.hint,
        field=complaint.field,
        excerpt=excerpt_in(envelope),
    )


def refuse(answer: Answer, *, object_type: str = "", search: bool = False) -> NoReturn:
    """Raise what an answer other than success means for the whole call.

    BatchRejected: nothing was written, for the sake of some record. ConfigError: the account has
    no such object type. ConnectionHalted, RetryLater, RateLimited, OutcomeUnknown, Unavailable.
    """
    envelope = _envelope(answer)
    complaint = complaint_of(envelope)
    meaning, wait = STATUSES.get(answer.status, (_by_hundred(answer.status), 0))
    # What comes from something in front of HubSpot says nothing of records or scopes.
    is_strange = not is_hubspots_own(answer)
    if meaning is Meaning.RECORD and answer.effect is not Effect.READ:
        known = _meaning_of(str(envelope.get("category") or ""), answer.status)
        meaning = Meaning.AMBIGUOUS if known is Meaning.AMBIGUOUS else meaning
    speaks_of_us = meaning is Meaning.RECORD or answer.status == HTTPStatus.FORBIDDEN
    if meaning is Meaning.AMBIGUOUS or (speaks_of_us and is_strange):
        raise lost(answer.effect, f"{answer.what}: HubSpot answered {answer.status}")
    if meaning is Meaning.RETRY:
        _raise_retry(answer, envelope, wait, search=search)
    if meaning is Meaning.CONNECTION:
        _raise_halted(answer, complaint)
    if TYPE_UNKNOWN in complaint.message or (
        answer.status == HTTPStatus.NOT_FOUND and not envelope
    ):
        raise ConfigError(
            f"HubSpot has no object type '{object_type}': use contacts, companies, deals, or the"
            " name of a custom object"
        )
    where = f" in '{complaint.field}'" if complaint.field else ""
    raise BatchRejected(
        f"HubSpot refused the call ({answer.status}): {complaint.code}{where}",
        code=complaint.code,
        hint=complaint.hint,
        field=complaint.field,
        excerpt=answer.excerpt(),
    )


def _raise_retry(
    answer: Answer, envelope: Mapping[str, Any], wait: float, *, search: bool
) -> NoReturn:
    """Raise RateLimited for 429, RetryLater for the rest, with the wait HubSpot asks for."""
    policy = str(envelope.get("policyName") or "")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = POLICIES.get(policy, 1 if search else wait)
    seconds = retry_after(answer.headers.get("Retry-After"), wait)
    message = f"{answer.what}: HubSpot asks to wait ({answer.status} {policy})".replace(" )", ")")
    kind = RateLimited if answer.status == HTTPStatus.TOO_MANY_REQUESTS else RetryLater
    raise kind(message, retry_after_seconds=seconds)


def _raise_halted(answer: Answer, complaint: Complaint) -> NoReturn:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise ConnectionHalted(
            "HubSpot does not accept the token",
            cause="reauth_required",
            hint=answer.remedy,
        )
    if answer.status == HTTPStatus.FORBIDDEN and complaint.code != "BANNED":
        scopes = ", ".join(complaint.scopes)
        raise ConnectionHalted(
            f"HubSpot refuses for want of a scope: {scopes or 'not named'}",
            cause="missing_scope",
            hint=HINTS["MISSING_SCOPES"].format(scopes=scopes or "those of the objects in use"),
        )
    raise ConnectionHalted(
        f"HubSpot refuses this connection ({answer.status} {complaint.code})",
        cause="refused",
        hint="Check `base_url` and the state of the account in HubSpot.",
    )


def _by_hundred(status: int) -> Meaning:
    """Give the meaning of a status that has no line of its own."""
    if status < HTTPStatus.BAD_REQUEST:
        return Meaning.CONNECTION  # redirects are not followed: the address is wrong
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Meaning.RECORD
    return Meaning.AMBIGUOUS


def _envelope(answer: Answer) -> Mapping[str, Any]:
    """Read the body of a refusal; one that is not JSON says nothing."""
    try:
        envelope = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _hidden(message: str) -> list[dict[str, Any]]:
    """Return the entries of the JSON array that property failures hide in their message."""
    found = _HIDDEN_ARRAY.search(message)
    if not found:
        return []
    try:
        entries = orjson.loads(found[0])
    except orjson.JSONDecodeError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def _spoken(message: str) -> str:
    """Return the words for people: those of the hidden entries where there are some."""
    said = [str(entry["message"]) for entry in _hidden(message) if entry.get("message")]
    return "; ".join(said) or message
