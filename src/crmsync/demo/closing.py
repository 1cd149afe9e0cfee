"""The demo's closing: what it came to, what failed, one person's story, what to try next."""

from __future__ import annotations

import json
from collections.abc import Sequence

from crmsync.cli.explaining import tell as tell_person
from crmsync.cli.history import tell_failures
from crmsync.demo.folder import Folder
from crmsync.demo.narrator import Narrator
from crmsync.demo.pushes import Stage, in_step, known_by_crm
from crmsync.errors import CrmsyncError
from crmsync.store import profiles
from crmsync.sync.context import Works
from crmsync.sync.explain import explain
from crmsync.sync.replay import failure_groups

TOLD_FIELDS = ("plan", "Plan__c", "Plan", "Stage_in_HubSpot")
"""The fields of one person's story; `crmsync explain` tells all of them."""
NUMBERS = ("created", "updated", "unchanged", "failed", "writes", "reads")


class Closing:
    """The end of one demo."""

    def __init__(
        self, narrator: Narrator, folder: Folder, works: Works, stages: Sequence[Stage]
    ) -> None:
        """Look back at these CRMs."""
        self._tell = narrator
        self._screen = narrator.screen
        self._folder = folder
        self._works = works
        self._stages = stages

    def tell(self) -> None:
        """Tell all of it."""
        self._tell_counts()
        self._tell_failures()
        self._tell_next(self._tell_one_person())

    def _tell_counts(self) -> None:
        self._tell.step(
            "What it came to",
            "writes and reads are calls, as each CRM's own ledger counted them",
        )
        known = known_by_crm(self._works)
        for stage in self._stages:
            everybody = len(known[stage.crm.name])
            aside = everybody - in_step(known[stage.crm.name])
            self._screen.say()
            self._screen.table(
                (stage.crm.name.ljust(10), *NUMBERS),
                [
                    (row.name, row.counts["created"], row.counts["updated"], row.unchanged,
                     row.counts["failed"], row.calls["write"], row.calls["read"])
                    for row in stage.rows
                ],
                numbers=" ".join(NUMBERS),
            )  # fmt: skip
            rest = f"; set aside: {aside}" if aside else ""
            self._tell.say(
                f"records there: {stage.held():,}, of {everybody:,} people{rest}", style="dim"
            )

    def _tell_failures(self) -> None:
        self._tell.step("What failed, and what to do")
        self._screen.say()
        program = self._folder.shown_command()
        tell_failures(self._screen, failure_groups(self._works), program=program)
        self._tell.say(
            "`replay` needs the CRMs, and the simulated ones end with this demo.", style="dim"
        )

    def _tell_one_person(self) -> str:
        """Tell the story of the first whose plan changed; return their e-mail."""
        self._tell.step(
            "One person, from event to four CRMs, and back from one of them",
            "the plan came by an event, was corrected in Salesforce, and is the same everywhere",
        )
        call = json.loads(self._folder.changes.open().readline())
        with self._works.store.database.read() as connection:
            person = profiles.find(connection, call["userId"])
        if person is None:
            raise CrmsyncError("the demo's folder is broken; --fresh starts anew")
        self._screen.say()
        tell_person(self._screen, person, explain(self._works, person), TOLD_FIELDS)
        return person.email or person.id

    def _tell_next(self, person: str) -> None:
        self._tell.step("Try next")
        self._screen.say()
        program = self._folder.shown_command()
        for command, what in (
            (f"explain {person}", "every field of that person"),
            ("failures", "what failed, and how to send it again"),
            ("log --since 1h --limit 10", "what was sent, old → new"),
        ):
            self._screen.say(f"   {program} {command}")
            self._screen.paragraph(what, indent=5, style="dim")
        self._screen.say()
        self._tell.say("With your own CRM: `crmsync init` in an empty folder.")
