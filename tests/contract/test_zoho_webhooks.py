"""Zoho's notifications, really delivered by the simulated one: what is believed, and what is not.

A delivery is a POST to a server on loopback, and goes into the connector as it came.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection, Webhooks
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.connectors.zoho.connector import Zoho
from crmsync.errors import ConfigError, Forged
from tests.receiver import receiving
from tests.sandboxes import running

TOKEN = "1000.sandbox-access-token"  # noqa: S105 (of a simulated account)
SECRET = "s3cret-of-our-own"  # noqa: S105 (of a simulated account)
WATCH = "/crm/v8/actions/watch"


@pytest.fixture
def control():
    """A simulated organisation."""
    with running("zoho", tier="ultimate") as sandbox:
        yield sandbox.control


@pytest.fixture
def receiver():
    """Our address."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def connected(control, receiver):
    """Makes a connector that takes webhooks with some secret, or none."""

    def make(secret=SECRET, url=receiver.url):
        hooks = None if secret is None else Webhooks(url, secret)
        connection = Connection("z", "zoho", {"token": TOKEN}, base_url=control.url, webhooks=hooks)
        return Zoho(connection, MemoryThrottle(()), FixedToken(TOKEN))

    return make


@pytest.fixture
def zoho(connected):
    """A connector that watches contacts and deals."""
    zoho = connected()
    zoho.watch(["Contacts", "deals"])
    return zoho


@pytest.fixture
def delivery(control, zoho, receiver):
    """A delivery of the making of a contact."""
    control.seed("Contacts", [{"Last_Name": "Li"}])
    [received] = receiver.wait(1)
    return received.delivery(receiver.url)


def altered(delivery, **members):
    """A delivery with other members in its body."""
    return replace(delivery, body=orjson.dumps({**orjson.loads(delivery.body), **members}))


def methods(control):
    """The calls about channels since this was last asked."""
    found = [entry["method"] for entry in control.ledger(path=WATCH, bodies=False)]
    control.clear_ledger()
    return found


# --- what is delivered ----------------------------------------------------------------------


def test_what_anybody_does_is_told(control, zoho, receiver):
    """Made, changed, deleted: a reason to read that record, and nothing of what it holds."""
    [contact] = control.seed("Contacts", [{"Last_Name": "Li"}])
    own = {"Deal_Name": "D", "Stage": "Qualification", "Pipeline": "Standard"}
    [deal] = control.seed("Deals", [own])
    control.edit("Deals", deal, Stage="Closed Won")
    control.act("delete", module="Contacts", id=contact)
    control.seed("Accounts", [{"Account_Name": "X"}])
    received = receiver.wait(4)
    hints = [hint for one in received for hint in zoho.hints(one.delivery(receiver.url))]
    assert [(hint.object_type, hint.crm_id) for hint in hints] == [
        ("Contacts", contact),
        ("deals", deal),
        ("deals", deal),
        ("Contacts", contact),
    ]
    assert len({hint.key for hint in hints}) == 4
    assert all(len(hint.key) == 64 for hint in hints)
    assert abs(hints[0].at.timestamp() - control.now()) < 10


def test_a_repeated_delivery_has_the_same_key(control, zoho, receiver):
    """So that it changes nothing."""
    control.act("delivery_faults", repeat=2)
    control.seed("Contacts", [{"Last_Name": "Li"}])
    keys = {zoho.hints(one.delivery(receiver.url))[0].key for one in receiver.wait(3)}
    assert len(keys) == 1


def test_one_delivery_may_name_several_records(zoho, delivery):
    """Each is a hint of its own, with a key of its own."""
    hints = zoho.hints(altered(delivery, ids=["554023000000000001", "554023000000000002"]))
    assert len({hint.key for hint in hints}) == 2


def test_a_channel_number_may_come_as_a_number(zoho, delivery):
    """As it is in Zoho's older examples."""
    number = int(orjson.loads(delivery.body)["channel_id"])
    assert len(zoho.hints(altered(delivery, channel_id=number))) == 1


def test_a_delivery_without_a_time_is_of_now(zoho, delivery):
    """Not every example has one."""
    [hint] = zoho.hints(altered(delivery, server_time=None))
    assert hint.at == delivery.received_at


# --- what is not believed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"token": "another"}, "token"),
        ({"token": None}, "token"),
        ({"token": ""}, "token"),
        ({"token": SECRET + "\u00e9"}, "token"),
        ({"channel_id": "1000000068001"}, "channel"),
        ({"module": None}, "does not name"),
        ({"ids": None}, "does not name"),
        ({"ids": ["7; drop"]}, "does not name"),
        ({"server_time": "soon"}, "time"),
        ({"server_time": 10**18}, "time"),
        ({"server_time": 1_721_121_662_000}, "too old"),
    ],
)
def test_what_is_altered_is_forged(zoho, delivery, members, said):
    """And the error says what was wrong, without the proof."""
    with pytest.raises(Forged, match=said) as caught:
        zoho.hints(altered(delivery, **members))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_what_is_no_delivery_is_forged(zoho, delivery, body):
    """Whatever it is."""
    with pytest.raises(Forged, match="body is not"):
        zoho.hints(replace(delivery, body=body))


def test_what_comes_too_late_is_forged(zoho, delivery):
    """An hour; polling has read it long since."""
    late = delivery.received_at + timedelta(minutes=59)
    assert zoho.hints(replace(delivery, received_at=late))
    with pytest.raises(Forged, match="too old"):
        zoho.hints(replace(delivery, received_at=late + timedelta(minutes=5)))


def test_a_forged_delivery_of_the_simulated_one(control, zoho, receiver, delivery):
    """As the control API sends it: an old one with another body."""
    control.act("redeliver", number=1, body="{}")
    _, forged = receiver.wait(2)
    with pytest.raises(Forged):
        zoho.hints(forged.delivery(receiver.url))


@pytest.mark.parametrize(
    ("secret", "said"), [("other", "token"), ("", "no webhooks"), (None, "no webhooks")]
)
def test_another_secret_or_none(connected, delivery, secret, said):
    """Where nothing is set, nothing is taken."""
    with pytest.raises(Forged, match=said):
        connected(secret).hints(delivery)


def test_another_connections_channel_is_not_ours(connected, zoho, delivery):
    """Two connections may share a secret, not a channel."""
    with pytest.raises(Forged, match="channel"):
        connected(url="http://127.0.0.1:9/other").hints(delivery)


# --- setting it up --------------------------------------------------------------------------


def test_a_channel_is_kept_while_it_is_right(control, connected):
    """Set up once; looked at the next time, and left alone."""
    zoho = connected()
    first = zoho.watch(["Contacts", "deals"])
    again = zoho.watch(["deals", "Contacts"])
    assert methods(control) == ["GET", "POST", "GET"]
    assert again.ends_at == first.ends_at
    assert timedelta(days=6) < first.ends_at - datetime.now(UTC) < timedelta(days=7)
    assert "already" in again.detail


def test_a_channel_is_renewed_before_it_ends(control, connected):
    """For another week, under the same number."""
    zoho = connected()
    first = zoho.watch(["Contacts"])
    control.advance(5 * 86_400)
    again = zoho.watch(["Contacts"])
    assert methods(control) == ["GET", "POST", "GET", "PUT"]
    assert again.ends_at - first.ends_at > timedelta(days=4)


def test_a_channel_that_ended_is_set_up_anew(control, connected):
    """After its week it tells nobody anything."""
    zoho = connected()
    zoho.watch(["Contacts"])
    control.advance(8 * 86_400)
    zoho.watch(["Contacts"])
    assert methods(control) == ["GET", "POST", "GET", "POST"]


def test_a_channel_that_ends_meanwhile_is_set_up_anew(control, connected):
    """Between the look at it and its renewal."""
    zoho = connected()
    zoho.watch(["Contacts"])
    gone = {"code": "NOT_SUBSCRIBED", "details": {}, "message": "gone", "status": "error"}
    control.fault("answer", method="PUT", path=WATCH, status=400, json=gone)
    assert "from now on" in zoho.watch(["Contacts", "Leads"]).detail
    assert methods(control) == ["GET", "POST", "GET", "PUT", "POST"]


def test_another_secret_replaces_the_channel(connected, receiver, control):
    """At once, and not when it would be renewed: its deliveries would be refused until then."""
    connected().watch(["Contacts"])
    connected("another").watch(["Contacts"])
    assert methods(control) == ["GET", "POST", "GET", "PUT"]
    control.seed("Contacts", [{"Last_Name": "Li"}])
    [received] = receiver.wait(1)
    assert connected("another").hints(received.delivery(receiver.url))


def test_other_types_replace_the_channel(control, connected, receiver):
    """What is no longer mapped is no longer told."""
    zoho = connected()
    zoho.watch(["Contacts"])
    zoho.watch(["Accounts"])
    control.seed("Contacts", [{"Last_Name": "Li"}])
    control.seed("Accounts", [{"Account_Name": "X"}])
    [received] = receiver.wait(1)
    assert received.json()["module"] == "Accounts"


def test_taking_it_down(control, connected, receiver):
    """Nothing more comes; taking it down again is no mistake."""
    zoho = connected()
    zoho.watch(["Contacts"])
    zoho.unwatch()
    zoho.unwatch()
    assert methods(control) == ["GET", "POST", "GET", "DELETE", "GET"]
    control.seed("Contacts", [{"Last_Name": "Li"}])
    assert control.act("pending_deliveries") == 0
    assert control.act("delivery_log") == []


def test_no_address_to_call(connected):
    """Somebody has to say where Zoho reaches us, and with what secret."""
    with pytest.raises(ConfigError, match="no webhooks"):
        connected(None).watch(["Contacts"])
    with pytest.raises(ConfigError, match="no webhooks"):
        connected(None).unwatch()
    for secret in ("", "x" * 51):
        with pytest.raises(ConfigError, match="50 characters"):
            connected(secret).watch(["Contacts"])


def test_an_address_that_zoho_does_not_take(connected):
    """Its refusal is told, with what to look at."""
    with pytest.raises(ConfigError, match=r"notify_url.*webhooks\.url"):
        connected(url="https://crmsync.example/hooks/z").watch(["Contacts"])


def test_a_connection_of_before_lacks_the_scope(control, connected):
    """It goes on without notifications, and is told how to have them."""
    control.settings(scopes=["ZohoCRM.modules.ALL"])
    with pytest.raises(ConfigError, match=r"ZohoCRM\.notifications\.ALL"):
        connected().watch(["Contacts"])
