"""Both sides change the same people at random, in any order: it comes to rest, and they agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from crmsync.connectors.memory_crm import MemoryCrm
from crmsync.model import FieldSchema, FieldType
from crmsync.store import profiles
from crmsync.store.tables import hints, links
from crmsync.sync.pull import pull
from crmsync.sync.push import push
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
BOTH = {"firstname": "first_name", "lastname": "last_name", "phone": "phone"}
PEOPLE = 40
SETTLED = 10_000.0
"""More seconds than anything waits for."""
some = st.lists(
    st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from([*BOTH])), min_size=10, max_size=60
)


@pytest.fixture
def crm() -> Iterator[MemoryCrm]:
    """A CRM with the fields of the mapping."""
    MemoryCrm.forget("crm")
    fresh = MemoryCrm.named("crm")
    fresh.schemas["contacts"] = {
        KEY: FieldSchema(KEY, KEY, FieldType.TEXT, unique=True),
        **{name: FieldSchema(name, name, FieldType.TEXT) for name in BOTH},
    }
    yield fresh
    MemoryCrm.forget("crm")


def test_edits_on_both_sides_come_to_rest(  # noqa: C901 - a machine of five moves
    new_project: NewProject, crm: MemoryCrm
) -> None:
    """Thousands of edits: one value in both places, about a write per change of ours, no loop."""
    works = new_project(mappings={"contacts": MAPPING}, timing=ROOMY).open()
    rounds, fresh = itertools.count(), itertools.count()
    edits = [0]

    class Sides(RuleBasedStateMachine):
        """Our side is the profile, theirs the record; work is done in any order between."""

        def __init__(self) -> None:
            """Begin with people that nobody has seen."""
            super().__init__()
            self.prefix = f"r{next(rounds)}-"
            self.ours = 0
            self.theirs = 0
            names = [f"{self.prefix}{n}" for n in range(PEOPLE)]
            ingest(works, [identify(n, **dict.fromkeys(BOTH.values(), n)) for n in names])
            work()
            self.before = crm.written
            records = crm.records["contacts"].items()
            phones = {str(record.fields["phone"]): crm_id for crm_id, record in records}
            self.record_of = {phone: i for phone, i in phones.items() if phone in names}

        @rule(changed=some)
        def we_change(self, changed: list[tuple[int, str]]) -> None:
            """Events come."""
            self.ours += len(changed)
            ingest(
                works,
                [
                    identify(f"{self.prefix}{n}", **{BOTH[field]: f"ours {next(fresh)}"})
                    for n, field in changed
                ],
            )

        @rule(changed=some)
        def they_change(self, changed: list[tuple[int, str]]) -> None:
            """Salespeople edit records."""
            self.theirs += len(changed)
            for n, field in changed:
                record = self.record_of[f"{self.prefix}{n}"]
                crm.edit("contacts", record, **{field: f"theirs {next(fresh)}"})

        @rule()
        def we_push(self) -> None:
            """A worker sends what is due."""
            push(the_sync(works))

        @rule()
        def we_pull(self) -> None:
            """A worker reads what changed."""
            pull(works, "crm")

        @rule()
        def time_passes(self) -> None:
            """Everything is due."""
            let_pass(works.store, SETTLED)

        def teardown(self) -> None:
            """Come to rest; then both sides agree and nothing is written any more."""
            edits[0] += self.ours + self.theirs
            rest()
            written = crm.written - self.before
            rest()
            assert crm.written - self.before == written
            assert written <= 1.05 * (self.ours + self.theirs)
            with works.store.database.read() as connection:
                for name, record in self.record_of.items():
                    profile = profiles.find(connection, name)
                    assert profile is not None
                    held = crm.records["contacts"][record].fields
                    ours = {field: profile.traits[trait] for field, trait in BOTH.items()}
                    assert ours == {field: held[field] for field in BOTH}

    def work() -> None:
        let_pass(works.store, SETTLED)
        push(the_sync(works))
        let_pass(works.store, SETTLED)
        pull(works, "crm")

    def rest() -> None:
        for _ in range(20):
            work()
            waiting = count_rows(works.store, links, links.c.wake_at.is_not(None))
            if not waiting and not count_rows(works.store, hints):
                return
        raise AssertionError("it does not come to rest")

    run_state_machine_as_test(
        Sides,
        settings=settings(
            max_examples=25,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert edits[0] > 5_000
