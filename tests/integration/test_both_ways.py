"""Both sides change the same people at random, in any order: it comes to rest, and they agree.

`run.py test -- tests/integration/test_both_ways.py --edits 10000` makes so many edits, on each
database; each change can wait for some thousands.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.model import CrmId, FieldSchema, FieldType
from crmsync.planning import reading
from crmsync.planning.reading import Verdict
from crmsync.store import profiles
from crmsync.store.tables import hints, links
from crmsync.sync import taking
from crmsync.sync.context import Works
from crmsync.sync.pull import pull
from crmsync.sync.push import push
from tests.integration.sabotage import take_out
from tests.workbench import KEY, ROOMY, NewProject, count_rows, identify, ingest, let_pass, the_sync

MAPPING = f"""
connection: crm
source: profiles
object: contacts
match: {{{KEY}: profile_id}}
drift: reassert
fields:
  firstname: {{from: first_name, conflict: newest}}
  lastname: {{from: last_name, conflict: theirs}}
  phone: phone
"""
TRAITS = {"firstname": "first_name", "lastname": "last_name", "phone": "phone"}
OURS_ALONE = "phone"
"""The field in which no value of theirs may stay."""
PEOPLE = 40
SETTLED = 10_000.0
"""More seconds than anything waits for."""
ENOUGH_EDITS = 10_000
"""In which the fault is surely met; it ends with the first."""
MOST_WRITES = 1.05
"""For each change that has to be sent."""
SURELY = 200
"""Edits that an example comes to, in the mean of some: two thirds of what is usual."""
Edited = tuple[int, str]
"""A person, and a field."""
some = st.lists(
    st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from([*TRAITS])), min_size=10, max_size=60
)


@pytest.fixture
def crm() -> Iterator[MemoryCrm]:
    """A CRM with the fields of the mapping."""
    MemoryCrm.forget("crm")
    fresh = MemoryCrm.named("crm")
    fresh.schemas["contacts"] = {
        KEY: FieldSchema(KEY, KEY, FieldType.TEXT, unique=True),
        **{name: FieldSchema(name, name, FieldType.TEXT) for name in TRAITS},
    }
    yield fresh
    MemoryCrm.forget("crm")


@pytest.fixture
def works(new_project: NewProject, crm: MemoryCrm) -> Works:
    """A project that goes both ways with it."""
    return new_project(mappings={"contacts": MAPPING}, timing=ROOMY).open()


@dataclass
class Tally:
    """What all examples came to."""

    examples: int = 0
    edits: int = 0
    owed: int = 0
    writes: int = 0

    def add(self, sides: Sides) -> None:
        """Count an example."""
        self.examples += 1
        self.edits += sides.edits
        self.owed += sides.owed
        self.writes += sides.written


@dataclass
class Sides:
    """Forty people that nobody has seen, and what each side last made of their fields."""

    works: Works
    crm: MemoryCrm
    prefix: str
    fresh: Iterator[int]
    ours: dict[Edited, str] = field(default_factory=dict)
    theirs: dict[Edited, str] = field(default_factory=dict)
    edits: int = 0
    unsent: set[int] = field(default_factory=set)
    """Who was edited by us since the last push."""
    unseen: set[int] = field(default_factory=set)
    """In whom they changed what is ours alone since the last pull."""
    owed: int = 0
    """Writes that the edits are worth: several edits of a person are one, unless sent between."""

    def __post_init__(self) -> None:
        """Have a record made of each."""
        names = [self.name(n) for n in range(PEOPLE)]
        ingest(self.works, [identify(n, **dict.fromkeys(TRAITS.values(), n)) for n in names])
        self.rest()
        phones = {r.fields["phone"]: i for i, r in self.crm.records["contacts"].items()}
        self.records: list[CrmId] = [phones[name] for name in names]
        self._before = self.crm.written

    @property
    def written(self) -> int:
        """Return how many records were written since they were made."""
        return self.crm.written - self._before

    def name(self, person: int) -> str:
        """Return who somebody is, which is also what their fields hold at first."""
        return f"{self.prefix}{person}"

    def edit_ours(self, changed: list[Edited]) -> None:
        """Let events come."""
        new = [(one, f"ours {next(self.fresh)}") for one in changed]
        ingest(self.works, [identify(self.name(n), **{TRAITS[f]: v}) for (n, f), v in new])
        self.ours |= new
        self.unsent |= {person for person, _ in changed}
        self.edits += len(changed)

    def edit_theirs(self, changed: list[Edited]) -> None:
        """Let salespeople edit records."""
        for person, name in changed:
            value = f"theirs {next(self.fresh)}"
            self.crm.edit("contacts", self.records[person], **{name: value})
            self.theirs[person, name] = value
        self.unseen |= {person for person, name in changed if name == OURS_ALONE}
        self.edits += len(changed)

    def push(self) -> None:
        """Send what is due."""
        self.owed += len(self.unsent)
        self.unsent.clear()
        push(the_sync(self.works))

    def pull(self) -> None:
        """Read what changed."""
        self.owed += len(self.unseen)
        self.unseen.clear()
        pull(self.works, "crm")

    def rest(self) -> None:
        """Push and pull, whatever the hour, until nothing is left to do."""
        for _ in range(20):
            for work in (self.push, self.pull):
                let_pass(self.works.store, SETTLED)
                work()
            waiting = count_rows(self.works.store, links, links.c.wake_at.is_not(None))
            if not waiting and not count_rows(self.works.store, hints):
                return
        raise AssertionError("it does not come to rest")

    def wrong(self) -> list[str]:
        """Return where the two sides differ, or agree on what neither of them said last."""
        found = []
        with self.works.store.database.read() as connection:
            people = [profiles.find(connection, self.name(n)) for n in range(PEOPLE)]
        for (n, person), name in itertools.product(enumerate(people), TRAITS):
            assert person is not None
            held = self.crm.records["contacts"][self.records[n]].fields[name]
            trait = person.traits[TRAITS[name]]
            if trait != held or trait not in self._allowed(n, name):
                found.append(f"{self.name(n)}.{name}: {trait!r} here, {held!r} there")
        return found

    def _allowed(self, person: int, name: str) -> set[str]:
        sides = [self.ours] if name == OURS_ALONE else [self.ours, self.theirs]
        last = {side[person, name] for side in sides if (person, name) in side}
        return last or {self.name(person)}


def edit_at_random(works: Works, crm: MemoryCrm, edits: int, *, find_least: bool = True) -> Tally:
    """Have both sides edit about so often, with work in any order between; return what came of it.

    Fails where the sides do not come to rest, differ, or write more than they may. `find_least`:
    look for the shortest way there.
    """
    tally, places, fresh = Tally(), itertools.count(), itertools.count()

    class Machine(RuleBasedStateMachine):
        """Our side is the profile, theirs the record."""

        def __init__(self) -> None:
            super().__init__()
            self.sides = Sides(works, crm, f"r{next(places)}-", fresh)

        @rule(changed=some)
        def we_change(self, changed: list[Edited]) -> None:
            self.sides.edit_ours(changed)

        @rule(changed=some)
        def they_change(self, changed: list[Edited]) -> None:
            self.sides.edit_theirs(changed)

        @rule()
        def we_push(self) -> None:
            self.sides.push()

        @rule()
        def we_pull(self) -> None:
            self.sides.pull()

        @rule()
        def time_passes(self) -> None:
            let_pass(works.store, SETTLED)

        def teardown(self) -> None:
            sides = self.sides
            sides.rest()
            written = sides.written
            sides.rest()
            assert sides.written == written, "it writes on, with nothing to say"
            assert written <= MOST_WRITES * sides.owed
            assert sides.wrong() == []
            tally.add(sides)

    phases = settings().phases if find_least else (Phase.generate,)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=edits // SURELY,
            stateful_step_count=50,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return tally


@pytest.mark.timeout(3_600)  # thousands of edits take minutes
def test_edits_on_both_sides_come_to_rest(
    works: Works, crm: MemoryCrm, request: pytest.FixtureRequest
) -> None:
    """Thousands of edits: one value in both places, a write for each change to send, no loop."""
    wanted = request.config.getoption("--edits")
    tally = edit_at_random(works, crm, wanted)
    print(tally)  # noqa: T201 - what was done, with -s
    assert tally.edits >= wanted


def known_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Do not remember what a record was found to hold."""
    _after_judging(patch, lambda verdict: verdict.known.clear())


def taken_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """Know what they changed, and leave the profile as it is."""
    _after_judging(patch, lambda verdict: verdict.taken.clear())


def every_value_is_news(patch: pytest.MonkeyPatch) -> None:
    """Take our own writes for changes of theirs."""
    take_out("no_value_comparison", patch)


def _after_judging(patch: pytest.MonkeyPatch, spoil: Callable[[Verdict], None]) -> None:
    def judge(*given: Any) -> Verdict:
        verdict = reading.judge(*given)
        spoil(verdict)
        return verdict

    patch.setattr(taking, "judge", judge)


@pytest.mark.parametrize("spoil", [known_is_forgotten, taken_is_dropped, every_value_is_news])
def test_edits_find_what_is_missing(
    works: Works,
    crm: MemoryCrm,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Each part of reading by value, taken out, leaves sides that differ or writes without end."""
    spoil(monkeypatch)
    with pytest.raises(AssertionError, match=r" there|<= \(1\.05|writes on|come to rest"):
        edit_at_random(works, crm, ENOUGH_EDITS, find_least=False)
