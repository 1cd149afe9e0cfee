"""HubSpot's ways of saying no: one exception, one envelope, and a constructor for each text.

Texts are HubSpot's own where they were seen in documentation or traffic (hubspot.com, error
handling guide; official SDK tests).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from crmsync.sandbox.http import Json

VALIDATION = "VALIDATION_ERROR"
NOT_FOUND = "OBJECT_NOT_FOUND"
CONFLICT = "CONFLICT"


class ApiError(Exception):
    """A request, or one input of a batch, is refused."""

    def __init__(
        self, status: int, message: str, category: str | None = None, **more: Json
    ) -> None:
        """Take the HTTP status and the members of the error envelope."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.more = more
        self.headers: dict[str, str] = {}

    def envelope(self, correlation_id: str) -> dict[str, Any]:
        """Return the body of a whole refused request."""
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": correlation_id,
        }
        if self.category is not None:
            body["category"] = self.category
        return body | self.more

    def entry(self, trace_id: str | None) -> dict[str, Any]:
        """Return this error as one of a 207 answer; the trace id, where given, is all it names."""
        context = self.more.get("context", {})
        if trace_id is not None:
            context = {"objectWriteTraceId": [trace_id]}
        return {
            "status": "error",
            "category": self.category or VALIDATION,
            "message": self.message,
            "context": context,
        }


# --- the request as a whole ---------------------------------------------------------------------


def malformed(error: orjson.JSONDecodeError) -> ApiError:
    """Say that the body is not JSON."""
    place = f"line {error.lineno}, column {error.colno}"
    return ApiError(400, f"Invalid input JSON on {place}: {error.msg}")


def missing_fields(*names: str) -> ApiError:
    """Say that the body lacks something."""
    fields = ", ".join(names)
    text = f"Invalid input JSON on line 1, column 1: Some required fields were not set: [{fields}]"
    return ApiError(400, text, VALIDATION)


def wrong_shape(where: str) -> ApiError:
    """Say that something in the body is an object, list or scalar where it should not be."""
    return ApiError(400, f"Invalid input JSON on line 1, column 1: Cannot deserialize {where}")


def invalid(message: str, **more: Json) -> ApiError:
    """Say that something asked for is not allowed."""
    return ApiError(400, message, VALIDATION, **more)


def unknown_type(name: str) -> ApiError:
    """Say that there is no such object type."""
    return ApiError(400, f"Unable to infer object type from: {name}")


def no_such_path() -> ApiError:
    """Say that there is nothing at this path."""
    return ApiError(404, "resource not found", NOT_FOUND)


def not_found() -> ApiError:
    """Say that there is no such record."""
    return ApiError(404, "resource not found", NOT_FOUND)


def some_not_found(kind: str, ids: Sequence[str]) -> ApiError:
    """Say which records of a batch do not exist."""
    text = (
        f"Could not get some {kind} objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    return ApiError(400, text, NOT_FOUND, context={"ids": list(ids)})


def duplicate_ids(ids: Sequence[str]) -> ApiError:
    """Say that a batch names one record twice."""
    text = f"Duplicate IDs found in batch input: [{', '.join(ids)}]. IDs must be unique"
    return invalid(text, context={"ids": list(ids)})


def too_many_inputs(limit: int, given: int) -> ApiError:
    """Say that a batch is too large. The text is not confirmed."""
    return invalid(f"The maximum number of inputs in a batch request is {limit}, {given} were sent")


def not_unique(object_type_id: str, name: str) -> ApiError:
    """Say that records cannot be found by this property."""
    return invalid(
        f"Unable to perform update/upsert by non-unique {object_type_id} property {name}"
    )


# --- values -------------------------------------------------------------------------------------


def invalid_values(failures: Sequence[Mapping[str, str]], portal_id: int) -> ApiError:
    """Say which values are wrong: `failures` hold `name`, `code` and `message`."""
    hidden = [
        {
            "isValid": False,
            "message": failure["message"],
            "error": failure["code"],
            "name": failure["name"],
            "localizedErrorMessage": failure["message"],
            "portalId": portal_id,
        }
        for failure in failures
    ]
    details = [
        {
            "message": failure["message"],
            "code": failure["code"],
            "context": {"propertyName": [failure["name"]]},
        }
        for failure in failures
    ]
    text = f"Property values were not valid: {orjson.dumps(hidden).decode()}"
    return invalid(text, errors=details)


def contact_exists(record_id: str) -> ApiError:
    """Say that the address belongs to another contact."""
    return ApiError(409, f"Contact already exists. Existing ID: {record_id}", CONFLICT)


# --- who may call -------------------------------------------------------------------------------


def unauthenticated() -> ApiError:
    """Say that there is no token, or none that is known."""
    text = (
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
        "can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
    )
    return ApiError(401, text, "INVALID_AUTHENTICATION")


def expired(seconds_ago: int, expire_time: str) -> ApiError:
    """Say that an OAuth token has expired. A token that never was one "expired" in 1970."""
    text = f"The OAuth token used to make this call expired {seconds_ago} second(s) ago."
    return ApiError(401, text, "EXPIRED_AUTHENTICATION", context={"expire time": [expire_time]})


def missing_scopes(scopes: Sequence[str]) -> ApiError:
    """Say which scopes the app would need."""
    link = "https://developers.hubspot.com/scopes"
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredScopes": list(scopes)},
    }
    text = (
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {link}."
    )
    return ApiError(403, text, "MISSING_SCOPES", errors=[detail], links={"scopes": link})
