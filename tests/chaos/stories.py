"""The stories that workers are stopped in: names go out, telephone numbers come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from crmsync.store import hints
from crmsync.store.tables import cursors, runs, schedule_ticks
from crmsync.store.tables import hints as hints_table
from crmsync.sync.pull import pull
from tests.chaos.scene import BRISK, OLD, OLDEST, PEOPLE, Scene, Story, send
from tests.crms import CRMS, HUBSPOT, PIPEDRIVE, SALESFORCE, ZOHO, Crm
from tests.integration.selling import AN_HOUR, LONG, Office
from tests.workbench import (
    count_rows,
    is_at_rest,
    let_pass,
    link_rows,
)

REFRESH_TOKENS = {
    HUBSPOT: "na1-sandbox-refresh-token",
    SALESFORCE: "5Aep861-sandbox-refresh-token",
    ZOHO: "1000.sandbox-refresh-token",
    PIPEDRIVE: "1:1:sandbox-refresh-token",
}
"""By which each simulated account grants access tokens."""


class Push(Story):
    """Names are sent: to people who are there, and who are new."""


class Changes(Push):
    """Names are sent to people who are all there."""

    def prepare(self, scene: Scene) -> None:
        """Have everybody in every CRM, and everything settled."""
        send(scene, range(PEOPLE), OLDEST)


class Adopt(Push):
    """Names are sent, and whoever is new is looked for by e-mail first."""

    def mapping(self, crm: Crm) -> str:
        """Match by e-mail, too."""
        return crm.mapping(crm.adopting)


class Newcomers(Push):
    """Everybody is new."""

    def prepare(self, scene: Scene) -> None:
        """Begin with nobody."""


class Create(Newcomers):
    """The same, and no CRM knows who was made already: nobody has a unique key."""

    def mapping(self, crm: Crm) -> str:
        """Match by what is not unique; Pipedrive has nothing else."""
        return crm.mapping(crm.by_key if crm is PIPEDRIVE else crm.loose)


class SlowPush(Push):
    """Names are sent, and every answer takes so long that leases are renewed meanwhile."""

    timing: Mapping[str, float] = {
        **BRISK,
        "request_deadline_seconds": 4.0,
        "lease_seconds": 5.0,
        "settle_seconds": 5.5,
    }

    def happen(self, scene: Scene) -> None:
        """Have the first answers take three seconds."""
        for crm, control in scene.controls.items():
            for calls in (crm.make, crm.update):
                control.fault("delay", when="after", seconds=3.0, times=crm.calls_at_once, **calls)
        super().happen(scene)


class Grant(Push):
    """Names are sent under OAuth, and the access token has just ended."""

    def settings_of(self, crm: Crm) -> Mapping[str, object]:
        """Let a refresh token be used again: what a killed worker was granted is granted anew."""
        return {"rotate_refresh_tokens": False}

    def auth(self, crm: Crm) -> Mapping[str, object]:
        """Connect by OAuth."""
        return {"auth": {"oauth": {**crm.app, "refresh_token": REFRESH_TOKENS[crm]}}}

    def happen(self, scene: Scene) -> None:
        """Have every access token end."""
        for control in scene.controls.values():
            control.act("expire_access_tokens")
        super().happen(scene)


class Tick(Newcomers):
    """Names are sent by the hour, and the first hour is over."""

    def mapping(self, crm: Crm) -> str:
        """Send by the hour."""
        return crm.mapping(crm.by_key, trigger="hourly")

    def happen(self, scene: Scene) -> None:
        """Let the hour pass."""
        super().happen(scene)
        let_pass(scene.works.store, AN_HOUR)

    def overtake(self, scene: Scene) -> None:
        """Nothing newer is sent before the next hour."""

    def wrong(self, scene: Scene) -> list[str]:
        """Return also which tick was not taken once, with its run."""
        with scene.works.store.database.read() as connection:
            taken = _by_sync(connection, schedule_ticks)
            opened = _by_sync(connection, runs, runs.c.trigger == "hourly")
        once = {crm.name: 1 for crm in CRMS}
        ticks = [] if taken == once else [f"ticks taken: {taken}"]
        # The work was due in the hour before the tick: it has a run of its own.
        no_run = [f"{crm.name}: no run" for crm in CRMS if not opened.get(crm.name)]
        return [*super().wrong(scene), *ticks, *no_run]


class Remap(Push):
    """A mapping has changed: everybody's name is sent in capitals."""

    by_twos = True

    def happen(self, scene: Scene) -> None:
        """Change every mapping, once all are sent by the old one."""
        send(scene, range(PEOPLE), OLD)
        for crm in CRMS:
            fields = {
                name: {"from": source, "transform": "upper"} for name, source in crm.fields.items()
            }
            scene.project.write_mapping(crm.name, crm.mapping(crm.by_key, fields=fields))

    def shown(self, value: str) -> str:
        """Capitals."""
        return value.upper()


class Pull(Story):
    """Salespeople have changed telephone numbers, which are read back."""

    timing: Mapping[str, float] = {**BRISK, "pull_seconds": 1.0}

    def mapping(self, crm: Crm) -> str:
        """Read numbers and nothing else."""
        return crm.mapping(crm.by_key, pull={f"{crm.name}_number": crm.sales.phone})

    def prepare(self, scene: Scene) -> None:
        """Have everybody in every CRM, everything settled, and all of it read once."""
        send(scene, range(PEOPLE), OLD)
        let_pass(scene.works.store, LONG)
        for crm in CRMS:
            pull(scene.works, crm.name)

    def happen(self, scene: Scene) -> None:
        """Change everybody's number."""
        self.call(scene, range(PEOPLE), "1000")

    def overtake(self, scene: Scene) -> None:
        """Change every second number once more."""
        scene.overtaken = frozenset(range(0, PEOPLE, 2))
        self.call(scene, scene.overtaken, "2000")

    def call(self, scene: Scene, people: Any, number: str) -> None:
        """Have people's numbers changed, and an hour pass by each CRM's clock."""
        for office in scene.offices:
            edit(office, people, number)
            crm, control = office.crm, office.control
            control.advance(AN_HOUR)
            # Somebody whom we do not know is made since: the cursor moves past the change.
            stranger = {"name": "Lee"} if crm is PIPEDRIVE else {crm.last_name: "Lee"}
            control.seed(crm.object_type, [stranger])
        scene.since = None

    def is_over(self, scene: Scene) -> bool:
        """Whether every CRM has been read anew since nothing was left to be read again."""
        if not is_at_rest(scene.works.store) or count_rows(scene.works.store, hints_table):
            scene.since = None
            return False
        if scene.since is None:
            scene.since, scene.rounds = scene.now(), 0
        if self.read_since(scene, scene.since):
            scene.since, scene.rounds = scene.now(), scene.rounds + 1
        return scene.rounds > 1  # the first may have begun before

    def read_since(self, scene: Scene, moment: datetime) -> bool:
        """Whether a reading of every CRM has ended since, and none is under way."""
        with scene.works.store.database.read() as connection:
            read = connection.execute(select(cursors.c.read_at, cursors.c.lease_token)).all()
        return len(read) == len(CRMS) and all(
            at is not None and at > moment and token is None for at, token in read
        )

    def wrong(self, scene: Scene) -> list[str]:
        """Return which number did not become the trait that it must."""
        wanted = ["2000" if n in scene.overtaken else "1000" for n in range(PEOPLE)]
        known = {
            office.crm.name: office.traits(PEOPLE, f"{office.crm.name}_number")
            for office in scene.offices
        }
        return [f"{name}: {got}, not {wanted}" for name, got in known.items() if got != wanted]


class PullPages(Pull):
    """The same, page by page."""

    by_twos = True

    def settings_of(self, crm: Crm) -> Mapping[str, object]:
        """Have pages of two, where the CRM decides; else `halting` does."""
        return {"query_page": 2} if crm is SALESFORCE else {}


class Told(Pull):
    """Webhooks have told of the change: its records are read by id, and nothing polls."""

    timing: Mapping[str, float] = {**BRISK, "pull_seconds": 3600.0}

    def call(self, scene: Scene, people: Any, number: str) -> None:
        """Change people's numbers, and tell of it."""
        for office in scene.offices:
            edit(office, people, number)
            told = {(office.crm.object_type, record_of(office, n)) for n in people}
            database = scene.works.store.database
            database.transact(
                lambda c: hints.ask(c, office.crm.name, told, database.now(c))  # noqa: B023 - used at once
            )

    def is_over(self, scene: Scene) -> bool:
        """Whether nothing is left to be read."""
        store = scene.works.store
        return is_at_rest(store) and not count_rows(store, hints_table)


def edit(office: Office, people: Any, number: str) -> None:
    """Change people's numbers in a CRM."""
    for n in people:
        office.call(record_of(office, n), number)


def record_of(office: Office, person: int) -> Any:
    """Return somebody's record in a CRM."""
    rows = link_rows(office.works.store, "connection", "crm_id")
    return [crm_id for name, crm_id in rows if name == office.crm.name][person]


def _by_sync(connection: Any, table: Any, *conditions: Any) -> dict[str, int]:
    query = select(table.c.sync, func.count()).where(*conditions).group_by(table.c.sync)
    return dict(connection.execute(query).all())
