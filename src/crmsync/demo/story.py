"""The demo's story, told as it happens: events in, a push with trouble on the way, a few changes.

Everything is done by the parts that do it in earnest; only the CRMs are simulated, and they are
told to misbehave (`crms/`). What is counted is counted by their own ledgers.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from crmsync import logging
from crmsync.bootstrap import open_works
from crmsync.cli.feeds import json_events
from crmsync.cli.ingesting import SOURCE, Report, refusals_told, take_all
from crmsync.cli.progress import bar, words_of
from crmsync.cli.screen import Screen, change_text
from crmsync.demo.both_ways import BothWays
from crmsync.demo.changes import changes
from crmsync.demo.closing import Closing
from crmsync.demo.crms import CRMS
from crmsync.demo.folder import Folder
from crmsync.demo.narrator import Narrator
from crmsync.demo.pushes import Row, Stage, everywhere_in_step, push_all
from crmsync.demo.simulated import LATENCY_SECONDS, simulated_crms
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note
from crmsync.model import ProfileId, ProfileKind
from crmsync.sandbox import Control
from crmsync.settings import load_settings
from crmsync.store import profiles
from crmsync.sync.context import Works

MARGIN_SECONDS = 0.5
"""By which the settle time is surely over."""


class Story:
    """One demo, from the first event to its closing words."""

    def __init__(
        self, narrator: Narrator, folder: Folder, controls: Mapping[str, Control], works: Works
    ) -> None:
        """Take everything that was opened for it."""
        self._tell = narrator
        self._screen = narrator.screen
        self._folder = folder
        self._works = works
        self._stages = [Stage(crm, works, controls[crm.name]) for crm in CRMS]
        self._back = BothWays(narrator, folder, works, self._stages)

    def run(self, *, again: bool) -> None:
        """Tell the story; `again`: in a folder where it has been told before."""
        if again:
            self._back.reopen()
        self._take_events()
        if again:
            self._push_what_was_pushed()
        else:
            self._first_push()
            self._push_again()
        self._change_a_few()
        self._both_ways(again=again)
        Closing(self._tell, self._folder, self._works, self._stages).tell()

    # --- the steps ------------------------------------------------------------------------------

    def _take_events(self) -> None:
        self._tell.step(
            "Events come in", "as client libraries send them: visits, sign-ups, upgrades"
        )
        began = time.monotonic()
        report = self._ingest(self._folder.events)
        seconds = time.monotonic() - began
        known = (
            f"{self._count(ProfileKind.PERSON):,} people and visitors, "
            f"{self._count(ProfileKind.COMPANY)} companies"
        )
        if report.taken:
            speed = f"{report.taken / seconds:,.0f} a second"
            self._tell.say(f"{report.taken:,} events taken, {speed}, each of them durable: {known}")
        else:
            self._tell.say(f"{report.repeated:,} events, all seen before: nothing changed; {known}")

    def _first_push(self) -> None:
        self._tell.step("First push, to four CRMs at the same time", "each has its own trouble:")
        for stage in self._stages:
            self._tell.item(stage.crm.name, stage.crm.trouble, style="dim")
        self._prepare()
        for stage in self._stages:
            meddling = threading.Thread(
                target=stage.crm.meddle, args=(stage.backstage(),), daemon=True
            )
            meddling.start()
        self._screen.say()
        for name, row in self._push("Push").items():
            stage = self._stage(name)
            self._tell.item(name, words_of(row.pushed.tally))
            self._tell_cures(stage, row)

    def _prepare(self) -> None:
        """Make our fields in each CRM, and order its trouble."""
        for stage in self._stages:
            stage.crm.prepare(stage.backstage())
            stage.skip_calls()

    def _tell_cures(self, stage: Stage, row: Row) -> None:
        """Tell what became of the trouble that passes."""
        if row.calls["sign-in"] and "token" in stage.crm.cured:
            self._tell.item("", stage.crm.cured["token"], style="yellow")
        cured: dict[str, set[ProfileId]] = {}
        for one in stage.entries(row):
            words = stage.crm.cured.get(str(one.error["code"])) if one.error else None
            if words:
                cured.setdefault(words, set()).add(one.profile_id)
        for words, met in cured.items():
            self._tell.item("", words.format(f"{len(met):,}"), style="yellow")
        if row.counts["failed"]:
            self._tell.item("", f"{row.counts['failed']} refused: see below", style="red")

    def _push_again(self) -> None:
        self._tell.step("The same push again")
        self._tell.say(f"nothing differs, nothing is sent: {_calls(self._push('Again'))}")

    def _push_what_was_pushed(self) -> None:
        self._tell.step("Push", "an earlier demo has sent everything; the CRMs still hold it")
        self._tell.say(f"nothing differs, nothing is sent: {_calls(self._push('Push'))}")

    def _change_a_few(self) -> None:
        self._tell.step(
            "A few people change", "three get a new plan, two a new job, 200 say nothing new"
        )
        file = self._folder.changes
        if not file.exists():
            known = [
                {"user_id": person.user_id, "traits": person.traits}
                for person in everywhere_in_step(self._works)
            ]
            calls = list(changes(known, datetime.now(UTC)))
            file.write_text("".join(json.dumps(call) + "\n" for call in calls))
        report = self._ingest(file)
        rows = self._push("Changes")
        if not report.taken:
            self._tell.say(f"{report.repeated} events, all seen before: {_calls(rows)}")
            return
        self._tell.say(f"{report.taken} events; only what differs travels. The last of each:")
        self._tell_rows(rows)

    def _both_ways(self, *, again: bool) -> None:
        """Let salespeople work, read what they did, and send on what other CRMs are to know."""
        if again:
            detail = "a CRM's lists may be late, so the last minutes are read again"
            self._back.read("Read back", detail)
        else:
            written_at = time.monotonic()
            self._back.sell()
            self._settle(written_at)
            self._back.read(
                "Read back from all four",
                "owners as e-mail addresses, stages by name; "
                "records that were found there instead of made are read twice",
            )
        self._tell.step("What came back goes on")
        rows = self._push("Sent on")
        if not any(row.calls["write"] for row in rows.values()):
            self._tell.say(f"nothing differs, nothing is sent: {_calls(rows)}")
            return
        self._tell.say(
            "the plan corrected in Salesforce to the three others, the stages in HubSpot to Zoho. "
            "The last of each:"
        )
        self._tell_rows(rows)

    def _settle(self, written_at: float) -> None:
        """Let the settle time pass since the last write, then look at what is uncertain."""
        self._tell.step(
            "The lost answers are settled",
            "a write without an answer may still land late: it is looked at after the settle "
            "time, and nothing is read back before",
        )
        settled_at = written_at + self._works.configuration.timing.settle_seconds + MARGIN_SECONDS
        left = max(1.0, settled_at - time.monotonic())
        with bar(self._screen, "settling", round(left), unit="s") as shown:
            while (now := time.monotonic()) < settled_at:
                shown.to(round(left - (settled_at - now)))
                time.sleep(min(1.0, settled_at - now))
        waiting = [stage for stage in self._stages if stage.wakes_at()]
        if not waiting:
            self._tell.say("the pushes before took so long that all has been looked at already")
            return
        for name, row in push_all(self._screen, self._works, waiting, "Settled").items():
            count = row.counts["unchanged"] + row.counts["updated"]
            self._tell.item(name, self._stage(name).crm.settled.format(count))

    # --- doing it -------------------------------------------------------------------------------

    def _push(self, name: str) -> dict[str, Row]:
        return push_all(self._screen, self._works, self._stages, name)

    def _stage(self, name: str) -> Stage:
        return next(stage for stage in self._stages if stage.crm.name == name)

    def _tell_rows(self, rows: Mapping[str, Row]) -> None:
        """Tell what pushes came to, with the last change of each."""
        for name, row in rows.items():
            self._tell.item(name, words_of(row.pushed.tally))
            for entry in self._stage(name).entries(row)[:1]:
                self._tell.item("", f"{entry.crm_id}  {change_text(entry.fields)}", style="green")

    def _ingest(self, file: Path) -> Report:
        report, notes = Report(), list[Note]()
        with file.open("rb") as lines:
            total = sum(1 for _ in lines)
        with file.open("rb") as stream, bar(self._screen, "ingest", total, unit="events") as shown:
            arrival = Arrival(SOURCE, datetime.now(UTC), self._works.rules, live=False)
            events = refusals_told(
                json_events(stream, arrival, notes), self._screen, file.name, notes, report
            )
            take_all(self._works, events, notes, report, shown)
        return report

    def _count(self, kind: ProfileKind) -> int:
        with self._works.store.database.read() as connection:
            return profiles.count(connection, kind)


def _calls(rows: Mapping[str, Row]) -> str:
    """Return how many calls all CRMs received."""
    calls = sum((row.calls for row in rows.values()), Counter[str]())
    looked = f", {calls['read']} reads to look for what was lost" if calls["read"] else ""
    return f"{calls['write']} writes{looked}"


def tell(path: Path, *, fresh: bool) -> None:
    """Run the demo in a folder."""
    screen = Screen()
    logging.set_up(quiet=True)
    began = time.monotonic()
    folder = Folder(path)
    screen.say("crmsync: 1,000 people into four CRMs", style="bold")
    with simulated_crms() as controls:
        earlier = folder.prepare({name: c.url for name, c in controls.items()}, fresh=fresh)
        for name, held in (earlier or {}).items():
            controls[name].restore(held)
        narrator = Narrator(screen)
        narrator.say(
            f"HubSpot, Salesforce, Zoho and Pipedrive are simulated on this machine, "
            f"{LATENCY_SECONDS:g} s an answer; all else is real. Waiting times are scaled down "
            "from minutes to seconds, and the accounts are of tiers whose limits keep nobody "
            "waiting.",
            indent=0,
            style="dim",
        )
        works = open_works(load_settings({"CRMSYNC_CONFIG": str(folder.config)}), env={})
        Story(narrator, folder, controls, works).run(again=earlier is not None)
        works.store.database.dispose()
        folder.keep({name: control.snapshot() for name, control in controls.items()})
    screen.say(f"\nDone in {time.monotonic() - began:.0f} s.", style="dim")
