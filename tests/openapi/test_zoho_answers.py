"""The check against Zoho's descriptions can fail, and its exceptions have reasons.

That the simulated Zoho answers as described is seen to in all its unit tests (tests/sandboxes.py).
"""

from __future__ import annotations

import pytest

from tests.openapi.tally import OPENAPI, available
from tests.openapi.zoho_exchanges import EXCEPTIONS, validate_exchange

pytestmark = pytest.mark.skipif(
    not available(), reason=f"the OpenAPI data of the CRMs is not at {OPENAPI}"
)

GOOD = {
    "code": "SUCCESS",
    "details": {"id": "554023000000100001"},
    "message": "record added",
    "status": "success",
    "action": "insert",
    "duplicate_field": None,
}
REFUSED = {
    "code": "MANDATORY_NOT_FOUND",
    "details": {"api_name": "Last_Name", "json_path": "$.data[0].Last_Name"},
    "message": "required field not found",
    "status": "error",
}


def upserted(answer, status=200, path="/crm/v8/Contacts/upsert"):
    """A ledger entry of an upsert."""
    return {
        "method": "POST",
        "path": path,
        "query": {},
        "headers": {"content-type": "application/json", "authorization": "x"},
        "body": {"data": [{"Last_Name": "Li"}]},
        "status": status,
        "answer": answer,
        "answer_type": "application/json",
        "fault": None,
    }


@pytest.mark.parametrize(
    ("answer", "status", "wrong"),
    [
        ({"data": [GOOD, REFUSED]}, 207, None),
        ({"data": [REFUSED]}, 400, None),
        (REFUSED, 400, None),
        (None, 204, None),
        ({"data": [{**GOOD, "action": "made"}]}, 200, "data.0.action: 'made' is not one of"),
        ({"data": [REFUSED, {**GOOD, "details": {"id": 5}}]}, 207, "data.1.details.id: 5 is not"),
        ({**REFUSED, "details": []}, 400, "details: [] is not of type 'object'"),
        ({}, 204, "a 204 has no body"),
        ("oops", 200, "the body is not a JSON object"),
    ],
)
def test_answers_are_held_against_their_alternative(answer, status, wrong):
    """A record's entry by its status, a refused call as a whole."""
    problems = validate_exchange(upserted(answer, status))
    if wrong is None:
        assert problems == []
    else:
        (line,) = problems
        assert line.startswith(f"POST /crm/v8/Contacts/upsert {status}: answer: {wrong}")


def test_paths_that_are_not_described_are_a_problem():
    """Whoever calls them should know."""
    assert validate_exchange(upserted({"data": [GOOD]}, 200, "/crm/v8/a/b/c/d"))


def test_every_exception_has_a_reason():
    """The table explains itself."""
    assert all(exception.reason for exception in EXCEPTIONS)
