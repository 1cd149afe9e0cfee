"""`POST /hooks/{connection}`: what is taken of a CRM's deliveries, and what is refused.

The CRM's own address is one that nobody listens at: a delivery is taken without asking it.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from structlog.testing import capture_logs

from crmsync.api import hooks
from crmsync.connectors.base import Delivery
from crmsync.connectors.hubspot.webhooks import SIGNATURE, TIMESTAMP, signature_of
from crmsync.errors import Forged
from crmsync.store.tables import hints, hook_events
from crmsync.sync.webhooks import receive
from tests.unit.api.test_problems import assert_problem
from tests.workbench import KEYED, count_rows

URL = "https://crmsync.example.com/hooks/crm"
"""As HubSpot knows it; the test calls another host."""
SECRET = "the-apps-client-secret"  # noqa: S105 - of no app
NOBODY = "http://127.0.0.1:1"
READING = (
    KEYED + "pull: {contact_owner: hubspot_owner_id}\ndeals: {pull: {deal_stage: dealstage}}\n"
)
OTHERS = {"plain": {"connector": "memory"}, "unread": {"connector": "memory"}}


@pytest.fixture
def bells():
    """Who was rung for."""
    return []


@pytest.fixture
def works(new_project, bells):
    """A HubSpot that tells of changes, whose contacts and deals are read back."""
    own = {
        "connector": "hubspot",
        "auth": {"token": "${CRM_TOKEN}"},
        "base_url": NOBODY,
        "webhooks": {"url": URL, "secret": SECRET},
    }
    project = new_project(mappings={"contacts": READING}, connections={"crm": own, **OTHERS})
    return project.open(bells.append)


def change(crm_id=1, **members):
    """An event: somebody changed a contact."""
    return {
        "portalId": 7,
        "occurredAt": time.time_ns() // 1_000_000,
        "subscriptionType": "contact.propertyChange",
        "objectId": crm_id,
        "propertyName": "hubspot_owner_id",
        **members,
    }


def signed(body, *, url=URL, ago_seconds=0, secret=SECRET):
    """The headers that prove a body."""
    sent_ms = str(time.time_ns() // 1_000_000 - ago_seconds * 1000)
    signature = signature_of(secret, "POST", url, body, sent_ms)
    return {SIGNATURE: signature, TIMESTAMP: sent_ms}


def deliver(api, *events, to="/hooks/crm", body=None, headers=None, **proof):
    """Deliver as HubSpot does, to our own host."""
    raw = orjson.dumps(list(events)) if body is None else body
    headers = signed(raw, **proof) if headers is None else headers
    return requests.post(f"{api.url}{to}", data=raw, headers=headers, timeout=20)


def to_read(works):
    """The records that are to be read, by object."""
    with works.store.database.read() as connection:
        rows = connection.execute(select(hints.c.object_type, hints.c.crm_id))
        return sorted(tuple(row) for row in rows)


# --- what is taken --------------------------------------------------------------------------


def test_a_change_becomes_a_reason_to_read(api, works, bells):
    """Contacts and deals; durable when it is answered, and the workers are told."""
    deal = change(2, subscriptionType="deal.propertyChange", propertyName="dealstage")
    answer = deliver(api, change(1), deal)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "taken": 2})
    assert to_read(works) == [("contacts", "1"), ("deals", "2")]
    assert bells == ["crm"]


def test_it_waits_a_moment_for_others(api, works):
    """A burst is one read, and the CRM's index catches up."""
    before = datetime.now(UTC)
    deliver(api, change())
    with works.store.database.read() as connection:
        due = connection.execute(select(hints.c.due_at)).scalar_one()
    assert timedelta(seconds=1) <= due - before < timedelta(seconds=5)


def test_a_repeated_delivery_changes_nothing(api, works, bells):
    """It is answered as the first one was, or the CRM would go on."""
    event = change()
    answers = [deliver(api, event) for _ in range(3)]
    assert [(a.status_code, a.json()["taken"]) for a in answers] == [(200, 1), (200, 0), (200, 0)]
    assert count_rows(works.store, hook_events) == 1
    assert bells == ["crm"]


def test_what_nobody_reads_is_not_kept(api, works, bells):
    """A company, which no mapping reads back."""
    answer = deliver(api, change(subscriptionType="company.propertyChange"))
    assert (answer.status_code, answer.json()["taken"]) == (200, 0)
    assert to_read(works) == []
    assert bells == []


def test_the_query_is_part_of_the_address(api):
    """It is signed as well, though our settings do not have it."""
    to = "/hooks/crm?tenant=a%20b&x="
    assert deliver(api, change(), to=to, url=URL + "?tenant=a%20b&x=").status_code == 200
    assert deliver(api, change(), to=to).status_code == 401


# --- what is refused ------------------------------------------------------------------------


def test_what_proves_nothing_is_refused(api, works):
    """Nothing is kept of it, and the answer says nothing of why."""
    event = change()
    body = orjson.dumps([event])
    for answer in (
        deliver(api, event, secret="another"),  # noqa: S106 - of no app
        deliver(api, event, ago_seconds=301),
        deliver(api, event, url="https://evil.example/hooks/crm"),
        deliver(api, body=body + b" ", headers=signed(body)),
        deliver(api, event, headers={}),
        deliver(api, event, headers={**signed(body), SIGNATURE: "ключ".encode()}),
    ):
        assert_problem(answer, 401)
    assert to_read(works) == []


@pytest.mark.parametrize("name", ["nobody", "plain", "%2e%2e", "crm%00"])
def test_a_connection_without_webhooks_has_no_address(api, name):
    """Nor has one that does not exist."""
    assert_problem(deliver(api, change(), to=f"/hooks/{name}"), 404)


def test_a_delivery_that_is_too_large_is_refused(api):
    """Whether its length is declared or not."""
    large = b" " * 1_100_000
    assert_problem(deliver(api, body=large), 413)
    chunks = iter([large])
    assert_problem(deliver(api, body=chunks, headers=signed(large)), 413)


def test_a_storm_of_forged_deliveries_is_a_line_a_minute(works):
    """With how many there were, and nothing that was in them."""
    clock = iter([0.0, 1.0, 59.0, 60.0, 61.0])
    entrance = hooks.Entrance(works, clock=lambda: next(clock))
    with capture_logs() as lines:
        for _ in range(4):
            entrance.refused("crm", "the signature is wrong")
        entrance.refused("other", "no signature")
    told = [(line["connection"], line["times"]) for line in lines]
    assert told == [("crm", 1), ("crm", 3), ("other", 1)]
    assert {line["event"] for line in lines} == {"webhook_refused"}


def test_every_flipped_bit_is_noticed(works):
    """Of body, signature, time and address."""
    body = orjson.dumps([change()])
    headers = signed(body)
    good = Delivery("POST", URL, headers, body, datetime.now(UTC))
    wrong = [replace(good, body=flipped) for flipped in flips(body)]
    wrong += [replace(good, url=flipped.decode("latin-1")) for flipped in flips(URL.encode())]
    for name, value in headers.items():
        altered = (flipped.decode("latin-1") for flipped in flips(value.encode()))
        wrong += [replace(good, headers={**headers, name: one}) for one in altered]
    believed = []
    for delivery in wrong:
        try:
            receive(works, "crm", delivery)
        except Forged:
            continue
        believed.append(delivery)
    assert believed == []
    assert to_read(works) == []
    assert receive(works, "crm", good) == 1


def flips(content):
    """All that differ from it in one bit."""
    for place in range(len(content) * 8):
        altered = bytearray(content)
        altered[place // 8] ^= 1 << place % 8
        yield bytes(altered)


HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40).map(
    lambda text: text.strip().encode("latin-1")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(body=st.binary(max_size=300), signature=HEADER, sent=HEADER)
def test_bytes_of_any_kind_are_no_fault_of_ours(api, body, signature, sent):
    """They are refused, and that is all."""
    answer = deliver(api, body=body, headers={SIGNATURE: signature, TIMESTAMP: sent})
    assert answer.status_code == 401


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("objectId", "occurredAt", "subscriptionType", "newObjectId", "associationType",
         "fromObjectId", "toObjectId", "objectTypeId", "mergedObjectIds")  # fmt: skip
KINDS = st.sampled_from(
    ["contact.merge", "deal.associationChange", "object.creation", "contact.deletion", "x.y"]
)
ODD = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)) | st.fixed_dictionaries(
    {"subscriptionType": KINDS}, optional=dict.fromkeys(NAMES[3:], JSON)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(content=JSON | st.lists(ODD.map(lambda odd: change(**odd)), max_size=3))
def test_what_is_signed_may_be_odd_and_is_no_fault_of_ours(api, content):
    """HubSpot may change its mind about shapes; we do not fall over it."""
    body = orjson.dumps(content)
    assert deliver(api, body=body).status_code in {200, 401}


# --- the database ---------------------------------------------------------------------------


def test_a_database_that_does_not_answer_is_told_in_time(api, works, monkeypatch):
    """The CRM delivers again, and nothing is lost."""
    monkeypatch.setattr(hooks, "ANSWER_SECONDS", 0.3)
    event = change()
    file = works.store.database.url.database
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    answers = [deliver(api, event) for _ in range(3)]
    assert time.monotonic() - began < 10
    holder.execute("ROLLBACK")
    holder.close()
    for answer in answers:
        assert_problem(answer, 503)
        assert "Retry-After" in answer.headers
    monkeypatch.setattr(hooks, "ANSWER_SECONDS", 20)
    assert deliver(api, event).status_code == 200
    assert to_read(works) == [("contacts", "1")]
