"""Zoho's ways of saying no: one exception for whole calls and single records alike.

Codes and texts are those of Zoho's own API description (zoho/crm-oas, v8.0) where it has them.
"""

from __future__ import annotations

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho.values import Invalid

INVALID_DATA = "INVALID_DATA"
_NOT_ONE_FAULT = "MULTIPLE_OR_MULTI_ERRORS"


class ApiError(Exception):
    """A call, or one record of it, is refused."""

    def __init__(self, status: int, code: str, message: str, **details: Json) -> None:
        """Take the HTTP status it has alone, Zoho's code and words, and what they are about."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def entry(self) -> dict[str, Json]:
        """Return it as JSON: the whole body, or one entry of `data`."""
        return {
            "code": self.code,
            "details": self.details,
            "message": self.message,
            "status": "error",
        }

    def answer(self) -> Answer:
        """Answer a whole call with it."""
        return Answer.of(self.status, self.entry())


# --- the call as a whole ------------------------------------------------------------------------


def no_such_path() -> ApiError:
    """Say that there is nothing at this path."""
    text = "Please check if the URL trying to access is a correct one"
    return ApiError(404, "INVALID_URL_PATTERN", text)


def wrong_method() -> ApiError:
    """Say that the path does not take this method."""
    text = "The http request method type is not a valid one"
    return ApiError(405, "INVALID_REQUEST_METHOD", text)


def unauthenticated() -> ApiError:
    """Say that there is no token, or not in Zoho's way."""
    return ApiError(401, "AUTHENTICATION_FAILURE", "Authentication failed")


def dead_token() -> ApiError:
    """Say that a token is unknown or has expired."""
    return ApiError(401, "INVALID_TOKEN", "invalid oauth token")


def missing_scope() -> ApiError:
    """Say that the token does not allow this."""
    text = "invalid oauth scope to access this URL"
    return ApiError(401, "OAUTH_SCOPE_MISMATCH", text)


def too_many_requests() -> ApiError:
    """Say that credits or places are used up; the two cannot be told apart."""
    text = "You have crossed the request limit. Try again after some time"
    return ApiError(429, "TOO_MANY_REQUESTS", text)


def unknown_module(index: int = 0) -> ApiError:
    """Say that there is no such module."""
    text = "the module name given seems to be invalid"
    return ApiError(400, "INVALID_MODULE", text, resource_path_index=index)


def invalid_id(index: int) -> ApiError:
    """Say that an id in the path is none."""
    text = "the id given seems to be invalid"
    return ApiError(400, INVALID_DATA, text, resource_path_index=index)


def not_json() -> ApiError:
    """Say that the body is not a JSON object."""
    return ApiError(400, INVALID_DATA, "body", expected_data_type="jsonobject")


def missing_parameter(name: str) -> ApiError:
    """Say that a query parameter is missing."""
    text = "One of the expected parameter is missing"
    return ApiError(400, "REQUIRED_PARAM_MISSING", text, param_name=name, param=name)


def invalid_parameter(name: str) -> ApiError:
    """Say that a query parameter has a value it cannot have."""
    text = "Please check whether the input values are correct"
    return ApiError(400, INVALID_DATA, text, param_name=name)


def limit_exceeded(limit: int, **where: Json) -> ApiError:
    """Say that there is too much of something."""
    return ApiError(400, "LIMIT_EXCEEDED", "limit exceeded", limit=limit, **where)


def contradictory(*names: str) -> ApiError:
    """Say that parameters cannot be used together."""
    return ApiError(
        400,
        "AMBIGUITY_DURING_PROCESSING",
        f"Please use either {' or '.join(names)}",
        ambiguity_due_to=[{"param_name": name} for name in names],
    )


def already_modified(record_id: str) -> ApiError:
    """Say that a record is newer than the caller wanted."""
    text = "the record has been modified"
    return ApiError(412, "ALREADY_MODIFIED", text, id=record_id)


# --- members of a body --------------------------------------------------------------------------


def missing_member(name: str, path: str) -> ApiError:
    """Say that the body, or a record, lacks something it must have."""
    text = "required field not found"
    return ApiError(400, "MANDATORY_NOT_FOUND", text, api_name=name, json_path=path)


def wrong_type(expected: str, name: str, path: str) -> ApiError:
    """Say that a member is not of its type."""
    return ApiError(
        400,
        INVALID_DATA,
        "invalid data",
        expected_data_type=expected,
        api_name=name,
        json_path=path,
    )


def invalid_member(name: str, path: str, message: str = "invalid data") -> ApiError:
    """Say that a member has a value it cannot have."""
    return ApiError(400, INVALID_DATA, message, api_name=name, json_path=path)


def invalid_value(refusal: Invalid, name: str, path: str) -> ApiError:
    """Say what a field does not take."""
    return ApiError(
        400, INVALID_DATA, "invalid data", **refusal.details, api_name=name, json_path=path
    )


# --- one record ---------------------------------------------------------------------------------


def several(faults: list[ApiError]) -> ApiError:
    """Say several things at once. The shape is not confirmed."""
    if len(faults) == 1:
        return faults[0]
    entries = [fault.entry() for fault in faults]
    return ApiError(400, _NOT_ONE_FAULT, "multiple errors occurred", errors=entries)


def duplicate(name: str, path: str, holder: Json) -> ApiError:
    """Say which record holds a value that must be unique."""
    return ApiError(
        400, "DUPLICATE_DATA", "duplicate data",
        api_name=name, json_path=path, duplicate_record=holder,
    )  # fmt: skip


def ambiguous(name: str, path: str) -> ApiError:
    """Say that several records hold the key of an upsert."""
    due_to = [{"api_name": name, "json_path": path}]
    text = "more than one record matches"
    return ApiError(400, "AMBIGUITY_DURING_PROCESSING", text, ambiguity_due_to=due_to)


def no_such_record(path: str) -> ApiError:
    """Say that there is no record with this id."""
    text = "the id given seems to be invalid"
    return ApiError(400, INVALID_DATA, text, api_name="id", json_path=path)


def not_deleted(record_id: str) -> ApiError:
    """Say that a record could not be deleted."""
    return ApiError(400, INVALID_DATA, "record not deleted", id=record_id)


def stage_mismatch(path: str) -> ApiError:
    """Say that a pipeline lacks a stage."""
    return ApiError(
        400, "MAPPING_MISMATCH", "Pipeline doesn't contain the Stage",
        api_name="Stage", json_path=path, mapped_field="Pipeline",
    )  # fmt: skip


def in_state(state: str, record_id: str) -> ApiError:
    """Say that a record cannot be written for the state it is in."""
    code, text = {
        "locked": ("RECORD_LOCKED", "the record is locked"),
        "blueprint": ("RECORD_IN_BLUEPRINT", "The record is in blue print"),
        "waiting": ("NOT_APPROVED", "The record is not approved"),
        "converted": ("ID_ALREADY_CONVERTED", "can't update the converted record"),
    }[state]
    return ApiError(400, code, text, id=record_id)
