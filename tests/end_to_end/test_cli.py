"""The command line from a fresh folder to a replayed failure, against the simulated CRM."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import structlog

from crmsync.cli.entry import run
from crmsync.sync import command
from tests.sandboxes import running

MAPPING = """\
connection: hubspot
source: profiles
object: contacts
match: {crmsync_id: profile_id, email: email}
trigger: [realtime, hourly]
fields:
  email: email
  firstname: first_name
  lifecyclestage: plan
"""
PEOPLE = [("u1", "Ann", "lead"), ("u2", "Bob", "customer"), ("u3", "Cyd", "no-such-stage")]


@pytest.fixture
def crm():
    """A simulated CRM that answers at once."""
    with running(search_lag_seconds=0.0, search_lag_jitter_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path, monkeypatch, crm):
    """A folder with a mapping, aimed at the simulated CRM, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-test")
    for name in ("CRMSYNC_CONFIG", "CRMSYNC_DATABASE_URL", "DATABASE_URL", "CRMSYNC_BROKER_URL",
                 "CRMSYNC_KEYS", "CRMSYNC_WRITE_KEY", "CRMSYNC_LOG_LEVEL", "PORT"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    aim_at(tmp_path, crm.url)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "people.yaml").write_text(MAPPING)
    calls = [
        {"type": "identify", "userId": user, "messageId": user,
         "traits": {"email": f"{user}@acme.example", "first_name": name, "plan": plan}}
        for user, name, plan in PEOPLE
    ]  # fmt: skip
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(c) + "\n" for c in calls))
    handlers = logging.getLogger().handlers[:]
    yield tmp_path
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


def aim_at(folder, url):
    """Write a crmsync.yaml whose connection is at this address."""
    (folder / "crmsync.yaml").write_text(
        f"connections:\n  hubspot:\n    connector: hubspot\n    base_url: {url}\n"
        '    auth: {token: "${HUBSPOT_TOKEN}"}\n'
        "timing: {linger_seconds: 0.01, sweep_seconds: 0.2}\n"
    )


def rows(capsys, *arguments):
    """Run a command with --json; return its objects."""
    capsys.readouterr()
    run([*arguments, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def called(*arguments):
    """Run a command in a process of its own, which takes its connections with it."""
    return subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "crmsync", *arguments], capture_output=True, text=True, check=False
    )


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_from_a_folder_to_a_replayed_failure(project, crm, capsys):
    """connect, ingest, push, failures, replay: each command does what the next one builds on."""
    assert run(["connect", "hubspot"]) == 0
    assert "made the match field 'crmsync_id'" in capsys.readouterr().out
    assert run(["ingest", "events.jsonl"]) == 0
    assert run(["push"]) == 1  # one is refused
    crm.control.clear_ledger()
    assert run(["push"]) == 0
    assert crm.control.calls(method="POST") == 0

    (group,) = rows(capsys, "failures")
    assert (group["count"], group["field"]) == (1, "lifecyclestage")
    assert group["hint"]
    assert group["replay"] == f"crmsync replay --group {group['group']}"

    mapping = project / "mappings" / "people.yaml"
    mapping.write_text(MAPPING.replace("lifecyclestage: plan", "lastname: plan"))
    assert run(["replay", "--group", group["group"], "--dry-run"]) == 0
    assert crm.control.calls(method="POST") == 0
    assert run(["replay", "--group", group["group"]]) == 0
    assert rows(capsys, "failures") == []
    assert len(crm.control.records("contacts")) == 3


def test_json_rows_have_exactly_the_promised_keys(project, capsys):
    """What scripts and outside checks read: `log --json` and `profiles --json`."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    log = rows(capsys, "log")
    assert {tuple(entry) for entry in log} == {
        ("run", "sync", "connection", "object", "profile_id", "crm_id", "action", "outcome",
         "fields", "error", "attempt", "at"),
    }  # fmt: skip
    (failed,) = rows(capsys, "log", "--failed", "--since", "1h")
    assert tuple(failed["error"]) == ("class", "code", "message", "hint")
    (ann,) = rows(capsys, "profiles", "u1")
    assert tuple(ann) == (
        "id", "user_id", "email", "traits", "stats", "identifiers", "segments", "links",
    )  # fmt: skip
    (link,) = ann["links"]
    assert tuple(link) == ("connection", "object", "crm_id", "state", "snapshot")
    assert link["snapshot"]["firstname"] == "Ann"
    assert [one["user_id"] for one in rows(capsys, "profiles", "--search", "U2@ACME")] == ["u2"]
    assert len(rows(capsys, "profiles", "--limit", "2")) == 2


def test_explain_leads_from_event_to_field(project, capsys):
    """Each field names the event, the trait, the mapping's line and the entry that wrote it."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    (story,) = rows(capsys, "explain", "u1@acme.example", "--field", "firstname")
    assert story["mapping"] == {"file": "mappings/people.yaml", "line": 8, "from": "first_name"}
    assert story["facts"][0]["event"]["message_id"] == "u1"
    assert (story["written"]["old"], story["written"]["new"]) == (None, "Ann")
    (refused,) = rows(capsys, "explain", "u3", "--field", "lifecyclestage")
    assert refused["failed"]["new"] == "no-such-stage"
    assert run(["explain", "u1", "--field", "nonsense"]) == 1
    assert "there are: crmsync_id, email" in capsys.readouterr().err


def test_a_bad_line_is_told_by_number_and_the_rest_goes_on(project, capsys):
    """The exit code says that something was refused; reading the file again changes nothing."""
    with (project / "events.jsonl").open("a") as file:
        file.write('{"type": bad\n{"type": "track", "userId": "u1", "event": "x"}\n')
    assert run(["ingest", "events.jsonl"]) == 1
    shown = capsys.readouterr()
    assert "events.jsonl:4: not JSON" in shown.err
    assert "4 events taken" in shown.out
    (again,) = rows(capsys, "ingest", "events.jsonl")
    assert (again["repeated"], again["refused"]) == (3, 1)


def test_a_paused_sync_is_left_alone_until_it_is_resumed(project, crm, capsys):
    """`push` by name refuses, plain `push` passes it over, `schedule` says so."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    assert run(["schedule", "pause", "people"]) == 0
    assert run(["push", "people"]) == 1
    assert run(["push"]) == 0
    assert crm.control.records("contacts") == []
    (outlook,) = rows(capsys, "schedule")
    assert outlook["paused_at"]
    assert len(outlook["next_runs"]) == 5
    assert run(["schedule", "resume", "people"]) == 0
    assert run(["push", "people"]) == 1
    assert len(crm.control.records("contacts")) == 2


def test_backfill_compares_everybody_and_sends_nothing_that_is_the_same(project, crm, capsys):
    """What the CRM is known to hold costs no call."""
    run(["connect", "hubspot"])
    (project / "events.jsonl").write_text((project / "events.jsonl").read_text().split("\n")[0])
    run(["ingest", "events.jsonl"])
    run(["push"])
    crm.control.clear_ledger()
    assert run(["backfill", "people"]) == 0
    assert "1 unchanged, 0 write calls" in capsys.readouterr().out
    assert crm.control.calls(method="POST") == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["push"], {"HUBSPOT_TOKEN": ""}, "environment variable HUBSPOT_TOKEN is not set"),
        (["connect", "hubspot"], {"HUBSPOT_TOKEN": "wrong"}, "does not accept the token"),
        (["push", "peeple"], {}, "did you mean 'people'?"),
        (["push"], {"CRMSYNC_CONFIG": "elsewhere.yaml"}, "`crmsync init` writes one"),
        (["runs"], {"CRMSYNC_DATABASE_URL": "mysql://x"}, "use postgresql or sqlite"),
        (["api"], {"CRMSYNC_DATABASE_URL": "postgresql://x"}, "CRMSYNC_WRITE_KEY is not set"),
        (["up"], {"CRMSYNC_BROKER_URL": "redis://x"}, "run `crmsync api`, `crmsync worker`"),
        (["worker"], {}, "CRMSYNC_BROKER_URL is not set"),
        (["log", "--since", "soon"], {}, "12h or 1d"),
        (["replay"], {}, "one of --run, --group, --record and --all-dead"),
        (["ingest", "nowhere.jsonl"], {}, "cannot read nowhere.jsonl: No such file"),
        (["runs"], {"CRMSYNC_LOG_LEVEL": "loud"}, "CRMSYNC_LOG_LEVEL"),
    ],
)
def test_a_mistake_says_what_to_do(  # noqa: PLR0913, PLR0917 - three fixtures and a case
    project, monkeypatch, capsys, arguments, variables, words
):
    """Exit code 1, one clear message, no stack trace."""
    run(["keys", "new"])
    monkeypatch.setenv("CRMSYNC_KEYS", capsys.readouterr().out.strip())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(arguments) == 1
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err


def test_a_refused_connection_stops_the_push_and_loses_nothing(project, monkeypatch, capsys):
    """Patience ends, the reason is told, and what was to be sent still is."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    aim_at(project, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(command, "STUCK_SECONDS", 0.0)
    assert run(["push"]) == 1
    assert "the connection was refused" in capsys.readouterr().err
    states = {one["links"][0]["state"] for one in rows(capsys, "profiles")}
    assert states == {"dirty"}


def test_a_call_that_never_left_is_no_write_call(project, monkeypatch, capsys):
    """Nobody listens: not one write call is counted, and the message says where nobody does."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    (project / "events.jsonl").write_text(
        '{"type": "identify", "userId": "u1", "messageId": "m9", "traits": {"first_name": "Eve"}}'
    )
    run(["ingest", "events.jsonl"])
    port = free_port()
    aim_at(project, f"http://127.0.0.1:{port}")
    monkeypatch.setattr(command, "STUCK_SECONDS", 0.0)
    (pushed,) = rows(capsys, "push")
    assert (pushed["calls"], pushed["retried"]) == (0, 1)
    assert f"127.0.0.1:{port}/" in pushed["stopped"]


@pytest.mark.parametrize("arguments", [["connect", "hubspot"], ["push"], ["check", "--live"]])
def test_a_dead_token_is_told_with_its_variable_and_the_command(
    project, monkeypatch, capsys, arguments
):
    """The person learns which connection, where its token comes from, and what to run."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    monkeypatch.setenv("HUBSPOT_TOKEN", "wrong")
    assert run(arguments) == 1
    told = capsys.readouterr().err
    assert "connection 'hubspot' takes its token from HUBSPOT_TOKEN" in told
    assert "run `crmsync connect hubspot`" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "--group", "zzz"], "no cause is called 'zzz'; causes now: "),
        (["replay", "--run", "999999"], "there is no run 999999; the latest is 1"),
        (["replay", "--record", "nobody"], "nobody is known by 'nobody'"),
        (["replay", "--record", "u1"], "nothing of 'u1' fails now; causes now: "),
        (["log", "--run", "9" * 23], f"there is no run {'9' * 23}; the latest is 1"),
        (["log", "--run", "-1"], "there is no run -1"),
        (["log", "--record", "nobody"], "nobody is known by 'nobody'"),
    ],
)
def test_what_matches_nothing_is_an_error_that_says_what_there_is(
    project, capsys, arguments, words
):
    """A slip of the keyboard never looks like success."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    capsys.readouterr()
    assert run(arguments) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert not told.out
    if "causes now" in words:
        assert "(1 INVALID_OPTION in 'lifecyclestage')" in told.err


def test_huge_numbers_are_no_fault_of_ours(project, capsys):
    """However many rows or weeks are asked for, the answer is what there is."""
    run(["ingest", "events.jsonl"])
    assert run(["runs", "--limit", "9" * 23]) == 0
    assert run(["log", "--since", "999999w", "--limit", "9" * 23]) == 0
    assert "nothing in the log matches" in capsys.readouterr().out


def test_a_person_is_found_by_the_id_of_their_record(project, capsys):
    """`explain`, `log`, `profiles` and `replay` take a CRM id as they take an e-mail."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    (ann,) = rows(capsys, "profiles", "u1")
    crm_id = ann["links"][0]["crm_id"]
    for name in (crm_id, f"hubspot:{crm_id}", f"hubspot:contacts:{crm_id}"):
        assert [one["id"] for one in rows(capsys, "profiles", name)] == [ann["id"]]
        assert {one["crm_id"] for one in rows(capsys, "explain", name)} == {crm_id}
        assert {one["profile_id"] for one in rows(capsys, "log", "--record", name)} == {ann["id"]}
        assert run(["replay", "--record", name, "--dry-run"]) == 1
        assert f"nothing of '{name}' fails now" in capsys.readouterr().err
    assert run(["explain", f"zoho:{crm_id}"]) == 1


def test_a_crm_id_that_several_records_have_is_asked_back(project, capsys):
    """Each way to say which is named, and each of them works."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    (project / "mappings" / "deals.yaml").write_text(MAPPING.replace("contacts", "deals"))
    (ann,), (bob,) = rows(capsys, "profiles", "u1"), rows(capsys, "profiles", "u2")
    crm_id = ann["links"][0]["crm_id"]
    with sqlite3.connect(project / ".crmsync" / "crmsync.db") as database:
        database.execute(
            "INSERT INTO syncs (name, connection, object_type) VALUES (?, ?, ?)",
            ("deals", "hubspot", "deals"),
        )
        database.execute(
            "UPDATE links SET object_type = 'deals', crm_id = ? WHERE profile_id = ?",
            (crm_id, bob["id"]),
        )
    database.close()
    assert run(["profiles", crm_id]) == 1
    told = capsys.readouterr().err
    assert f"say which: hubspot:contacts:{crm_id}, hubspot:deals:{crm_id}" in told
    assert [one["id"] for one in rows(capsys, "profiles", f"hubspot:deals:{crm_id}")] == [bob["id"]]


@pytest.mark.parametrize("width", [80, 120])
def test_every_table_fits_a_terminal(project, monkeypatch, capsys, width):
    """No line is wider than the screen, and headings and ids stay in one piece."""
    run(["connect", "hubspot"])
    run(["ingest", "events.jsonl"])
    run(["push"])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    (ann,) = rows(capsys, "profiles", "u1")
    for arguments, words in (
        (["runs"], "people"),
        (["log"], ann["id"]),
        (["profiles"], "u1"),
        (["replay", "--all-dead", "--dry-run"], "INVALID_OPTION"),
        (["fields", "hubspot", "contacts"], "lifecyclestage"),
    ):
        run(arguments)
        shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert words in shown
        assert max(map(len, shown.splitlines())) <= width


def test_what_has_neither_id_nor_time_is_taken_again_and_says_so(project, capsys):
    """The closing line warns once such a line was taken; with a messageId there is no warning."""
    assert run(["ingest", "events.jsonl"]) == 0
    assert "taken again" not in capsys.readouterr().err
    (project / "events.jsonl").write_text('{"type": "track", "userId": "u1", "event": "x"}\n')
    for _ in range(2):
        assert run(["ingest", "events.jsonl"]) == 0
        shown = capsys.readouterr()
        assert "1 event taken" in shown.out
        assert "1 event without messageId and timestamp would be taken again" in shown.err


def test_a_sandbox_on_a_taken_port_says_so_in_one_line(capsys):
    """The port and what to do; no number of an error, no tuple."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["sandbox", "hubspot", "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"crmsync sandbox: cannot listen on 127.0.0.1:{port}: another program listens there "
        "already; --port chooses another port (0: any that is free)\n"
    )
    assert run(["sandbox", "--port", "70000"]) == 1
    assert "give a number from 0 to 655" in capsys.readouterr().err


def test_a_folder_without_a_project_stays_as_it_was(tmp_path, monkeypatch):
    """A command in the wrong folder makes neither keys nor a database there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRMSYNC_CONFIG", raising=False)
    assert run(["runs"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_init_writes_files_that_load_and_keeps_what_is_there(tmp_path, monkeypatch, capsys):
    """A second `init` changes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRMSYNC_CONFIG", raising=False)
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-test")
    assert run(["init"]) == 0
    assert run(["check"]) == 0
    Path("crmsync.yaml").write_text("mine")
    assert run(["init"]) == 0
    assert Path("crmsync.yaml").read_text() == "mine"
    assert "kept     crmsync.yaml" in capsys.readouterr().out


def test_init_of_another_crm_says_what_to_add(tmp_path, monkeypatch, capsys):
    """What is there is kept, so the new connection is printed: pasted in, the project loads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRMSYNC_CONFIG", raising=False)
    assert run(["init"]) == 0
    capsys.readouterr()
    assert run(["init", "--crm", "pipedrive"]) == 0
    said = capsys.readouterr()
    assert "crmsync.yaml has no connection 'pipedrive': put this under" in said.err
    start = said.out.index("  pipedrive:")
    block = said.out[start : said.out.index("\n\n", start)]
    project = tmp_path / "crmsync.yaml"
    project.write_text(project.read_text().replace("connections:", f"connections:\n{block}"))
    for name in ("HUBSPOT_TOKEN", "PIPEDRIVE_TOKEN"):
        monkeypatch.setenv(name, "given-in-the-test")
    assert run(["check"]) == 0
    assert run(["init", "--crm", "pipedrive"]) == 0
    assert "put this under" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("crm", "variables", "mapping"),
    [
        ("hubspot", ["HUBSPOT_TOKEN"], "hubspot-contacts"),
        ("memory", ["MEMORY_TOKEN"], "memory-contacts"),
        ("pipedrive", ["PIPEDRIVE_TOKEN"], "pipedrive-persons"),
        ("salesforce", ["SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"], "salesforce-contact"),
        ("zoho", ["ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET"], "zoho-contacts"),
    ],
)
def test_init_knows_each_crm(  # noqa: PLR0913, PLR0917 - three fixtures and a case
    tmp_path, monkeypatch, capsys, crm, variables, mapping
):
    """Its files load with the named variables set, the line about limits taken in as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRMSYNC_CONFIG", raising=False)
    assert run(["init", "--crm", crm]) == 0
    assert (tmp_path / "mappings" / f"{mapping}.yaml").exists()
    assert " and ".join(variables) in capsys.readouterr().out
    project = tmp_path / "crmsync.yaml"
    project.write_text(project.read_text().replace("# limits:", "limits:"))
    for name in variables:
        monkeypatch.setenv(name, "given-in-the-test")
    assert run(["check"]) == 0


def test_up_takes_an_event_sends_it_and_stops_without_a_trace(project, crm):
    """One process: HTTP in, CRM out; SIGTERM ends it with 0 and no lease is left behind."""
    run(["connect", "hubspot"])
    port = free_port()
    server = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "crmsync", "up", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CRMSYNC_WRITE_KEY": "test-key"},
    )
    try:
        assert server.stderr is not None
        assert f"http://127.0.0.1:{port}" in server.stderr.readline()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/identify",
            data=(project / "events.jsonl").read_bytes().split(b"\n")[0],
            headers={"X-Crmsync-Key": "test-key"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the process above, on loopback
            assert json.load(answer)["taken"] == 1
        assert crm.control.wait(method="POST", path="*/batch/upsert", finished=True)
    finally:
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=40)
    assert server.returncode == 0, log
    with sqlite3.connect(project / ".crmsync" / "crmsync.db") as database:
        leased = database.execute("SELECT count(*) FROM links WHERE lease_token IS NOT NULL")
        assert leased.fetchone() == (0,)
    database.close()
    assert len(crm.control.records("contacts")) == 1


def test_api_and_worker_apart_deliver_over_postgresql_and_redis(  # noqa: PLR0913, PLR0917 - its fixtures
    project, crm, monkeypatch, capsys, pg_database, redis_database
):
    """The api's message wakes a worker in another process; both end with 0 on SIGTERM."""
    run(["keys", "new"])
    monkeypatch.setenv("CRMSYNC_KEYS", capsys.readouterr().out.strip())
    monkeypatch.setenv("CRMSYNC_WRITE_KEY", "test-key")
    monkeypatch.setenv("CRMSYNC_DATABASE_URL", pg_database)
    monkeypatch.setenv("CRMSYNC_BROKER_URL", redis_database)
    assert "run `crmsync migrate` first" in called("push").stderr
    assert called("migrate").returncode == 0
    assert called("connect", "hubspot").returncode == 0
    port = free_port()
    commands = (["api", "--port", str(port)], ["worker"], ["scheduler"])
    processes = [
        subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "crmsync", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in processes:
            assert process.stderr is not None
            assert "Ctrl-C stops" in process.stderr.readline()  # says that it has begun
        with urllib.request.urlopen(
            urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/identify",
                data=(project / "events.jsonl").read_bytes().split(b"\n")[0],
                headers={"X-Crmsync-Key": "test-key"},
            ),
            timeout=20,
        ) as answer:
            assert json.load(answer)["taken"] == 1
        assert crm.control.wait(
            method="POST", path="*/batch/upsert", finished=True, timeout_seconds=30
        )
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        shown, logs = zip(*(process.communicate(timeout=60) for process in processes), strict=True)
    assert [process.returncode for process in processes] == [0, 0, 0], logs
    assert "[queues]" not in "".join(shown)  # no banner of Celery's
    ann = json.loads(called("profiles", "u1", "--json").stdout)
    assert ann["links"][0]["state"] == "clean"
