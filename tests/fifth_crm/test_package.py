"""A connector that lives in another package: found by its entry point, used by the command line.

`package/` is what a folder of installed packages holds of it: the module, and beside it the
`dist-info` that an installer would have written. On the path it is installed; no installer is
needed, and nothing in src/ knows of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from crmsync.connectors import registry
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection, Key
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError, OutcomeUnknown, Unavailable
from crmsync.model import Action, Batch, LinkId, Operation
from tests.fifth_crm.simulated import PACKAGE, running_tidewater

GROUP = registry.GROUP
SOURCE = Path(__file__).resolve().parents[2] / "src"
CONFIG = """\
connections:
  harbour:
    connector: tidewater
    base_url: {url}
    auth: {{token: "${{TIDEWATER_KEY}}"}}
    limits: {{calls_per_minute: 1800}}
timing: {{linger_seconds: 0.01, sweep_seconds: 0.2}}
"""
MAPPING = """\
connection: harbour
source: profiles
object: contacts
match: {crmsync_id: profile_id, email: email}
fields:
  email: email
  firstname: first_name
  stage: plan
"""
ANN = [Key("ann@x.io", "email")]
CREATE = Batch("contacts", Action.CREATE, [Operation(LinkId(1), Action.CREATE, {})])
PEOPLE = [("u1", "Ann", "lead"), ("u2", "Bob", "customer"), ("u3", "Cyd", "wizard")]


@pytest.fixture
def crm():
    """A simulated Tidewater."""
    with running_tidewater() as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path, crm):
    """A folder with a connection to Tidewater, a mapping, and three people's events."""
    (tmp_path / "crmsync.yaml").write_text(CONFIG.format(url=crm.url))
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "people.yaml").write_text(MAPPING)
    calls = [
        {"type": "identify", "userId": user, "messageId": user,
         "traits": {"email": f"{user}@acme.example", "first_name": name, "plan": plan}}
        for user, name, plan in PEOPLE
    ]  # fmt: skip
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(c) + "\n" for c in calls))
    return tmp_path


@pytest.fixture
def connector(monkeypatch, crm):
    """The package's connector, installed and opened."""
    monkeypatch.syspath_prepend(PACKAGE)
    connection = Connection("harbour", "tidewater", {"token": "tw-x"}, base_url=crm.url)
    return registry.open_connector(
        connection, lambda _connection, limits: MemoryThrottle(limits), MemoryTokens()
    )


def crmsync(folder, *arguments, installed=True):
    """Run `crmsync` in a process of its own, where the package is installed or is not."""
    ours = ("CRMSYNC_", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    own = {"TIDEWATER_KEY": "tw-end-to-end", "PYTHONPATH": str(PACKAGE) if installed else ""}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "crmsync", *arguments],
        cwd=folder, env={**kept, **own}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_is_found_by_its_entry_point(monkeypatch):
    """Once the package is installed, its connector has a name like those built in."""
    assert "tidewater" not in registry.names()
    with pytest.raises(ConfigError, match="unknown connector 'tidewater'"):
        registry.load("tidewater")
    monkeypatch.syspath_prepend(PACKAGE)
    assert "tidewater" in registry.names()
    assert registry.load("tidewater").__module__ == "crmsync_tidewater"


def test_it_is_installed_as_its_project_says(monkeypatch):
    """Name, version and entry points are those of pyproject.toml, which installers read."""
    monkeypatch.syspath_prepend(PACKAGE)
    installed = distribution("crmsync-tidewater")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    assert installed.version == project["version"]
    assert installed.requires == project["dependencies"]
    points = {point.name: point.value for point in installed.entry_points.select(group=GROUP)}
    assert points == project["entry-points"][GROUP]
    assert len(installed.entry_points) == len(points)


def test_the_page_on_writing_one_shows_this_package():
    """What docs/connectors/writing-one.md quotes is what stands in the package."""
    page = (SOURCE.parent / "docs" / "connectors" / "writing-one.md").read_text()
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    (quoted,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    shown = tomllib.loads(quoted)["project"]
    assert shown == {name: project[name] for name in shown}
    assert "connector: tidewater" in page


def test_nothing_of_crmsync_names_it():
    """A fifth CRM needs no change in src/."""
    naming = [
        path for path in SOURCE.rglob("*.py") if "tidewater" in path.read_text("utf-8").lower()
    ]
    assert naming == []


@pytest.mark.parametrize("said", [{"rows": [{}]}, {}, []])
def test_an_answer_of_another_shape_is_a_lost_one(connector, crm, said):
    """A read is asked again later; a write is neither done nor safe to send again."""
    crm.control.fault("answer", status=200, json=said)
    with pytest.raises(Unavailable):
        connector.read("contacts", ANN, ["email"])
    with pytest.raises(OutcomeUnknown):
        connector.write(CREATE)


def test_a_key_that_the_answer_passes_over_is_not_missing(connector, crm):
    """Only where Tidewater says that there is no such record may one be created."""
    assert connector.read("contacts", ANN, ["email"]) == [None]
    crm.control.fault("answer", status=200, json={"rows": [], "missing": []})
    with pytest.raises(Unavailable):
        connector.read("contacts", ANN, ["email"])


def test_people_reach_it_from_the_command_line(project, crm):
    """Connect makes the match field, push delivers, a refusal says what to do, again is nothing."""
    connected = crmsync(project, "connect", "harbour")
    assert connected.returncode == 0, connected.stderr
    assert "made the match field 'crmsync_id'" in connected.stdout
    assert "account T-17 Harbour" in connected.stdout
    assert crmsync(project, "ingest", "events.jsonl").returncode == 0

    pushed = crmsync(project, "push")
    assert pushed.returncode == 1, pushed.stderr  # one is refused
    held = [record["properties"] for record in crm.control.records("contacts")]
    assert sorted((p["email"], p["firstname"], p["stage"]) for p in held) == [
        ("u1@acme.example", "Ann", "lead"),
        ("u2@acme.example", "Bob", "customer"),
    ]
    assert all(properties["crmsync_id"] for properties in held)
    assert crm.control.calls(path="/v1/contacts:save") == 1

    failures = crmsync(project, "failures", "--json")
    (group,) = [json.loads(line) for line in failures.stdout.splitlines()]
    assert (group["code"], group["field"], group["count"]) == ("BAD_VALUE", "stage", 1)

    crm.control.clear_ledger()
    assert crmsync(project, "push").returncode == 0
    assert crm.control.calls(path="/v1/contacts:save") == 0


def test_without_the_package_the_file_is_wrong(project):
    """Where it is not installed, crmsync.yaml is refused with line and names; no trace."""
    checked = crmsync(project, "check", installed=False)
    assert checked.returncode == 1
    assert "crmsync.yaml:3:16: unknown connector 'tidewater'" in checked.stderr + checked.stdout
    assert "Traceback" not in checked.stderr
