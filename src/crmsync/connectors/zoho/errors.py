"""Reading Zoho's refusals, whose meaning is in `codes.py`.

A whole call is refused by a body with `code` at its top (`refuse`), a record by its entry in
`data` (`record_result`), under any status.
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
from crmsync.connectors.unknown_codes import tell_unknown
from crmsync.connectors.waits import retry_after
from crmsync.connectors.zoho.codes import (
    CALL_CODES,
    CALL_MEMBERS,
    CODES,
    GONE,
    GONE_HINT,
    HALTS,
    HINTS,
    NO_SCOPE,
    RECORD_HINT,
    STATUSES,
    TAKEN,
    Meaning,
)
from crmsync.errors import BatchRejected, ConnectionHalted, RateLimited, RetryLater
from crmsync.model import CrmId, Failure, Fields, Outcome, Result

BUSY_SECONDS = 5.0
"""To wait where too many calls are under way: other apps of the account share those places."""
ALREADY_MODIFIED_SECONDS = 2.0
TABLE = "zoho.codes:CODES"
UNEXPLAINED = "UNEXPLAINED"
"""Our code for a refusal without one of Zoho's: it may come from something in front of it."""


_CODE = re.compile(r"[A-Z][A-Z_]{1,60}")
_OWN_ID = re.compile(r"\$\.data\[\d+\]\.id")
_PLACE = re.compile(r"\$\.data\[(\d+)\](?:\.(\w+))?")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One refusal as Zoho words it. Every part of it is optional there."""

    code: str
    message: str
    field: str | None
    place: int | None
    """Of the record in the call, where its path says so."""
    details: Mapping[str, Any]

    @property
    def existing_id(self) -> CrmId | None:
        """The record that holds a unique value already."""
        if self.code != TAKEN:
            return None
        holder = self.details.get("duplicate_record")
        holder_id = holder.get("id") if isinstance(holder, Mapping) else self.details.get("id")
        return CrmId(str(holder_id)) if holder_id else None

    @property
    def is_gone(self) -> bool:
        """Whether there is no such record any more: deleted, merged into another, converted."""
        return self.code in GONE or self._is_about_its_id

    @property
    def _is_about_its_id(self) -> bool:
        """Whether the record's own id is refused, and not one that it names in a lookup."""
        path = str(self.details.get("json_path") or "$.data[0].id")
        return self.field == "id" and _OWN_ID.fullmatch(path) is not None

    def hint(self, sent: Fields) -> str:
        """Say what to do about it, given the fields that were sent."""
        field, longest = self.field or "a field", self.details.get("maximum_length")
        if self._is_about_its_id:
            return GONE_HINT
        if field in CALL_MEMBERS:
            return CALL_MEMBERS[field]
        if longest is not None:
            value = sent.get(field)
            length = f", this value has {len(value)}" if isinstance(value, str) else ""
            return f"'{field}' takes at most {longest} characters{length}: shorten it at its source"
        expected = self.details.get("expected_data_type")
        if expected is not None:
            return f"'{field}' takes a value of type {expected}: correct it, or add a transform."
        return HINTS.get(self.code, RECORD_HINT).format(field=field)


def complaint_of(entry: Mapping[str, Any]) -> Complaint:
    """Read a refusal; of several faults in one record, the first with a field."""
    details = entry.get("details")
    details = details if isinstance(details, Mapping) else {}
    about = next(iter(_faults(details)), details)
    path = _PLACE.match(str(about.get("json_path") or ""))
    named = (about.get(member) for member in ("param_name", "column_name"))
    field = about.get("api_name") or (path[2] if path else None) or next(filter(None, named), None)
    code = str(entry.get("code") or "")
    return Complaint(
        code=code if _CODE.fullmatch(code) else UNEXPLAINED,
        message=str(entry.get("message") or ""),
        field=str(field) if field else None,
        place=int(path[1]) if path else None,
        details=about,
    )


def record_result(entry: Mapping[str, Any], sent: Fields) -> Result:
    """Return the result of one record that Zoho did not write; `sent` are its fields."""
    complaint = complaint_of(entry)
    known = CODES.get(complaint.code)
    if known is None:
        tell_unknown("zoho", complaint.code, 0, TABLE)
    failure = Failure(
        code=complaint.code,
        message=complaint.message,
        hint=complaint.hint(sent),
        field=complaint.field,
        excerpt=excerpt_in(entry),
    )
    outcome = known[1] if known else Outcome.UNKNOWN
    return Result(
        outcome,
        failure=failure,
        existing_id=complaint.existing_id,
        is_gone=outcome is Outcome.REJECTED and complaint.is_gone,
    )


def refuses_token(answer: Answer) -> bool:
    """Say whether another access token may be accepted: a missing scope is a 401 too."""
    return answer.status == HTTPStatus.UNAUTHORIZED and envelope_of(answer).get("code") != NO_SCOPE


def refuse(answer: Answer, *, needs: str, busy_seconds: float = BUSY_SECONDS) -> NoReturn:
    """Raise what an answer other than success means for the whole call.

    `needs`: the scopes of the call. `busy_seconds`: to wait where Zoho does not say.
    BatchRejected: nothing was written, for the sake of some record. ConnectionHalted, RetryLater,
    RateLimited, OutcomeUnknown, Unavailable.
    """
    complaint = complaint_of(envelope_of(answer))
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise lost(answer.effect, f"{answer.what}: Zoho answered {answer.status}")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or complaint.code == "TOO_MANY_REQUESTS":
        seconds = retry_after(answer.headers.get("Retry-After"), busy_seconds)
        message = f"{answer.what}: Zoho's credits or places for calls are used up"
        raise RateLimited(message, retry_after_seconds=seconds)
    meaning = _meaning(answer, complaint.code)
    if meaning is Meaning.AMBIGUOUS:
        raise lost(answer.effect, f"{answer.what}: Zoho answered {answer.status} {complaint.code}")
    if meaning is Meaning.LATER:
        raise RetryLater(
            f"{answer.what}: Zoho asks to try again ({complaint.code})",
            retry_after_seconds=ALREADY_MODIFIED_SECONDS,
        )
    if meaning is not Meaning.DATA:
        cause, message, hint = HALTS[meaning]
        hint = hint.format(needs=needs)
        if meaning is Meaning.TOKEN and answer.remedy:
            hint = f"{answer.remedy.rstrip('.')}; {hint}"
        raise ConnectionHalted(f"{message} ({answer.status} {complaint.code})", cause=cause,
                               hint=hint)  # fmt: skip
    where = f" in '{complaint.field}'" if complaint.field else ""
    raise BatchRejected(
        f"Zoho refused the call ({answer.status}): {complaint.code}{where}",
        code=complaint.code,
        hint=complaint.hint({}),
        field=complaint.field,
        excerpt=answer.excerpt(),
    )


def is_about_the_call(refusal: BatchRejected) -> bool:
    """Say whether a call was refused for what it is, and not for the sake of some record."""
    return refusal.code in CALL_CODES or refusal.field in CALL_MEMBERS


def envelope_of(answer: Answer) -> Mapping[str, Any]:
    """Read the body of a refusal; one that is not a JSON object says nothing."""
    try:
        envelope = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _meaning(answer: Answer, code: str) -> Meaning:
    """Return what the refusal of a call means; an unknown one of a write is never taken for a no.

    Raises OutcomeUnknown or Unavailable.
    """
    known = CODES.get(code)
    if known is not None:
        return known[0]
    if answer.status == HTTPStatus.FORBIDDEN and code == UNEXPLAINED:
        return Meaning.AMBIGUOUS  # Zoho's own names a code: this is a proxy's
    if answer.status in STATUSES:
        return STATUSES[answer.status]
    if answer.status < HTTPStatus.BAD_REQUEST:
        return Meaning.ADDRESS  # redirects are not followed
    tell_unknown("zoho", code, answer.status, TABLE)
    if answer.effect is Effect.READ and code != UNEXPLAINED:
        return Meaning.DATA
    raise lost(answer.effect, f"{answer.what}: Zoho answered {answer.status} {code}")


def _faults(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the details of each fault where a refusal lists several."""
    errors = details.get("errors") or details.get("ambiguity_due_to")
    entries = errors if isinstance(errors, list) else []
    found = [e.get("details", e) for e in entries if isinstance(e, Mapping)]
    return [one for one in found if isinstance(one, Mapping)]
