"""Codes that no table has: what a write that one refuses counts as, and how they are told."""

from __future__ import annotations

from importlib import import_module

import orjson
import pytest
from structlog.testing import capture_logs

from crmsync.connectors import unknown_codes
from crmsync.connectors.answers import Answer, Effect
from crmsync.connectors.hubspot import errors as hubspot
from crmsync.connectors.pipedrive import errors as pipedrive
from crmsync.connectors.pipedrive.limits import Refusals
from crmsync.connectors.salesforce import errors as salesforce
from crmsync.connectors.unknown_codes import tell_unknown
from crmsync.connectors.zoho import errors as zoho
from crmsync.errors import OutcomeUnknown
from crmsync.model import Outcome

NEW = "SOMETHING_NEW"
CALLS = {
    "hubspot": (
        {"status": "error", "category": NEW, "message": "li@x.io"},
        hubspot.refuse,
    ),
    "salesforce": ([{"errorCode": NEW, "message": "li@x.io"}], salesforce.refuse),
    "zoho": (
        {"code": NEW, "status": "error", "details": {}, "message": "li@x.io"},
        lambda answer: zoho.refuse(answer, needs=""),
    ),
    "pipedrive": (
        {"success": False, "code": NEW, "error": "li@x.io"},
        lambda answer: pipedrive.refuse(pipedrive.refusal_of(answer, {}), Refusals()),
    ),
}
RECORDS = {
    "hubspot": lambda: hubspot.record_result({"category": NEW, "message": "x"}),
    "salesforce": lambda: salesforce.complaint_of([{"statusCode": NEW}]).result(),
    "zoho": lambda: zoho.record_result({"code": NEW, "status": "error"}, {}),
}


@pytest.fixture(autouse=True)
def _nothing_told_yet():
    """Nothing was told before the test."""
    unknown_codes._tell.cache_clear()


@pytest.mark.parametrize("crm", CALLS)
def test_a_write_refused_by_an_unknown_code_is_perhaps_applied(crm):
    """Nobody knows whether it was, so that it is looked at again; one line says where to add it."""
    body, refuse = CALLS[crm]
    answer = Answer(400, {}, orjson.dumps(body), Effect.WRITE, "POST x")
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                refuse(answer)
    [line] = logs
    assert (line["event"], line["crm"], line["code"]) == ("unknown_code", crm, NEW)
    module, _, table = line["add_to"].partition(":")
    assert crm in module
    assert hasattr(import_module(module), table)
    assert "li@x.io" not in str(logs)


@pytest.mark.parametrize("crm", RECORDS)
def test_a_record_refused_by_an_unknown_code_is_perhaps_applied(crm):
    """The same for one record of a call."""
    with capture_logs() as logs:
        outcomes = {RECORDS[crm]().outcome for _ in range(3)}
    assert outcomes == {Outcome.UNKNOWN}
    assert [line["code"] for line in logs] == [NEW]


@pytest.mark.parametrize("code", ["li@x.io", "two words", "x" * 81, "ünïcode", "{'id': -7}"])
def test_what_is_no_code_is_not_logged(code):
    """It might be somebody's data."""
    with capture_logs() as logs:
        tell_unknown("zoho", code, 400, "zoho.codes:CODES")
    assert [line["code"] for line in logs] == [""]
