"""Webhooks on their way from a simulated CRM: made, made again, and gone wrong on order."""

from __future__ import annotations

import pytest

from crmsync.sandbox import ControlFailed
from tests.receiver import receiving
from tests.workbench import until

SECRET = "app-secret"  # noqa: S105 - a simulated one


@pytest.fixture
def receiver(control):
    """An address that is told of everything."""
    with receiving() as receiver:
        control.act("subscribe", url=receiver.url, secret=SECRET)
        yield receiver


def settled(control):
    """Wait until nothing is under way."""
    until(lambda: not control.act("pending_deliveries"), "every delivery was made")


def names(received):
    """The first names that the deliveries tell of, in the order in which they came."""
    events = [event for request in received for event in request.json()]
    return [e["propertyValue"] for e in events if e.get("propertyName") == "firstname"]


def test_the_crm_does_not_wait_for_whom_it_tells(api, control):
    """A receiver that is not there delays no answer, and the log says that nobody answered."""
    control.act("subscribe", url="http://127.0.0.1:9/hooks", secret=SECRET)
    api.contact("a@x.io")
    until(lambda: control.act("delivery_log"), "the delivery was tried")
    assert control.act("delivery_log")[0]["status"] is None


def test_a_delivery_that_fails_is_made_again(api, control, receiver):
    """With another attempt's number, after the vendor's wait, until it is taken."""
    receiver.statuses = [500]
    api.contact("a@x.io")
    receiver.wait(1)
    until(lambda: control.act("delivery_log"), "the refusal was noted")
    assert control.act("pending_deliveries") == 1
    control.advance(10)
    first, second = receiver.wait(2)
    assert [r.json()[0]["attemptNumber"] for r in (first, second)] == [0, 1]
    settled(control)
    assert [made["status"] for made in control.act("delivery_log")] == [500, 204]


def test_a_delivery_is_given_up_at_last(api, control, receiver):
    """After eleven attempts within a day nothing more comes."""
    receiver.statuses = [503] * 20
    api.contact("a@x.io")
    for attempt in range(11):
        receiver.wait(attempt + 1)
        noted = attempt + 1
        until(lambda: len(control.act("delivery_log")) >= noted, "the refusal was noted")  # noqa: B023 - used at once
        control.advance(86_400)
    assert control.act("pending_deliveries") == 0
    assert len(receiver.received) == 11


def test_deliveries_are_lost_on_order(api, control, receiver):
    """What is lost is never made; afterwards all goes well again."""
    control.act("delivery_faults", drop=1.0)
    api.contact("a@x.io", firstname="lost")
    control.act("delivery_faults")
    api.contact("b@x.io", firstname="kept")
    assert names(receiver.wait(1)) == ["kept"]
    settled(control)
    assert len(receiver.received) == 1


def test_deliveries_come_twice_on_order(api, control, receiver):
    """A repeated delivery is the same, event by event."""
    control.act("delivery_faults", repeat=1)
    api.contact("a@x.io")
    first, second = receiver.wait(2)
    assert first.json() == second.json()


def test_deliveries_come_late_and_in_another_order(api, control, receiver):
    """They wait by the sandbox's clock, and then go as chance will have it."""
    control.act("delivery_faults", delay_seconds=60, shuffle=True)
    expected = [str(n) for n in range(20)]
    for name in expected:
        api.contact(f"p{name}@x.io", firstname=name)
    assert receiver.received == []
    control.advance(61)
    came = names(receiver.wait(20))
    assert sorted(came, key=int) == expected
    assert came != expected


def test_an_old_delivery_is_sent_again_and_altered(api, control, receiver):
    """A replay is byte for byte the same; a forgery has the old proof and another body."""
    api.contact("a@x.io")
    receiver.wait(1)
    settled(control)
    control.act("redeliver", number=1)
    control.act("redeliver", number=1, body="[]")
    made, replayed, forged = receiver.wait(3)
    assert replayed.body == made.body
    assert forged.body == b"[]"
    assert forged.headers["x-hubspot-signature-v3"] == made.headers["x-hubspot-signature-v3"]
    with pytest.raises(ControlFailed, match="no delivery 99"):
        control.act("redeliver", number=99)


@pytest.mark.parametrize("url", ["http://10.0.0.1/x", "https://127.0.0.1/x", "http://crm.example"])
def test_nothing_leaves_this_machine(control, url):
    """Only http on loopback is taken for an address."""
    with pytest.raises(ControlFailed, match="loopback only"):
        control.act("subscribe", url=url, secret=SECRET)


def test_a_reset_forgets_whom_to_tell(api, control, receiver):
    """A new account has told nobody anything, and tells nobody."""
    control.act("delivery_faults", delay_seconds=60)
    api.contact("a@x.io")
    control.reset()
    assert control.act("pending_deliveries") == 0
    api.contact("a@x.io")
    control.advance(61)
    settled(control)
    assert receiver.received == []
