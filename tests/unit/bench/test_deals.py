"""The plain scripts that read deals: they really read, and notice what changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bench import hubspot_deals, plain_deals, salesforce_deals
from bench.calls import NAMED
from bench.children import Job
from bench.contacts import everybody
from bench.deals import DESKS, Deal
from crmsync.model import Owner, Stage
from tests.sandboxes import running

JOBS: dict[str, Job] = {
    "hubspot": hubspot_deals.read_all,
    "salesforce": salesforce_deals.read_all,
    "zoho": plain_deals.read_zoho,
    "pipedrive": plain_deals.read_pipedrive,
}
STEPS = {
    "hubspot": ("qualifiedtobuy", "contractsent", "default"),
    "salesforce": ("Prospecting", "Qualification", ""),
    "zoho": ("Qualification", "Needs Analysis", "Standard"),
    "pipedrive": ("1", "2", "1"),
}
"""Two open stages, and what names their pipeline."""


def kept(database, query):
    """What the script's tables hold."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("desk", DESKS.values(), ids=DESKS)
def test_a_page_more_is_a_call_more(desk):
    """The fewest calls grow with the deals, and those that changed cost no more than all."""
    assert sum(desk.whole(2_001).values()) > sum(desk.whole(2_000).values())
    assert sum(desk.again(2_000).values()) <= sum(desk.whole(2_000).values())


@pytest.mark.parametrize("name", DESKS)
def test_a_script_keeps_deals_with_their_people_and_notices_a_change(name, tmp_path):
    """All deals at first, with who is on them; then those that changed, each once."""
    desk, (first, second, pipeline) = DESKS[name], STEPS[name]
    settings = {**desk.crm.settings, **desk.settings}
    with running(name, check_requests=False, limits=False, **settings) as sandbox:
        control, file = sandbox.control, str(tmp_path / "script.db")
        JOBS[name](url=sandbox.url, database=file)
        [(owner_id,)] = kept(file, "SELECT id FROM owners WHERE email LIKE 'ada%'")
        owner = Owner(owner_id, "", "Ada")
        crm = desk.crm
        some = [{trait: one[trait] for trait in NAMED} for one in everybody(2, 0, "here")]
        people = control.seed(crm.object_type, [crm.typed(crm.record(one)) for one in some])
        stages = [Stage(one, one, pipeline, pipeline) for one in (first, second)]
        deals = [Deal(n, people[n % 2], stages[0], owner) for n in range(4)]
        ids = desk.make(control, deals)
        _, said = JOBS[name](url=sandbox.url, database=file)
        assert said == {"deals": 4}
        assert kept(file, "SELECT id, stage, owner, amount FROM deals ORDER BY amount") == [
            (one, first, owner.id, deal.amount) for one, deal in zip(ids, deals, strict=True)
        ]
        on_them = dict(kept(file, "SELECT deal, person FROM deal_people"))
        assert on_them == {one: deal.person for one, deal in zip(ids, deals, strict=True)}
        desk.change(control, ids[3], Deal(3, people[1], stages[1], owner))
        JOBS[name](url=sandbox.url, database=file)
        assert kept(file, "SELECT stage, count(*) FROM deals GROUP BY stage ORDER BY 2") == [
            (second, 1),
            (first, 3),
        ]
