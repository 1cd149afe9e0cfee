"""Listening, hanging up, and the program."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from crmsync.sandbox import SettingsError
from crmsync.sandbox.__main__ import main
from crmsync.sandbox.hubspot import HubSpot
from tests.sandboxes import running, watched

GET = b"GET /crm/v3/objects/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pat-x\r\n\r\n"


def connect(url):
    """Open a bare connection."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def test_requests_sent_at_once_are_answered_in_order(sandbox, control):
    """Pipelined requests each get their answer, on one connection."""
    control.settings(latency_seconds=0.001)
    with connect(sandbox.url) as client:
        client.sendall(GET * 3)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 3:
            received += client.recv(65_536)
    assert control.calls() == 3


def test_a_request_in_pieces_is_understood(sandbox, control):
    """However the bytes arrive, the request is the same."""
    with connect(sandbox.url) as client:
        for position in range(len(GET)):
            client.sendall(GET[position : position + 1])
        assert client.recv(15) == b"HTTP/1.1 200 OK"


def test_what_is_not_http_is_refused(sandbox):
    """Nonsense is answered with 400 and the end of the connection."""
    with connect(sandbox.url) as client:
        client.sendall(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
        assert client.recv(1000) == b""


def test_a_client_that_asks_first_is_told_to_go_on(sandbox):
    """`Expect: 100-continue` is answered before the body is sent."""
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with connect(sandbox.url) as client:
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(12) == b"HTTP/1.1 404"


def test_a_mistake_in_the_simulation_is_an_answer(monkeypatch, sandbox, control, caplog):
    """What the simulated CRM stumbles over is logged and answered with 500."""
    monkeypatch.setattr(HubSpot, "answer", lambda _crm, _request: 1 / 0)
    with connect(sandbox.url) as client:
        client.sendall(GET)
        assert client.recv(12) == b"HTTP/1.1 500"
    assert "the simulated CRM failed at GET" in caplog.text
    assert control.calls(applied=False) == 1


def test_a_wrong_setting_is_refused_before_listening():
    """A sandbox does not start on settings it does not understand."""
    with pytest.raises(SettingsError, match="tier"), running(tier="gold"):
        pass


def test_a_taken_port_is_an_error(sandbox):
    """Two cannot listen on one port."""
    port = urlsplit(sandbox.url).port
    with pytest.raises(OSError, match=str(port)), running(port=port):
        pass


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_where_it_listens_and_leaves_when_told(signum):
    """`python -m crmsync.sandbox` prints its URL, takes settings and exits with 0."""
    command = [sys.executable, "-m", "crmsync.sandbox", "hubspot", "--port", "0", "--no-limits"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name, url = process.stdout.readline().split()
        assert name == "hubspot"
        with watched(name, url) as control:
            assert control.settings()["limits"] is False
        process.send_signal(signum)
        assert process.wait(10) == 0


def test_each_crm_has_a_tier_of_its_own():
    """Several CRMs are served, each with the tier that was chosen for it, or its lowest."""
    command = [sys.executable, "-m", "crmsync.sandbox", "hubspot", "zoho", "pipedrive"]
    command += ["--port", "0", "--tier", "pipedrive=premium", "--tier", "hubspot=enterprise"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        tiers = {}
        for _ in range(3):
            name, url = process.stdout.readline().split()
            with watched(name, url) as control:
                tiers[name] = control.settings()["tier"]
        process.terminate()
    assert tiers == {"hubspot": "enterprise", "zoho": "free", "pipedrive": "premium"}


def test_where_one_crm_is_served_its_name_goes_without_saying():
    """`--tier NAME` is then enough."""
    command = [sys.executable, "-m", "crmsync.sandbox", "pipedrive", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, "--tier", "ultimate"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name, url = process.stdout.readline().split()
        with watched(name, url) as control:
            tier = control.settings()["tier"]
        process.terminate()
    assert tier == "ultimate"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("zoho --tier gold", "the tiers of zoho are free, standard, professional, enterprise"),
        ("--tier zoho=lite", "the tiers of zoho are free, standard, professional, enterprise"),
        ("--tier premium", "say whose, as CRM=NAME (hubspot: free, starter"),
        ("zoho --tier hubspot=free", "there is no hubspot here, only zoho"),
        ("--tier sap=free", "there is no sap here, only hubspot, pipedrive"),
        ("--tier zoho=free --tier zoho=ultimate", "zoho has one already, free"),
    ],
)
def test_a_tier_that_is_not_there_is_refused(arguments, said, capsys):
    """The message names the CRM's tiers; nothing is served."""
    assert main(arguments.split()) == 1
    assert said in capsys.readouterr().err
