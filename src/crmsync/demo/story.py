"""The demo's story, told as it happens: events in, a push with trouble on the way, a few changes.

Everything is done by the parts that do it in earnest; only the CRM is simulated, and it is told to
misbehave. What is counted is counted by the simulated CRM's own ledger.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from crmsync import logging
from crmsync.bootstrap import open_works
from crmsync.cli.explaining import tell as tell_person
from crmsync.cli.feeds import json_events
from crmsync.cli.history import tell_failures
from crmsync.cli.ingesting import SOURCE, Report, refusals_told, take_all
from crmsync.cli.progress import bar, done_of, words_of
from crmsync.cli.screen import Screen, change_text
from crmsync.demo.changes import changes
from crmsync.demo.folder import Folder
from crmsync.demo.simulated import LATENCY_SECONDS, simulated_crm
from crmsync.errors import CrmsyncError
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note
from crmsync.mapping.compiled import SyncMapping
from crmsync.model import FieldSchema, FieldType, ProfileKind
from crmsync.sandbox import Control
from crmsync.settings import load_settings
from crmsync.store import known_records, links, profiles, runs
from crmsync.store.known_records import KnownRecord
from crmsync.sync.command import Pushed, make_due, push_now
from crmsync.sync.context import Works
from crmsync.sync.explain import explain
from crmsync.sync.marking import bring_up_to_date
from crmsync.sync.replay import failure_groups

OUR_FIELDS = (
    FieldSchema("crmsync_id", "crmsync id", FieldType.TEXT, unique=True),
    FieldSchema("plan", "Plan", FieldType.PICKLIST, options=(
        ("free", "Free"), ("trial", "Trial"), ("pro", "Pro"), ("enterprise", "Enterprise"),
    )),
    FieldSchema("total_visits", "Total visits", FieldType.NUMBER),
    FieldSchema("goals_completed", "Goals completed", FieldType.NUMBER),
    FieldSchema("last_website_visit", "Last website visit", FieldType.DATE),
)  # fmt: skip
TOLD_FIELDS = ("plan", "company", "total_visits")
"""The fields of one person's story; `crmsync explain` tells all of them."""
TOO_MANY = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "policyName": "TEN_SECONDLY_ROLLING",
}
"""HubSpot's own words for a 429."""
CURED = {
    "RATELIMITED": "429 'too many requests': {} records waited and were sent again",
    "ANSWER_LOST": "an answer was lost: {} records were looked up and found done, none made twice",
}
"""What became of trouble that passes."""
WRITES = "*/objects/contacts/batch/upsert"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the closing table."""

    name: str
    created: int
    updated: int
    failed: int
    writes: int
    """Write calls the CRM received."""
    reads: int


class Demo:
    """One demo, from its folder to its closing words."""

    def __init__(self, screen: Screen, folder: Folder, crm: Control, works: Works) -> None:
        """Take everything that was opened for it."""
        self._screen = screen
        self._folder = folder
        self._crm = crm
        self._works = works
        self._rows: list[Row] = []
        self._steps = 0

    @property
    def _mapping(self) -> SyncMapping:
        return self._works.configuration.mappings[0]

    def run(self, *, again: bool) -> None:
        """Tell the story; `again`: in a folder where it has been told before."""
        if not again:
            self._prepare_crm()
        self._crm.clear_ledger()
        self._take_events()
        self._first_push(again=again)
        self._push_again()
        self._change_a_few()
        self._verify()
        self._close()

    def _step(self, title: str, detail: str = "") -> None:
        self._steps += 1
        self._screen.say()
        self._screen.say(Text.assemble((f"{self._steps}  {title}", "bold cyan")))
        if detail:
            self._say(detail, style="dim")

    def _say(self, text: str, style: str = "") -> None:
        self._screen.paragraph(text, indent=3, style=style)

    # --- the steps ------------------------------------------------------------------------------

    def _prepare_crm(self) -> None:
        """Make our fields, and order the trouble."""
        connector = self._works.open_sync(self._mapping).connector
        for field in OUR_FIELDS:
            connector.create_field("contacts", field)
        self._crm.fault(
            "answer", path=WRITES, skip=2, times=1,
            status=429, headers={"Retry-After": "1"}, json=TOO_MANY,
        )  # fmt: skip
        self._crm.fault("drop", when="after", path=WRITES, skip=5, times=1)

    def _take_events(self) -> None:
        self._step("Events come in", "as client libraries send them: visits, sign-ups, upgrades")
        report, seconds = self._ingest(self._folder.events)
        people, companies = self._count(ProfileKind.PERSON), self._count(ProfileKind.COMPANY)
        known = f"{people:,} people and visitors, {companies} companies"
        if report.taken:
            speed = f"{report.taken / seconds:,.0f} a second"
            self._say(f"{report.taken:,} events taken, {speed}, each of them durable: {known}")
        else:
            self._say(f"{report.repeated:,} events, all seen before: nothing changed; {known}")

    def _first_push(self, *, again: bool) -> None:
        if again:
            self._step("Push", "an earlier demo has sent everything; the CRM still holds it")
        else:
            self._step(
                "First push",
                "on the way: one answer 'too many requests', one answer lost after the CRM had "
                "done the work, one value no picklist has, one bad e-mail address",
            )
        pushed = self._push("Push")
        self._say(words_of(pushed.tally))
        for code, count in self._trouble(pushed).items():
            if code in CURED:
                self._say(CURED[code].format(f"{count:,}"), style="yellow")
        if pushed.tally.counts["failed"]:
            self._say(f"{pushed.tally.counts['failed']} refused by the CRM: see below", style="red")

    def _push_again(self) -> None:
        self._step("The same push again")
        pushed = self._push("Again")
        self._say(f"nothing differs, nothing is sent: {pushed.tally.calls} write calls")

    def _change_a_few(self) -> None:
        self._step(
            "A few people change", "three get a new plan, two a new job, 200 say nothing new"
        )
        file = self._folder.path / "changes.jsonl"
        if not file.exists():
            calls = list(changes(self._people_in_step(), datetime.now(UTC)))
            file.write_text("".join(json.dumps(call) + "\n" for call in calls))
        report, _ = self._ingest(file)
        pushed = self._push("Changes")
        if not report.taken:
            self._say(
                f"{report.repeated} events, all seen before: {pushed.tally.calls} write calls"
            )
            return
        self._say(f"{report.taken} events; {words_of(pushed.tally)}: only what differs travels")
        with self._works.store.database.read() as connection:
            vault = self._works.store.vault
            for entry in runs.find_entries(connection, vault, run_id=pushed.run):
                told = f"{entry.crm_id}  {change_text(entry.fields)}"
                self._screen.paragraph(told, indent=5, style="green")

    def _verify(self) -> None:
        """Wait for the settle time after the lost answer, then let the records be read back."""
        at = self._next_look()
        if at is None:
            return
        self._step(
            "The lost answer is settled",
            "a write without an answer may still land late: after the settle time it is read back",
        )
        left = (at - datetime.now(UTC)).total_seconds()
        with bar(self._screen, "settling", max(1, round(left)), unit="s") as shown:
            for second in range(max(1, round(left + 0.5))):
                shown.to(second)
                time.sleep(1)
        pushed = self._push("Read back")
        self._say(f"{pushed.tally.counts['unchanged']} records read back: each is right, and there "
                  "is one of each")  # fmt: skip

    # --- the closing ----------------------------------------------------------------------------

    def _close(self) -> None:
        records = self._records()
        in_step = sum(record.state == "clean" for record in records)
        self._step("What it came to")
        self._screen.table(
            ("", "created", "updated", "unchanged", "failed", "writes", "reads"),
            [
                (row.name, row.created, row.updated,
                 in_step - row.created - row.updated, row.failed, row.writes, row.reads)
                for row in self._rows
            ],
            numbers="created updated unchanged failed writes reads",
        )  # fmt: skip
        held = self._crm.about()["objects"]["contacts"]
        self._say(
            f"The CRM holds {held:,} contacts, {len(records) - in_step} people are set aside. "
            "Writes and reads are calls, as the CRM's own ledger counted them."
        )
        self._step("What failed, and what to do")
        program = self._folder.shown_command()
        self._screen.say()
        tell_failures(self._screen, failure_groups(self._works), program=program)
        self._say("`replay` needs the CRM, and the simulated one ends with this demo.", style="dim")
        person = self._tell_one_person()
        self._step("Try next")
        self._screen.say()
        for command, what in (
            (f"explain {person}", "every field of that person"),
            ("failures", "what failed, and how to send it again"),
            ("log --since 1h --limit 10", "what was sent, old → new"),
        ):
            self._screen.say(f"   {program} {command}")
            self._screen.paragraph(what, indent=5, style="dim")
        self._screen.say()
        self._say("With your own CRM: `crmsync init` in an empty folder.")

    def _tell_one_person(self) -> str:
        """Tell the story of the first whose plan changed; return their e-mail."""
        self._step("One person, from event to CRM field")
        call = json.loads((self._folder.path / "changes.jsonl").open().readline())
        with self._works.store.database.read() as connection:
            person = profiles.find(connection, call["userId"])
        if person is None:
            raise CrmsyncError("the demo's folder is broken; --fresh starts anew")
        self._screen.say()
        tell_person(self._screen, person, explain(self._works, person), TOLD_FIELDS)
        return person.email or person.id

    # --- doing it -------------------------------------------------------------------------------

    def _ingest(self, file: Path) -> tuple[Report, float]:
        report, notes = Report(), list[Note]()
        with file.open("rb") as lines:
            total = sum(1 for _ in lines)
        began = time.monotonic()
        with file.open("rb") as stream, bar(self._screen, "ingest", total, unit="events") as shown:
            arrival = Arrival(SOURCE, datetime.now(UTC), self._works.rules, live=False)
            events = refusals_told(
                json_events(stream, arrival, notes), self._screen, file.name, notes, report
            )
            take_all(self._works, events, notes, report, shown)
        return report, time.monotonic() - began

    def _push(self, name: str) -> Pushed:
        bring_up_to_date(self._works)
        before = self._calls()
        total = make_due(self._works, self._mapping)
        with bar(self._screen, "push", total, unit="records") as shown:

            def wait(seconds: float, why: str) -> None:
                shown.waits(seconds, why)
                threading.Event().wait(seconds)

            pushed = push_now(
                self._works,
                self._mapping,
                wait=wait,
                progress=lambda tally: shown.to(done_of(tally), words_of(tally)),
            )
        if pushed.tally.rest is not None:
            raise CrmsyncError(f"the push stopped: {pushed.tally.rest.message}")
        counts, calls = pushed.tally.counts, self._calls() - before
        self._rows.append(
            Row(name, counts["created"], counts["updated"], counts["failed"],
                calls["write"], calls["read"])
        )  # fmt: skip
        return pushed

    def _trouble(self, pushed: Pushed) -> Counter[str]:
        """Return how many attempts of a push went wrong, by code."""
        store = self._works.store
        with store.database.read() as connection:
            entries = runs.find_entries(connection, store.vault, failed=True, run_id=pushed.run)
            return Counter(str(entry.error["code"]) for entry in entries if entry.error)

    def _calls(self) -> Counter[str]:
        """Return how many writes and reads the CRM has received."""
        calls: Counter[str] = Counter()
        for count in self._crm.counts():
            reads = count["method"] == "GET" or count["route"].endswith(("/read", "/search"))
            calls["read" if reads else "write"] += count["calls"]
        return calls

    def _count(self, kind: ProfileKind) -> int:
        with self._works.store.database.read() as connection:
            return profiles.count(connection, kind)

    def _records(self) -> list[KnownRecord]:
        store = self._works.store
        with store.database.read() as connection:
            people = profiles.page(connection, ProfileKind.PERSON, limit=5_000)
            ids = [person.id for person in people]
            known = known_records.known_records(connection, store.vault, ids)
        return [record for records in known.values() for record in records]

    def _people_in_step(self) -> list[dict[str, Any]]:
        in_step = {record.profile_id for record in self._records() if record.state == "clean"}
        with self._works.store.database.read() as connection:
            people = profiles.page(connection, ProfileKind.PERSON, limit=5_000)
        known = [
            {"user_id": p.user_id, "traits": p.traits}
            for p in people
            if p.id in in_step and p.user_id
        ]
        return sorted(known, key=lambda one: str(one["user_id"]))

    def _next_look(self) -> datetime | None:
        with self._works.store.database.read() as connection:
            return links.next_wake(
                connection, self._mapping.connection, [self._mapping.object_type]
            )


def tell(path: Path, *, fresh: bool) -> None:
    """Run the demo in a folder."""
    screen = Screen()
    logging.set_up(quiet=True)
    began = time.monotonic()
    folder = Folder(path)
    screen.say("crmsync: 1,000 people into a CRM", style="bold")
    with simulated_crm() as crm:
        earlier = folder.prepare(crm.url, fresh=fresh)
        if earlier is not None:
            crm.restore(earlier)
        screen.say(
            f"The CRM is a simulated HubSpot at {crm.url}, {LATENCY_SECONDS:g} s an answer; all "
            "else is real. Waiting times are scaled down from minutes to seconds.",
            style="dim",
        )
        works = open_works(load_settings({"CRMSYNC_CONFIG": str(folder.config)}), env={})
        Demo(screen, folder, crm, works).run(again=earlier is not None)
        works.store.database.dispose()
        folder.keep(crm.snapshot())
    screen.say(f"\nDone in {time.monotonic() - began:.0f} s.", style="dim")
