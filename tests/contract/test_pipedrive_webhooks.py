"""Webhooks as the simulated Pipedrive really delivers them, from set-up to the record."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Delivery, Key, Webhooks
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import Forged
from crmsync.model import CrmId, DealStatus
from tests.sandboxes import running
from tests.unit.connectors.raw_server import answer, raw_server, send
from tests.workbench import until

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)
SECRET = "of a webhook"  # noqa: S105 (of a simulated account)


@pytest.fixture
def control():
    """One simulated company."""
    with running("pipedrive", limits=False, search_lag_seconds=0) as sandbox:
        yield sandbox.control


@pytest.fixture
def ours():
    """Our end of the webhooks: takes every delivery."""
    with raw_server(send(answer(), keep=False)) as server:
        yield server


def people(control, count):
    """Make people; return their ids."""
    return control.seed("persons", [{"name": f"P {n}"} for n in range(count)])


def told_of_changes(control, url, secret=SECRET):
    """A connector to the company, whose webhooks lead to an address."""
    connection = Connection(
        "p",
        "pipedrive",
        {"token": TOKEN},
        base_url=control.url,
        webhooks=Webhooks(f"{url}/hooks/p", secret),
    )
    return Pipedrive(connection, MemoryThrottle(()), FixedToken(TOKEN))


def arrived(control, server, count):
    """The deliveries that came, once so many have and none is to come."""
    until(
        lambda: len(server.requests) >= count and not control.act("pending_deliveries"),
        "all deliveries have come",
    )
    return [as_delivery(request, server.url) for request in server.requests]


def as_delivery(request, url):
    """A request as the service that received it hands it on."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split()
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert headers["host"] == urlsplit(url).netloc
    return Delivery(method, url + path, headers, body, datetime.now(UTC))


def hinted(crm, deliveries):
    """Object type and id of what some deliveries are about, in order, each event once."""
    events = {hint.key: hint for one in deliveries for hint in crm.hints(one)}
    return [(hint.object_type, hint.crm_id) for hint in events.values()]


def test_changes_are_told_and_lead_to_the_record(control, ours):
    """A create, an edit and a deletion of each; and what was not asked for is not told."""
    crm = told_of_changes(control, ours.url)
    crm.watch(["persons", "deals"])
    [person] = people(control, 1)
    control.seed("organizations", [{"name": "X"}])
    [deal] = control.seed("deals", [{"title": "D", "person_id": int(person)}])
    control.edit("deals", deal, status="won")
    control.act("delete", object_type="persons", id=person)
    came = arrived(control, ours, 4)
    wanted = [("persons", person), ("deals", deal), ("deals", deal), ("persons", person)]
    assert sorted(hinted(crm, came)) == sorted(wanted)
    assert crm.deals_by_id([CrmId(deal)], [])[0].status is DealStatus.WON
    assert crm.read("persons", [Key(person)], []) == [None]


def test_a_merge_is_told_of_both(control, ours):
    """It leaves no other trace: of the one that is gone, lists say nothing."""
    crm = told_of_changes(control, ours.url)
    crm.watch(["persons"])
    one, two = people(control, 2)
    arrived(control, ours, 2)
    ours.requests.clear()
    control.act("merge", object_type="persons", id=one, merge_with_id=two)
    assert set(hinted(crm, arrived(control, ours, 2))) == {("persons", one), ("persons", two)}


def test_a_repeated_delivery_is_one_event(control, ours):
    """Sent three times and in any order, each event has one key."""
    crm = told_of_changes(control, ours.url)
    crm.watch(["persons"])
    control.act("delivery_faults", repeat=2, shuffle=True)
    ids = people(control, 3)
    came = arrived(control, ours, 9)
    assert sorted(hinted(crm, came)) == [("persons", one) for one in ids]


def test_a_further_attempt_is_the_same_event(control):
    """Refused at first, taken three seconds later."""
    taken, refused = send(answer(), keep=False), send(answer(status=500), keep=False)
    with raw_server(refused, taken) as server:
        crm = told_of_changes(control, server.url)
        crm.watch(["persons"])
        [person] = people(control, 1)
        until(lambda: bool(control.act("delivery_log")), "a delivery was noted")
        control.advance(4)
        came = arrived(control, server, 2)
        assert b'"attempt":1' in came[0].body
        assert b'"attempt":2' in came[1].body
        assert hinted(crm, came) == [("persons", person)]


def test_a_delivery_with_another_secret_is_forged(control, ours):
    """As those of a webhook from before the secret was changed; `watch` replaces it."""
    old = told_of_changes(control, ours.url)
    old.watch(["persons"])
    new = told_of_changes(control, ours.url, "another")
    people(control, 1)
    [came] = arrived(control, ours, 1)
    with pytest.raises(Forged):
        new.hints(came)
    new.watch(["persons"])
    people(control, 1)
    last = arrived(control, ours, 2)[-1]
    assert new.hints(last)
    assert len(control.act("webhooks")) == 1


def test_webhooks_are_set_up_once_and_taken_down(control, ours):
    """A second look changes nothing."""
    crm = told_of_changes(control, ours.url)
    crm.watch(["deals", "persons"])
    assert "all there" in crm.watch(["persons", "deals"]).detail
    assert len(control.act("webhooks")) == 2
    crm.unwatch()
    assert control.act("webhooks") == []


def test_a_webhook_that_is_banned_is_made_anew(control):
    """Ten failures, and Pipedrive would lose events for half an hour."""
    with raw_server(send(answer(status=500), keep=False)) as server:
        crm = told_of_changes(control, server.url)
        crm.watch(["persons"])
        people(control, 10)
        until(lambda: len(control.act("delivery_log")) == 10, "ten deliveries were noted")
        [banned] = control.act("webhooks")
        assert banned["banned"]
        crm.watch(["persons"])
        [fresh] = control.act("webhooks")
        assert (fresh["banned"], fresh["event"]) == (False, "*.person")
