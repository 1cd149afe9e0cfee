"""The way back, told: salespeople work in the CRMs, and what they did is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from crmsync.cli.tables import Column
from crmsync.demo.folder import Folder
from crmsync.demo.narrator import Narrator
from crmsync.demo.pushes import Stage, everywhere_in_step, known_by_crm, people
from crmsync.demo.readings import Reading, read_all, traits_of
from crmsync.demo.sales import DEALS, WORKED_ON, rename, sell
from crmsync.identity.facts import facts
from crmsync.model import CrmId, Profile
from crmsync.store import tokens
from crmsync.sync.context import Works

COLUMNS = (
    Column("read back", least=10),
    Column("records", number=True),
    Column("deals", number=True),
    Column("new owner", number=True),
    Column("new stage", number=True),
    Column("calls", number=True),
)


class BothWays:
    """The part of one demo in which the CRMs speak."""

    def __init__(
        self, narrator: Narrator, folder: Folder, works: Works, stages: Sequence[Stage]
    ) -> None:
        """Listen to these CRMs."""
        self._tell = narrator
        self._folder = folder
        self._works = works
        self._stages = stages

    def sell(self) -> None:
        """Let salespeople work in all CRMs at once."""
        self._tell.step(
            "Salespeople work in the CRMs",
            f"{DEALS} deals are opened in each, most move on; {WORKED_ON} contacts are taken over; "
            "then one of the salespeople leaves, and a stage is renamed",
        )
        everybody = self._whom_they_meet()
        known = known_by_crm(self._works)

        def at(place: int, stage: Stage) -> None:
            records = {one.profile_id: one.crm_id for one in known[stage.crm.name]}
            # The first one is known to all; the others are another few dozen for each CRM.
            first = 1 + place * (WORKED_ON - 1)
            met = [everybody[0], *everybody[first : first + WORKED_ON - 1]]
            sell(stage.crm, stage.backstage(), [CrmId(str(records[one.id])) for one in met])
            stage.skip_calls()

        with ThreadPoolExecutor(len(self._stages)) as threads:
            list(threads.map(at, range(len(self._stages)), self._stages))
        name = _name(everybody[0])
        for stage in self._stages:
            office = stage.crm.office
            also = f"; {name}'s plan is corrected" if office.corrected else ""
            self._tell.item(stage.crm.name, f"{office.sellers[1]} leaves{also}")

    def reopen(self) -> None:
        """Do again what snapshots of the CRMs do not hold: names of stages. Forget their tokens."""
        # They ended with the CRMs, and Salesforce's name an address that is no more.
        self._works.store.database.transact(tokens.forget_all)
        for stage in self._stages:
            if not stage.crm.office.keeps_names:
                rename(stage.crm, stage.backstage())

    def read(self, title: str, detail: str) -> None:
        """Read all CRMs, and tell what they say."""
        self._tell.step(title, detail)
        readings = read_all(self._tell.screen, self._works, self._stages)
        self._tell.screen.say()
        self._tell.screen.table(
            COLUMNS,
            [
                (name, one.records, one.deals, len(one.owners), len(one.stages), one.calls)
                for name, one in readings.items()
            ],
        )
        self._tell.screen.say()
        if any(one.owners or one.stages for one in readings.values()):
            self._tell_some(readings)
        else:
            calls = sum(one.calls for one in readings.values())
            self._tell.say(f"nothing has changed: {calls} reads to know it")

    def _tell_some(self, readings: Mapping[str, Reading]) -> None:
        """Tell of one person from each CRM."""
        traits = traits_of(self._works)
        known = {person.id: person for person in people(self._works)}
        for place, stage in enumerate(self._stages):
            crm = stage.crm
            both = set(readings[crm.name].owners) & set(readings[crm.name].stages)
            # Now one who has stayed, now one who has left.
            seller = crm.office.sellers[place % 2]
            with_them = [p for p in sorted(both) if traits[p][crm.owner_trait] == seller]
            if not with_them:
                continue
            person = with_them[place % len(with_them)]
            owner, at = (traits[person][name] for name in (crm.owner_trait, crm.stage_trait))
            left = ", who has left" if owner == crm.office.sellers[1] else ""
            self._tell.item(crm.name, f"{_name(known[person])}: {at}", style="green")
            self._tell.item("", f"owner {owner}{left}", style="green")

    def _whom_they_meet(self) -> list[Profile]:
        """Return people whom every CRM holds, and first the one whose plan was changed."""
        with self._folder.changes.open() as lines:
            first = json.loads(lines.readline())["userId"]
        return sorted(everywhere_in_step(self._works), key=lambda one: one.user_id != first)


def _name(person: Profile) -> str:
    return str(facts(person)["name"])
