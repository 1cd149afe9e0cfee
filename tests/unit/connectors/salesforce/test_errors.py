"""What each of Salesforce's refusals means."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from crmsync.connectors import unknown_codes
from crmsync.connectors.answers import Effect
from crmsync.connectors.salesforce.codes import CODES, HINTS, Meaning
from crmsync.connectors.salesforce.errors import complaint_of, errors_of, refuse, refuses_token
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
from tests.unit.connectors.salesforce.answers import answered, error, refused

DEAD = error("INVALID_SESSION_ID", "Session expired or invalid")
UNSUITABLE = error("INVALID_SESSION_ID", "This session is not valid for use with the REST API")
DAILY = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
BUSY = error(
    "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
)
LONG = error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (300, ["/services/data/v59.0/sobjects/Contact/003A"], BatchRejected),
        (302, b"", ConnectionHalted),
        (400, error("REQUIRED_FIELD_MISSING"), BatchRejected),
        (400, error("JSON_PARSER_ERROR"), BatchRejected),
        (400, error("EXCEEDED_ID_LIMIT"), BatchRejected),
        (400, error("INVALID_TYPE"), ConfigError),
        (400, error("INVALID_QUERY_LOCATOR"), RetryLater),
        (400, error("UNABLE_TO_LOCK_ROW"), RetryLater),
        (400, error("SOMETHING_NEW"), OutcomeUnknown),
        (400, b"<html>", OutcomeUnknown),
        (400, [], OutcomeUnknown),
        (400, {"error": "invalid_grant"}, OutcomeUnknown),
        (401, DEAD, ConnectionHalted),
        (401, b"<html>Log in</html>", ConnectionHalted),
        (401, error("INVALID_AUTH_HEADER"), ConnectionHalted),
        (401, {"exceptionCode": "InvalidSessionId", "exceptionMessage": "x"}, ConnectionHalted),
        (403, DAILY, RateLimited),
        (403, BUSY, RateLimited),
        (403, error("API_DISABLED_FOR_ORG"), ConnectionHalted),
        (403, b"", OutcomeUnknown),
        (403, b"<html>Blocked</html>", OutcomeUnknown),
        (404, error("NOT_FOUND"), BatchRejected),
        (404, b"<html>", ConnectionHalted),
        (405, error("METHOD_NOT_ALLOWED"), ConnectionHalted),
        (410, error("UNSUPPORTED_API_VERSION"), ConnectionHalted),
        (414, b"", BatchRejected),
        (429, b"<html>", RateLimited),
        (431, b"", BatchRejected),
        (500, DEAD, ConnectionHalted),
        (500, error("UNKNOWN_EXCEPTION"), OutcomeUnknown),
        (500, error("REQUIRED_FIELD_MISSING"), OutcomeUnknown),
        (503, b"<html>", OutcomeUnknown),
        (503, {"message": "busy", "errorCode": "SERVER_UNAVAILABLE"}, OutcomeUnknown),
        (504, b"", OutcomeUnknown),
    ],
)
def test_each_refusal_of_a_call_has_one_meaning(status, body, kind):
    """The code counts, else the status; what is not known is perhaps applied."""
    with pytest.raises(kind) as caught:
        refuse(answered(status, body), object_type="Widget")
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_read_that_fails_is_only_unavailable(status):
    """What is ambiguous for a write changed nothing for a read."""
    with pytest.raises(Unavailable):
        refuse(answered(status, b"<html>", effect=Effect.READ))


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (403, DAILY, {}, 3600),
        (403, BUSY, {}, 5),
        (403, LONG, {}, 5),
        (403, BUSY, {"Retry-After": "7"}, 7),
        (429, b"", {}, 5),
    ],
)
def test_the_text_of_a_limit_says_how_long_to_wait(status, body, headers, seconds):
    """Salesforce sends no Retry-After: the day's calls are spent, or too many run at once."""
    with pytest.raises(RateLimited) as caught:
        refuse(answered(status, body, **headers))
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "another_helps"),
    [
        (401, DEAD, True),
        (500, DEAD, True),
        (401, b"<html>", True),
        (301, b"", True),
        (500, error("URL_NOT_RESET"), True),
        (401, UNSUITABLE, False),
        (401, error("INVALID_AUTH_HEADER"), False),
        (403, error("API_DISABLED_FOR_ORG"), False),
        (200, [refused("INVALID_SESSION_ID")], False),
    ],
)
def test_a_dead_session_is_known_by_its_code(status, body, another_helps):
    """Whatever the status; one that no token cures is not tried with another."""
    assert refuses_token(answered(status, body)) is another_helps


@pytest.mark.parametrize(
    ("body", "cause", "said"),
    [
        (DEAD, "reauth_required", "connect anew"),
        (UNSUITABLE, "refused", "profile"),
        (error("API_DISABLED_FOR_ORG"), "missing_scope", "API Enabled"),
        (error("STORAGE_LIMIT_EXCEEDED"), "quota_exhausted", "storage"),
        (error("METHOD_NOT_ALLOWED"), "refused", "base_url"),
    ],
)
def test_what_halts_a_connection_says_what_to_do(body, cause, said):
    """Each names its cause and a remedy."""
    with pytest.raises(ConnectionHalted) as caught:
        refuse(answered(403, body))
    assert caught.value.cause == cause
    assert said in caught.value.hint


WRAPPED = "ContactTrigger: execution of AfterUpdate caused by: "


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        ("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", Outcome.REJECTED),
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", Outcome.RETRY),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"{WRAPPED}UNABLE_TO_LOCK_ROW", Outcome.RETRY),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", f"{WRAPPED}UNABLE_TO_LOCK_ROW", Outcome.RETRY),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"{WRAPPED}NullPointer", Outcome.REJECTED),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Too many SOQL queries: 101", Outcome.REJECTED),
        ("ALL_OR_NONE_OPERATION_ROLLED_BACK", "rolled back", Outcome.RETRY),
        ("ENTITY_IS_DELETED", "entity is deleted", Outcome.REJECTED),
        ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", Outcome.REJECTED),
        ("INSUFFICIENT_ACCESS", "no access", Outcome.REJECTED),
        ("STORAGE_LIMIT_EXCEEDED", "full", Outcome.RETRY),
        ("UNKNOWN_EXCEPTION", "An unexpected error occurred", Outcome.UNKNOWN),
        ("SOMETHING_NEW", "who knows", Outcome.UNKNOWN),
        ("", "", Outcome.UNKNOWN),
    ],
)
def test_each_refusal_of_a_record_has_one_outcome(code, message, outcome):
    """A lock is not the record's fault, however it is wrapped; what is not known is not refused."""
    result = complaint_of(refused(code, message)["errors"]).result()
    assert result.outcome is outcome
    assert result.failure.code
    assert result.failure.hint


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (refused("STRING_TOO_LONG", "too large", "Email"), "Email"),
        (refused("INVALID_FIELD", "No such column 'Nope__c' on sobject of type Contact"),
         "Nope__c"),
        (refused("INVALID_FIELD_FOR_INSERT_UPDATE",
                 "Unable to create/update fields: Total__c. Please check"), "Total__c"),
        (refused("DUPLICATE_VALUE",
                 "duplicate value found: Key__c duplicates value on record with id: 003"),
         "Key__c"),
        (refused("INVALID_FIELD", "Foreign key external ID: A-1 not found for field AccExt__c in"
                 " entity Account"), "AccExt__c"),
        (refused("UNABLE_TO_LOCK_ROW"), None),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(entry, field):
    """By the list of fields where it has one, else by the words."""
    assert complaint_of(entry["errors"]).field == field


MATCH = {"record": {"attributes": {"type": "Contact"}, "Id": "0035e00000AbCdEAAV"}}
OTHER = {"record": {"attributes": {"type": "Lead"}, "Id": "0035e00000AbCdFAAV"}}


@pytest.mark.parametrize(
    ("entry", "existing"),
    [
        (refused("DUPLICATE_VALUE", "duplicates value on record with id: 0035e00000AbCdE"),
         "0035e00000AbCdEAAV"),
        (refused("DUPLICATE_VALUE", "duplicates value on record with id: <unknown>"), None),
        (refused("DUPLICATES_DETECTED",
                 duplicateResult={"matchResults": [{"matchRecords": [MATCH, MATCH]}]}),
         "0035e00000AbCdEAAV"),
        (refused("DUPLICATES_DETECTED",
                 duplicateResult={"matchResults": [{"matchRecords": [MATCH, OTHER]}]}), None),
        (refused("DUPLICATES_DETECTED", duplicateResult={"matchResults": None}), None),
        (refused("DUPLICATES_DETECTED"), None),
    ],
)  # fmt: skip
def test_the_record_that_is_there_already_is_named(entry, existing):
    """In 18 characters, where the refusal names one and no other."""
    result = complaint_of(entry["errors"]).result()
    assert (result.outcome, result.existing_id) == (Outcome.REJECTED, existing)


def test_an_unknown_code_is_logged_without_words():
    """The code is a constant of Salesforce's; its words may hold anybody's data."""
    unknown_codes._tell.cache_clear()
    with capture_logs() as logs:
        complaint_of(refused("SOMETHING_NEW", "ann@x.io")["errors"])
    assert [line["code"] for line in logs] == ["SOMETHING_NEW"]
    assert "ann@x.io" not in str(logs)


def test_every_hint_can_be_told():
    """Each belongs to a code, and names a field or nothing."""
    assert set(HINTS) <= set(CODES)
    for hint in HINTS.values():
        assert "{" not in hint.format(field="x")


def test_the_text_of_a_refusal_holds_no_value():
    """Words of Salesforce's stay in the excerpt, which is kept encrypted."""
    said = error("INVALID_EMAIL_ADDRESS", "Email: invalid email address: ann@", fields=["Email"])
    with pytest.raises(BatchRejected) as caught:
        refuse(answered(400, said))
    assert "ann" not in caught.value.user_message
    assert "ann" in caught.value.excerpt
    assert caught.value.field == "Email"


def test_an_object_and_html_are_read_like_an_array():
    """The five shapes of error all give a list."""
    assert errors_of(answered(503, {"errorCode": "X"})) == [{"errorCode": "X"}]
    assert errors_of(answered(503, b"<html>")) == []
    assert complaint_of(errors_of(answered(503, b"null"))).meaning is None


def test_every_code_means_something():
    """The table has no gaps."""
    assert all(isinstance(meaning, Meaning) for meaning in CODES.values())


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("\nFROM Group WHERE Name = 'ann@x.io'\nsObject type 'Group' is not supported.", "Group"),
        ("Didn't understand relationship 'OpportunityContactRoles' in FROM part",
         "OpportunityContactRoles"),
        ("ann@x.io", "of this query"),
    ],
)  # fmt: skip
def test_an_object_that_a_query_may_not_see_is_named(words, name):
    """And nothing else of Salesforce's words, which may quote the query."""
    with pytest.raises(ConfigError, match=name) as caught:
        refuse(answered(400, error("INVALID_TYPE", words)))
    assert "ann" not in caught.value.user_message
