"""What Zoho's codes mean, as tables: for a whole call, for one record of it, and for a person.

Codes: the vendor's OpenAPI description (v8.0) and zoho.com/crm/developer/docs/api/v8, "Status
codes", read 2026-11. A code that is missing here is taken for "perhaps written", and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from crmsync.model import Outcome

DONE = "SUCCESS"
TAKEN = "DUPLICATE_DATA"
NO_SCOPE = "OAUTH_SCOPE_MISMATCH"
NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
GONE = {"ID_ALREADY_CONVERTED", "CONVERTED_RECORD", "NOT_FOUND", "NO_RECORDS_FOUND"}
"""Codes of a record that takes no write any more; so does a refusal of its id."""


class Meaning(Enum):
    """Whom the refusal of a whole call concerns, and whether anything may have been written."""

    DATA = auto()
    """Some record or parameter of it; nothing was written."""
    LATER = auto()
    """Surely not applied; may pass later."""
    AMBIGUOUS = auto()
    """Perhaps applied."""
    TOKEN = auto()
    SCOPE = auto()
    PERMISSION = auto()
    EDITION = auto()
    STORAGE = auto()
    ADDRESS = auto()


_DATA = (Meaning.DATA, Outcome.REJECTED)
_LATER = (Meaning.LATER, Outcome.RETRY)
_AMBIGUOUS = (Meaning.AMBIGUOUS, Outcome.UNKNOWN)

# code -> what it means for a whole call, and for one record
CODES: Mapping[str, tuple[Meaning, Outcome]] = {
    "INVALID_DATA": _DATA,
    "PATTERN_NOT_MATCHED": _DATA,
    "MANDATORY_NOT_FOUND": _DATA,
    TAKEN: _DATA,
    "MULTIPLE_OR_MULTI_ERRORS": _DATA,
    "AMBIGUITY_DURING_PROCESSING": _DATA,
    "DEPENDENT_FIELD_MISSING": _DATA,
    "DEPENDENT_MISMATCH": _DATA,
    "MAPPING_MISMATCH": _DATA,
    "DATA_MISMATCH": _DATA,
    "EXPECTED_FIELD_MISSING": _DATA,
    "ID_ALREADY_CONVERTED": _DATA,
    "CONVERTED_RECORD": _DATA,
    "RECORD_IN_BLUEPRINT": _DATA,
    "NOT_APPROVED": _DATA,
    "CANNOT_PERFORM_ACTION": _DATA,
    "CANNOT_PROCESS": _DATA,
    "CANNOT_DELETE": _DATA,
    "NOT_ALLOWED": _DATA,
    "ALREADY_USED": _DATA,
    "ALREADY_SCHEDULED": _DATA,
    "LIMIT_EXCEEDED": _DATA,
    "LIMIT_REACHED": _DATA,
    "FILE_SIZE_MORE_THAN_ALLOWED_SIZE": _DATA,
    "NOT_FOUND": _DATA,
    "NO_CONTENT": _DATA,
    "NO_RECORDS_FOUND": _DATA,
    "INVALID_MODULE": _DATA,
    "INVALID_QUERY": _DATA,
    "INVALID_ALIAS": _DATA,
    "SYNTAX_ERROR": _DATA,
    NOT_SUBSCRIBED: _DATA,
    "FILTER_CRITERIA_NOT_SATISFIED": _DATA,
    "REQUIRED_PARAM_MISSING": _DATA,
    "EXPIRED_VALUE": _DATA,
    "TOKEN_BOUND_DATA_MISMATCH": _DATA,
    "PAGINATION_LIMIT_EXCEEDED": _DATA,
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": _DATA,
    "RECORD_LOCKED": _LATER,
    "ALREADY_MODIFIED": _LATER,
    "TOO_MANY_REQUESTS": _LATER,
    "INTERNAL_ERROR": _AMBIGUOUS,
    "INTERNAL_SERVER_ERROR": _AMBIGUOUS,
    "DEPENDENT_SERVICE_ERROR": _AMBIGUOUS,
    "INVALID_TOKEN": (Meaning.TOKEN, Outcome.RETRY),
    "INVALID_OAUTHTOKEN": (Meaning.TOKEN, Outcome.RETRY),
    "AUTHENTICATION_FAILURE": (Meaning.TOKEN, Outcome.RETRY),
    NO_SCOPE: (Meaning.SCOPE, Outcome.RETRY),
    "NO_PERMISSION": (Meaning.PERMISSION, Outcome.REJECTED),
    "AUTHORIZATION_FAILED": (Meaning.PERMISSION, Outcome.REJECTED),
    "FEATURE_NOT_SUPPORTED": (Meaning.EDITION, Outcome.REJECTED),
    "NOT_SUPPORTED": (Meaning.EDITION, Outcome.REJECTED),
    "TERRITORY_NOT_ENABLED": (Meaning.EDITION, Outcome.REJECTED),
    "STORAGE_SPACE_EXCEEDED": (Meaning.STORAGE, Outcome.REJECTED),
    "INVALID_URL_PATTERN": (Meaning.ADDRESS, Outcome.REJECTED),
    "INVALID_REQUEST_METHOD": (Meaning.ADDRESS, Outcome.REJECTED),
}
# status of a call whose body has no code of these
STATUSES: Mapping[int, Meaning] = {
    401: Meaning.TOKEN,
    403: Meaning.PERMISSION,
    404: Meaning.ADDRESS,
    405: Meaning.ADDRESS,
    408: Meaning.AMBIGUOUS,
    412: Meaning.LATER,
    413: Meaning.DATA,
    414: Meaning.DATA,
}
# meaning -> cause, message, what a person does; {needs} are the scopes that the call needs
HALTS: Mapping[Meaning, tuple[str, str, str]] = {
    Meaning.TOKEN: (
        "reauth_required",
        "Zoho does not accept the token",
        "check `base_url` too, since a token is good in its own data centre alone",
    ),
    Meaning.SCOPE: (
        "missing_scope",
        "Zoho refuses for want of a scope",
        "The call needs {needs}: add what is missing to the app, then reconnect.",
    ),
    Meaning.PERMISSION: (
        "refused",
        "Zoho refuses for want of a permission",
        "Give the connecting user's profile in Zoho API access, and access to what is mapped.",
    ),
    Meaning.EDITION: (
        "refused",
        "Zoho's edition of this account lacks what the call needs",
        "Choose another edition, or take what needs it out of the mapping.",
    ),
    Meaning.STORAGE: (
        "quota_exhausted",
        "Zoho has no room left for records",
        "Make room in Zoho, or buy storage (Setup > Data Administration > Storage).",
    ),
    Meaning.ADDRESS: (
        "refused",
        "Zoho has no API at this address",
        "Check `base_url`: it is the data centre's, such as https://www.zohoapis.eu.",
    ),
}
# code -> what a person does about it; {field} is the field at fault
HINTS: Mapping[str, str] = {
    "MANDATORY_NOT_FOUND": "Zoho demands '{field}' of every record: map a trait to it that is"
    " never empty, or give it a `default:`.",
    TAKEN: "Another record already holds this unique value of '{field}': adopt it by a"
    " match key, or merge the two in Zoho.",
    "AMBIGUITY_DURING_PROCESSING": "Several records have this value of '{field}': merge them in"
    " Zoho.",
    "DEPENDENT_FIELD_MISSING": "'{field}' depends on another field: map that one too.",
    "MAPPING_MISMATCH": "'{field}' does not go with the value of the field that it depends on,"
    " such as a stage with its pipeline.",
    "DEPENDENT_MISMATCH": "'{field}' does not go with the value of the field that it depends on.",
    "ID_ALREADY_CONVERTED": "The lead was converted in Zoho: sync contacts instead.",
    "CONVERTED_RECORD": "The lead was converted in Zoho: sync contacts instead.",
    "RECORD_LOCKED": "Nothing: it is sent again. Somebody, or a rule, has locked it in Zoho.",
    "RECORD_IN_BLUEPRINT": "A blueprint moves this record in Zoho: leave '{field}' out of the"
    " mapping, or replay when it has left the blueprint.",
    "NOT_APPROVED": "The record waits for an approval in Zoho: replay when it has it.",
    "NO_PERMISSION": "The connecting user may not change this record: give its profile or role"
    " the right in Zoho, then replay.",
    "AUTHORIZATION_FAILED": "The connecting user may not change this record: give its profile or"
    " role the right in Zoho, then replay.",
}
CALL_CODES = {"INVALID_MODULE", "REQUIRED_PARAM_MISSING", "EXPECTED_FIELD_MISSING"}
CALL_MEMBERS: Mapping[str, str] = {
    "duplicate_check_fields": 'The match field is no longer unique in Zoho: tick "Do not allow'
    ' duplicate values" in its properties, then replay.',
    "trigger": "Please report this.",
}
"""Members of the body beside the records -> what a person does where Zoho refuses one."""
RECORD_HINT = "Correct the value, or the line of the mapping that makes it, then replay."
GONE_HINT = "The record was deleted or merged in Zoho."
