"""What each of HubSpot's refusals means (crm-apis: sections 10 and 11 of its error pages)."""

from __future__ import annotations

import orjson
import pytest

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.hubspot.codes import HINTS
from crmsync.connectors.hubspot.errors import complaint_of, record_result, refuse
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)
from crmsync.model import Outcome

HIDDEN = (
    'Property values were not valid: [{"isValid":false,"message":"Email address a@b is invalid",'
    '"error":"INVALID_EMAIL","name":"email"}]'
)


def answered(status, body=None, *, effect=Effect.WRITE, **headers):
    """An answer of that status."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body or {"status": "error"})
    return Answer(status, headers, raw, effect, "POST api.hubapi.com/x")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (302, None, ConnectionHalted),
        (400, {"category": "VALIDATION_ERROR", "message": HIDDEN}, BatchRejected),
        (400, {"message": "Unable to infer object type from: widgets"}, ConfigError),
        (401, {"category": "EXPIRED_AUTHENTICATION"}, ConnectionHalted),
        (403, {"category": "MISSING_SCOPES"}, ConnectionHalted),
        (403, {"category": "BANNED"}, ConnectionHalted),
        (404, b"<html>", ConfigError),
        (404, {"category": "OBJECT_NOT_FOUND"}, BatchRejected),
        (408, None, OutcomeUnknown),
        (409, {"category": "CONFLICT"}, BatchRejected),
        (413, b"", BatchRejected),
        (414, None, BatchRejected),
        (400, b"<html>", OutcomeUnknown),
        (403, b"<html>", OutcomeUnknown),
        (409, b"", OutcomeUnknown),
        (418, None, OutcomeUnknown),
        (418, {"category": "VALIDATION_ERROR"}, BatchRejected),
        (423, None, RetryLater),
        (429, None, RateLimited),
        (477, None, RetryLater),
        (500, {"message": "internal error"}, OutcomeUnknown),
        (502, b"<html>", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (504, b"", OutcomeUnknown),
        (521, b"", OutcomeUnknown),
        (524, b"", OutcomeUnknown),
    ],
)
def test_each_status_of_a_write_has_one_meaning(status, body, error):
    """Record, connection, later or ambiguous: nothing else, whatever the body looks like."""
    with pytest.raises(error) as caught:
        refuse(answered(status, body), object_type="contacts")
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 521, 524])
def test_a_read_that_fails_is_only_unavailable(status):
    """What is ambiguous for a write changed nothing for a read."""
    with pytest.raises(Unavailable):
        refuse(answered(status, effect=Effect.READ))


@pytest.mark.parametrize(
    ("status", "body", "search", "seconds"),
    [
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, False, 10),
        (429, {"policyName": "SECONDLY"}, True, 1),
        (429, {"policyName": "DAILY"}, False, 3600),
        (429, {"category": "RATE_LIMITS"}, False, 10),
        (429, {}, True, 1),
        (429, b"<html>", False, 10),
        (423, {}, False, 2),
        (477, {}, False, 3600),
    ],
)
def test_waits_without_a_header(status, body, search, seconds):
    """The policy, or the status, says how long to wait."""
    with pytest.raises(RetryLater) as caught:
        refuse(answered(status, body), search=search)
    assert caught.value.retry_after_seconds == seconds


def test_the_array_hidden_in_a_message_is_found():
    """Code, field and the words for people come out of the JSON inside the text."""
    complaint = complaint_of({"category": "VALIDATION_ERROR", "message": HIDDEN})
    assert (complaint.code, complaint.field) == ("INVALID_EMAIL", "email")
    result = record_result({"category": "VALIDATION_ERROR", "message": HIDDEN})
    assert result.outcome is Outcome.REJECTED
    assert result.failure
    assert result.failure.message == "Email address a@b is invalid"
    assert "email" in result.failure.hint


def test_the_details_of_an_envelope_are_found():
    """`errors[]` with a code and a property name are read where the message hides nothing."""
    detail = {"code": "INVALID_INTEGER", "context": {"propertyName": ["visits"]}}
    complaint = complaint_of({"message": "Invalid", "errors": [detail]})
    assert (complaint.code, complaint.field) == ("INVALID_INTEGER", "visits")


def test_a_missing_scope_is_named():
    """A 403 says which scopes to grant."""
    detail = {"message": "x", "context": {"requiredScopes": ["a.write", "b.read"]}}
    with pytest.raises(ConnectionHalted) as caught:
        refuse(answered(403, {"category": "MISSING_SCOPES", "errors": [detail]}))
    assert caught.value.cause == "missing_scope"
    assert "a.write, b.read" in caught.value.hint


def test_an_existing_record_is_named():
    """The id that a conflict mentions only in prose is found."""
    message = "Contact already exists. Existing ID: 6001"
    assert record_result({"category": "CONFLICT", "message": message}).existing_id == "6001"


def test_duplicates_in_a_batch_have_a_code_of_their_own():
    """The answer to two inputs of one name is told from other validation errors."""
    message = "Duplicate IDs found in batch input: [a@x.io]. IDs must be unique"
    with pytest.raises(BatchRejected) as caught:
        refuse(answered(400, {"category": "VALIDATION_ERROR", "message": message}))
    assert caught.value.code == "DUPLICATE_IDS"
    assert "a@x.io" not in caught.value.user_message


@pytest.mark.parametrize(
    ("category", "outcome"),
    [
        ("VALIDATION_ERROR", Outcome.REJECTED),
        ("OBJECT_NOT_FOUND", Outcome.REJECTED),
        ("RATE_LIMITS", Outcome.RETRY),
        ("MISSING_SCOPES", Outcome.RETRY),
        ("INTERNAL_ERROR", Outcome.UNKNOWN),
        ("SOMETHING_NEW", Outcome.UNKNOWN),
    ],
)
def test_each_entry_of_a_207_has_one_outcome(category, outcome):
    """Refused, later, or unknown: by the entry's category."""
    assert record_result({"category": category, "message": "x"}).outcome is outcome


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors": 3}',
        b'{"errors": [1, null]}',
        b'{"errors": [{"context": 5}]}',
        b'{"errors": [{"context": {"propertyName": []}}]}',
        b'{"message": 7}',
        b'{"message": "[{}]"}',
        b'{"message": "[{not json}]"}',
    ],
)
def test_an_odd_envelope_still_means_something(body):
    """Whatever HubSpot puts into its envelope, a 400 is a refusal and nothing breaks."""
    with pytest.raises(BatchRejected):
        refuse(answered(400, body))


@pytest.mark.parametrize("status", [400, 403, 409])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"<html>", b'{"error": "no"}'])
def test_a_refusal_that_is_not_hubspots_refuses_no_batch(status, body):
    """Something in front of HubSpot says nothing of records: there is nothing to halve."""
    with pytest.raises(OutcomeUnknown):
        refuse(answered(status, body))


def test_every_hint_can_be_said():
    """No hint has a gap that nothing fills."""
    for code in HINTS:
        detail = {"code": code, "context": {"propertyName": ["plan"]}}
        assert "{" not in complaint_of({"errors": [detail]}).hint
