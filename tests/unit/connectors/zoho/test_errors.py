"""What Zoho's refusals mean, for a call and for a record."""

from __future__ import annotations

import orjson
import pytest
from structlog.testing import capture_logs

from crmsync.connectors import unknown_codes
from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.zoho.codes import CODES
from crmsync.connectors.zoho.errors import record_result, refuse, refuses_token
from crmsync.errors import (
    BatchRejected,
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
    Unavailable,
)
from crmsync.model import Outcome


def entry(code, details=None, message="invalid data"):
    """A refusal as Zoho words it, of a call or of a record."""
    return {"code": code, "details": details or {}, "message": message, "status": "error"}


def answer(status, body=None, *, effect=Effect.WRITE, headers=None):
    """An answer to a write of contacts."""
    content = b"<html>" if body is None else orjson.dumps(body)
    what = "POST www.zohoapis.eu/crm/v8/Contacts"
    return Answer(status, headers or {}, content, effect, what, "Run `crmsync connect zoho`.")


def refused(*args, **keys):
    """What an answer raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any of our errors)
        refuse(answer(*args, **keys), needs="ZohoCRM.modules.Contacts.CREATE")
    return caught.value


# --- whole calls --------------------------------------------------------------------------

CALLS = [
    (401, "INVALID_TOKEN", ConnectionHalted, "reauth_required"),
    (401, "AUTHENTICATION_FAILURE", ConnectionHalted, "reauth_required"),
    (401, "INVALID_OAUTHTOKEN", ConnectionHalted, "reauth_required"),
    (401, "OAUTH_SCOPE_MISMATCH", ConnectionHalted, "missing_scope"),
    (403, "NO_PERMISSION", ConnectionHalted, "refused"),
    (403, "AUTHORIZATION_FAILED", ConnectionHalted, "refused"),
    (400, "FEATURE_NOT_SUPPORTED", ConnectionHalted, "refused"),
    (400, "STORAGE_SPACE_EXCEEDED", ConnectionHalted, "quota_exhausted"),
    (404, "INVALID_URL_PATTERN", ConnectionHalted, "refused"),
    (405, "INVALID_REQUEST_METHOD", ConnectionHalted, "refused"),
    (429, "TOO_MANY_REQUESTS", RateLimited, None),
    (400, "TOO_MANY_REQUESTS", RateLimited, None),
    (412, "ALREADY_MODIFIED", RetryLater, None),
    (500, "INTERNAL_ERROR", OutcomeUnknown, None),
    (200, "INTERNAL_SERVER_ERROR", OutcomeUnknown, None),
    (500, "INVALID_DATA", OutcomeUnknown, None),
    (400, "INVALID_DATA", BatchRejected, None),
    (400, "LIMIT_EXCEEDED", BatchRejected, None),
    (400, "SYNTAX_ERROR", BatchRejected, None),
    (400, "NEW_CODE_OF_NEXT_YEAR", OutcomeUnknown, None),
]


@pytest.mark.parametrize(("status", "code", "kind", "cause"), CALLS)
def test_a_refused_call(status, code, kind, cause):
    """The code decides where it is known; a 5xx may have been carried out all the same."""
    error = refused(status, entry(code))
    assert type(error) is kind
    assert getattr(error, "cause", None) == cause


WITHOUT_BODY = [
    (302, ConnectionHalted),
    (401, ConnectionHalted),
    (403, OutcomeUnknown),
    (404, ConnectionHalted),
    (408, OutcomeUnknown),
    (413, BatchRejected),
    (418, OutcomeUnknown),
    (429, RateLimited),
    (502, OutcomeUnknown),
    (503, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "kind"), WITHOUT_BODY)
def test_a_refusal_without_json(status, kind):
    """HTML of a gateway says no more than its status."""
    assert type(refused(status)) is kind


def test_a_read_that_fails_changes_nothing():
    """What may have been carried out does not matter for a read; what is refused is the key's."""
    assert type(refused(500, entry("INTERNAL_ERROR"), effect=Effect.READ)) is Unavailable
    assert type(refused(400, entry("NEW_CODE"), effect=Effect.READ)) is BatchRejected


def test_a_missing_scope_is_named():
    """Zoho does not say which scope it wants; the call's own are named."""
    assert "ZohoCRM.modules.Contacts.CREATE" in refused(401, entry("OAUTH_SCOPE_MISMATCH")).hint


def test_a_dead_token_says_what_to_do():
    """It may also be one of another data centre."""
    hint = refused(401, entry("INVALID_TOKEN")).hint
    assert "crmsync connect zoho" in hint
    assert "base_url" in hint


@pytest.mark.parametrize(
    ("code", "is_refused"), [("INVALID_TOKEN", True), ("OAUTH_SCOPE_MISMATCH", False)]
)
def test_only_a_dead_token_is_renewed(code, is_refused):
    """A renewal brings no scope, and Zoho grants ten in ten minutes."""
    assert refuses_token(answer(401, entry(code))) is is_refused


def test_the_wait_is_zohos_where_it_says_one():
    """Otherwise places for calls are free again within seconds."""
    assert refused(429, headers={"Retry-After": "7"}).retry_after_seconds == 7
    assert refused(429).retry_after_seconds == 5


def test_an_unknown_code_is_logged_without_what_it_says():
    """So that the table can grow; the message may hold a person's values."""
    unknown_codes._tell.cache_clear()
    with capture_logs() as logs:
        refused(400, entry("NEW_CODE", message="li@x.io"))
        record_result(entry("OTHER_CODE", message="li@x.io"), {})
        record_result(entry("li@x.io"), {})
    assert [line["code"] for line in logs] == ["NEW_CODE", "OTHER_CODE", "UNEXPLAINED"]
    assert "li@x.io" not in str(logs)


def test_the_text_of_an_error_holds_no_value():
    """Only the excerpt may, which is kept encrypted."""
    error = refused(400, entry("INVALID_DATA", {"api_name": "Email"}, "li@x.io is no address"))
    assert error.field == "Email"
    assert "li@x.io" not in error.user_message
    assert "li@x.io" in error.excerpt


# --- records ------------------------------------------------------------------------------

RECORDS = [
    ("INVALID_DATA", Outcome.REJECTED),
    ("MANDATORY_NOT_FOUND", Outcome.REJECTED),
    ("DUPLICATE_DATA", Outcome.REJECTED),
    ("RECORD_IN_BLUEPRINT", Outcome.REJECTED),
    ("NOT_APPROVED", Outcome.REJECTED),
    ("ID_ALREADY_CONVERTED", Outcome.REJECTED),
    ("NO_PERMISSION", Outcome.REJECTED),
    ("RECORD_LOCKED", Outcome.RETRY),
    ("TOO_MANY_REQUESTS", Outcome.RETRY),
    ("ALREADY_MODIFIED", Outcome.RETRY),
    ("INTERNAL_ERROR", Outcome.UNKNOWN),
    ("NEW_CODE_OF_NEXT_YEAR", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("code", "outcome"), RECORDS)
def test_a_refused_record(code, outcome):
    """A record is refused, waits, or is looked at; an unknown code is never taken for a no."""
    result = record_result(entry(code), {})
    assert result.outcome is outcome
    assert result.failure.code == code
    assert result.failure.hint


def test_every_code_of_the_vendors_list_is_known():
    """What Zoho's description of its API lists as seen, and what its documentation adds."""
    listed = (
        "DUPLICATE_DATA RECORD_IN_BLUEPRINT PATTERN_NOT_MATCHED ID_ALREADY_CONVERTED"
        " DEPENDENT_FIELD_MISSING NO_CONTENT RECORD_LOCKED TERRITORY_NOT_ENABLED"
        " MANDATORY_NOT_FOUND INVALID_MODULE FEATURE_NOT_SUPPORTED AUTHENTICATION_FAILURE"
        " INVALID_DATA NO_RECORDS_FOUND LIMIT_EXCEEDED DATA_MISMATCH INVALID_QUERY NO_PERMISSION"
        " OAUTH_SCOPE_MISMATCH INVALID_URL_PATTERN NOT_FOUND INTERNAL_ERROR NOT_ALLOWED"
        " ALREADY_USED FILE_SIZE_MORE_THAN_ALLOWED_SIZE MAPPING_MISMATCH LIMIT_REACHED"
        " NOT_SUPPORTED CANNOT_PERFORM_ACTION CANNOT_PROCESS INVALID_REQUEST_METHOD INVALID_TOKEN"
        " REQUIRED_PARAM_MISSING CANNOT_DELETE ALREADY_SCHEDULED STORAGE_SPACE_EXCEEDED"
        " NOT_APPROVED EXPECTED_FIELD_MISSING CONVERTED_RECORD TOO_MANY_REQUESTS ALREADY_MODIFIED"
        " AUTHORIZATION_FAILED INTERNAL_SERVER_ERROR DEPENDENT_SERVICE_ERROR DEPENDENT_MISMATCH"
        " MULTIPLE_OR_MULTI_ERRORS AMBIGUITY_DURING_PROCESSING SYNTAX_ERROR INVALID_ALIAS"
        " EXPIRED_VALUE TOKEN_BOUND_DATA_MISMATCH PAGINATION_LIMIT_EXCEEDED"
        " DISCRETE_PAGINATION_LIMIT_EXCEEDED"
    )
    assert set(listed.split()) - set(CODES) == set()


def test_a_text_that_is_too_long_is_measured():
    """The hint names the field, its limit and the value's length, not the value."""
    details = {"maximum_length": 5, "api_name": "Title", "json_path": "$.data[0].Title"}
    failure = record_result(entry("INVALID_DATA", details), {"Title": "secret"}).failure
    assert failure.field == "Title"
    assert "at most 5 characters, this value has 6" in failure.hint
    assert "secret" not in failure.hint


def test_a_wrong_type_is_named():
    """As Zoho calls it."""
    details = {"expected_data_type": "phone", "api_name": "Phone"}
    assert "of type phone" in record_result(entry("INVALID_DATA", details), {}).failure.hint


HOLDERS = [
    ({"duplicate_record": {"id": "500010", "module": {}}, "api_name": "Email"}, "500010"),
    ({"id": "500010", "api_name": "Email"}, "500010"),
    ({"api_name": "Email"}, None),
]


@pytest.mark.parametrize(("details", "holder"), HOLDERS)
def test_who_holds_a_unique_value(details, holder):
    """So that the record can be adopted."""
    assert record_result(entry("DUPLICATE_DATA", details), {}).existing_id == holder


def test_a_record_that_is_gone():
    """Zoho refuses its id."""
    details = {"api_name": "id", "json_path": "$.data[0].id"}
    assert "deleted or merged" in record_result(entry("INVALID_DATA", details), {}).failure.hint


@pytest.mark.parametrize(
    ("code", "details", "is_gone"),
    [
        ("INVALID_DATA", {"api_name": "id", "json_path": "$.data[3].id"}, True),
        ("INVALID_DATA", {"api_name": "id"}, True),
        ("INVALID_DATA", {"api_name": "id", "json_path": "$.data[3].Owner.id"}, False),
        ("INVALID_DATA", {"api_name": "Email", "json_path": "$.data[3].Email"}, False),
        ("RECORD_LOCKED", {"id": "7"}, False),
        ("ID_ALREADY_CONVERTED", {"id": "7"}, True),
        ("CONVERTED_RECORD", {}, True),
        ("NOT_FOUND", {}, True),
    ],
)
def test_who_is_gone(code, details, is_gone):
    """Whose own id is refused, and who was converted; not who names somebody that is gone."""
    result = record_result(entry(code, details), {})
    assert result.is_gone is is_gone
    assert ("deleted or merged" in result.failure.hint) is (is_gone and "api_name" in details)


def test_several_faults_of_one_record():
    """The first one's field is named."""
    inner = [entry("INVALID_DATA", {"api_name": n, "json_path": f"$.data[0].{n}"}) for n in "AB"]
    result = record_result(entry("MULTIPLE_OR_MULTI_ERRORS", {"errors": inner}), {})
    assert (result.outcome, result.failure.field) == (Outcome.REJECTED, "A")


def test_a_field_is_read_from_the_path_where_nothing_else_names_it():
    """Some refusals have a path alone."""
    details = {"json_path": "$.data[3].Stage"}
    assert record_result(entry("MAPPING_MISMATCH", details), {}).failure.field == "Stage"
