"""What a plain client sees of each fault, and what the CRM behind the proxy holds afterwards."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from crmsync.sandbox.http import Request
from tests.chaos.faults import BY_NAME, FAULTS, Pace, Reaches, Weather
from tests.chaos.proxy import between
from tests.sandboxes import WatchedSandbox, running
from tests.workbench import TOKEN, until

CONTACTS = "/crm/v3/objects/contacts"
PACE = Pace(delay_seconds=0.2, late_seconds=0.3, drip_seconds=0.01, drip_bytes=4)
SILENT_SECONDS = 1.0
"""When the client gives up who stays silent. Whoever answers has longer."""
PATIENT_SECONDS = 30.0
LOST = requests.ConnectionError
SEEN: dict[str, int | type[Exception]] = {
    "delay": 201,
    "drip": 201,
    "truncate": requests.exceptions.ChunkedEncodingError,
    "silence": requests.ReadTimeout,
    "silence before": requests.ReadTimeout,
    "drop": LOST,
    "drop before": LOST,
    "reset": LOST,
    "reset before": LOST,
    "half-close": LOST,
    "late": LOST,
    "HTML": 200,
    "HTML before": 200,
    "500": 500,
    "502": 502,
    "503": 503,
    "500 before": 500,
    "502 before": 502,
    "503 before": 503,
    "429 before": 429,
}
"""A status, or how a plain client fails."""
ANY = Request("GET", "/", {}, {}, b"", keep_alive=True)


@pytest.fixture
def crm() -> Iterator[WatchedSandbox]:
    """A simulated HubSpot."""
    with running(limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def weather() -> Weather:
    """Fine, but for what a test asks for."""
    return Weather(random.Random(1))  # noqa: S311 - repeatable on purpose


def make_a_contact(
    session: requests.Session, url: str, *, seconds: float = PATIENT_SECONDS, name: str = "ann"
) -> requests.Response:
    """Make one as any program would."""
    person = {"properties": {"email": f"{name}@acme.example"}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return session.post(url + CONTACTS, json=person, headers=headers, timeout=seconds)


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS])
def test_a_fault(crm, weather, name):
    """It meets one request: the client sees it, the CRM holds what it was to be told of, or not."""
    fault, seen = BY_NAME[name], SEEN[name]
    weather.script(name)
    with between(crm.url, weather, PACE) as proxy, requests.Session() as session:
        seconds = SILENT_SECONDS if seen is requests.ReadTimeout else PATIENT_SECONDS
        if isinstance(seen, int):
            assert make_a_contact(session, proxy.url, seconds=seconds).status_code == seen
        else:
            with pytest.raises(seen):
                make_a_contact(session, proxy.url, seconds=seconds)
        held = 0 if fault.reaches is Reaches.NO else 1
        until(lambda: len(crm.control.records("contacts")) == held, "the CRM has what reached it")
        assert (
            make_a_contact(session, proxy.url, name="bob").status_code == 201
        )  # one request alone
    assert crm.control.calls(path=CONTACTS) == held + 1
    assert weather.met == {name: 1}


def test_the_table_is_whole():
    """Every kind has its test."""
    assert SEEN.keys() == BY_NAME.keys()


def test_what_is_late_comes_after_the_client_was_sent_away(crm, weather):
    """The CRM holds nothing yet when the client knows that its answer is lost."""
    weather.script("late")
    pace = Pace(late_seconds=PATIENT_SECONDS)
    with between(crm.url, weather, pace) as proxy, requests.Session() as session:
        with pytest.raises(LOST):
            make_a_contact(session, proxy.url)
        assert crm.control.records("contacts") == []
        proxy.land()
        until(lambda: len(crm.control.records("contacts")) == 1, "it has landed")


def test_a_drip_takes_as_long_as_its_pieces(crm, weather):
    """Each piece waits, and the answer is whole in the end."""
    weather.script("drip")
    with between(crm.url, weather, PACE) as proxy, requests.Session() as session:
        began = time.monotonic()
        answer = make_a_contact(session, proxy.url)
        took = time.monotonic() - began
    assert took > len(answer.content) / PACE.drip_bytes * PACE.drip_seconds
    assert answer.json()["properties"]["email"] == "ann@acme.example"


def test_a_connection_may_end_in_one_direction(crm, weather):
    """After a half-close the client reads an end, and may go on writing to nobody."""
    weather.script("half-close")
    asked = (
        f"GET {CONTACTS} HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    with between(crm.url, weather, PACE) as proxy:
        place = urlsplit(proxy.url)
        with socket.create_connection((place.hostname, place.port), PATIENT_SECONDS) as client:
            for _ in range(2):
                client.sendall(asked)
                assert client.recv(1) == b""
    assert crm.control.calls() == 1


def test_what_is_not_spoilt_passes_as_it_is(crm, weather):
    """Status, body and headers are the CRM's own, over one connection for many requests."""
    with between(crm.url, weather, PACE) as proxy, requests.Session() as session:
        made = make_a_contact(session, proxy.url)
        held = session.get(
            f"{proxy.url}{CONTACTS}/{made.json()['id']}",
            params={"properties": "email"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=PATIENT_SECONDS,
        )
    assert (made.status_code, held.status_code) == (201, 200)
    assert held.headers["Content-Type"].startswith("application/json")
    assert held.json()["properties"]["email"] == "ann@acme.example"
    assert weather.requests == 2


def test_faults_on_order_are_for_the_record_that_they_name(crm, weather):
    """Scripted answers go by method, path and what is in the body, each as often as was said."""
    weather.script("502", method="POST", path="contacts$", body="bob@", times=2)
    weather.script("503", body="bob@")
    with between(crm.url, weather, PACE) as proxy, requests.Session() as session:
        names = ["ann", "bob", "bob", "bob", "bob"]
        seen = [make_a_contact(session, proxy.url, name=name).status_code for name in names]
    assert seen == [201, 502, 502, 503, 409]


def test_one_seed_gives_one_weather():
    """The choices repeat with the seed, meet about the share that was asked for, and no more."""

    def met(seed: int, share: float) -> list[str | None]:
        weather = Weather(random.Random(seed), share)  # noqa: S311 - repeatable on purpose
        found = (weather.fault_for(ANY) for _ in range(1_000))
        return [fault.name if fault else None for fault in found]

    assert met(1, 0.2) == met(1, 0.2) != met(2, 0.2)
    assert 150 < sum(name is not None for name in met(1, 0.2)) < 250
    assert set(met(1, 1.0)) == set(BY_NAME)
    assert set(met(1, 0.0)) == {None}
