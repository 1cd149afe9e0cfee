"""`crmsync check --live` finds what each CRM would refuse before anything is sent to it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml

from crmsync.cli.entry import run
from tests.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm
from tests.end_to_end.folders import write_project
from tests.sandboxes import running
from tests.workbench import TOKEN

NOT_KNOWN = "(not known)"


@dataclass(frozen=True)
class Case:
    """A mapping's lines, and what must be said of each that is wrong."""

    crm: Crm
    unknown: str
    """A field that there is not, a slip from `meant`."""
    meant: str
    read_only: str
    picklist: str
    choice: str
    """One that the picklist has."""
    date: str | None
    number: str | None
    text: str | None
    """A text field of at most `length` characters."""
    length: int
    required: str | None

    @property
    def wrong(self) -> dict[str, tuple[object, str]]:
        """Field -> what is mapped to it, and the words."""
        lines: dict[str, tuple[object, str]] = {
            self.unknown: ("first_name", f"did you mean '{self.meant}'?"),
            self.read_only: ("last_seen", "cannot be written: the CRM fills it itself"),
            self.picklist: ({"value": "wizard"}, "'wizard' is not a choice of"),
        }
        if self.date:
            lines[self.date] = ({"value": "soon"}, "takes a date, which 'soon' is not")
        if self.number:
            lines[self.number] = ({"value": "many"}, "takes a number, which 'many' is not")
        if self.text:
            words = f"takes at most {self.length} characters; '{'x' * 20}...' has 5000"
            lines[self.text] = ({"value": "x" * 5000}, words)
        return lines


CASES = [
    Case(HUBSPOT, "firstnam", "firstname", "createdate", "lifecyclestage", "lead", None,
         None, None, 0, None),
    Case(SALESFORCE, "FirstNam", "FirstName", "CreatedDate", "LeadSource", "Web", "Birthdate",
         None, "Title", 128, "LastName"),
    Case(ZOHO, "First_Nam", "First_Name", "Created_Time", "Lead_Source", "Partner",
         "Date_of_Birth", None, "Title", 100, "Last_Name"),
    Case(PIPEDRIVE, "job_titel", "job_title", "add_time", "marketing_status", "subscribed",
         "birthday", "visible_to", "job_title", 255, "name"),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: case.crm.name)
def case(request):
    """Each CRM's fields."""
    return request.param


@pytest.fixture
def checked(case, folder, monkeypatch, capsys):
    """Checks a mapping of these fields against the live CRM; gives exit code and what is said."""
    crm = case.crm
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    with running(crm.name, limits=False, **crm.settings) as sandbox:

        def check(fields, **more):
            mapping = yaml.safe_load(crm.mapping(crm.by_key, **more)) | {"fields": fields}
            text = yaml.safe_dump(mapping, sort_keys=False)
            write_project(folder, {crm.name: crm.connection(sandbox.url)}, {"people": text})
            run(["connect", crm.name])
            sandbox.control.clear_ledger()
            capsys.readouterr()
            code = run(["check", "--live"])
            assert sandbox.control.records(crm.object_type) == []
            return code, capsys.readouterr()

        yield check


def test_what_the_crm_would_refuse(checked, case):
    """Every mistake at once, each with its line: unknown, read-only, type, length, choice."""
    fields = {name: {"value": "x"} for name in [case.required] if name}
    code, said = checked(fields | {name: line for name, (line, _words) in case.wrong.items()})
    assert code == 1
    told = [line for line in said.err.splitlines() if line.startswith("mappings/people.yaml:")]
    assert len(told) == len(case.wrong), said.err
    for name, (_line, words) in case.wrong.items():
        assert [line for line in told if f"'{name}'" in line and words in line], said.err
    assert "Traceback" not in said.err


def test_what_the_crm_would_take(checked, case):
    """Nothing is said of what fits."""
    fields = {name: {"from": "name", "default": NOT_KNOWN} for name in [case.required] if name}
    code, said = checked({**fields, case.picklist: {"value": case.choice}})
    assert (code, said.err) == (0, "")
    assert "the CRM agrees" in said.out


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.required], ids=lambda case: case.crm.name, indirect=True
)
def test_what_the_crm_requires(checked, case):
    """Left out, it is an error; empty for some, a warning that shows how to give a default."""
    code, said = checked({case.picklist: {"value": case.choice}})
    assert code == 1
    assert f"the CRM requires '{case.required}'" in said.err
    assert "which is not mapped" in said.err
    code, said = checked({case.required: "name"})
    assert code == 0
    assert f"`{case.required}: {{from: name, default: ...}}`" in said.err


def test_an_object_that_the_crm_does_not_have(checked, case):
    """The mapping's place, and the CRM's own name for what is asked for."""
    crm = case.crm
    fields = {"name": {"from": "name", "default": NOT_KNOWN}}
    code, said = checked(fields, object="Wizards")
    assert code == 1
    assert "mappings/people.yaml:1:1: " in said.err
    assert "Wizards" in said.err
    assert "Traceback" not in said.err
    assert crm.name in said.err.lower()
