"""Salesforce's error codes as data: whom each concerns, and what a person does about it.

Sources: the REST API and SOAP API developer guides ("Status codes and error responses",
"StatusCode"), API 59.0, and error bodies recorded by public integrations, read 2026-10.
A code that is not here is logged, and what it refused counts as perhaps applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from crmsync.connectors.waits import MAX_WAIT_SECONDS

MOVED = "URL_NOT_RESET"
"""What an org answers at an address that it has left: its new one comes with the next token."""
TIMED_OUT = "QUERY_TIMEOUT"


class Meaning(Enum):
    """Whom a refusal concerns, and whether anything may have been written."""

    RECORD = auto()
    """This record will not pass unchanged; where a whole call is refused so, one of its records."""
    RETRY = auto()
    """Surely not applied; may pass later."""
    SMALLER = auto()
    """Surely not applied; may pass among fewer records."""
    AMBIGUOUS = auto()
    """Perhaps applied."""
    TOKEN = auto()
    """The access token is no good."""
    PERMISSION = auto()
    """The user may not do this."""
    FULL = auto()
    """The org has no room left."""
    CONNECTION = auto()
    """Nothing that this connection sends will pass."""
    OBJECT = auto()
    """The org has no such object."""


CODES: Mapping[str, Meaning] = MappingProxyType(
    {
        # --- the data of one record
        "REQUIRED_FIELD_MISSING": Meaning.RECORD,
        "MISSING_ARGUMENT": Meaning.RECORD,
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": Meaning.RECORD,
        "FIELD_INTEGRITY_EXCEPTION": Meaning.RECORD,
        "FIELD_FILTER_VALIDATION_EXCEPTION": Meaning.RECORD,
        "STRING_TOO_LONG": Meaning.RECORD,
        "NUMBER_OUTSIDE_VALID_RANGE": Meaning.RECORD,
        "INVALID_EMAIL_ADDRESS": Meaning.RECORD,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Meaning.RECORD,
        "INVALID_TYPE_ON_FIELD_IN_RECORD": Meaning.RECORD,
        "INVALID_FIELD": Meaning.RECORD,
        "INVALID_FIELD_FOR_INSERT_UPDATE": Meaning.RECORD,
        "JSON_PARSER_ERROR": Meaning.RECORD,
        "MALFORMED_ID": Meaning.RECORD,
        "MALFORMED_QUERY": Meaning.RECORD,
        "INVALID_QUERY_FILTER_OPERATOR": Meaning.RECORD,
        "INVALID_CROSS_REFERENCE_KEY": Meaning.RECORD,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Meaning.RECORD,
        "INACTIVE_OWNER_OR_USER": Meaning.RECORD,
        "CANNOT_UPDATE_CONVERTED_LEAD": Meaning.RECORD,
        "DUPLICATES_DETECTED": Meaning.RECORD,
        "DUPLICATE_VALUE": Meaning.RECORD,
        "DUPLICATE_EXTERNAL_ID": Meaning.RECORD,
        "MULTIPLE_CHOICES": Meaning.RECORD,  # ours, for status 300
        "ENTITY_IS_DELETED": Meaning.RECORD,
        "NOT_FOUND": Meaning.RECORD,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Meaning.RECORD,
        "CANNOT_EXECUTE_FLOW_TRIGGER": Meaning.RECORD,
        "INSUFFICIENT_ACCESS_OR_READONLY": Meaning.RECORD,
        # --- innocent, or too early
        "UNABLE_TO_LOCK_ROW": Meaning.RETRY,
        "ALL_OR_NONE_OPERATION_ROLLED_BACK": Meaning.RETRY,
        "PROCESSING_HALTED": Meaning.RETRY,
        "BATCH_PROCESSING_HALTED": Meaning.RETRY,
        "REQUEST_LIMIT_EXCEEDED": Meaning.RETRY,
        "TXN_SECURITY_METERING_ERROR": Meaning.RETRY,
        "INVALID_QUERY_LOCATOR": Meaning.RETRY,  # the query begins anew
        # --- too much at once
        "EXCEEDED_ID_LIMIT": Meaning.SMALLER,
        "LIMIT_EXCEEDED": Meaning.SMALLER,
        TIMED_OUT: Meaning.SMALLER,
        # --- nobody knows
        "UNKNOWN_EXCEPTION": Meaning.AMBIGUOUS,
        "SERVER_UNAVAILABLE": Meaning.AMBIGUOUS,
        "REQUEST_RUNNING_TOO_LONG": Meaning.AMBIGUOUS,
        # --- the connection
        "INVALID_SESSION_ID": Meaning.TOKEN,
        "InvalidSessionId": Meaning.TOKEN,
        MOVED: Meaning.TOKEN,
        "API_DISABLED_FOR_ORG": Meaning.PERMISSION,
        "API_CURRENTLY_DISABLED": Meaning.PERMISSION,
        "INSUFFICIENT_ACCESS": Meaning.PERMISSION,
        "TXN_SECURITY_NO_ACCESS": Meaning.PERMISSION,
        "STORAGE_LIMIT_EXCEEDED": Meaning.FULL,
        "INVALID_AUTH_HEADER": Meaning.CONNECTION,
        "UNSUPPORTED_API_VERSION": Meaning.CONNECTION,
        "METHOD_NOT_ALLOWED": Meaning.CONNECTION,
        "INVALID_TYPE": Meaning.OBJECT,
        "INVALID_TYPE_FOR_OPERATION": Meaning.OBJECT,
    }
)
STATUSES: Mapping[int, Meaning] = MappingProxyType(
    {
        401: Meaning.TOKEN,
        403: Meaning.AMBIGUOUS,  # Salesforce's own names a code: this is a proxy's
        404: Meaning.CONNECTION,
        405: Meaning.CONNECTION,
        410: Meaning.CONNECTION,
        413: Meaning.SMALLER,
        414: Meaning.SMALLER,
        431: Meaning.SMALLER,
    }
)
"""What a status means whose body names no code, or none that is known."""
# What a trigger or a flow ran into: the code is the trigger's, the reason stands in the words.
WRAPPING = frozenset(
    {
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "CANNOT_EXECUTE_FLOW_TRIGGER",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    }
)
WRAPPED: Mapping[str, Meaning] = MappingProxyType(
    {
        "UNABLE_TO_LOCK_ROW": Meaning.RETRY,
        "Too many SOQL queries": Meaning.SMALLER,
        "Apex CPU time limit exceeded": Meaning.SMALLER,
    }
)
GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
"""What the update of a record that is not there is refused with: in the recycle bin, or beyond.
What it refers to may be meant as well: only a read tells."""
CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"
UNSUITABLE = "not valid for use with"
"""Of an INVALID_SESSION_ID that no other token of this user cures."""
# text of a REQUEST_LIMIT_EXCEEDED -> seconds; Salesforce itself never says how long
LIMITS: Mapping[str, float] = MappingProxyType(
    {"TotalRequests": MAX_WAIT_SECONDS, "Concurrent": 5.0}
)
WAIT_SECONDS = 5.0
"""Where neither a header nor the text says how long."""

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "REQUIRED_FIELD_MISSING": "This org requires '{field}': map it, or give it a default.",
        "STRING_TOO_LONG": "'{field}' takes no text of this length: shorten it with a transform, or"
        " lengthen the field in Salesforce.",
        "INVALID_EMAIL_ADDRESS": "Salesforce takes no such address in '{field}': correct it at its"
        " source.",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "'{field}' takes only its own active values, by"
        " API name: add the value in Salesforce, or translate it with `map:`.",
        "INVALID_FIELD": "There is no field '{field}', or the user crmsync connects as may not see"
        " it: create it, grant it by field-level security, or remove the line from the mapping"
        " (`crmsync fields` lists what there is).",
        "INVALID_FIELD_FOR_INSERT_UPDATE": "'{field}' is read-only for the user crmsync connects"
        " as: grant it by field-level security, or remove the line from the mapping.",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the org refuses the record: its"
        " own words say why.",
        "DUPLICATES_DETECTED": "A duplicate rule of the org holds this for a record that exists:"
        " add a match key by which that one is found, or merge the two in Salesforce.",
        "DUPLICATE_VALUE": "Another record already holds this unique value: adopt it by a match"
        " key, or merge the two in Salesforce.",
        "DUPLICATE_EXTERNAL_ID": "Several records have this match key: merge them in Salesforce,"
        " and make its field unique.",
        "MULTIPLE_CHOICES": "Several records have this match key: merge them in Salesforce, and"
        " make its field unique.",
        "ENTITY_IS_DELETED": "The record was deleted or merged in Salesforce.",
        "NOT_FOUND": "The record, or the field it was looked up by, is not there or not visible to"
        " the user crmsync connects as.",
        "MALFORMED_ID": "'{field}' takes the id of a record of another kind.",
        "INVALID_CROSS_REFERENCE_KEY": "'{field}' names a record that does not exist, or that the"
        " user crmsync connects as may not see.",
        "INACTIVE_OWNER_OR_USER": "The owner is not active in Salesforce: map another one.",
        "CANNOT_UPDATE_CONVERTED_LEAD": "The lead was converted and cannot be changed any more: map"
        " contacts, or leave converted leads out with `only:`.",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger of the org fails on this record: show"
        " its own words to whoever looks after Salesforce.",
        "CANNOT_EXECUTE_FLOW_TRIGGER": "A flow of the org fails on this record: show its own words"
        " to whoever looks after Salesforce.",
        "INSUFFICIENT_ACCESS_OR_READONLY": "The user crmsync connects as may not change this"
        " record: grant access by profile, permission set or sharing rule.",
        "UNABLE_TO_LOCK_ROW": "Nothing: somebody else was writing to it or to its account; it is"
        " sent again.",
    }
)
RECORD_HINT = "Correct the value, or the line of the mapping that makes it, then replay."
PERMISSION_HINT = (
    "Give the user crmsync connects as 'API Enabled' and the rights to the objects in use, by"
    " profile or permission set; the org's edition must include the API."
)
