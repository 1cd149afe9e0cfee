"""Simulated CRMs call a served API: what salespeople change is known at once, and costs one read.

Polls are an hour apart, so that whatever arrives came by a webhook.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from sqlalchemy import select, update

from crmsync.model import Action, Batch, LinkId, Operation
from crmsync.sandbox.hubspot.events import signed
from crmsync.store import profiles
from crmsync.store.tables import hints, hook_events, watches
from crmsync.sync.pull import pull
from crmsync.sync.webhooks import set_up, take_down
from crmsync.sync.worker import Worker
from tests.crms import HUBSPOT, PIPEDRIVE, ZOHO, Crm
from tests.sandboxes import WatchedControl, running
from tests.served_api import serving
from tests.servers import postgres
from tests.servers.process import free_port
from tests.workbench import (
    QUICK,
    Project,
    count_rows,
    drain,
    identify,
    ingest,
    link_rows,
    make_fields,
    make_project,
    the_sync,
    until,
)

SECRET = "a-secret-of-our-own"  # noqa: S105 - of a simulated account
SELDOM = {**QUICK, "pull_seconds": 3600.0}
ADA = "ada@acme.example"


@dataclass(frozen=True, kw_only=True)
class Sales:
    """What salespeople do in one CRM, in its own words."""

    crm: Crm
    owner: str
    """The field that says whose a person is."""
    stage: str
    """The field of deals."""
    deals: str
    deal: Callable[[str], Mapping[str, Any]]
    """A deal of this person."""
    moved: tuple[object, str]
    """Another stage, and its label."""
    add_user: Callable[[WatchedControl], object]
    """Makes Ada, and returns her as the owner field has her."""
    deal_read: tuple[str, ...]
    """The calls that read one deal with its people."""
    person_read: tuple[str, ...]


SALES = (
    Sales(
        crm=HUBSPOT,
        owner="hubspot_owner_id",
        stage="dealstage",
        deals="deals",
        deal=lambda _: {"dealname": "D", "dealstage": "appointmentscheduled"},
        moved=("contractsent", "Contract Sent"),
        add_user=lambda control: control.act("add_owner", email=ADA)["id"],
        deal_read=(
            "POST /crm/v3/objects/deals/batch/read",
            "POST /crm/v4/associations/deals/contacts/batch/read",
        ),
        person_read=("POST /crm/v3/objects/contacts/batch/read",),
    ),
    Sales(
        crm=PIPEDRIVE,
        owner="owner_id",
        stage="stage_id",
        deals="deals",
        deal=lambda person: {"title": "D", "stage_id": 1, "person_id": int(person)},
        moved=(3, "Demo Scheduled"),
        add_user=lambda control: control.act("add_user", name="Ada", email=ADA),
        deal_read=("GET /api/v2/deals/1",),
        person_read=("GET /api/v2/persons/1",),
    ),
    Sales(
        crm=ZOHO,
        owner="Owner",
        stage="Stage",
        deals="Deals",
        deal=lambda person: {
            "Deal_Name": "D",
            "Stage": "Qualification",
            "Pipeline": "Standard",
            "Contact_Name": {"id": person},
        },
        moved=("Closed Won", "Closed Won"),
        add_user=lambda control: {"id": control.act("add_user", email=ADA)["id"]},
        deal_read=("GET /crm/v8/Deals ids",),
        person_read=("GET /crm/v8/Contacts ids",),
    ),
)


class Told:
    """A project that was told of one person's record and deal, and an address for webhooks."""

    def __init__(self, sales: Sales, control: WatchedControl, project: Project, url: str) -> None:
        self.sales, self.control, self.url = sales, control, url
        self.bells: list[Callable[[str], None]] = []
        self.works = project.open(self.ring)
        self.ada = sales.add_user(control)
        self.person = ""
        self.deal = ""

    def ring(self, name: str) -> None:
        """Tell the workers there are."""
        for bell in self.bells:
            bell(name)

    def begin(self) -> None:
        """Send one person, who gets a deal; read both once."""
        crm, works = self.sales.crm, self.works
        make_fields(the_sync(works).connector, object_type=crm.object_type)
        ingest(works, [identify("u1", first_name="Ann", last_name="Lee", email="ann@acme.example")])
        drain(works)
        [(self.person,)] = link_rows(works.store, "crm_id")
        [self.deal] = self.control.seed(self.sales.deals, [self.sales.deal(self.person)])
        if crm is HUBSPOT:
            tie = Operation(LinkId(1), Action.ASSOCIATE, {"contacts": self.person}, self.deal)
            the_sync(works).connector.write(Batch("deals", Action.ASSOCIATE, [tie], "contacts"))
        until(self.is_read, "what was there is read")
        self.control.clear_ledger()

    def is_read(self) -> bool:
        """Read what is due; whether nothing is left to read."""
        pull(self.works, "crm", due_only=True)
        return "deal_stage" in self.traits() and self.waiting() == 0

    def subscribe(self) -> None:
        """Have the CRM tell us."""
        if self.sales.crm is HUBSPOT:
            self.control.act("subscribe", url=self.url, secret=SECRET)
        else:
            set_up(self.works, "crm")

    def waiting(self) -> int:
        """How many records are to be read."""
        return count_rows(self.works.store, hints)

    def traits(self) -> Mapping[str, Any]:
        """What is known of the person."""
        with self.works.store.database.read() as connection:
            found = profiles.find(connection, "u1")
        return found.traits if found else {}

    def move(self) -> None:
        """Change the deal's stage, as a salesperson does."""
        stage, _ = self.sales.moved
        self.control.edit(self.sales.deals, self.deal, **{self.sales.stage: stage})

    def move_back(self) -> None:
        """Give the deal the stage again that it was made with."""
        first = self.sales.deal(self.person)[self.sales.stage]
        self.control.edit(self.sales.deals, self.deal, **{self.sales.stage: first})

    def knows_the_move(self) -> bool:
        """Whether the person's profile has the new stage."""
        _, label = self.sales.moved
        return self.traits().get("deal_stage") == label

    def asked(self) -> list[str]:
        """Return the calls that the CRM has had since this was last asked."""
        entries = self.control.ledger(bodies=False)
        self.control.clear_ledger()
        return [
            f"{e['method']} {e['path']}{' ids' if 'ids' in e['query'] else ''}" for e in entries
        ]

    def statuses(self) -> list[int]:
        """Wait until the CRM has made all its deliveries; return how they were answered."""
        until(lambda: not self.control.act("pending_deliveries"), "deliveries are made")
        return self.statuses_so_far()

    def statuses_so_far(self) -> list[int]:
        """Return how deliveries were answered; some may be made again."""
        return [one["status"] for one in self.control.act("delivery_log")]


@pytest.fixture(params=SALES, ids=lambda sales: sales.crm.name)
def sales(request) -> Sales:
    """Each CRM that has webhooks."""
    return request.param


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what is tested here is what passes between a CRM and us."""
    return f"sqlite:///{tmp_path / 'crmsync.db'}"


@pytest.fixture
def told(sales, new_project) -> Iterator[Told]:
    """A project with a simulated CRM, and its API served at the address for webhooks."""
    with (
        running(sales.crm.name, limits=False, **sales.crm.settings) as sandbox,
        telling(sales, sandbox.control, new_project) as story,
    ):
        yield story


@contextmanager
def telling(
    sales: Sales, control: WatchedControl, new_project: Callable[..., Project]
) -> Iterator[Told]:
    """Have one person and their deal in both places, and the API served."""
    crm, port = sales.crm, free_port()
    hooks = {"url": f"http://127.0.0.1:{port}/hooks/crm", "secret": SECRET}
    back = {"pull": {"contact_owner": sales.owner}, "deals": {"pull": {"deal_stage": sales.stage}}}
    project = new_project(
        connections={"crm": crm.connection(control.url, webhooks=hooks)},
        mappings={"contacts": crm.mapping(crm.by_key, **back).replace(crm.name, "crm", 1)},
        timing=SELDOM,
    )
    story = Told(sales, control, project, hooks["url"])
    story.begin()
    with serving(story.works, port=port):
        yield story


@contextmanager
def working(told: Told) -> Iterator[None]:
    """Let a worker run while the block does."""
    worker = Worker(told.works)
    told.bells.append(worker.ring)
    worker.start()
    try:
        yield
    finally:
        told.bells.remove(worker.ring)
        worker.stop()


def test_a_change_is_known_without_a_poll(told):
    """Of a deal and of a person: each costs the read of that record, and no list is asked for."""
    told.subscribe()
    told.control.clear_ledger()
    with working(told):
        told.move()
        until(told.knows_the_move, "the stage is known")
        assert told.asked() == list(told.sales.deal_read)
        crm = told.sales.crm
        told.control.edit(crm.object_type, told.person, **{told.sales.owner: told.ada})
        until(lambda: told.traits().get("contact_owner") == ADA, "the owner is known")
        assert told.asked() == list(told.sales.person_read)
    assert set(told.statuses()) == {200}


def test_deliveries_come_twice_and_in_any_order(told):
    """The record is read as it is now, so that neither matters; what was taken is not taken again.

    Here the earlier change is told last.
    """
    told.subscribe()
    told.control.act("delivery_faults", repeat=2, shuffle=True)
    told.move()
    told.move_back()
    told.move()
    told.statuses()
    assert told.waiting() == 1
    told.control.clear_ledger()
    with working(told):
        until(told.knows_the_move, "the stage is known")
        until(lambda: told.waiting() == 0, "all is read")
        assert told.asked() == list(told.sales.deal_read)
        taken = count_rows(told.works.store, hook_events)
        for delivery in {one["number"] for one in told.control.act("delivery_log")}:
            told.control.act("redeliver", number=delivery)
        assert set(told.statuses()) == {200}
    assert (count_rows(told.works.store, hook_events), told.waiting()) == (taken, 0)
    assert told.asked() == []


@pytest.mark.parametrize("sales", SALES[1:], ids=["pipedrive", "zoho"])
def test_an_old_delivery_takes_nothing_back(told):
    """It tells of a stage that the deal has left since, and nobody remembers it: one read.

    HubSpot's carry the time at which they were signed, and old ones are refused.
    """
    told.subscribe()
    with working(told):
        told.move()
        until(told.knows_the_move, "the stage is known")
        told.statuses()
        [old, *_] = [one["number"] for one in told.control.act("delivery_log")]
        told.move_back()
        until(lambda: not told.knows_the_move(), "that it is as before is known")
        told.statuses()
        until(lambda: told.waiting() == 0, "all is read")
        known = dict(told.traits())
        with told.works.store.database.engine.begin() as connection:
            connection.execute(hook_events.delete())
        told.control.clear_ledger()
        told.control.act("redeliver", number=old)
        assert set(told.statuses()) == {200}
        assert count_rows(told.works.store, hook_events) == 1
        until(lambda: told.waiting() == 0, "it is read")
    assert told.asked() == list(told.sales.deal_read)
    assert told.traits() == known


def test_what_is_not_delivered_is_found_by_the_poll(told):
    """A webhook only saves time."""
    told.subscribe()
    told.control.act("delivery_faults", drop=1.0)
    told.move()
    assert told.statuses() == []
    pull(told.works, "crm", due_only=True)
    assert not told.knows_the_move()
    pull(told.works, "crm")
    assert told.knows_the_move()


def test_whoever_else_calls_is_refused(told):
    """Nothing is read for it: an empty body, somebody else's proof, or none."""
    told.subscribe()
    told.control.clear_ledger()
    for headers in ({}, {"Authorization": "Basic YTpi"}, signed(told.url, "another", b"[]")):
        for body in (b"", b"[]", orjson.dumps({"token": "another", "module": "Deals"})):
            answer = requests.post(told.url, data=body, headers=headers, timeout=20)
            assert answer.status_code == 401
    assert told.waiting() == 0
    assert told.asked() == []


@pytest.mark.parametrize("sales", [SALES[0], SALES[2]], ids=["hubspot", "zoho"])
def test_an_altered_delivery_is_refused(told):
    """Old proof, another body. Pipedrive signs no body: a lie there costs one read."""
    told.subscribe()
    told.move()
    told.statuses()
    [number, *_] = [one["number"] for one in told.control.act("delivery_log")]
    taken = count_rows(told.works.store, hook_events)
    altered = orjson.dumps([{"objectId": 666}]).decode()
    told.control.act("redeliver", number=number, body=altered)
    until(lambda: 401 in told.statuses_so_far(), "it is refused")
    assert count_rows(told.works.store, hook_events) == taken


@pytest.mark.parametrize("sales", SALES[:1], ids=["hubspot"])
def test_a_storm_about_one_record_is_one_read(told):
    """A thousand deliveries, many at once: each is taken, and the deal is read once."""
    stage, _ = told.sales.moved

    def deliver(number: int) -> None:
        event = {
            "portalId": 7,
            "occurredAt": time.time_ns() // 1_000_000,
            "subscriptionType": "deal.propertyChange",
            "objectId": int(told.deal),
            "propertyName": f"property_{number}",
        }
        body = orjson.dumps([event])
        headers = signed(told.url, SECRET, body)
        answer = requests.post(told.url, data=body, headers=headers, timeout=20)
        while answer.status_code == 503:  # on a very slow machine; HubSpot comes again, too
            answer = requests.post(told.url, data=body, headers=headers, timeout=20)
        assert answer.json() == {"success": True, "taken": 1}

    told.control.edit("deals", told.deal, dealstage=stage)
    told.control.clear_ledger()
    with ThreadPoolExecutor(10) as pool:
        assert len(list(pool.map(deliver, range(1_000)))) == 1_000
    assert told.waiting() == 1
    with working(told):
        until(told.knows_the_move, "the stage is known")
        until(lambda: told.waiting() == 0, "all is read")
    assert told.asked() == list(told.sales.deal_read)


@pytest.mark.parametrize("sales", SALES[1:], ids=["pipedrive", "zoho"])
def test_webhooks_that_ended_are_made_again(told):
    """A worker looks when it is time; from then on changes are told as before."""
    set_up(told.works, "crm")
    if told.sales.crm is ZOHO:
        told.control.advance(8 * 86_400)
    else:
        the_sync(told.works).connector.unwatch()
    told.move()
    assert told.statuses() == []
    told.control.clear_ledger()
    with told.works.store.database.engine.begin() as connection:
        connection.execute(update(watches).values(look_at=datetime.now(UTC)))
    with working(told):
        path = "*/watch" if told.sales.crm is ZOHO else "*/webhooks"
        until(lambda: told.control.calls(method="POST", path=path) > 0, "they are made")
        until(lambda: _is_looked_after(told), "it is noted")
        told.move_back()
        told.move()
        until(told.knows_the_move, "the stage is known")


def _is_looked_after(told: Told) -> bool:
    with told.works.store.database.read() as connection:
        moment = connection.execute(select(watches.c.look_at)).scalar_one()
    return moment > datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("sales", SALES[1:], ids=["pipedrive", "zoho"])
def test_what_is_taken_down_tells_nothing_more(told):
    """Nor do workers make it again."""
    set_up(told.works, "crm")
    take_down(told.works, "crm")
    told.move()
    assert told.statuses() == []
    assert count_rows(told.works.store, watches) == 0


@pytest.mark.integration
def test_a_database_that_hangs_loses_nothing(tmp_path):
    """PostgreSQL is frozen: 503 in time. What the CRM delivers again is taken once it answers."""
    [sales, *_] = SALES
    with (
        postgres.start_own(fsync=False) as server,
        running("hubspot", limits=False, **sales.crm.settings) as sandbox,
    ):

        def new_project(**keys: Any) -> Project:
            return make_project(tmp_path / "project", server.url, **keys)

        with telling(sales, sandbox.control, new_project) as told:
            told.subscribe()
            server.pause()
            began = time.monotonic()
            told.move()
            until(lambda: told.statuses_so_far() != [], "it is answered")
            assert time.monotonic() - began < 5.0
            assert set(told.statuses_so_far()) == {503}
            server.resume()
            sandbox.control.advance(10)  # when HubSpot makes it again
            assert told.statuses()[-1] == 200
            with working(told):
                until(told.knows_the_move, "the stage is known")
