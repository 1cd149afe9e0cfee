"""`crmsync connect`: every way to authorise a connection, against the simulated CRM."""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import subprocess
import sys
import threading
import webbrowser
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
import requests
import structlog

from crmsync.bootstrap import open_store, tokens_of
from crmsync.cli.entry import run
from crmsync.settings import load_settings
from tests.end_to_end.test_cli import MAPPING, free_port
from tests.sandboxes import running

REFRESH = "na1-sandbox-refresh-token"
SECRETS = {"CLIENT_ID": "sandbox-client-id", "CLIENT_SECRET": "sandbox-client-secret"}
OAUTH = "{oauth: {client_id: '${CLIENT_ID}', client_secret: '${CLIENT_SECRET}'}}"


@pytest.fixture
def crm():
    """A simulated CRM that answers at once."""
    with running(search_lag_seconds=0.0, search_lag_jitter_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path, monkeypatch, crm):
    """A folder with one mapping as the current one; the connection has no `auth` yet."""
    monkeypatch.chdir(tmp_path)
    for name in ("CRMSYNC_CONFIG", "CRMSYNC_DATABASE_URL", "DATABASE_URL", "CRMSYNC_BROKER_URL",
                 "CRMSYNC_KEYS", "CRMSYNC_WRITE_KEY", "CRMSYNC_LOG_LEVEL", "HUBSPOT_TOKEN",
                 "SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "people.yaml").write_text(MAPPING)
    person = {"type": "identify", "userId": "u1", "messageId": "1", "traits": {"email": "a@x.io"}}
    (tmp_path / "events.jsonl").write_text(json.dumps(person) + "\n")
    handlers = logging.getLogger().handlers[:]
    yield tmp_path
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def authorise_by(project, crm):
    """Writes a crmsync.yaml with this `auth`."""

    def write(auth: str) -> None:
        (project / "crmsync.yaml").write_text(
            f"connections:\n  hubspot:\n    connector: hubspot\n    base_url: {crm.url}\n"
            f"    auth: {auth}\ntiming: {{linger_seconds: 0.01, sweep_seconds: 0.2}}\n"
        )

    return write


@pytest.fixture
def browser(monkeypatch):
    """A browser whose person agrees at once; called, it gives the pages that it ended at."""
    pages: list[requests.Response] = []

    def visit(url: str) -> bool:
        thread = threading.Thread(target=lambda: pages.append(requests.get(url, timeout=10)))
        thread.start()
        threads.append(thread)
        return True

    threads: list[threading.Thread] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", visit)

    def ended_at() -> list[requests.Response]:
        for thread in threads:
            thread.join(10)
        return pages

    yield ended_at
    ended_at()


def token_calls(crm):
    """Return how often a token was asked for."""
    return crm.control.calls(path="/oauth/v3/token")


def connecting(*arguments, name="hubspot"):
    """Begin `crmsync connect` in a process of its own."""
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "crmsync", "connect", name, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def printed_page(process):
    """Return the address that a connecting process prints."""
    for line in process.stdout:
        if line.startswith("http"):
            return line.strip()
    raise AssertionError(process.stderr.read())


def redirected(page):
    """Return where the CRM sends a browser back to."""
    answer = requests.get(page, allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_consent_in_the_browser(authorise_by, crm, browser, capsys):
    """The browser comes back to the loopback server; the grant is tried, kept and then used."""
    authorise_by(OAUTH)
    port = free_port()
    assert run(["connect", "hubspot", "--port", str(port)]) == 0
    said = capsys.readouterr()
    page = parse_qs(next(urlsplit(line).query for line in said.out.splitlines() if "?" in line))
    assert page["redirect_uri"] == [f"http://localhost:{port}/callback"]
    assert "crm.objects.contacts.write" in page["scope"][0]
    assert "made the match field 'crmsync_id'" in said.out
    assert "hubspot answers: account" in said.out
    [last] = browser()
    assert last.status_code == 200
    assert "Back to the terminal" in last.text
    assert run(["ingest", "events.jsonl"]) == 0
    assert run(["push"]) == 0
    assert len(crm.control.records("contacts")) == 1
    assert token_calls(crm) == 1


def test_what_is_granted_lies_encrypted_in_the_database(authorise_by, browser, project):
    """Neither token, nor the app's secret, can be found in the database's files."""
    authorise_by(OAUTH)
    assert run(["connect", "hubspot", "--port", str(free_port())]) == 0
    store = open_store(load_settings())
    granted = tokens_of(store, "hubspot").load().tokens
    store.database.dispose()
    files = b"".join(file.read_bytes() for file in (project / ".crmsync").glob("crmsync.db*"))
    assert b"oauth_tokens" in files
    kept_from_view = (granted.access, granted.refresh, SECRETS["CLIENT_SECRET"])
    assert [secret for secret in kept_from_view if str(secret).encode() in files] == []


def test_the_address_is_pasted_over_ssh(authorise_by, crm):
    """The address that a browser ends at elsewhere is pasted; another state is asked for again."""
    authorise_by(OAUTH)
    with connecting("--no-browser", "--port", str(free_port())) as process:
        good = redirected(printed_page(process))
        parts = urlsplit(good)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        forged = urlunsplit(parts._replace(query=urlencode(query | {"state": "another"})))
        said, complained = process.communicate(f"{forged}\n{good}\n", timeout=60)
    assert process.returncode == 0, complained
    assert "belongs to another authorisation" in complained
    assert "paste it here" in complained
    assert "hubspot answers: account" in said
    assert token_calls(crm) == 1


def test_a_redirect_with_a_wrong_state_is_not_taken(authorise_by, crm):
    """A page elsewhere cannot slip its own code in: only the question's own state counts."""
    authorise_by(OAUTH)
    port = free_port()
    with connecting("--no-browser", "--port", str(port), "--wait", "60") as process:
        page = printed_page(process)
        back = f"http://127.0.0.1:{port}/callback"
        for query in ({"code": "theirs", "state": "theirs"}, {"code": "theirs"}):
            assert requests.get(back, params=query, timeout=10).ok
        assert requests.get(f"http://127.0.0.1:{port}/other", timeout=10).status_code == 404
        assert token_calls(crm) == 0
        requests.get(redirected(page), timeout=10)
        _, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained
    assert complained.count("belongs to another authorisation") == 2
    assert token_calls(crm) == 1


def test_nobody_comes_back(authorise_by, capsys):
    """Waiting ends with what to do."""
    authorise_by(OAUTH)
    assert run(["connect", "hubspot", "--port", str(free_port()), "--wait", "1"]) == 1
    said = capsys.readouterr()
    assert "nobody came back from HubSpot within 1 s" in said.err
    assert "crmsync connect" in said.err


def test_a_refusal_is_told(authorise_by, monkeypatch, capsys):
    """A person who does not agree ends the command, with the CRM's reason."""
    authorise_by(OAUTH)
    monkeypatch.setenv("DISPLAY", ":0")

    def decline(url: str) -> bool:
        asked = parse_qs(urlsplit(url).query)
        query = {"error": "access_denied", "state": asked["state"][0]}
        back = asked["redirect_uri"][0].replace("localhost", "127.0.0.1")
        threading.Thread(target=lambda: requests.get(back, params=query, timeout=10)).start()
        return True

    monkeypatch.setattr(webbrowser, "open", decline)
    assert run(["connect", "hubspot", "--port", str(free_port())]) == 1
    assert "HubSpot was not authorised: access_denied" in capsys.readouterr().err


def test_a_taken_port_is_told(authorise_by, capsys):
    """The redirect address stands in the app's settings, so another port must be added there."""
    authorise_by(OAUTH)
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert run(["connect", "hubspot", "--port", str(other.getsockname()[1])]) == 1
    assert "is taken" in capsys.readouterr().err


def test_a_first_refresh_token_needs_no_consent(authorise_by, crm, monkeypatch, capsys):
    """One that stands in crmsync.yaml is used as it is; a revoked one asks for consent instead."""
    monkeypatch.setenv("REFRESH", REFRESH)
    authorise_by(OAUTH[:-2] + ", refresh_token: '${REFRESH}'}}")
    assert run(["connect", "hubspot", "--wait", "1"]) == 0
    assert "hubspot answers: account" in capsys.readouterr().out
    crm.control.act("revoke_refresh_tokens")
    crm.control.act("expire_access_tokens")
    assert run(["push"]) == 1
    assert "crmsync connect hubspot" in capsys.readouterr().err
    assert run(["connect", "hubspot", "--wait", "1", "--port", str(free_port())]) == 1
    assert "nobody came back" in capsys.readouterr().err


def test_oauth_without_a_grant_names_the_command(authorise_by, capsys):
    """A push before `connect` says what to run."""
    authorise_by(OAUTH)
    run(["ingest", "events.jsonl"])
    assert run(["push"]) == 1
    assert "crmsync connect hubspot" in capsys.readouterr().err


def test_a_token_on_stdin_is_kept(authorise_by, crm, monkeypatch, capsys, project):
    """It is used where its variable is not set; a variable that is set counts instead."""
    authorise_by('{token: "${HUBSPOT_TOKEN}"}')
    assert run(["check"]) == 1
    assert "HUBSPOT_TOKEN is not set" in capsys.readouterr().err
    crm.control.settings(tokens=("pat-na1-kept",))
    with connecting() as process:
        said, complained = process.communicate("pat-na1-kept\n", timeout=60)
    assert process.returncode == 0, complained
    assert "The token is kept" in said
    assert run(["check"]) == 0
    run(["ingest", "events.jsonl"])
    assert run(["push"]) == 0
    assert len(crm.control.records("contacts")) == 1
    assert b"pat-na1-kept" not in (project / ".crmsync" / "crmsync.db").read_bytes()
    with connecting() as process:  # nothing on stdin: what is kept is tried
        said, complained = process.communicate("", timeout=60)
    assert process.returncode == 0, complained
    assert "hubspot answers" in said
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-wrong")
    assert run(["connect", "hubspot"]) == 1
    assert "does not accept the token" in capsys.readouterr().err


def test_a_wrong_token_is_not_kept(authorise_by, crm, project):
    """What the CRM does not accept leaves nothing behind."""
    authorise_by('{token: "${HUBSPOT_TOKEN}"}')
    crm.control.settings(tokens=("pat-na1-other",))
    with connecting() as process:
        process.communicate("pat-na1-typo\n", timeout=60)
    assert process.returncode == 1
    with sqlite3.connect(project / ".crmsync" / "crmsync.db") as database:
        assert database.execute("SELECT count(*) FROM oauth_tokens WHERE sealed IS NOT NULL") \
            .fetchone() == (0,)  # fmt: skip
    database.close()
