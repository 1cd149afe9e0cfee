"""One record in two hundred for whose sake the CRM refuses whole calls, or that is no call at all.

It is found by halving: in as few calls as that takes, and the others are delivered in the same
cycle. Counted in the CRM's own ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log2
from typing import Any

import orjson
import pytest

from crmsync.connectors import http
from crmsync.model import Failure, Outcome
from crmsync.planning.batches import split
from crmsync.sync import delivery
from tests.crms import HUBSPOT, SALESFORCE, ZOHO, Crm
from tests.sandboxes import running
from tests.workbench import (
    ROOMY,
    crowd,
    drain,
    faults,
    identify,
    ingest,
    link_rows,
    make_fields,
    new_project,
    the_sync,
)

__all__ = ["new_project"]

PEOPLE = 200
MOST_CALLS = 2 * ceil(log2(PEOPLE)) + 1
REFUSALS: Mapping[str, Any] = {
    "hubspot": {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "Invalid input JSON",
        "correlationId": "1",
    },
    "salesforce": [{"errorCode": "JSON_PARSER_ERROR", "message": "Unexpected character"}],
    "zoho": {"code": "INVALID_DATA", "details": {}, "message": "invalid data", "status": "error"},
}
"""How each refuses a whole call for the sake of one record, without naming it."""
CODES = {"hubspot": "VALIDATION_ERROR", "salesforce": "JSON_PARSER_ERROR", "zoho": "INVALID_DATA"}
CULPRITS = (0, 41, 199)


@pytest.fixture(params=[HUBSPOT, SALESFORCE, ZOHO], ids=lambda crm: crm.name)
def crm(request) -> Crm:
    """Each CRM that takes many records in a call."""
    return request.param


@pytest.fixture
def database_url(tmp_path) -> str:
    """SQLite: what is tested here is what is asked of the CRM."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def control(crm):
    """The simulated CRM."""
    with running(crm.name, limits=False, **crm.settings) as sandbox:
        yield sandbox.control


@pytest.fixture
def works(new_project, crm, control):
    """A project with two hundred people whose records are there."""
    project = new_project(
        connections={"crm": crm.connection(control.url)},
        mappings={"contacts": crm.mapping(crm.by_key).replace(crm.name, "crm", 1)},
        timing=ROOMY,
    )
    works = project.open()
    connector = the_sync(works).connector
    if connector.capabilities.creates_fields:
        make_fields(connector, object_type=crm.object_type)
    ingest(works, crowd(PEOPLE, "Lee"))
    drain(works)
    control.clear_ledger()
    return works


def change_everybody(works, culprit):
    """Give everybody another name, and one person a name that is poison."""
    changed = crowd(PEOPLE, "Ray")
    changed[culprit] = identify(f"u{culprit}", last_name="Poison")
    ingest(works, changed)


def demand_found(works, crm, control, culprit, code):
    """The others are delivered; the one is set aside with the reason, its record as it was."""
    wanted = {**crm.expected(PEOPLE, "Ray"), f"Ann{culprit}": {crm.last_name: "Lee"}}
    assert faults(control.records(crm.object_type), crm.first_name, wanted) == []
    failed = [row for row in link_rows(works.store, "state", "error_code") if row[0] == "dead"]
    assert failed == [("dead", code)]


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_record_for_whose_sake_calls_are_refused_is_found(works, crm, control, culprit):
    """In at most 2·log2(n)+1 calls, in one cycle."""
    control.fault("answer", status=400, json=REFUSALS[crm.name], body="Poison", **crm.update)
    change_everybody(works, culprit)
    assert drain(works) == {"updated": PEOPLE - 1, "failed": 1}
    assert control.calls(**crm.update) <= MOST_CALLS
    demand_found(works, crm, control, culprit, CODES[crm.name])


def test_without_halves_it_takes_more_calls(works, crm, control, monkeypatch):
    """Negative control: one record after another is found, too, at many times the calls."""
    monkeypatch.setattr(delivery, "halves", lambda batch: split(batch, 1))
    control.fault("answer", status=400, json=REFUSALS[crm.name], body="Poison", **crm.update)
    change_everybody(works, 41)
    drain(works)
    assert control.calls(**crm.update) > MOST_CALLS


def test_without_parting_them_all_are_refused(works, crm, control, monkeypatch):
    """Negative control: a refusal that is taken for that of every record costs them all."""

    def refuse_all(_connector, batch, refusal, _may_start):
        failure = Failure(refusal.code, "", "")
        return delivery.Delivered(batch, delivery._all(batch, Outcome.REJECTED, failure), 1)

    monkeypatch.setattr(delivery, "_bisect", refuse_all)
    control.fault("answer", status=400, json=REFUSALS[crm.name], body="Poison", **crm.update)
    change_everybody(works, 41)
    assert drain(works)["failed"] > 1


class Fussy:
    """An encoder that fails on one value, as the real one does on half a character."""

    JSONDecodeError = orjson.JSONDecodeError

    @staticmethod
    def dumps(value):
        text = orjson.dumps(value)
        if b"Poison" in text:
            raise TypeError("str is not valid UTF-8: surrogates not allowed")
        return text


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_record_that_cannot_be_encoded_is_found(works, crm, control, culprit, monkeypatch):
    """Nothing of it is sent; the others are, in no more calls."""
    monkeypatch.setattr(http, "orjson", Fussy)
    change_everybody(works, culprit)
    assert drain(works) == {"updated": PEOPLE - 1, "failed": 1}
    assert control.calls(**crm.update) <= MOST_CALLS
    demand_found(works, crm, control, culprit, "UNENCODABLE")


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_record_that_a_connector_fails_on_is_found(works, crm, control, culprit):
    """The same for a mistake of the connector's own, before anything was sent."""
    connector: Any = the_sync(works).connector
    write = connector.write

    def fragile(batch):
        if any("Poison" in operation.fields.values() for operation in batch.operations):
            raise ZeroDivisionError
        return write(batch)

    connector.write = fragile
    change_everybody(works, culprit)
    assert drain(works) == {"updated": PEOPLE - 1, "failed": 1}
    assert control.calls(**crm.update) <= MOST_CALLS
    demand_found(works, crm, control, culprit, delivery.UNSENDABLE)
