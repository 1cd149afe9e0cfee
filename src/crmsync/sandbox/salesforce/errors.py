"""Salesforce's ways of saying no: one exception, its two shapes, and a constructor for each text.

Texts are those of the REST developer guide and of recorded traffic; where neither has one, the
constructor says "not confirmed".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_STATUSES = {
    "INVALID_SESSION_ID": 401,
    "INVALID_AUTH_HEADER": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_API_VERSION": 410,
}


class Refusal(Exception):
    """A call, or one record of it, is refused."""

    def __init__(
        self, code: str, message: str, fields: Sequence[str] | None = None, **more: object
    ) -> None:
        """Take Salesforce's code and words; `more` are further members of a whole call's error."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = None if fields is None else list(fields)
        self.more = more
        self.status = _STATUSES.get(code, 400)

    def body(self) -> list[dict[str, Any]]:
        """Return the body of a whole refused call."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code, **self.more}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]

    def row(self) -> dict[str, Any]:
        """Return the result of one refused record of a collection, where the key is another."""
        fields = self.fields or []
        error = {"statusCode": self.code, "message": self.message, "fields": fields}
        return {"success": False, "errors": [error]}


class Malformed(Refusal):
    """A record does not fit its object type: a field that is not there, a value of a wrong kind.

    Whether that fails the record or its whole call is not known for certain: `malformed_rows`.
    """

    def __init__(self, code: str, message: str, in_row: Refusal | None = None) -> None:
        """Take the call's error, and that of the record where it is another."""
        super().__init__(code, message)
        self._in_row = in_row

    def row(self) -> dict[str, Any]:
        """Return the result of the record, where that alone is refused."""
        return super().row() if self._in_row is None else self._in_row.row()


# --- the call as a whole ------------------------------------------------------------------------


def dead_session() -> Refusal:
    """Say that the access token is no good, or no longer."""
    return Refusal("INVALID_SESSION_ID", "Session expired or invalid")


def unsuitable_session() -> Refusal:
    """Say that no session of this user will ever do: no refresh cures it."""
    text = "This session is not valid for use with the REST API"
    return Refusal("INVALID_SESSION_ID", text)


def wrong_scheme() -> Refusal:
    """Say that the Authorization header is not a Bearer one."""
    return Refusal("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")


def no_such_resource() -> Refusal:
    """Say that there is nothing at this address."""
    return Refusal("NOT_FOUND", "The requested resource does not exist")


def not_allowed(method: str, allowed: Iterable[str]) -> Refusal:
    """Say that there is something at this address, but not for this method."""
    text = f"HTTP Method '{method}' not allowed. Allowed are {','.join(sorted(allowed))}"
    return Refusal("METHOD_NOT_ALLOWED", text)


def malformed_body(problem: str) -> Refusal:
    """Say that the body cannot be read."""
    return Refusal("JSON_PARSER_ERROR", problem)


def daily_limit() -> Refusal:
    """Say that the org has no calls left today."""
    return Refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def concurrent_limit() -> Refusal:
    """Say that too many long calls are under way."""
    text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    return Refusal("REQUEST_LIMIT_EXCEEDED", text)


def too_many_records(limit: int) -> Refusal:
    """Say that a collection is too large."""
    text = f"record limit reached. cannot submit more than {limit} records into this call"
    return Refusal("EXCEEDED_ID_LIMIT", text)


def no_such_type(name: str) -> Refusal:
    """Say that there is no such object type."""
    text = (
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, "
        "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
        "describe call for the appropriate names."
    )
    return Refusal("INVALID_TYPE", text)


def no_such_key(field: str) -> Refusal:
    """Say that records cannot be found by this field."""
    text = f"Provided external ID field does not exist or is not accessible: {field}"
    return Refusal("NOT_FOUND", text)


# --- one record ---------------------------------------------------------------------------------


def no_such_field(name: str, object_type: str) -> Malformed:
    """Say that the object type has no such field, or none this user may see."""
    return Malformed("INVALID_FIELD", f"No such column '{name}' on sobject of type {object_type}")


def wrong_kind(expected: str, value: object, label: str, name: str) -> Malformed:
    """Say that a value is not of its field's type."""
    token = _token(value)
    shown = "" if token.startswith("START") else f" value {value}"
    text = (
        f"Cannot deserialize instance of {expected} from {token}{shown} or request may be missing "
        "a required field at [line:1, column:1]"
    )
    in_row = f"{label}: value not of required type: {value}"
    refusal = Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", in_row, [name])
    return Malformed("JSON_PARSER_ERROR", text, refusal)


def read_only(name: str) -> Refusal:
    """Say that this user, or nobody, may write the field."""
    text = (
        f"Unable to create/update fields: {name}. Please check the security settings of this "
        "field and verify that it is read/write for your profile or permission set."
    )
    return Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", text, [name])


def missing(names: Sequence[str]) -> Refusal:
    """Say which required fields have no value."""
    text = f"Required fields are missing: [{', '.join(names)}]"
    return Refusal("REQUIRED_FIELD_MISSING", text, names)


def too_long(label: str, name: str, value: str, limit: int) -> Refusal:
    """Say that a text does not fit."""
    text = f"{label}: data value too large: {value} (max length={limit})"
    return Refusal("STRING_TOO_LONG", text, [name])


def wrong_id(label: str, name: str, value: str) -> Refusal:
    """Say that something is no id, or one of another object type."""
    text = f"{label}: id value of incorrect type: {value}"
    return Refusal("MALFORMED_ID", text, [name])


def no_such_reference(name: str) -> Refusal:
    """Say that a field refers to a record that does not exist."""
    return Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [name])


def no_such_parent(value: str, field: str, object_type: str) -> Refusal:
    """Say that no parent has this external id."""
    text = f"Foreign key external ID: {value} not found for field {field} in entity {object_type}"
    return Refusal("INVALID_FIELD", text, [])


def deleted() -> Refusal:
    """Say that the record is in the recycle bin, or beyond."""
    return Refusal("ENTITY_IS_DELETED", "entity is deleted", [])


def taken(name: str, record_id: str) -> Refusal:
    """Say who holds a unique value."""
    text = f"duplicate value found: {name} duplicates value on record with id: {record_id}"
    return Refusal("DUPLICATE_VALUE", text, [])


def repeated_key(value: object, name: str) -> Refusal:
    """Say that one call names a key twice."""
    return Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [name])


def several_matches(code: str, name: str) -> Refusal:
    """Say that more than one record has this key. Which code that is, is not confirmed."""
    return Refusal(code, "more than one record found for external id field", [name])


def locked(record_id: str) -> Refusal:
    """Say that another transaction holds a row."""
    text = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
    return Refusal("UNABLE_TO_LOCK_ROW", text, [])


def locked_in_trigger(object_type: str, record_id: str) -> Refusal:
    """Say the same from inside a trigger."""
    text = (
        f"{object_type}Trigger: execution of AfterUpdate\n\ncaused by: System.DmlException: Update "
        "failed. First exception on row 0; first error: UNABLE_TO_LOCK_ROW, unable to obtain "
        f"exclusive access to this record or 1 records: {record_id}: []"
    )
    return Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text, [])


def rolled_back() -> Refusal:
    """Say that a record was fine and shares the fate of others."""
    text = (
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header"
    )
    return Refusal("ALL_OR_NONE_OPERATION_ROLLED_BACK", text, [])


def _token(value: object) -> str:
    if isinstance(value, bool):
        return "VALUE_TRUE" if value else "VALUE_FALSE"
    if isinstance(value, dict):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    if isinstance(value, int):
        return "VALUE_NUMBER_INT"
    return "VALUE_NUMBER_FLOAT" if isinstance(value, float) else "VALUE_STRING"
