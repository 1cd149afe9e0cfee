"""Webhooks: who is told of what, in v2's shape, and what becomes of those who do not listen."""

from __future__ import annotations

import base64

import orjson
import pytest

from tests.unit.connectors.raw_server import answer, raw_server, send
from tests.workbench import until

WEBHOOKS = "/api/v1/webhooks"
ADA = "18270001"


@pytest.fixture
def ears():
    """Somebody who takes every delivery."""
    with raw_server(send(answer(), keep=False)) as server:
        yield server


def subscribe(api, url, **more):
    """Make a webhook of every event; return it."""
    body = {"subscription_url": url, "event_action": "*", "event_object": "*", "name": "w"}
    response = api.call("POST", WEBHOOKS, {**body, **more})
    assert response.status_code == 201, response.text
    return response.json()["data"]


def heard(control, server, count):
    """The bodies of so many deliveries, once they came and none is under way."""
    until(
        lambda: len(server.requests) >= count and not control.act("pending_deliveries"),
        "all deliveries have come",
    )
    return heard_so_far(server)


def heard_so_far(server):
    """The bodies of the deliveries that came."""
    return [orjson.loads(one.partition(b"\r\n\r\n")[2]) for one in server.requests]


def failed(control, attempts):
    """Wait until so many attempts have failed."""
    until(lambda: len(control.act("delivery_log")) >= attempts, "so many attempts were noted")


# --- subscriptions ------------------------------------------------------------------------


def test_a_subscription_is_made_listed_and_removed(api):
    """Its password is not shown; sent twice it is there twice; an empty list is null."""
    assert api.ok("GET", WEBHOOKS) is None
    more = {"http_auth_user": "u", "http_auth_password": "p", "event_object": "deal"}
    one = subscribe(api, "http://127.0.0.1:9/x", **more)
    two = subscribe(api, "http://127.0.0.1:9/x", **more)
    assert (one["http_auth_user"], one["http_auth_password"]) == ("u", None)
    assert (one["is_active"], one["version"], one["event_object"]) == (1, "2.0", "deal")
    assert [webhook["id"] for webhook in api.ok("GET", WEBHOOKS)] == [one["id"], two["id"]]
    assert api.call("DELETE", f"{WEBHOOKS}/{one['id']}").json() == {"status": "ok", "success": True}
    refused = api.call("DELETE", f"{WEBHOOKS}/{one['id']}")
    assert (refused.status_code, refused.json()["errors"]) == (404, {"id": ["not found"]})


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("subscription_url", "https://example.com/hook"),
        ("subscription_url", None),
        ("event_action", "merged"),
        ("event_object", "persons"),
        ("version", "3.0"),
        ("name", "x" * 256),
    ],
)
def test_a_subscription_is_refused(api, wrong, value):
    """Each part that is wrong is named."""
    body = {
        "subscription_url": "http://127.0.0.1:9/x",
        "event_action": "*",
        "event_object": "*",
        "name": "w",
        wrong: value,
    }
    refused = api.call("POST", WEBHOOKS, body)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [wrong]


def test_forty_are_enough(api):
    """The next one is a 422."""
    for _ in range(40):
        subscribe(api, "http://127.0.0.1:9/x")
    body = {"subscription_url": "http://127.0.0.1:9/x", "event_action": "*", "event_object": "*"}
    assert api.call("POST", WEBHOOKS, {**body, "name": "w"}).status_code == 422


# --- events -------------------------------------------------------------------------------


def test_a_create_a_change_and_a_delete_are_told(api, control, ears):
    """Nothing before a create, only what changed of a change, no data of a delete."""
    code = api.field("F")["field_code"]
    subscribe(api, ears.url)
    person = api.person("Ann Lee", custom_fields={code: "a"})
    api.ok("PATCH", f"persons/{person}", {"name": "Ann Ray", "custom_fields": {code: "b"}})
    control.edit("persons", str(person), org_id=None)
    api.ok("DELETE", f"persons/{person}")
    made, changed, same, gone = heard(control, ears, 4)
    meta = made["meta"]
    assert (meta["action"], meta["entity"], meta["entity_id"]) == ("create", "person", str(person))
    assert (meta["user_id"], meta["version"], meta["change_source"]) == (ADA, "2.0", "api")
    assert meta["timestamp"].endswith("Z")
    assert made["previous"] is None
    assert made["data"]["name"] == "Ann Lee"
    assert made["data"]["custom_fields"] == {code: "a"}
    previous = {k: v for k, v in changed["previous"].items() if k != "update_time"}
    assert previous == {"name": "Ann Lee", "last_name": "Lee", "custom_fields": {code: "a"}}
    assert same["meta"]["change_source"] == "app"
    assert "name" not in same["previous"]
    assert (gone["meta"]["action"], gone["data"]) == ("delete", None)
    assert gone["previous"]["name"] == "Ann Ray"
    assert len({one["meta"]["id"] for one in (made, changed, same, gone)}) == 4


def test_only_what_was_asked_for_is_told(api, control, ears):
    """By action and object."""
    subscribe(api, ears.url, event_action="change", event_object="deal")
    api.person()
    deal = api.deal()
    api.ok("PATCH", f"deals/{deal}", {"status": "won"})
    [event] = heard(control, ears, 1)
    assert (event["meta"]["entity"], event["previous"]["status"]) == ("deal", "open")


def test_a_merge_is_two_events_and_those_of_what_refers_to_it(api, control, ears):
    """Each names the other record; a deal of the one that is gone is changed."""
    one, two = api.person("A"), api.person("B")
    api.deal(person_id=one)
    subscribe(api, ears.url)
    api.ok("PUT", f"/v1/persons/{one}/merge", {"merge_with_id": two})
    gone, left, deal = heard(control, ears, 3)
    assert (gone["meta"]["action"], gone["meta"]["entity_id"]) == ("delete", str(one))
    assert gone["meta"]["merged_to_id"] == str(two)
    assert (left["meta"]["action"], left["meta"]["entity_id"]) == ("change", str(two))
    assert left["meta"]["merged_from_id"] == str(one)
    assert (deal["meta"]["entity"], deal["data"]["person_id"]) == ("deal", two)


def test_a_deletion_taken_back_is_a_change(api, control, ears):
    """The record is as it was."""
    person = api.person()
    control.act("delete", object_type="persons", id=str(person))
    subscribe(api, ears.url)
    control.act("restore", object_type="persons", id=str(person))
    [event] = heard(control, ears, 1)
    assert (event["meta"]["action"], event["data"]["id"]) == ("change", person)


@pytest.mark.parametrize("user", ["crmsync", None])
def test_a_delivery_has_the_credentials_it_was_given(api, control, ears, user):
    """Or none."""
    more = {"http_auth_user": user, "http_auth_password": "p:w"} if user else {}
    subscribe(api, ears.url, **more)
    api.person()
    heard(control, ears, 1)
    expected = base64.b64encode(b"crmsync:p:w")
    assert (b"Authorization: Basic " + expected in ears.requests[0]) is (user is not None)
    assert (b"Authorization" in ears.requests[0]) is (user is not None)


def test_an_event_without_listeners_is_nobodys(api, control):
    """It goes nowhere."""
    api.person()
    assert (control.act("pending_deliveries"), control.act("delivery_log")) == (0, [])


# --- who does not listen ------------------------------------------------------------------


def test_a_failed_delivery_is_made_again(api, control):
    """After 3, 30 and 150 s, each with its number, then never again."""
    with raw_server(send(answer(status=500), keep=False)) as deaf:
        subscribe(api, deaf.url)
        api.person()
        for attempt, wait in enumerate((3, 30, 150, 3_600), start=1):
            failed(control, attempt)
            control.advance(wait)
        bodies = heard(control, deaf, 4)
    assert [body["meta"]["attempt"] for body in bodies] == [1, 2, 3, 4]
    assert len({body["meta"]["id"] for body in bodies}) == 1
    [webhook] = control.act("webhooks")
    assert (webhook["failures"], webhook["last_status"]) == (1, 500)


def test_ten_first_attempts_that_fail_ban_it(api, control):
    """For half an hour; what happens in that time is lost."""
    with raw_server(send(answer(status=500), keep=False)) as deaf:
        subscribe(api, deaf.url)
        for _ in range(10):
            api.person()
        failed(control, 10)
        assert api.ok("GET", WEBHOOKS)[0]["is_active"] == 0
        lost = api.person("Lost")
        control.advance(1_801)
        assert api.ok("GET", WEBHOOKS)[0]["is_active"] == 1
        told = api.person("Told")
        until(lambda: any(b'"Told"' in request for request in deaf.requests), "it was told")
        ids = {body["meta"]["entity_id"] for body in heard_so_far(deaf)}
        assert str(told) in ids
        assert str(lost) not in ids


def test_three_days_without_a_success_delete_it(api, control):
    """A success between them begins the count anew."""
    taken, deaf = send(answer(), keep=False), send(answer(status=500), keep=False)
    with raw_server(deaf, taken, deaf) as server:
        subscribe(api, server.url)
        api.person()
        failed(control, 1)
        control.advance(2 * 86_400)
        failed(control, 2)
        assert control.act("webhooks")[0]["last_status"] == 200
        control.advance(2 * 86_400)
        api.person()
        failed(control, 3)
        assert len(control.act("webhooks")) == 1
        control.advance(3 * 86_400 + 1)
        until(lambda: control.act("webhooks") == [], "the webhook is deleted")


def test_a_reset_forgets_webhooks_and_what_waits(api, control, ears):
    """A new company tells nobody anything."""
    subscribe(api, ears.url)
    control.act("delivery_faults", delay_seconds=60)
    api.person()
    assert control.act("pending_deliveries") == 1
    control.reset()
    control.advance(120)
    api.person()
    assert (control.act("pending_deliveries"), control.act("webhooks")) == (0, [])
    assert ears.requests == []
