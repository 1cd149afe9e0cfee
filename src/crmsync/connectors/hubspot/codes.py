"""What HubSpot's statuses, categories and codes mean, as tables: for us, and for a person.

developers.hubspot.com/docs, "Error handling" and "CRM API | Object APIs", read 2026-10; 477
likewise. A category that is missing here is taken for "perhaps written", and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from crmsync.connectors.waits import MAX_WAIT_SECONDS


class Meaning(Enum):
    """Whom a refusal concerns, and whether anything may have been written."""

    RECORD = auto()
    """This record will not pass unchanged."""
    RETRY = auto()
    """Surely not applied; may pass later."""
    AMBIGUOUS = auto()
    """Perhaps applied."""
    CONNECTION = auto()
    """Credentials, permission or quota."""


# status of a whole call -> what it means, seconds to wait when it may pass later
STATUSES: Mapping[int, tuple[Meaning, float]] = {
    400: (Meaning.RECORD, 0),
    401: (Meaning.CONNECTION, 0),
    403: (Meaning.CONNECTION, 0),
    404: (Meaning.RECORD, 0),
    408: (Meaning.AMBIGUOUS, 0),
    409: (Meaning.RECORD, 0),
    413: (Meaning.RECORD, 0),
    414: (Meaning.RECORD, 0),
    423: (Meaning.RETRY, 2),  # a lock on records of this type: "wait at least 2 seconds"
    429: (Meaning.RETRY, 10),
    477: (Meaning.RETRY, 3_600),  # the account moves between data centres, up to a day
}
TOLD_BY_STATUS = {404, 413, 414}
"""Statuses that say what is meant, whoever answers."""
ENVELOPE = {"category", "correlationId", "errorType", "errors", "message"}
# 429's policyName -> seconds. Searches are answered without one: the search pool is per second.
POLICIES: Mapping[str, float] = {
    "TEN_SECONDLY_ROLLING": 10,
    "SECONDLY": 1,
    "DAILY": MAX_WAIT_SECONDS,  # frees at midnight of the account's own time zone
}
# category -> what the refusal of one record means; one that is not here, that it may be written
CATEGORIES: Mapping[str, Meaning] = {
    "": Meaning.RECORD,  # of which the entry's other parts say what it is
    "VALIDATION_ERROR": Meaning.RECORD,
    "CONFLICT": Meaning.RECORD,
    "OBJECT_NOT_FOUND": Meaning.RECORD,
    "OBJECT_ALREADY_EXISTS": Meaning.RECORD,  # of a property
    "RATE_LIMIT": Meaning.RETRY,
    "RATE_LIMITS": Meaning.RETRY,
    "MISSING_SCOPES": Meaning.RETRY,
    "BANNED": Meaning.RETRY,
    "INVALID_AUTHENTICATION": Meaning.RETRY,
    "EXPIRED_AUTHENTICATION": Meaning.RETRY,
    "INTERNAL_ERROR": Meaning.AMBIGUOUS,
    "SERVICE_UNAVAILABLE": Meaning.AMBIGUOUS,
    "UNKNOWN": Meaning.AMBIGUOUS,
}
NOT_FOUND = "OBJECT_NOT_FOUND"
"""There is no record with this id: never was, archived, or merged into another."""
# code -> what a person does about it; {field} is the property at fault
HINTS: Mapping[str, str] = {
    "PROPERTY_DOESNT_EXIST": "This account has no property '{field}': create it in HubSpot, or"
    " remove the line from the mapping (`crmsync fields` lists what there is).",
    "INVALID_OPTION": "'{field}' takes only its own options, by internal name and exact case: add"
    " the option in HubSpot, or translate the value with `map:`.",
    "INVALID_EMAIL": "HubSpot takes no such address in '{field}': correct it at its source.",
    "INVALID_INTEGER": "'{field}' takes a number: correct the value or add a transform.",
    "INVALID_LONG": "'{field}' takes a whole number: correct the value or add a transform.",
    "INVALID_DATE": "'{field}' takes a date (YYYY-MM-DD): add the `date` transform.",
    "READ_ONLY_VALUE": "HubSpot computes '{field}' itself: remove the line from the mapping.",
    "CONFLICT": "Another record already holds this unique value: adopt it by a match key, or merge"
    " the two in HubSpot.",
    NOT_FOUND: "The record was deleted or merged in HubSpot.",
    "DUPLICATE_IDS": "Two profiles name the same record: merge them, or correct the match key.",
    "MISSING_SCOPES": "Give the app the scopes it lacks, then reconnect: {scopes}.",
}
RECORD_HINT = "Correct the value, or the line of the mapping that makes it, then replay."
TYPE_UNKNOWN = "Unable to infer object type"
