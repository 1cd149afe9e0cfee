"""Every refusal of the documentation, and what it means."""

from __future__ import annotations

import orjson
import pytest

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.pipedrive.errors import BLOCKED_SECONDS, Meaning, refusal_of, refuse
from crmsync.connectors.pipedrive.limits import Refusals
from crmsync.errors import (
    BatchRejected,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)

HASH = "d4de1c1518b4531717c676029a45911c340390a6"
VALIDATION = "ERR_SCHEMA_VALIDATION_FAILED"
WHAT = "POST api.pipedrive.com/api/v2/persons"


def answer(status, body, effect=Effect.WRITE):
    """An answer with a JSON body, or with text."""
    text = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Answer(status, {}, text, effect, WHAT, "Set PIPEDRIVE_TOKEN.")


def v2(error, code=None):
    """A refusal as v2 words it; without a code as integrators have seen some."""
    return {"success": False, "error": error} | ({"code": code} if code else {})


def gateway(status, error):
    """A refusal as v1 and the gateway word it."""
    return {"success": False, "error": error, "errorCode": status, "error_info": "Please check"}


MEANINGS = [
    (400, v2("Validation failed: name: x", VALIDATION), Meaning.RECORD),
    (400, v2("Invalid JSON in request body", "ERR_BAD_REQUEST"), Meaning.RECORD),
    (400, v2("something"), Meaning.RECORD),
    (400, v2("something", "ERR_NEW"), Meaning.AMBIGUOUS),
    (401, gateway(401, "unauthorized access"), Meaning.TOKEN),
    (401, "<html>", Meaning.TOKEN),
    (402, gateway(402, "company account is not open"), Meaning.REFUSED),
    (402, "<html>", Meaning.REFUSED),
    (403, gateway(403, "Scope and URL mismatch"), Meaning.SCOPE),
    (403, v2("Open deals limit reached.", "feature_capping_deals_limit"), Meaning.RECORD),
    (403, v2("available only with contact sync enabled", "ERR_FORBIDDEN"), Meaning.RECORD),
    (403, v2("You do not have permission", "ERR_FORBIDDEN"), Meaning.PERMISSION),
    (403, v2("something", "ERR_NEW"), Meaning.AMBIGUOUS),
    (403, "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>", Meaning.BLOCKED),
    (404, v2("Person not found", "ERR_NOT_FOUND"), Meaning.GONE),
    (404, gateway(404, "Person not found"), Meaning.GONE),
    (404, gateway(404, "Unknown method."), Meaning.REFUSED),
    (404, "<html>", Meaning.REFUSED),
    (405, gateway(405, "Method not allowed"), Meaning.RECORD),
    (410, gateway(410, "Gone"), Meaning.GONE),
    (413, v2("too large"), Meaning.RECORD),
    (415, gateway(415, "Unsupported media type"), Meaning.RECORD),
    (418, v2("teapot"), Meaning.AMBIGUOUS),
    (422, v2("limit"), Meaning.RECORD),
    (429, gateway(429, "Rate limit exceeded"), Meaning.LIMITED),
    (429, "<html>", Meaning.LIMITED),
    (301, "", Meaning.REFUSED),
    (500, v2("Internal Server Error", "ERR_UNKNOWN"), Meaning.AMBIGUOUS),
    (502, "<html>", Meaning.AMBIGUOUS),
    (503, "[]", Meaning.AMBIGUOUS),
    (504, "", Meaning.AMBIGUOUS),
]


@pytest.mark.parametrize(("status", "body", "meaning"), MEANINGS)
def test_what_an_answer_means(status, body, meaning):
    """Status, code and words decide together; what nobody knows is perhaps applied."""
    assert refusal_of(answer(status, body), {}).meaning is meaning


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (f"Validation failed: custom_fields.{HASH}: Parameter 'x' is not allowed", "Tier"),
        (f"Validation failed: custom_fields: Expected 'number' for custom field '{HASH}'", "Tier"),
        ("Validation failed: emails: Expected 'array' as value; org_id: Expected", "email"),
        ("Validation failed: org_id: Organization with id 4711 was not found", "org_id"),
        ("available only for users with contact sync enabled", None),
    ],
)
def test_which_field_is_blamed(message, field):
    """By the name that the mapping uses, whatever Pipedrive calls it."""
    names = {HASH: "Tier", "emails": "email"}
    refusal = refusal_of(answer(400, v2(message, VALIDATION)), names)
    assert refusal.failure().field == field
    assert refusal.failure().message == message
    assert refusal.failure().hint


def test_a_field_that_is_gone_says_what_to_do():
    """The hint names the field, and what to do about it."""
    text = f"Validation failed: custom_fields.{HASH}: Parameter '{HASH}' is not allowed for this"
    hint = refusal_of(answer(400, v2(text, VALIDATION)), {HASH: "Tier"}).hint
    assert "no field 'Tier' any more" in hint


RAISED = [
    (Meaning.TOKEN, 401, "x", Effect.READ, ConnectionHalted),
    (Meaning.LIMITED, 429, "x", Effect.WRITE, RateLimited),
    (Meaning.BLOCKED, 403, "<html>", Effect.WRITE, RetryLater),
    (Meaning.AMBIGUOUS, 500, "x", Effect.WRITE, OutcomeUnknown),
    (Meaning.AMBIGUOUS, 500, "x", Effect.READ, Unavailable),
    (Meaning.RECORD, 400, v2("Validation failed: name: x", VALIDATION), Effect.READ, BatchRejected),
    (Meaning.PERMISSION, 403, v2("No", "ERR_FORBIDDEN"), Effect.READ, ConnectionHalted),
]


@pytest.mark.parametrize(("meaning", "status", "body", "effect", "error"), RAISED)
def test_what_is_raised_for_a_whole_call(meaning, status, body, effect, error):
    """Each meaning has one exception, whose text holds nothing that was sent."""
    refusal = refusal_of(answer(status, body, effect), {})
    assert refusal.meaning is meaning
    with pytest.raises(error) as caught:
        refuse(refusal, Refusals())
    assert type(caught.value) is error


def test_the_connection_says_what_a_person_must_do():
    """The token's variable, the scopes, the bill: each with its cause."""
    said = {}
    for status, body in ((401, "x"), (402, "x"), (403, gateway(403, "Scope and URL mismatch"))):
        with pytest.raises(ConnectionHalted) as caught:
            refuse(refusal_of(answer(status, body), {}), Refusals())
        said[caught.value.cause] = caught.value.hint
    assert said["reauth_required"] == "Set PIPEDRIVE_TOKEN."
    assert "contacts:full" in said["missing_scope"]
    assert said["refused"]


def test_cloudflare_is_left_alone_for_minutes():
    """Going on would only prolong the block."""
    with pytest.raises(RetryLater) as caught:
        refuse(refusal_of(answer(403, "<html>"), {}), Refusals())
    assert caught.value.retry_after_seconds == BLOCKED_SECONDS == 300
