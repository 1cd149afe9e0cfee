"""Pipedrive's webhooks: which deliveries are believed, and how they are set up."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from crmsync.connectors.base import Delivery, Webhooks
from crmsync.errors import ConfigError, ConnectionHalted, Forged, OutcomeUnknown
from crmsync.model import Hint
from tests.unit.connectors.pipedrive import answers

SECRET = "s3cret:with a colon, ünïcødé"  # noqa: S105 (of this test)
URL = "https://sync.example/hooks/p"
WEBHOOKS = "https://api.pipedrive.com/v1/webhooks"
OURS = Webhooks(URL, SECRET)
AT = "2026-11-22T09:00:00.250Z"


def connector(webhooks=OURS):
    """A connector that is told of changes."""
    return answers.connector(webhooks=webhooks)


def proof(user="crmsync", password=SECRET):
    """Basic credentials."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def delivery(meta=None, *, headers=None, body=None):
    """What Pipedrive sends of an event."""
    event = {
        "action": "change",
        "entity": "person",
        "entity_id": "7",
        "timestamp": AT,
        "id": "uuid",
        "attempt": 1,
    }
    whole = orjson.dumps({"meta": event | (meta or {}), "data": {"id": 7}, "previous": {}})
    return Delivery(
        "POST",
        URL,
        proof() if headers is None else headers,
        whole if body is None else body,
        datetime.now(UTC),
    )


# --- what comes in ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "object_type"),
    [("person", "persons"), ("organization", "organizations"), ("deal", "deals")],
)
def test_an_event_names_a_record(entity, object_type):
    """By the name mappings use, with its time; what it says of the record is not looked at."""
    [hint] = connector().hints(delivery({"entity": entity}))
    at = datetime(2026, 11, 22, 9, 0, 0, 250_000, tzinfo=UTC)
    assert hint == Hint(object_type, "7", at, hint.key)
    assert len(hint.key) == 64


def test_events_of_other_objects_are_of_no_interest():
    """They are genuine all the same."""
    assert connector().hints(delivery({"entity": "note"})) == []


def test_a_merge_names_both_records():
    """The one that is gone and the one that is left, whichever event tells of it."""
    gone = connector().hints(delivery({"action": "delete", "merged_to_id": "8"}))
    assert [hint.crm_id for hint in gone] == ["7", "8"]
    left = connector().hints(delivery({"merged_from_id": "6"}))
    assert [hint.crm_id for hint in left] == ["7", "6"]
    assert len({hint.key for hint in (*gone, *left)}) == 4


@pytest.mark.parametrize("meta", [{"attempt": 3}, {"id": "other"}, {"webhook_id": "2"}])
def test_an_event_has_one_key(meta):
    """However often, and by however many webhooks, it is told."""
    [first] = connector().hints(delivery())
    [again] = connector().hints(delivery(meta))
    assert again.key == first.key


@pytest.mark.parametrize(
    "meta",
    [
        {"entity_id": "8"},
        {"entity": "deal"},
        {"action": "delete"},
        {"timestamp": "2026-11-22T09:00:00.251Z"},
    ],
)
def test_another_event_has_another_key(meta):
    """Of another record, another sort or another moment."""
    [first] = connector().hints(delivery())
    [other] = connector().hints(delivery(meta))
    assert other.key != first.key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Basic \u00e9"},
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": proof()["authorization"].replace("Basic", "Bearer")},
        {"authorization": proof()["authorization"][:-4]},
        {"authorization": proof()["authorization"] + "AAAA"},
        proof(user="Crmsync"),
        proof(password=""),
        proof(password=SECRET + "x"),
        proof(password=SECRET[:-1]),
    ],
)
def test_a_delivery_without_our_credentials_is_forged(headers):
    """Wrong, cut, of another scheme or absent; the message holds neither secret nor proof."""
    with pytest.raises(Forged) as caught:
        connector().hints(delivery(headers=headers))
    assert "credentials" in caught.value.user_message
    for word in (SECRET, headers.get("authorization") or SECRET):
        assert word not in caught.value.user_message


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_has_any_case(scheme):
    """As HTTP has it."""
    encoded = proof()["authorization"].partition(" ")[2]
    assert connector().hints(delivery(headers={"authorization": f"{scheme} {encoded}"}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"meta": null}',
        b'{"meta": {"entity": "person"}}',
        b'{"meta": {"entity": ["person"]}}',
        b'{"meta": {"entity": "person", "entity_id": "x", "action": "change", "timestamp": "%s"}}'
        % AT.encode(),
        b'{"meta": {"entity": "person", "entity_id": "7", "action": "change", "timestamp": 7}}',
        b'{"meta": {"entity": "person", "entity_id": "7", "action": "change", "timestamp": "x"}}',
    ],
)
def test_a_body_of_another_shape_is_refused(body):
    """With words of its own, and without what it held."""
    with pytest.raises(Forged, match="another shape"):
        connector().hints(delivery(body=body))


def test_a_connection_without_webhooks_believes_none():
    """Whatever a delivery says."""
    with pytest.raises(Forged, match="none"):
        connector(None).hints(delivery())


# --- setting up ---------------------------------------------------------------------------


def ok(data):
    """A success."""
    return orjson.dumps({"status": "ok", "success": True, "data": data})


def held(api, webhook_id, **other):
    """A webhook as Pipedrive lists it, made as we make it."""
    api.get(WEBHOOKS, ok(None))
    api.post(WEBHOOKS, ok({"id": webhook_id}), status=201)
    connector().watch(["persons"])
    made = orjson.loads(api.calls[-1].request.body)
    return {"id": webhook_id, "is_active": 1, **made, "http_auth_password": None, **other}


def sent(api):
    """Method and path of the calls, and of what was made the object."""
    return [
        (call.request.method, orjson.loads(call.request.body)["event_object"])
        if call.request.method == "POST"
        else (call.request.method, call.request.path_url)
        for call in api.calls
    ]


def test_each_object_type_gets_a_webhook(api):
    """Version 2, every action, our credentials; a look again within a day."""
    api.get(WEBHOOKS, ok(None))
    for webhook_id in (1, 2):
        api.post(WEBHOOKS, ok({"id": webhook_id}), status=201)
    watch = connector().watch(["persons", "deals"])
    bodies = [orjson.loads(call.request.body) for call in api.calls[1:]]
    assert [body.pop("event_object") for body in bodies] == ["deal", "person"]
    assert bodies[0] == bodies[1]
    name = bodies[0].pop("name")
    assert SECRET not in name
    assert bodies[0] == {
        "subscription_url": URL,
        "event_action": "*",
        "version": "2.0",
        "http_auth_user": "crmsync",
        "http_auth_password": SECRET,
    }
    assert "deal, person" in watch.detail
    assert SECRET not in watch.detail
    assert watch.ends_at
    assert timedelta(hours=12) < watch.ends_at - datetime.now(UTC) < timedelta(hours=36)


def test_what_is_there_and_right_is_kept(api):
    """One list, nothing else."""
    webhook = held(api, 1)
    api.get(WEBHOOKS, ok([webhook]))
    before = len(api.calls)
    assert "all there" in connector().watch(["persons"]).detail
    assert sent(api)[before:] == [("GET", "/v1/webhooks")]


@pytest.mark.parametrize(
    "other",
    [
        {"event_action": "change"},
        {"version": "1.0"},
        {"is_active": 0},
        {"name": "crmsync 00000000"},
        {"event_object": "deal"},
    ],
)
def test_what_is_wrong_is_replaced(api, other):
    """First the new one, then the old one goes: no event falls between them."""
    webhook = held(api, 1, **other)
    api.get(WEBHOOKS, ok([webhook]))
    api.post(WEBHOOKS, ok({"id": 2}), status=201)
    api.delete(f"{WEBHOOKS}/1", ok(None))
    before = len(api.calls)
    connector().watch(["persons"])
    assert sent(api)[before:] == [
        ("GET", "/v1/webhooks"),
        ("POST", "person"),
        ("DELETE", "/v1/webhooks/1"),
    ]


def test_another_secret_makes_other_webhooks(api):
    """Pipedrive does not show the password, so the name tells."""
    webhook = held(api, 1)
    api.get(WEBHOOKS, ok([webhook]))
    api.post(WEBHOOKS, ok({"id": 2}), status=201)
    api.delete(f"{WEBHOOKS}/1", ok(None))
    other = Webhooks(URL, "rotated")
    connector(other).watch(["persons"])
    assert orjson.loads(api.calls[-2].request.body)["http_auth_password"] == other.secret


def test_a_second_one_for_the_same_is_removed(api):
    """As after an answer that was lost; one that somebody removed meanwhile is as wanted."""
    first, second = held(api, 1), held(api, 2)
    api.get(WEBHOOKS, ok([first, second]))
    refused = {"status": "error", "success": False, "errors": {"id": ["not found"]}}
    api.delete(f"{WEBHOOKS}/2", orjson.dumps(refused), status=404)
    connector().watch(["persons"])


def test_webhooks_of_others_are_left_alone(api):
    """Of another address, and of our address but another name."""
    webhook = held(api, 1)
    others = [{**webhook, "subscription_url": f"{URL}2"}, {**webhook, "name": "Zapier"}]
    api.get(WEBHOOKS, ok(others))
    api.get(WEBHOOKS, ok(others))
    api.post(WEBHOOKS, ok({"id": 3}), status=201)
    before = len(api.calls)
    connector().unwatch()
    connector().watch(["persons"])
    assert [method for method, _ in sent(api)[before:]] == ["GET", "GET", "POST"]


def test_ours_are_taken_down(api):
    """All that lead to our address, right or not."""
    ours = [held(api, 1), held(api, 2, is_active=0)]
    api.get(WEBHOOKS, ok(ours))
    for webhook_id in (1, 2):
        api.delete(f"{WEBHOOKS}/{webhook_id}", ok(None))
    connector().unwatch()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"errors": {"subscription_url": ["invalid or non-reachable URL"]}}, URL),
        (403, {"error": "Scope and URL mismatch", "errorCode": 403}, "`admin`"),
        (403, {"message": "Forbidden"}, "`admin`"),
        (422, {"errors": {"user_id": ["limit"]}}, "40"),
    ],
)
def test_a_refusal_says_what_a_person_does(api, status, body, words):
    """Address, scope or number of webhooks; the secret is in none of it."""
    api.get(WEBHOOKS, ok([]))
    api.post(WEBHOOKS, orjson.dumps({"success": False, **body}), status=status)
    with pytest.raises(ConfigError) as caught:
        connector().watch(["persons"])
    assert words in caught.value.user_message
    assert SECRET not in caught.value.user_message


def test_a_scope_is_missing_for_the_list_already(api):
    """It is the mistake of a person who sets it up, and halts nothing else."""
    body = {"success": False, "error": "Scope and URL mismatch", "errorCode": 403}
    api.get(WEBHOOKS, orjson.dumps(body), status=403)
    with pytest.raises(ConfigError, match="`admin`"):
        connector().watch(["persons"])


def test_a_token_that_is_not_accepted_halts_the_connection(api):
    """That concerns more than webhooks."""
    body = {"success": False, "error": "unauthorized access", "errorCode": 401}
    api.get(WEBHOOKS, orjson.dumps(body), status=401)
    with pytest.raises(ConnectionHalted):
        connector().watch(["persons"])


def test_a_lost_answer_is_unknown(api):
    """The next look finds what there is."""
    api.get(WEBHOOKS, ok([]))
    api.post(WEBHOOKS, b"<html>", status=201)
    with pytest.raises(OutcomeUnknown):
        connector().watch(["persons"])


def test_without_webhooks_in_the_file_there_is_nothing_to_set_up():
    """It says which key is absent."""
    for act in (lambda crm: crm.watch(["persons"]), lambda crm: crm.unwatch()):
        with pytest.raises(ConfigError, match="webhooks:"):
            act(connector(None))


def test_an_unknown_object_type_is_named():
    """Before anything is called."""
    with pytest.raises(ConfigError, match="leads"):
        connector().watch(["leads"])
