"""The checks can fail, nothing escapes them, and every test that starts a CRM uses them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from crmsync.sandbox.http import Answer
from crmsync.sandbox.hubspot import HubSpot
from crmsync.sandbox.registry import CRMS
from tests.openapi import exchanges, tally
from tests.openapi.recorded import scripted
from tests.sandboxes import running, watched

TESTS = Path(__file__).resolve().parents[1]
API = "https://api.hubapi.com"
READ = "/crm/v3/objects/contacts/batch/read"
GOOD = {"inputs": [{"id": "5"}], "properties": ["email"], "propertiesWithHistory": []}
WRONG = {"inputs": [{"id": 5}]}
WRONG_REQUEST = rf"POST {READ} \w+: request: inputs\.0\.id: 5 is not of type 'string'"
WRONG_ANSWER = rf"POST {READ} 200: answer: results\.0\.id: 5 is not of type 'string'"

needs_data = pytest.mark.skipif(
    not tally.available(), reason=f"the OpenAPI data of the CRMs is not at {tally.OPENAPI}"
)


def post(url, body, path=READ):
    """Call HubSpot as an app does."""
    headers = {"Authorization": "Bearer pat-na1-test", "Connection": "close"}
    return requests.post(url + path, json=body, headers=headers, timeout=10)


def ask_a_scripted_crm(**more):
    """Call a scripted HubSpot."""
    with scripted("hubspot") as api:
        api.post(API + READ)
        requests.post(API + READ, timeout=10, **more)


def ask_with_a_fault(body):
    """Call a HubSpot whose answer is scripted, and wrong."""
    with running() as sandbox:
        sandbox.control.fault("answer", status=200, json={"results": [{"id": 5}]})
        post(sandbox.url, body)


@pytest.fixture
def wrong_answers(monkeypatch):
    """The simulated HubSpot answers 200 with a body that is not as described."""
    answer = Answer.of(200, {"status": "COMPLETE", "results": [{"id": 5}]})
    monkeypatch.setattr(HubSpot, "answer", lambda _crm, _request: answer)


# --- the checks can fail -------------------------------------------------------------------


@needs_data
def test_a_wrong_request_fails_the_test():
    """On leaving the block the problem is named by method, path, status and place."""
    with pytest.raises(AssertionError, match=WRONG_REQUEST), running() as sandbox:
        post(sandbox.url, WRONG)


@needs_data
@pytest.mark.parametrize("check_requests", [True, False])
def test_a_wrong_answer_fails_the_test(wrong_answers, check_requests):
    """An answer of the sandbox itself is checked whoever asks."""
    with (
        pytest.raises(AssertionError, match=WRONG_ANSWER),
        running(check_requests=check_requests) as sandbox,
    ):
        post(sandbox.url, GOOD)


@needs_data
@pytest.mark.parametrize("check_requests", [True, False])
def test_an_undescribed_success_fails_the_test(wrong_answers, check_requests):
    """A sandbox that answers where the vendor describes nothing has made something up."""
    with (
        pytest.raises(AssertionError, match="POST /crm/v3/inventions 200: not described"),
        running(check_requests=check_requests) as sandbox,
    ):
        post(sandbox.url, {}, "/crm/v3/inventions")


@needs_data
def test_a_wrong_request_to_another_process_fails_the_test():
    """A sandbox in a process of its own is looked into over its control API."""
    command = [sys.executable, "-m", "crmsync.sandbox", "hubspot", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name, url = process.stdout.readline().split()
        with pytest.raises(AssertionError, match=WRONG_REQUEST), watched(name, url):
            post(url, WRONG)
        process.terminate()


@needs_data
def test_a_wrong_request_to_a_scripted_crm_fails_the_test():
    """Unit tests of connectors are checked too."""
    with pytest.raises(AssertionError, match=WRONG_REQUEST):
        ask_a_scripted_crm(json=WRONG, headers={"Authorization": "Bearer pat-na1-test"})


@needs_data
def test_a_request_without_a_token_fails_the_test():
    """What is asked of the headers is checked as well."""
    with pytest.raises(AssertionError, match="request: SecurityNotFound"):
        ask_a_scripted_crm(json=GOOD)


# --- nothing escapes -----------------------------------------------------------------------


@needs_data
def test_what_a_fault_answers_is_not_checked_and_its_request_is():
    """A test may script any answer."""
    ask_with_a_fault(GOOD)
    with pytest.raises(AssertionError, match=WRONG_REQUEST) as caught:
        ask_with_a_fault(WRONG)
    assert "answer:" not in str(caught.value)


@needs_data
@pytest.mark.parametrize("forget", ["clear_ledger", "reset"])
def test_what_is_forgotten_on_order_is_checked_before(forget):
    """Clearing the ledger hides nothing."""
    with running() as sandbox:
        post(sandbox.url, WRONG)
        getattr(sandbox.control, forget)()
        [problem] = sandbox.control.problems()
    assert re.match(WRONG_REQUEST, problem)


def test_what_the_ledger_lost_fails_the_test():
    """A ledger that is too short cannot vouch for anything."""
    with running(ledger_entries=1) as sandbox:
        for _ in range(3):
            post(sandbox.url, GOOD)
        [problem] = sandbox.control.problems()
    assert problem == "2 requests were forgotten before they were looked at"


def test_bodies_that_were_not_kept_fail_the_test():
    """Nor can one without bodies."""
    with (
        pytest.raises(AssertionError, match="its body was not kept"),
        running(ledger_bodies=False) as sandbox,
    ):
        post(sandbox.url, GOOD)


@needs_data
def test_what_was_checked_is_counted():
    """The line at the end of the run tells how much stands behind it."""
    before = tally.CHECKED.copy()
    with running() as sandbox:
        post(sandbox.url, GOOD)
    assert tally.CHECKED - before == {"hubspot requests": 1, "hubspot answers": 1}


def test_without_the_data_the_run_says_that_nothing_was_checked(monkeypatch, tmp_path):
    """The absence of the descriptions is no failure and no secret."""
    monkeypatch.setattr(tally, "OPENAPI", tmp_path / "nowhere")
    with running() as sandbox:
        post(sandbox.url, WRONG)
    assert "not checked" in tally.summary()


# --- and everybody uses them ---------------------------------------------------------------


@pytest.mark.parametrize("crm", sorted(CRMS))
def test_every_simulated_crm_has_its_description(crm):
    """Each is in the table: with its description, or as one whose vendor publishes none."""
    exchanges.described(crm)


OWN_WAYS = {
    ("crmsync", "sandbox"),
    ("crmsync.sandbox", "running"),
    ("crmsync.sandbox", "serve"),
    ("crmsync.sandbox.server", "running"),
    ("crmsync.sandbox.server", "serve"),
    ("responses", "RequestsMock"),
    ("responses", "activate"),
}
"""Imports, and attributes of modules, by which a CRM is started that nobody watches."""
PROGRAMS = {"crmsync.sandbox", "crmsync.demo", "crmsync.demo.simulated"}
"""Programs that start one."""
WATCHMEN = {"tests/sandboxes.py", "tests/openapi/recorded.py"}


def unwatched(path):
    """Return the ways in which a test file starts a CRM that nobody watches."""
    found, imported = [], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
            ways = {(node.module, alias.name) for alias in node.names}
            found += [".".join(way) for way in ways & OWN_WAYS]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in OWN_WAYS:
                found.append(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Constant) and node.value in PROGRAMS:
            found.append(f"-m {node.value}")
    if "tests.sandboxes" in imported:
        found = [way for way in found if not way.startswith("-m ")]
    return found


def test_every_test_that_starts_a_crm_has_it_watched():
    """There is one way to start a simulated or scripted CRM, and it checks what passes."""
    files = {str(path.relative_to(TESTS.parent)): path for path in TESTS.rglob("*.py")}
    found = {name: unwatched(path) for name, path in files.items() if name not in WATCHMEN}
    found.pop("tests/openapi/test_checks.py")
    assert {name: ways for name, ways in found.items() if ways} == {}


@pytest.mark.parametrize(
    "text",
    [
        "from crmsync.sandbox import Control, running",
        "from crmsync import sandbox",
        "import responses\nwith responses.RequestsMock() as mock: pass",
        "import responses\n@responses.activate\ndef test(): pass",
        "run([python, '-m', 'crmsync.sandbox'])",
    ],
)
def test_an_own_way_is_found(tmp_path, text):
    """The search above can find something."""
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert unwatched(path)
