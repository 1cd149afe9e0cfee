"""What HubSpot's refusals mean: tables from its codes to our outcomes, and readers of its envelope.

Two sorts: an *answer* that refuses a whole call (`refuse`), and an *entry* of a 207 that refuses
one record (`record_result`). Codes and categories: developers.hubspot.com/docs, "Error handling"
and "CRM API | Object APIs", read 2026-10; the JSON array hidden in `message`, and 477, likewise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from crmsync.connectors.answers import Answer, lost
from crmsync.connectors.failures import excerpt_of
from crmsync.connectors.waits import MAX_WAIT_SECONDS, retry_after
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    RateLimited,
    RetryLater,
)
from crmsync.model import CrmId, Failure, Outcome, Result


class Meaning(Enum):
    """Whom a refusal concerns, and whether anything may have been written."""

    RECORD = auto()
    """This record will not pass unchanged."""
    RETRY = auto()
    """Surely not applied; may pass later."""
    AMBIGUOUS = auto()
    """Perhaps applied."""
    CONNECTION = auto()
    """Credentials, permission or quota."""


# status of a whole call -> what it means, seconds to wait when it may pass later
STATUSES: Mapping[int, tuple[Meaning, float]] = {
    400: (Meaning.RECORD, 0),
    401: (Meaning.CONNECTION, 0),
    403: (Meaning.CONNECTION, 0),
    404: (Meaning.RECORD, 0),
    408: (Meaning.AMBIGUOUS, 0),
    409: (Meaning.RECORD, 0),
    413: (Meaning.RECORD, 0),
    414: (Meaning.RECORD, 0),
    423: (Meaning.RETRY, 2),  # a lock on records of this type: "wait at least 2 seconds"
    429: (Meaning.RETRY, 10),
    477: (Meaning.RETRY, 3_600),  # the account moves between data centres, up to a day
}
TOLD_BY_STATUS = {404, 413, 414}
"""Statuses that say what is meant, whoever answers."""
ENVELOPE = {"category", "correlationId", "errorType", "errors", "message"}
# 429's policyName -> seconds. Searches are answered without one: the search pool is per second.
POLICIES: Mapping[str, float] = {
    "TEN_SECONDLY_ROLLING": 10,
    "SECONDLY": 1,
    "DAILY": MAX_WAIT_SECONDS,  # frees at midnight of the account's own time zone
}
# category or code of one record's refusal -> meaning, unless it is RECORD
RECORD_MEANINGS: Mapping[str, Meaning] = {
    "RATE_LIMIT": Meaning.RETRY,
    "RATE_LIMITS": Meaning.RETRY,
    "MISSING_SCOPES": Meaning.RETRY,
    "INTERNAL_ERROR": Meaning.AMBIGUOUS,
    "SERVICE_UNAVAILABLE": Meaning.AMBIGUOUS,
    "UNKNOWN": Meaning.AMBIGUOUS,
}
NOT_FOUND = "OBJECT_NOT_FOUND"
"""There is no record with this id: never was, archived, or merged into another."""
# code -> what a person does about it; {field} is the property at fault
HINTS: Mapping[str, str] = {
    "PROPERTY_DOESNT_EXIST": "This account has no property '{field}': create it in HubSpot, or"
    " remove the line from the mapping (`crmsync fields` lists what there is).",
    "INVALID_OPTION": "'{field}' takes only its own options, by internal name and exact case: add"
    " the option in HubSpot, or translate the value with `map:`.",
    "INVALID_EMAIL": "HubSpot takes no such address in '{field}': correct it at its source.",
    "INVALID_INTEGER": "'{field}' takes a number: correct the value or add a transform.",
    "INVALID_LONG": "'{field}' takes a whole number: correct the value or add a transform.",
    "INVALID_DATE": "'{field}' takes a date (YYYY-MM-DD): add the `date` transform.",
    "READ_ONLY_VALUE": "HubSpot computes '{field}' itself: remove the line from the mapping.",
    "CONFLICT": "Another record already holds this unique value: adopt it by a match key, or merge"
    " the two in HubSpot.",
    NOT_FOUND: "The record was deleted or merged in HubSpot.",
    "DUPLICATE_IDS": "Two profiles name the same record: merge them, or correct the match key.",
    "MISSING_SCOPES": "Give the app the scopes it lacks, then reconnect: {scopes}.",
}
RECORD_HINT = "Correct the value, or the line of the mapping that makes it, then replay."
TYPE_UNKNOWN = "Unable to infer object type"
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
    meaning = RECORD_MEANINGS.get(category, Meaning.RECORD)
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


def failure_of(complaint: Complaint, envelope: Mapping[str, Any]) -> Failure:
    """Return what the log shows of a complaint."""
    return Failure(
        code=complaint.code,
        message=_spoken(complaint.message),
        hint=complaint.hint,
        field=complaint.field,
        excerpt=excerpt_of(orjson.dumps(envelope)),
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
