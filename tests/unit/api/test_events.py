"""The ingest routes: what is taken, what is refused, and what a sender is told."""

from __future__ import annotations

import gzip
import json
import sqlite3

import pytest
import requests

from crmsync.store.tables import events, links
from tests.workbench import count_rows

ANN = {"userId": "u1", "messageId": "m1", "traits": {"first_name": "Ann"}}


def batch(*calls: dict[str, object]) -> dict[str, object]:
    """Return a batch of identify calls."""
    return {"batch": [{"type": "identify", **call} for call in calls]}


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group", "alias"])
def test_every_call_of_the_specification_has_a_route(api, works, kind):
    """Each of the six calls is taken and durable when it is answered with 200."""
    body = {**ANN, "event": "Signed Up", "groupId": "acme", "previousId": "anon"}
    answer = api.post(f"/v1/{kind}", body)
    assert (answer.status_code, answer.json()["taken"]) == (200, 1)
    assert count_rows(works.store, events) == 1


def test_an_unknown_route_names_those_there_are(api):
    """A call that is none says which there are."""
    answer = api.post("/v1/identity", ANN)
    assert answer.status_code == 404
    assert "identify" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "wrong", "wk-test2", "ключ"])
def test_a_wrong_write_key_is_refused(api, works, key):
    """Without the right key nothing is taken, and the answer says how to give one."""
    answer = api.post("/v1/identify", ANN, key=key.encode().decode("latin-1"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert count_rows(works.store, events) == 0


@pytest.mark.parametrize("header", ["Basic !!!", "Bearer wk-test", "Basic", "Basic /////w=="])
def test_a_broken_authorization_header_is_refused(api, header):
    """What is no Basic authorization is a 401 and no fault of ours."""
    answer = requests.post(
        f"{api.url}/v1/identify", json=ANN, headers={"Authorization": header}, timeout=20
    )
    assert answer.status_code == 401


def test_the_key_may_come_in_a_header_of_ours(api):
    """`X-Crmsync-Key` does as well as Basic authorization."""
    answer = requests.post(
        f"{api.url}/v1/identify", json=ANN, headers={"X-Crmsync-Key": "wk-test"}, timeout=20
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(api, works, chunked):
    """More than 1 MiB is a 413, whether its length is declared or not."""
    body = json.dumps({**ANN, "traits": {"note": "x" * 1_100_000}}).encode()
    data = iter([body[:600_000], body[600_000:]]) if chunked else body
    answer = api.post("/v1/identify", data=data)
    assert answer.status_code == 413
    assert count_rows(works.store, events) == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff", "not UTF-8"),
        (b"", "not JSON"),
        (b'{"traits": {}}', "userId"),
    ],
)
def test_a_bad_body_is_refused_with_its_reason(api, works, body, said):
    """What cannot be read is a 400 that says why, and nothing of it is taken."""
    answer = api.post("/v1/identify", data=body)
    assert answer.status_code == 400
    assert said in answer.text
    assert count_rows(works.store, events) == 0


def test_one_bad_call_does_not_keep_the_others_out(api, works):
    """Of a batch the good calls are taken, the bad one is named by its place."""
    answer = api.post("/v1/batch", batch(ANN, {"userId": 7.5}, {"userId": "u3"}))
    assert answer.status_code == 200
    content = answer.json()
    assert (content["taken"], content["success"]) == (2, False)
    assert [one["index"] for one in content["rejected"]] == [1]
    assert count_rows(works.store, events) == 2


def test_a_batch_of_too_many_calls_is_refused(api):
    """More than a thousand calls at once are to be sent in parts."""
    answer = api.post("/v1/batch", batch(*[{"userId": f"u{n}"} for n in range(1001)]))
    assert answer.status_code == 400
    assert "at most 1000" in answer.json()["detail"]


def test_a_gzipped_body_is_taken(api):
    """Client libraries may pack what they send."""
    packed = gzip.compress(json.dumps(ANN).encode())
    answer = api.post("/v1/identify", data=packed, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["taken"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not gzip", "not valid gzip"),
        (gzip.compress(b"x" * 9)[:-6], "not valid gzip"),
        (gzip.compress(b" " * 50_000_000), "larger than 1 MiB"),
    ],
    ids=["not gzip", "cut off", "a bomb"],
)
def test_a_bad_gzip_body_is_refused(api, body, said):
    """Broken packing is a 400, and so is a small body that unpacks to a huge one."""
    answer = api.post("/v1/identify", data=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert said in answer.text


def test_a_gzip_body_that_is_corrupt_inside_is_refused(api):
    """A flipped byte in the packed data is a 400, not a fault of ours."""
    packed = bytearray(gzip.compress(json.dumps({**ANN, "x": "y" * 5000}).encode()))
    packed[12] ^= 0xFF
    answer = api.post("/v1/identify", data=bytes(packed), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400


def test_a_repeated_call_changes_nothing(api, works):
    """The same message again is answered with 200 and counted as repeated."""
    api.post("/v1/identify", ANN)
    answer = api.post("/v1/identify", {**ANN, "sentAt": "2026-01-01T00:00:00Z"})
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "taken": 0, "repeated": 1}
    assert count_rows(works.store, events) == 1


def test_a_repeated_call_with_another_body_is_reported(api):
    """The first body of a message id stays; the sender is told that another came."""
    api.post("/v1/identify", ANN)
    answer = api.post("/v1/identify", {**ANN, "traits": {"first_name": "Eve"}})
    assert answer.status_code == 200
    assert answer.json()["differing"] == ["m1"]


def test_a_repeat_within_one_batch_is_taken_once(api, works):
    """Two calls of one message id in one batch are one event."""
    answer = api.post("/v1/batch", batch(ANN, ANN))
    assert (answer.json()["taken"], answer.json()["repeated"]) == (1, 1)
    assert count_rows(works.store, links) == 1


def test_what_was_left_out_is_noted(api):
    """A value that cannot be kept is named in a note, and the rest of the call is taken."""
    traits = {"first_name": "Ann", "note": "x" * 100_000}
    answer = api.post("/v1/identify", {**ANN, "traits": traits})
    (note,) = answer.json()["notes"]
    assert answer.json()["taken"] == 1
    assert note["messageId"] == "m1"
    assert "traits.note" in note["detail"]


def test_a_store_that_is_away_is_a_503(api, works, monkeypatch):
    """What cannot be made durable is not accepted: the sender is to keep it and come again."""
    monkeypatch.setattr("crmsync.store.database.PATIENCE_SECONDS", 0.0)
    take_away(works)
    answer = api.post("/v1/identify", ANN)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert str(works.store.database.url.database) not in answer.text


def take_away(works) -> None:
    """Let every new connection to the database fail."""
    works.store.database.dispose()
    works.store.database.engine.dialect.connect = _refuse


def _refuse(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("unable to open database file")


def test_health_tells_whether_requests_can_be_served(api, works):
    """`/healthz` is 200 while the database answers and 503 when it does not."""
    assert api.get("/healthz").status_code == 200
    take_away(works)
    assert api.get("/healthz").status_code == 503
