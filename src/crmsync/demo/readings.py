"""Reading back from all CRMs at the same time, and what each reading came to.

Who changed is told by the profiles before and after; calls are counted by the CRMs' ledgers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from crmsync.cli.progress import Bar, bars
from crmsync.cli.screen import Screen
from crmsync.demo.crm import DemoCrm
from crmsync.demo.pushes import Stage, people
from crmsync.errors import CrmsyncError
from crmsync.model import ProfileId
from crmsync.sync.context import Works
from crmsync.sync.pull import pull
from crmsync.sync.pulled import Pulled

Traits = Mapping[ProfileId, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one CRM, and whom it says something new of."""

    pulled: Pulled
    calls: int
    owners: Sequence[ProfileId]
    """People who have another owner there than before; not those of crmsync's own user."""
    stages: Sequence[ProfileId]
    """People whose deal is at another stage."""

    @property
    def deals(self) -> int:
        """Return how many deals were read."""
        return self.pulled.counts["deals"]

    @property
    def records(self) -> int:
        """Return how many records of people were read."""
        return self.pulled.records - self.deals


def read_all(screen: Screen, works: Works, stages: Sequence[Stage]) -> dict[str, Reading]:
    """Read these CRMs at once; return what each reading came to, by CRM."""
    before = traits_of(works)
    stop = threading.Event()
    with (
        bars(screen, dict.fromkeys([stage.crm.name for stage in stages]), unit="records") as shown,
        ThreadPoolExecutor(len(stages)) as threads,
    ):
        begun = [
            (stage, threads.submit(_read, works, stage.crm, shown[stage.crm.name], stop))
            for stage in stages
        ]
        try:
            done = [(stage, reading.result()) for stage, reading in begun]
        finally:
            stop.set()
    after = traits_of(works)
    return {
        stage.crm.name: Reading(
            pulled,
            stage.count_calls()["read"],
            [
                person
                for person in _changed(before, after, stage.crm.owner_trait)
                if after[person].get(stage.crm.owner_trait) != stage.crm.office.made_by
            ],
            _changed(before, after, stage.crm.stage_trait),
        )
        for stage, pulled in done
    }


def traits_of(works: Works) -> Traits:
    """Return everybody's traits."""
    return {person.id: person.traits for person in people(works)}


def _read(works: Works, crm: DemoCrm, shown: Bar, stop: threading.Event) -> Pulled:
    pulled = pull(
        works,
        crm.name,
        go_on=lambda: not stop.is_set(),
        progress=lambda so_far: shown.to(so_far.records),
    )
    if pulled.rest is not None:
        raise CrmsyncError(f"{crm.label}: reading stopped: {pulled.rest.message}")
    return pulled


def _changed(before: Traits, after: Traits, trait: str) -> list[ProfileId]:
    return [
        person
        for person, traits in after.items()
        if traits.get(trait) != before.get(person, {}).get(trait)
    ]
