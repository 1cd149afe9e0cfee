"""Every error code that the notes on the CRMs' APIs name has the outcome that they say.

The notes are not part of this repository; where they are not there, the outcomes are checked alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.hubspot import codes as hubspot_codes
from crmsync.connectors.hubspot import errors as hubspot
from crmsync.connectors.pipedrive import errors as pipedrive
from crmsync.connectors.pipedrive.limits import Refusals
from crmsync.connectors.salesforce import errors as salesforce
from crmsync.connectors.zoho import errors as zoho
from crmsync.errors import (
    BatchRejected,
    ConfigError,
    ConnectionHalted,
    CrmsyncError,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
)
from crmsync.model import Outcome
from tests.openapi.tally import OPENAPI

REFUSED, LATER, LIMITED = BatchRejected, RetryLater, RateLimited
LOST, HALT, CONFIG = OutcomeUnknown, ConnectionHalted, ConfigError
REJECTED, RETRY, UNKNOWN = Outcome.REJECTED, Outcome.RETRY, Outcome.UNKNOWN
Fates = Mapping[tuple[type[CrmsyncError], Outcome | None], str]
"""What the refusal of a write means, of the whole call and of one record: the codes, by blanks."""

SALESFORCE: Fates = {
    (HALT, RETRY): "INVALID_SESSION_ID INVALID_AUTH_HEADER STORAGE_LIMIT_EXCEEDED"
    " UNSUPPORTED_API_VERSION METHOD_NOT_ALLOWED",
    (HALT, REJECTED): "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED TXN_SECURITY_NO_ACCESS"
    " INSUFFICIENT_ACCESS",
    (LATER, RETRY): "TXN_SECURITY_METERING_ERROR UNABLE_TO_LOCK_ROW PROCESSING_HALTED"
    " ALL_OR_NONE_OPERATION_ROLLED_BACK INVALID_QUERY_LOCATOR",
    (LIMITED, RETRY): "REQUEST_LIMIT_EXCEEDED",
    (LOST, UNKNOWN): "SERVER_UNAVAILABLE UNKNOWN_EXCEPTION REQUEST_RUNNING_TOO_LONG",
    (CONFIG, REJECTED): "INVALID_TYPE",
    (REFUSED, REJECTED): "QUERY_TIMEOUT EXCEEDED_ID_LIMIT CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    " CANNOT_EXECUTE_FLOW_TRIGGER DUPLICATES_DETECTED DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID"
    " ENTITY_IS_DELETED NOT_FOUND REQUIRED_FIELD_MISSING FIELD_CUSTOM_VALIDATION_EXCEPTION"
    " FIELD_INTEGRITY_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION STRING_TOO_LONG"
    " NUMBER_OUTSIDE_VALID_RANGE INVALID_EMAIL_ADDRESS INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    " INVALID_TYPE_ON_FIELD_IN_RECORD INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE MALFORMED_QUERY"
    " JSON_PARSER_ERROR MALFORMED_ID INVALID_CROSS_REFERENCE_KEY INACTIVE_OWNER_OR_USER"
    " INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY INSUFFICIENT_ACCESS_OR_READONLY",
}
ZOHO: Fates = {
    (HALT, RETRY): "INVALID_TOKEN AUTHENTICATION_FAILURE OAUTH_SCOPE_MISMATCH",
    (HALT, REJECTED): "AUTHORIZATION_FAILED NO_PERMISSION INVALID_URL_PATTERN"
    " INVALID_REQUEST_METHOD FEATURE_NOT_SUPPORTED NOT_SUPPORTED TERRITORY_NOT_ENABLED"
    " STORAGE_SPACE_EXCEEDED",
    (LIMITED, RETRY): "TOO_MANY_REQUESTS",
    (LATER, RETRY): "RECORD_LOCKED ALREADY_MODIFIED",
    (LOST, UNKNOWN): "INTERNAL_ERROR INTERNAL_SERVER_ERROR DEPENDENT_SERVICE_ERROR",
    (REFUSED, REJECTED): "INVALID_MODULE REQUIRED_PARAM_MISSING EXPECTED_FIELD_MISSING"
    " LIMIT_EXCEEDED LIMIT_REACHED MANDATORY_NOT_FOUND INVALID_DATA PATTERN_NOT_MATCHED"
    " DUPLICATE_DATA DEPENDENT_FIELD_MISSING DEPENDENT_MISMATCH MAPPING_MISMATCH DATA_MISMATCH"
    " RECORD_IN_BLUEPRINT NOT_APPROVED CANNOT_PERFORM_ACTION NOT_ALLOWED ID_ALREADY_CONVERTED"
    " CONVERTED_RECORD MULTIPLE_OR_MULTI_ERRORS AMBIGUITY_DURING_PROCESSING",
}
HUBSPOT: Fates = {
    (REFUSED, REJECTED): "400/VALIDATION_ERROR 404/OBJECT_NOT_FOUND 409/CONFLICT",
    (HALT, RETRY): "401/INVALID_AUTHENTICATION 401/EXPIRED_AUTHENTICATION 403/MISSING_SCOPES"
    " 403/BANNED",
    (LIMITED, RETRY): "429/RATE_LIMIT",
    (REFUSED, None): "414/",
    (LATER, None): "423/ 477/",
    (LOST, None): "500/ 502/ 503/ 504/ 521/ 522/ 523/ 524/",
}
PIPEDRIVE: Fates = {
    (REFUSED, None): "400 403/feature_capping_deals_limit 404 405 410 415 422",
    (HALT, None): "401 402",
    (LIMITED, None): "429",
    (LOST, None): "500 502 503 504",
}


@dataclass(frozen=True)
class Case:
    """One code of one CRM, alone at its status."""

    crm: str
    code: str
    error: type[CrmsyncError]
    of_record: Outcome | None

    def __str__(self) -> str:  # noqa: D105 - the name of a test
        return f"{self.crm} {self.code}"

    @property
    def parts(self) -> tuple[int, str]:
        """Status and code."""
        status, _, code = self.code.rpartition("/") if "/" in self.code else ("", "", self.code)
        if code.isdecimal():
            return int(code), ""
        return int(status or 400), code


def _refuse_pipedrive(answer: Answer) -> None:
    pipedrive.refuse(pipedrive.refusal_of(answer, {}), Refusals())


CALLS: Mapping[str, tuple[Callable[[str], Any], Callable[[Answer], object]]] = {
    "hubspot": (lambda code: {"status": "error", "category": code}, hubspot.refuse),
    "salesforce": (lambda code: [{"errorCode": code, "message": ""}], salesforce.refuse),
    "zoho": (
        lambda code: {"code": code, "status": "error", "details": {}},
        lambda answer: zoho.refuse(answer, needs=""),
    ),
    "pipedrive": (lambda code: {"success": False, "error": "", "code": code}, _refuse_pipedrive),
}
RECORDS: Mapping[str, Callable[[str], Outcome]] = {
    "hubspot": lambda code: hubspot.record_result({"category": code}).outcome,
    "salesforce": lambda code: salesforce.complaint_of([{"statusCode": code}]).result().outcome,
    "zoho": lambda code: zoho.record_result({"code": code, "status": "error"}, {}).outcome,
}
TABLES = {"hubspot": HUBSPOT, "salesforce": SALESFORCE, "zoho": ZOHO, "pipedrive": PIPEDRIVE}
CASES = [
    Case(crm, code, error, of_record)
    for crm, table in TABLES.items()
    for (error, of_record), codes in table.items()
    for code in codes.split()
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_write_refused_so_has_the_outcome_of_the_notes(case):
    """Surely not applied, and whom it concerns; or perhaps applied."""
    status, code = case.parts
    body, refuse = CALLS[case.crm]
    answer = Answer(status, {}, orjson.dumps(body(code)), Effect.WRITE, "POST x")
    with pytest.raises(CrmsyncError) as caught:
        refuse(answer)
    assert type(caught.value) is case.error


@pytest.mark.parametrize("case", [case for case in CASES if case.of_record], ids=str)
def test_a_record_refused_so_has_the_outcome_of_the_notes(case):
    """The same, where one record of a call is refused."""
    assert RECORDS[case.crm](case.parts[1]) is case.of_record


CODE = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b|\b(?:CONFLICT|BANNED)\b")
SECTION = re.compile(r"^## \d+\. Errors\n(.*?)(?=^## |^---|\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture
def section():
    """What the notes on a CRM say of its errors, by the name of the CRM."""
    if not OPENAPI.is_dir():
        pytest.skip("the notes on the CRMs are not there (../shared/crm-apis)")

    def read(crm: str) -> str:
        found = SECTION.search((OPENAPI.parent / f"{crm}.md").read_text())
        assert found
        return found[1]

    return read


@pytest.mark.parametrize("crm", ["hubspot", "salesforce", "zoho"])
def test_no_code_of_the_notes_is_left_out(crm, section):
    """Each that stands in a row of their table is a case here, and none is made up."""
    rows = [line for line in section(crm).splitlines() if line.startswith("|")]
    named = {code for row in rows for code in CODE.findall(row)}
    cases = {case.parts[1] for case in CASES if case.crm == crm}
    assert named == cases - {""}


@pytest.mark.parametrize("crm", ["hubspot", "pipedrive"])
def test_no_status_of_the_notes_is_left_out(crm, section):
    """A range such as 521-524 is each of its statuses; 207 is no refusal of a call."""
    cells = [line.split("|")[1] for line in section(crm).splitlines() if line.startswith("|")]
    named = {int(one) for cell in cells for one in re.findall(r"\d{3}", cell)}
    if crm == "hubspot":
        text = section(crm)
        named |= set(range(521, 525)) if "521-524" in text else set()
        named |= {int(one) for one in re.findall(r"\b50[0-9]\b", text)}
    assert named - {207} <= {case.parts[0] for case in CASES if case.crm == crm}


def test_every_code_of_a_property_has_a_hint(section):
    """HubSpot's own list of what can be wrong with a value."""
    [listed] = re.findall(r"Codes seen: `([^`]+)`", section("hubspot"))
    assert set(listed.split(", ")) <= set(hubspot_codes.HINTS)
