"""Whatever goes wrong on order, and what the ledger says about it."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlsplit

import pytest
import requests

CONTACTS = "/crm/v3/objects/contacts"
UPDATE = "/crm/v3/objects/contacts/batch/update"


def contacts(control):
    """Return how many there are."""
    return control.about()["objects"]["contacts"]


@pytest.mark.parametrize("how", ["reset", "close", "half_close"])
@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_a_dropped_request_gets_no_answer_whether_or_not_it_took_effect(
    api, control, how, when, created
):
    """A drop leaves the client without an answer; the ledger knows whether it was applied."""
    control.fault("drop", when=when, how=how, path=CONTACTS)
    with pytest.raises(requests.ConnectionError):
        api.contact("a@x.io")
    (entry,) = control.ledger()
    assert (entry["status"], entry["applied"]) == (None, bool(created))
    assert contacts(control) == created


def test_a_late_write_lands_after_its_sender_was_cut_off(api, control):
    """A `late` request takes effect only when its time has come."""
    control.fault("late", seconds=60, path=CONTACTS)
    with pytest.raises(requests.ConnectionError):
        api.contact("a@x.io")
    assert contacts(control) == 0
    control.advance(60)
    assert contacts(control) == 1
    assert control.ledger()[0]["applied"]


def test_a_held_request_waits_until_released(api, control):
    """A `hold` after applying stops between the effect and the answer."""
    fault = control.fault("hold", when="after", path=CONTACTS)
    created = []
    thread = threading.Thread(target=lambda: created.append(api.contact("a@x.io")))
    thread.start()
    assert control.wait(1, applied=True)
    assert contacts(control) == 1
    assert not created
    control.release(fault)
    thread.join(10)
    assert created == ["100001"]


@pytest.mark.parametrize(
    ("fault", "status", "applied"),
    [
        ({"kind": "answer", "status": 503}, 503, False),
        ({"kind": "answer", "status": 524, "when": "after"}, 524, True),
        ({"kind": "answer", "status": 200, "text": "<html>busy</html>"}, 200, False),
        ({"kind": "status", "status": 500}, 500, True),
    ],
)
def test_a_scripted_answer_is_sent_in_place_of_the_crms_own(api, control, fault, status, applied):
    """An answer under any status can be given, with the request carried out or not."""
    control.fault(**fault, path=CONTACTS)
    response = api.call("POST", CONTACTS, {"properties": {"email": "a@x.io"}})
    assert response.status_code == status
    assert contacts(control) == applied


@pytest.mark.parametrize(
    ("status", "words", "retry_after"),
    [
        (423, "locked", None),
        (429, "ten_secondly_rolling", None),
        (477, "data centers", "3600"),
        (500, "internal error", None),
        (502, "<html>", None),
    ],
)
def test_a_failure_without_a_script_has_the_crms_own_words(
    api, control, status, words, retry_after
):
    """A fault that names a status alone is worded as HubSpot words it."""
    control.fault("answer", status=status)
    response = api.call("GET", CONTACTS)
    assert response.status_code == status
    assert words in response.text
    assert response.headers.get("Retry-After") == retry_after


def test_a_truncated_answer_ends_before_its_length(api, control):
    """A `truncate` sends fewer bytes than it announced."""
    control.fault("truncate", piece_bytes=10)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.call("GET", CONTACTS)


def test_a_dripping_answer_arrives_whole_in_pieces(api, control):
    """A `drip` sends everything, a piece at a time."""
    api.contact("a@x.io")
    control.fault("drip", piece_bytes=7, seconds=0.0)
    assert len(api.ok("GET", CONTACTS)["results"]) == 1


def test_faults_count_which_requests_they_take(api, control):
    """`skip`, `every` and `times` choose among the requests that match; others pass."""
    control.fault("answer", status=500, method="GET", skip=1, every=2, times=2)
    seen = [api.call("GET", CONTACTS).status_code for _ in range(8)]
    assert seen == [200, 200, 500, 200, 500, 200, 200, 200]
    (fault,) = control.faults()
    assert (fault["matched"], fault["fired"]) == (8, 2)


def test_a_fault_can_pick_requests_by_what_they_say(api, control):
    """The pattern for the body is a regular expression over its text."""
    control.fault("answer", status=500, body="b@x")
    api.contact("a@x.io")
    assert api.call("POST", CONTACTS, {"properties": {"email": "b@x.io"}}).status_code == 500


def test_probability_is_repeatable(api, control):
    """The same seed takes the same requests."""
    runs = []
    for _ in range(2):
        control.reset()
        control.fault("answer", status=500, probability=0.5)
        runs.append([api.call("GET", CONTACTS).status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_scripted_answers_for_one_route_are_given_in_order(api, control):
    """Several faults with `times: 1` make a script."""
    for status in (429, 503):
        control.fault("answer", status=status, times=1, path="*/batch/update")
    assert [api.call("POST", UPDATE, {"inputs": []}).status_code for _ in range(3)] == [
        429,
        503,
        200,
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "drop", "chance": 1}, "chance"),
        ({"kind": "drop", "body": "("}, "regular expression"),
        ({"kind": "drop", "every": 0}, "every"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(control, fault, words):
    """What is wrong with a fault is said, and the fault is not taken."""
    with pytest.raises(Exception, match=words):
        control.fault(**fault)
    assert control.faults() == []


def test_latency_holds_back_the_answer_and_not_the_effect(sandbox, control):
    """A client that gives up during the latency has still been heard."""
    control.settings(latency_seconds=30)
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc)
    headers = {"Authorization": "Bearer pat-x"}
    connection.request("POST", CONTACTS, b'{"properties":{"email":"a@x.io"}}', headers)
    assert control.wait(1, applied=True)
    connection.close()
    assert contacts(control) == 1
