"""What Pipedrive's refusals mean: a table from its statuses and codes to our outcomes.

Three sorts of body: v2's (`code`), that of v1 and the gateway (`errorCode`), and HTML of the
network in front. Sources: developers.pipedrive.com, "HTTP status codes" and the OpenAPI files;
codes and texts as integrators saw them, 2026-10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from crmsync.connectors.answers import Answer, Effect, lost
from crmsync.connectors.pipedrive.limits import Refusals
from crmsync.connectors.unknown_codes import tell_unknown
from crmsync.errors import (
    BatchRejected,
    ConnectionHalted,
    CrmsyncError,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)
from crmsync.model import Failure

BLOCKED_SECONDS = 300.0
"""How long to stay away after Cloudflare has blocked us: minutes, it does not say how many."""
SCOPES = "contacts:full, deals:full, contact-fields:full, deal-fields:full, users:read"


class Meaning(Enum):
    """Whom a refusal concerns, and whether anything may have been written."""

    RECORD = auto()
    """This record will not pass unchanged."""
    PERMISSION = auto()
    """This user may not write this record; a read that is refused so will never pass."""
    GONE = auto()
    """The record was deleted or merged, or is not to be seen."""
    TOKEN = auto()
    SCOPE = auto()
    REFUSED = auto()
    """The connection needs a person: the account or the address."""
    LIMITED = auto()
    BLOCKED = auto()
    AMBIGUOUS = auto()
    """Perhaps applied."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table; the first that fits an answer says what it means."""

    status: int
    code: str
    """Regular expression over the whole of v2's `code`, empty where there is none."""
    text: str
    """Regular expression, searched in the words of the refusal."""
    meaning: Meaning
    hint: str = ""
    """What a person does about it; {field} is the field at fault."""


_VALUE = "Correct the value of '{field}', or the line of the mapping that makes it, then replay."
_ADDRESS = "Check `base_url` in crmsync.yaml: Pipedrive has no such call there."
_PERMISSION = (
    "The user whose token this is may not do this in Pipedrive: give them the permission, or"
    " connect as an administrator."
)
RULES = (
    Rule(
        400,
        "|ERR_SCHEMA_VALIDATION_FAILED",
        r"custom_fields.*not allowed",
        Meaning.RECORD,
        "This company has no field '{field}' any more: make it in Pipedrive, or change the mapping"
        " (`crmsync fields` lists what there is).",
    ),
    Rule(400, "|ERR_SCHEMA_VALIDATION_FAILED|ERR_BAD_REQUEST", "", Meaning.RECORD, _VALUE),
    Rule(401, ".*", "", Meaning.TOKEN),
    Rule(
        402,
        ".*",
        "",
        Meaning.REFUSED,
        "The Pipedrive account is closed: its trial ended or a bill is unpaid.",
    ),
    Rule(403, "", r"(?i)scope", Meaning.SCOPE),
    Rule(
        403,
        "feature_capping_.*",
        "",
        Meaning.RECORD,
        "The company's plan allows no more of these: remove some in Pipedrive, or upgrade.",
    ),
    Rule(
        403,
        "|ERR_FORBIDDEN",
        r"(?i)contact sync",
        Meaning.RECORD,
        "Pipedrive has '{field}' only where contact sync is on: switch it on, or remove the line"
        " from the mapping.",
    ),
    Rule(403, "|ERR_FORBIDDEN", "", Meaning.PERMISSION, _PERMISSION),
    Rule(404, "", r"(?i)unknown method", Meaning.REFUSED, _ADDRESS),
    Rule(404, ".*", "", Meaning.GONE, "The record was deleted or merged in Pipedrive."),
    Rule(405, ".*", "", Meaning.RECORD, "Please report this: Pipedrive has no such call."),
    Rule(410, ".*", "", Meaning.GONE, "The record was deleted or merged in Pipedrive."),
    Rule(413, ".*", "", Meaning.RECORD, "The record is larger than Pipedrive takes."),
    Rule(415, ".*", "", Meaning.RECORD, "Please report this: the feature is off in Pipedrive."),
    Rule(422, ".*", "", Meaning.RECORD, _VALUE),
    Rule(429, ".*", "", Meaning.LIMITED),
)
_HASH = re.compile(r"\b[0-9a-f]{40}\b")
_KEY = re.compile(r"^(?:Validation failed: )?([a-z_]+)(?:\.\S+)?: ")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success, and what it means."""

    answer: Answer
    meaning: Meaning
    code: str
    message: str
    field: str | None
    """As the mapping names it, where it does."""
    hint: str

    def failure(self) -> Failure:
        """Return what the log shows of it."""
        return Failure(self.code, self.message, self.hint, self.field, self.answer.excerpt())


def refusal_of(answer: Answer, names: Mapping[str, str]) -> Refusal:
    """Read an answer that is no success. `names`: mapping's field by Pipedrive's key or hash."""
    envelope = _envelope(answer)
    if envelope is None:
        meaning = _without_words(answer)
        return Refusal(answer, meaning, f"HTTP_{answer.status}", "", None, _ADDRESS)
    code, message = str(envelope.get("code") or ""), str(envelope.get("error") or "")
    field = _field_in(message, names)
    for rule in RULES:
        if (
            rule.status == answer.status
            and re.fullmatch(rule.code, code)
            and re.search(rule.text, message)
        ):
            hint = rule.hint.format(field=field or "the field that is named")
            return Refusal(
                answer, rule.meaning, code or f"HTTP_{rule.status}", message, field, hint
            )
    if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        tell_unknown("pipedrive", code, answer.status, "pipedrive.errors:RULES")
    return Refusal(answer, Meaning.AMBIGUOUS, code or f"HTTP_{answer.status}", message, field, "")


def refuse(refusal: Refusal, refusals: Refusals) -> NoReturn:
    """Raise what a refusal means for the whole call.

    BatchRejected: nothing was written, for the sake of a record. ConnectionHalted, RetryLater,
    RateLimited, OutcomeUnknown, Unavailable.
    """
    answer = refusal.answer
    match refusal.meaning:
        case Meaning.AMBIGUOUS:
            raise lost(answer.effect, f"{answer.what}: Pipedrive answered {answer.status}")
        case Meaning.LIMITED:
            raise RateLimited(
                f"{answer.what}: Pipedrive asks to wait (429)",
                retry_after_seconds=refusals.wait_seconds(answer.headers),
            )
        case Meaning.BLOCKED:
            raise RetryLater(
                f"{answer.what}: Cloudflare blocks us for having called too often",
                retry_after_seconds=BLOCKED_SECONDS,
            )
        case Meaning.TOKEN | Meaning.SCOPE | Meaning.REFUSED:
            raise _halted(refusal)
        case Meaning.PERMISSION if answer.effect is Effect.READ:
            raise ConnectionHalted(
                f"{answer.what}: Pipedrive does not let this user read it",
                cause="missing_scope",
                hint=refusal.hint,
            )
    where = f" in '{refusal.field}'" if refusal.field else ""
    raise BatchRejected(
        f"Pipedrive refused the call ({answer.status}): {refusal.code}{where}",
        code=refusal.code,
        hint=refusal.hint,
        field=refusal.field,
        excerpt=answer.excerpt(),
    )


def misshapen(answer: Answer) -> OutcomeUnknown | Unavailable:
    """Return the error for a success whose body is not what Pipedrive documents: a lost answer."""
    return lost(answer.effect, f"{answer.what}: the answer has another shape than documented")


def _halted(refusal: Refusal) -> CrmsyncError:
    answer = refusal.answer
    if refusal.meaning is Meaning.TOKEN:
        return ConnectionHalted(
            "Pipedrive does not accept the token", cause="reauth_required", hint=answer.remedy
        )
    if refusal.meaning is Meaning.SCOPE:
        return ConnectionHalted(
            f"{answer.what}: Pipedrive refuses for want of a scope, which it does not name",
            cause="missing_scope",
            hint=f"Give the app its scopes in the Developer Hub ({SCOPES}), then reconnect.",
        )
    return ConnectionHalted(
        f"{answer.what}: Pipedrive refuses this connection ({answer.status})",
        cause="refused",
        hint=refusal.hint,
    )


def _without_words(answer: Answer) -> Meaning:
    """Return what an answer without JSON means: it came from something in front of Pipedrive."""
    if answer.status == HTTPStatus.FORBIDDEN:
        return Meaning.BLOCKED
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Meaning.TOKEN
    if answer.status == HTTPStatus.PAYMENT_REQUIRED:
        return Meaning.REFUSED
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Meaning.LIMITED
    redirected = answer.status in range(300, 400)  # not followed: the address is wrong
    if redirected or answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return Meaning.REFUSED
    return Meaning.AMBIGUOUS


def _field_in(message: str, names: Mapping[str, str]) -> str | None:
    """Return the field a refusal blames: a hash anywhere in it, else the key it begins with."""
    found = _HASH.search(message) or _KEY.match(message)
    if found is None:
        return None
    key = found[found.lastindex or 0]
    return names.get(key, key)


def _envelope(answer: Answer) -> Mapping[str, Any] | None:
    """Return the JSON object of a refusal; None for what is not Pipedrive's, such as HTML."""
    try:
        envelope = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return envelope if isinstance(envelope, dict) and "success" in envelope else None
