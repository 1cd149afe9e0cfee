"""A person's mistake, with each CRM: exit code 1, clear words about it, nothing lost, no trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from crmsync.cli.entry import run
from crmsync.sandbox import Sandbox
from crmsync.sync import command
from tests.crms import CRMS, Crm
from tests.end_to_end.folders import EVENTS, write_person, write_project
from tests.end_to_end.test_cli import free_port, rows
from tests.sandboxes import running
from tests.workbench import TOKEN


@dataclass(frozen=True)
class Scene:
    """A folder that works, with one person to be sent, and the CRM it is aimed at."""

    crm: Crm
    folder: Path
    sandbox: Sandbox
    monkeypatch: pytest.MonkeyPatch

    def write(self, mapping: Mapping[str, object] | None = None, **connection: object) -> None:
        """Write the files anew, with other keys of the connection, or of the mapping."""
        content = yaml.safe_load(self.crm.mapping(self.crm.by_key)) | dict(mapping or {})
        write_project(
            self.folder,
            {self.crm.name: self.crm.connection(self.sandbox.url, **connection)},
            {"people": yaml.safe_dump(content, sort_keys=False)},
        )


Spoil = Callable[[Scene], None]


def wrong_token(scene: Scene) -> None:
    """Set the variable to what the CRM does not know."""
    scene.monkeypatch.setenv("CRM_TOKEN", "wrong")


def no_token(scene: Scene) -> None:
    """Leave the variable empty."""
    scene.monkeypatch.setenv("CRM_TOKEN", "")


def nobody_listens(scene: Scene) -> None:
    """Aim at a port where nobody is."""
    scene.write(base_url=f"http://127.0.0.1:{free_port()}")


def in_the_clear(scene: Scene) -> None:
    """Aim at another machine without TLS."""
    scene.write(base_url="http://crm.example.com")


def unknown_limit(scene: Scene) -> None:
    """Name a limit that no CRM has."""
    scene.write(limits={"calls_per_fortnight": 1})


def unknown_auth(scene: Scene) -> None:
    """Give credentials of a sort that there is not."""
    scene.write(auth={"password": "hunter2"})


def mapped_twice(scene: Scene) -> None:
    """Write a second mapping of the same object."""
    text = (scene.folder / "mappings" / "people.yaml").read_text()
    (scene.folder / "mappings" / "again.yaml").write_text(text)


def unknown_trait(scene: Scene) -> None:
    """Misspell a trait of ours."""
    scene.write({"fields": {scene.crm.first_name: "frist_name"}})


def unknown_transform(scene: Scene) -> None:
    """Misspell a transform."""
    scene.write({"fields": {scene.crm.first_name: {"from": "name", "transform": ["trimx"]}}})


FILES = "crmsync.yaml:"
CALLING = (["connect", "{name}"], ["check", "--live"], ["fields", "{name}", "{object}"], ["push"])
LOADING = (["check"], ["push"])
CASES: list[tuple[Spoil, tuple[list[str], ...], tuple[str, ...]]] = [
    (wrong_token, CALLING,
     ("{label} does not accept the token", "connection '{name}' takes its token from CRM_TOKEN",
      "run `crmsync connect {name}`")),
    (no_token, LOADING, (FILES, "environment variable CRM_TOKEN is not set or empty")),
    (nobody_listens, CALLING, ("127.0.0.1:", "the connection was refused", "base_url")),
    (in_the_clear, LOADING, (FILES, "base_url: plain http is accepted for this machine only")),
    (unknown_limit, LOADING, (FILES, "unknown limit 'calls_per_fortnight'")),
    (unknown_auth, LOADING, (FILES, "unknown key 'password'")),
    (mapped_twice, LOADING,
     ("mappings/people.yaml:3:1: mappings/again.yaml already maps {name} {object}",)),
    (unknown_trait, LOADING,
     ("mappings/people.yaml:", "unknown trait 'frist_name' (did you mean 'first_name'?)")),
    (unknown_transform, LOADING,
     ("mappings/people.yaml:", "unknown transform 'trimx' (did you mean 'trim'?)")),
]  # fmt: skip


@pytest.fixture(params=CRMS, ids=lambda crm: crm.name)
def scene(request, folder, monkeypatch, capsys):
    """Each CRM, connected, and somebody to be sent there."""
    crm = request.param
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    monkeypatch.setattr(command, "STUCK_SECONDS", 0.0)
    with running(crm.name, limits=False, **crm.settings) as sandbox:
        made = Scene(crm, folder, sandbox, monkeypatch)
        made.write()
        write_person(folder)
        assert run(["connect", crm.name]) == 0
        assert run(["ingest", EVENTS]) == 0
        capsys.readouterr()
        yield made


@pytest.mark.parametrize(
    ("spoil", "commands", "words"), CASES, ids=[spoil.__name__ for spoil, _, _ in CASES]
)
def test_a_mistake_is_told(scene, capsys, spoil, commands, words):
    """What is wrong, where, and what to do; when it is put right, all is sent."""
    crm = scene.crm
    names = {"name": crm.name, "object": crm.object_type, "label": crm.label}
    spoil(scene)
    for arguments in commands:
        assert run([part.format(**names) for part in arguments]) == 1
        said = capsys.readouterr()
        for word in words:
            assert word.format(**names) in said.err, said
        assert "Traceback" not in said.err + said.out
        assert "hunter2" not in said.err + said.out
    assert scene.sandbox.control.records(crm.object_type) == []
    if commands is CALLING:
        assert run(["failures"]) == 0
        said = capsys.readouterr().out
        assert f"{crm.name} rests until" in said
        assert "nothing fails" not in said
    scene.monkeypatch.setenv("CRM_TOKEN", TOKEN)
    (scene.folder / "mappings" / "again.yaml").unlink(missing_ok=True)
    scene.write()
    assert run(["push"]) == 0
    assert len(scene.sandbox.control.records(crm.object_type)) == 1


def test_a_field_that_the_crm_lacks_is_told_by_name(scene, capsys):
    """Nobody is written in part: the record is refused, until the line is corrected."""
    crm = scene.crm
    scene.write({"fields": {**crm.fields, "No_Such": "email"}})
    assert run(["push"]) == 1
    assert "1 refused: `crmsync failures` says why" in capsys.readouterr().err
    assert scene.sandbox.control.records(crm.object_type) == []
    [failure] = rows(capsys, "failures")
    assert failure["field"] == "No_Such"
    assert "crmsync fields" in failure["hint"]
    scene.write()
    assert run(["push"]) == 0
    assert len(scene.sandbox.control.records(crm.object_type)) == 1


def test_one_dead_connection_does_not_hide_the_others(folder, monkeypatch, capsys):
    """`check --live` tells of every CRM, also where the first one does not answer."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    first, second = CRMS[:2]
    with running(second.name, limits=False, **second.settings) as sandbox:
        mapping = yaml.safe_load(second.mapping(second.by_key))
        mapping["fields"]["No_Such"] = "email"
        write_project(
            folder,
            {
                first.name: first.connection(f"http://127.0.0.1:{free_port()}"),
                second.name: second.connection(sandbox.url),
            },
            {first.name: first.mapping(first.by_key), second.name: yaml.safe_dump(mapping)},
        )
        assert run(["check", "--live"]) == 1
    said = capsys.readouterr().err
    assert f"mappings/{first.name}.yaml:1:1: connection '{first.name}' does not answer" in said
    assert f"{second.object_type} has no field 'No_Such'" in said


UNFIT = {
    "hubspot": [
        ({"lifecyclestage": "plan"}, ("lifecyclestage", "subscriber")),
        ({"hs_analytics_num_visits": "plan"}, ("hs_analytics_num_visits",)),
    ],
    "salesforce": [
        ({"LeadSource": "plan"}, ("LeadSource", "Web", "Partner Referral")),
        ({"Title": "biography"}, ("Title", "300", "128")),
        ({"Birthdate": "plan"}, ("Birthdate", "date")),
        ({"LastName": "nickname"}, ("LastName", "requires")),
    ],
    "zoho": [
        ({"Lead_Source": "plan"}, ("Lead_Source", "Cold Call")),
        ({"Title": "biography"}, ("Title", "300", "100")),
        ({"Date_of_Birth": "plan"}, ("Date_of_Birth", "date")),
        ({"Last_Name": "nickname"}, ("Last_Name", "required")),
    ],
    "pipedrive": [
        ({"marketing_status": "plan"}, ("marketing_status", "subscribed")),
        ({"name": "biography"}, ("name", "300", "255")),
        ({"birthday": "plan"}, ("birthday", "date")),
        ({"name": "nickname"}, ("name", "required")),
    ],
}
"""By CRM: what is mapped to a field that does not take it, and what must be said of that."""


def test_a_value_that_does_not_fit_is_refused_and_told(scene, capsys):
    """Neither cut nor replaced: the field, its length or choices, and nothing in the CRM."""
    crm = scene.crm
    write_person(scene.folder, plan="wizard", biography="x" * 300)
    content = (scene.folder / EVENTS).read_text().replace('"m0"', '"m1"')
    (scene.folder / EVENTS).write_text(content)
    assert run(["ingest", EVENTS]) == 0
    told = {}
    for line, _words in UNFIT[crm.name]:
        scene.write({"fields": {**crm.fields, **line}})
        assert run(["push"]) == 1
        [failure] = rows(capsys, "failures")
        told[str(line)] = f"{failure['field']}: {failure['message']} {failure['hint']}"
    assert [
        (line, word, told[str(line)])
        for line, words in UNFIT[crm.name]
        for word in words
        if word not in told[str(line)]
    ] == []
    assert scene.sandbox.control.records(crm.object_type) == []
