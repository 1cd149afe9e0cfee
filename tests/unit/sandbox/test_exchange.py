"""A CRM is told when each request it took on is no longer under way."""

from __future__ import annotations

import threading

import pytest
import requests

from crmsync.sandbox.hubspot import HubSpot
from tests.workbench import until

CONTACTS = "/crm/v3/objects/contacts"


@pytest.fixture
def under_way(monkeypatch):
    """The requests that were taken on and have not ended, kept as a CRM with a limit would."""
    requests_under_way = []
    answer = HubSpot.answer

    def counting(crm, request):
        requests_under_way.append(request)
        request.at_end.append(lambda: requests_under_way.remove(request))
        return answer(crm, request)

    monkeypatch.setattr(HubSpot, "answer", counting)
    return requests_under_way


def test_a_request_is_under_way_until_its_answer_is_out(api, control, under_way):
    """Between the effect and the answer it counts; afterwards it does not."""
    fault = control.fault("hold", when="after", path=CONTACTS)
    thread = threading.Thread(target=lambda: api.contact("a@x.io"))
    thread.start()
    assert control.wait(1, applied=True)
    assert len(under_way) == 1
    control.release(fault)
    thread.join(10)
    # Whoever asked may have the answer before the CRM has been told.
    until(lambda: not under_way, "the request has ended")


@pytest.mark.parametrize(
    ("latency_seconds", "fault"),
    [
        (0, {}),
        (0.001, {}),
        (0, {"kind": "drop", "when": "after"}),
        (0, {"kind": "truncate", "piece_bytes": 1}),
        (0, {"kind": "drip", "piece_bytes": 100}),
        (0, {"kind": "status", "status": 503}),
        (0, {"kind": "late", "seconds": 60}),
    ],
)
def test_whatever_becomes_of_it_a_request_ends(api, control, under_way, latency_seconds, fault):
    """Answered, answered late, cut short or cut off: nothing stays under way for ever."""
    control.settings(latency_seconds=latency_seconds)
    if fault:
        control.fault(**fault)
    try:
        api.call("GET", CONTACTS)
    except requests.RequestException:
        assert fault["kind"] in ("drop", "late", "truncate")
    assert control.wait(1, finished=True)
    control.advance(60)
    until(lambda: not under_way, "the request has ended")
