"""The checker of storms can find each thing that it is there for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crmsync.store.tables import links
from crmsync.sync.context import Works
from tests.chaos.backends import sqlite
from tests.chaos.checker import Verdict, judge
from tests.chaos.report import BEGIN, END, record
from tests.chaos.storm import Outcome, Storm, connect, ready
from tests.crms import HUBSPOT
from tests.sandboxes import WatchedControl, running
from tests.workbench import crowd, drain, ingest

PEOPLE = 3
ACCEPTED = {f"Ann{n}": "Lee" for n in range(PEOPLE)}
Delivered = tuple[Works, WatchedControl]
Spoil = Callable[[Works, WatchedControl], object]


@pytest.fixture
def delivered(tmp_path: Path) -> Iterator[Delivered]:
    """A simulated HubSpot that holds three people, and the works that delivered them."""
    with running(limits=False, **HUBSPOT.settings) as sandbox, sqlite(tmp_path, []) as on:
        project = connect(tmp_path, on, {HUBSPOT: sandbox.url})
        works = ready(project, on, [HUBSPOT])
        ingest(works, crowd(PEOPLE, "Lee"))
        drain(works, HUBSPOT.name)
        yield works, sandbox.control
        project.close()


def verdict_on(delivered: Delivered) -> Verdict:
    """Judge what the CRM holds now."""
    works, control = delivered
    return judge(works.store, HUBSPOT, control.records("contacts"), ACCEPTED)


def first_id(control: WatchedControl) -> str:
    """Return the id of Ann0's record."""
    held = control.records("contacts")
    return next(one["id"] for one in held if one["properties"]["firstname"] == "Ann0")


def set_aside(works: Works, _control: WatchedControl) -> None:
    """Give up on everybody."""
    works.store.database.transact(lambda c: c.execute(links.update().values(state="dead")))


def owe(works: Works, _control: WatchedControl) -> None:
    """Have a newer version to send of everybody."""
    newer = links.c.desired_version + 1
    works.store.database.transact(lambda c: c.execute(links.update().values(desired_version=newer)))


SPOILS: dict[str, tuple[Spoil, set[str]]] = {
    "a record is gone": (
        lambda _, control: HUBSPOT.sales.delete(control, first_id(control)),
        {"lost"},
    ),
    "a record is there twice": (
        lambda _, control: control.seed("contacts", [{"firstname": "Ann0", "lastname": "Lee"}]),
        {"twice"},
    ),
    "a value is another one": (
        lambda _, control: control.edit("contacts", first_id(control), lastname="Ray"),
        {"wrong", "untrue"},
    ),
    "a record is nobody's": (
        lambda _, control: control.seed("contacts", [{"firstname": "Bob"}]),
        {"wrong"},
    ),
    "people are set aside": (set_aside, {"untrue"}),
    "something is yet to be sent": (owe, {"untrue"}),
}
"""What is done to what was delivered, and the kinds of complaint that it is found by."""


@pytest.mark.parametrize("case", SPOILS)
def test_what_is_wrong_is_found(delivered, case):
    """Nothing is wrong before, and afterwards it is this."""
    spoil, kinds = SPOILS[case]
    assert verdict_on(delivered).all == []
    spoil(*delivered)
    verdict = verdict_on(delivered)
    assert {
        kind for kind in ("lost", "twice", "wrong", "untrue") if getattr(verdict, kind)
    } == kinds


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({}, None),
        ({"verdicts": {"zoho": Verdict(lost=["Ann1: 0 records"])}}, "zoho: Ann1: 0 records"),
        ({"rest_seconds": None}, "not at rest 60 s after the last fault"),
        ({"rest_seconds": 61.0}, "not at rest 60 s after the last fault"),
        ({"met": Counter()}, "no call went wrong: this storm shows nothing"),
        ({"answers": {"200": 5, "500": 1}}, "the API answered 500"),
        ({"answers": {"200": 5, "503": 1}}, None),
    ],
)
def test_a_storm_is_survived_or_not(changed, complaint):
    """Records, the time until all is at rest and what the API answered decide."""
    outcome = an_outcome(**changed)
    assert outcome.complaints == ([complaint] if complaint else [])
    assert outcome.is_survived == (complaint is None)


def test_the_table_takes_its_place_in_the_page(tmp_path):
    """Whatever stood between the marks is replaced, what stands around them stays."""
    page = tmp_path / "reliability.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    record([an_outcome(), an_outcome(verdicts={"zoho": Verdict(twice=["Ann1: 2 records"])})], page)
    written = page.read_text()
    assert written.startswith(f"before\n{BEGIN}\n2,000 people, 5% of the calls:\n")
    assert "| SQLite | 7, 7 | 20,000 | 10 | 2 | 6 | 2 | 0 | 1 | 0 | 9 s |" in written
    assert written.endswith(f"{END}\nafter\n")
    assert "old" not in written


def an_outcome(**changed: object) -> Outcome:
    """Return what a storm of seed 7 came to, that went well but for what is said."""
    return Outcome(
        **{
            "storm": Storm(seed=7),
            "backend": "SQLite",
            "verdicts": {},
            "calls": {"zoho": 5},
            "met": Counter({"502": 1}),
            "dealt": Counter({"SIGKILL": 3, "Redis flushed": 1}),
            "answers": Counter({"200": 5}),
            "blew_seconds": 60.0,
            "rest_seconds": 9.0,
            **changed,
        }
    )
