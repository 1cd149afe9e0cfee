"""What Salesforce's refusals mean: readers of its five shapes of error, judged by `codes.py`.

A whole call is refused by a JSON array `[{"message", "errorCode", "fields"?}]`, at times by a bare
object, by HTML or by nothing; one record of a collection by `errors` whose code is called
`statusCode`. The code decides, not the status: an INVALID_SESSION_ID has come with a 500.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from crmsync.connectors.answers import Answer, lost
from crmsync.connectors.failures import excerpt_in
from crmsync.connectors.salesforce.codes import (
    CODES,
    HINTS,
    LIMITS,
    MOVED,
    PERMISSION_HINT,
    RECORD_HINT,
    STATUSES,
    UNSUITABLE,
    WAIT_SECONDS,
    WRAPPED,
    WRAPPING,
    Meaning,
)
from crmsync.connectors.salesforce.ids import full_id
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

_HOLDER = re.compile(r"record with id:\s*(\w{15,18})")
_FIELDS = (
    re.compile(r"No such column '(\w+)'"),
    re.compile(r"duplicate value found: (\w+) duplicates"),
    re.compile(r"Unable to create/update fields: (\w+)"),
    re.compile(r"not found for field (\w+) in entity"),
    re.compile(r"external ID field does not exist or is not accessible: (\w+)"),
)
_OBJECT = re.compile(r"(?:sObject type|relationship) '(\w+)'")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One refusal, whatever shape it came in."""

    code: str
    message: str
    field: str | None = None
    existing_id: CrmId | None = None
    """The record that holds a unique value, or the one a duplicate rule compares with."""
    meaning: Meaning | None = None
    """None for a code that is not known."""
    excerpt: str = ""
    is_gone: bool = False
    """Whether it says that the record itself is not there any more."""

    @property
    def hint(self) -> str:
        """Say what to do about it."""
        return HINTS.get(self.code, RECORD_HINT).format(field=self.field or "a field")

    @property
    def failure(self) -> Failure:
        """Return what the log shows of it."""
        return Failure(self.code or "NO_CODE", self.message, self.hint, self.field, self.excerpt)

    def result(self) -> Result:
        """Return the result of a record that was refused so."""
        if self.meaning is None or self.meaning is Meaning.AMBIGUOUS:
            outcome = Outcome.UNKNOWN
        elif self.meaning in {Meaning.RECORD, Meaning.SMALLER, Meaning.OBJECT}:
            outcome = Outcome.REJECTED
        else:
            outcome = Outcome.RETRY
        is_gone = self.is_gone and outcome is Outcome.REJECTED
        return Result(outcome, failure=self.failure, existing_id=self.existing_id, is_gone=is_gone)


def complaint_of(entries: Iterable[Any], status: int = 0) -> Complaint:
    """Return what is wrong: of one record, or with `status` of a whole call.

    The first error counts, as Salesforce puts it first; the words of all are kept.
    """
    errors = [entry for entry in entries if isinstance(entry, dict)]
    first: Mapping[str, Any] = errors[0] if errors else {}
    code = str(
        first.get("statusCode") or first.get("errorCode") or first.get("exceptionCode") or ""
    )
    messages = [str(e.get("message") or e.get("exceptionMessage") or "") for e in errors]
    message = "; ".join(filter(None, messages))
    meaning = _meaning(code, message, status)
    if meaning is None:
        tell_unknown("salesforce", code, status, "salesforce.codes:CODES")
    return Complaint(
        code=code,
        message=message,
        field=_field(first, message),
        existing_id=_existing_id(first, message),
        meaning=meaning,
        excerpt=excerpt_in(errors) if errors else "",
    )


def _meaning(code: str, message: str, status: int) -> Meaning | None:
    if code in WRAPPING:
        for text, meaning in WRAPPED.items():
            if text in message:
                return meaning
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Meaning.RETRY
    found = CODES.get(code)
    if found is None and status:
        if HTTPStatus.MULTIPLE_CHOICES < status < HTTPStatus.BAD_REQUEST:
            return Meaning.CONNECTION  # redirects are not followed: the address is wrong
        if not code:
            found = STATUSES.get(status, Meaning.AMBIGUOUS)
    if found is Meaning.PERMISSION and not status:
        return Meaning.RECORD  # of one record: sharing, not the connection
    certain = {Meaning.TOKEN, Meaning.RETRY}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and found not in certain:
        return Meaning.AMBIGUOUS
    return found


def _field(entry: Mapping[str, Any], message: str) -> str | None:
    fields = entry.get("fields")
    if isinstance(fields, list) and fields:
        return str(fields[0])
    found = (pattern.search(message) for pattern in _FIELDS)
    return next((match[1] for match in found if match), None)


def _existing_id(entry: Mapping[str, Any], message: str) -> CrmId | None:
    """Return the one record that a refusal names; None where it names none, or several."""
    holder = _HOLDER.search(message)
    if holder:
        return full_id(holder[1])
    try:
        matches = entry["duplicateResult"]["matchResults"]
        ids = {full_id(str(r["record"]["Id"])) for m in matches for r in m["matchRecords"]}
    except (LookupError, TypeError):
        return None
    return ids.pop() if len(ids) == 1 else None


def errors_of(answer: Answer) -> list[Any]:
    """Return the errors of a refused call; a body of no known shape says nothing."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return []
    if answer.status == HTTPStatus.MULTIPLE_CHOICES:
        return [{"errorCode": "MULTIPLE_CHOICES", "message": "several records match"}]
    return body if isinstance(body, list) else [body]


def refuses_token(answer: Answer) -> bool:
    """Say whether an answer means that another access token may be accepted.

    A new one also comes with the org's address as it is by now: the one that came with this token
    may have moved, which is told by a redirect or by a code.
    """
    if HTTPStatus.MULTIPLE_CHOICES < answer.status < HTTPStatus.BAD_REQUEST:
        return True
    told = (b"INVALID_SESSION_ID", MOVED.encode())
    is_dead = answer.status == HTTPStatus.UNAUTHORIZED or any(one in answer.body for one in told)
    if answer.ok or not is_dead:
        return False
    complaint = complaint_of(errors_of(answer), answer.status)
    return complaint.meaning is Meaning.TOKEN and UNSUITABLE not in complaint.message


def refuse(answer: Answer, *, object_type: str = "") -> NoReturn:
    """Raise what an answer other than success means for the whole call.

    BatchRejected: nothing was written, for the sake of some record. ConfigError: the org has no
    such object. ConnectionHalted, RetryLater, RateLimited, OutcomeUnknown, Unavailable.
    """
    complaint = complaint_of(errors_of(answer), answer.status)
    match complaint.meaning:
        case None | Meaning.AMBIGUOUS:
            raise lost(
                answer.effect, f"{answer.what}: Salesforce answered {_said(answer, complaint)}"
            )
        case Meaning.RETRY:
            _raise_retry(answer, complaint)
        case Meaning.RECORD | Meaning.SMALLER:
            raise rejected(complaint)
        case Meaning.OBJECT:
            name = object_type or _named(complaint.message)
            raise ConfigError(f"Salesforce has no object '{name}' that the user may see and use so")
        case _:
            raise halted(complaint, answer.remedy)


def _named(message: str) -> str:
    """Return the object that a refused query was about; the rest of the words may hold a value."""
    found = _OBJECT.search(message)
    return found[1] if found else "of this query"


def rejected(complaint: Complaint, settled: Mapping[int, Result] | None = None) -> BatchRejected:
    """Return the error for a call that was refused for the sake of some record.

    `settled`: what became of operations, by place, that were not refused with it.
    """
    where = f" in '{complaint.field}'" if complaint.field else ""
    return BatchRejected(
        f"Salesforce refused the call: {complaint.code or 'it gave no code'}{where}",
        code=complaint.code or "NO_CODE",
        hint=complaint.hint,
        field=complaint.field,
        excerpt=complaint.excerpt,
        settled=settled,
    )


def halted(complaint: Complaint, remedy: str = "") -> ConnectionHalted:
    """Return the error for what only a person can mend; `remedy` mends refused credentials."""
    said = complaint.code or "it gave no code"
    if complaint.meaning is Meaning.TOKEN and UNSUITABLE in complaint.message:
        return ConnectionHalted(
            "Salesforce accepts no API session of this user",
            cause="refused",
            hint="The user's profile demands a stronger session than an app has: lower 'Session"
            " security level required at login', or connect as another user.",
        )
    if complaint.meaning is Meaning.TOKEN:
        return ConnectionHalted(
            "Salesforce does not accept the token", cause="reauth_required", hint=remedy
        )
    if complaint.meaning is Meaning.PERMISSION:
        return ConnectionHalted(
            f"Salesforce refuses for want of a permission ({said})",
            cause="missing_scope",
            hint=PERMISSION_HINT,
        )
    if complaint.meaning is Meaning.FULL:
        return ConnectionHalted(
            f"the org's storage is full ({said})",
            cause="quota_exhausted",
            hint="Delete records in Salesforce, or buy storage.",
        )
    return ConnectionHalted(
        f"Salesforce refuses this connection ({said})",
        cause="refused",
        hint="Check `base_url`: it must be the org's own address, such as"
        " https://acme.my.salesforce.com.",
    )


def _said(answer: Answer, complaint: Complaint) -> str:
    return f"{answer.status} {complaint.code}".strip()


def _raise_retry(answer: Answer, complaint: Complaint) -> NoReturn:
    """Raise RateLimited for a limit, RetryLater for the rest."""
    is_limit = (
        complaint.code == "REQUEST_LIMIT_EXCEEDED" or answer.status == HTTPStatus.TOO_MANY_REQUESTS
    )
    waits = (seconds for text, seconds in LIMITS.items() if text in complaint.message)
    seconds = retry_after(answer.headers.get("Retry-After"), next(waits, WAIT_SECONDS))
    kind = RateLimited if is_limit else RetryLater
    raise kind(
        f"{answer.what}: Salesforce asks to wait ({_said(answer, complaint)})",
        retry_after_seconds=seconds,
    )
