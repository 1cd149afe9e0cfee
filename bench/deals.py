"""What differs between the CRMs in deals: their fields, how they are made, and the fewest calls.

Every person is on two deals, of which the larger one, made later, speaks for them. All are long
settled before anything is measured, but for those that change: so what a CRM shows again of what
was read just before is among these, and no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import requests

from bench.crms import HUBSPOT, PIPEDRIVE, SALESFORCE, TOKEN, ZOHO, Crm, Values
from bench.floor import TIMEOUT_SECONDS
from crmsync.model import Owner, Stage
from crmsync.sandbox import Control

TOGETHER = 50
"""Deals that are made at one time."""
LONG_SECONDS = 3_600
"""Longer than any connector reads back behind what it has seen."""
CLOSES = "2030-06-30"
Calls = Mapping[str, int]
"""What is asked for, and in how many calls."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal as it is made, or changed."""

    number: int
    person: str
    """The CRM's id of the contact."""
    stage: Stage
    owner: Owner

    @property
    def name(self) -> str:
        """Return what it is called."""
        return f"Deal {self.number}"

    @property
    def amount(self) -> int:
        """Return what it is worth: more than those before."""
        return self.number + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where one CRM's deals are made and changed."""

    crm: Crm
    object_type: str
    stage: str
    owner: str
    amount: str
    changing: Callable[[Deal], Values]
    """The fields that a change sets."""
    others: Callable[[Deal], Values]
    """The fields that are set besides, once."""
    tie: Callable[[Control, Sequence[str], Sequence[str]], None] = lambda *_: None
    """Puts people on deals, where a deal has no field for that."""
    age: Callable[[Control, Sequence[str]], None] = lambda control, _: control.advance(LONG_SECONDS)
    """Makes what was done to deals so far long past."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Of the simulated account: what is changed is to be seen at once."""
    whole: Callable[[int], Calls]
    """The fewest calls that so many deals can be read in, from nothing, with who sells how."""
    again: Callable[[int], Calls]
    """The fewest calls that so many that changed since can be read in, by a fresh process."""

    @property
    def reads(self) -> dict[str, object]:
        """Return the keys of a mapping that reads deals back."""
        pull = {"deal_stage": self.stage, "deal_owner": self.owner, "deal_amount": self.amount}
        return {"deals": {"pick": "largest_open", "pull": pull}}

    def make(self, control: Control, deals: Sequence[Deal]) -> list[str]:
        """Make deals; return their ids, in order."""
        made = [{**self.others(deal), **self.changing(deal)} for deal in deals]
        ids = [one for part in parts(made) for one in control.seed(self.object_type, part)]
        self.tie(control, ids, [deal.person for deal in deals])
        self.age(control, ids)
        return ids

    def change(self, control: Control, crm_id: str, deal: Deal) -> None:
        """Change a deal as a salesperson does."""
        control.edit(self.object_type, crm_id, **self.changing(deal))


def parts(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield what happens at one time each."""
    return (whole[start : start + TOGETHER] for start in range(0, len(whole), TOGETHER))


def _associate(control: Control, ids: Sequence[str], people: Sequence[str]) -> None:
    path = "/crm/v4/associations/deals/contacts/batch/associate/default"
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        for part in parts(list(zip(ids, people, strict=True))):
            inputs = [{"from": {"id": deal}, "to": {"id": person}} for deal, person in part]
            answer = session.post(
                control.url + path, json={"inputs": inputs}, timeout=TIMEOUT_SECONDS
            )
            answer.raise_for_status()


HUBSPOT_DESK = Desk(
    crm=HUBSPOT,
    object_type="deals",
    stage="dealstage",
    owner="hubspot_owner_id",
    amount="amount",
    changing=lambda deal: {
        "dealstage": deal.stage.id,
        "pipeline": deal.stage.pipeline_id,
        "hubspot_owner_id": deal.owner.id,
    },
    others=lambda deal: {"dealname": deal.name, "amount": str(deal.amount)},
    tie=_associate,
    settings={"search_lag_seconds": 0, "search_lag_jitter_seconds": 0, "settling_seconds": 0},
    whole=lambda deals: {
        "searches": math.ceil(deals / 200),
        "association reads": math.ceil(deals / 1_000),
        "pipelines": 1,
        "owners": 1,
    },
    again=lambda deals: {
        "searches": math.ceil(deals / 200),
        "association reads": math.ceil(deals / 1_000),
    },
)
ROLE = "OpportunityContactRole"


def _give_roles(control: Control, ids: Sequence[str], people: Sequence[str]) -> None:
    pairs = zip(ids, people, strict=True)
    roles = [{"OpportunityId": deal, "ContactId": person} for deal, person in pairs]
    _backdate(control, ROLE, control.seed(ROLE, roles))


def _backdate(control: Control, object_type: str, ids: Sequence[str]) -> None:
    # crmsync asks its own clock what may still appear behind: advancing the org's would not do.
    for one in ids:
        control.act("backdate", object_type=object_type, id=one, seconds=LONG_SECONDS)


SALESFORCE_DESK = Desk(
    crm=SALESFORCE,
    object_type="Opportunity",
    stage="StageName",
    owner="OwnerId",
    amount="Amount",
    changing=lambda deal: {"StageName": deal.stage.id, "OwnerId": deal.owner.id},
    others=lambda deal: {"Name": deal.name, "Amount": deal.amount, "CloseDate": CLOSES},
    tie=_give_roles,
    age=lambda control, ids: _backdate(control, "Opportunity", ids),
    whole=lambda deals: {"queries": math.ceil(deals / 2_000), "users": 1, "stages": 1},
    again=lambda deals: {"queries of deals and roles": math.ceil(deals / 2_000)},
)
ZOHO_DESK = Desk(
    crm=ZOHO,
    object_type="Deals",
    stage="Stage",
    owner="Owner",
    amount="Amount",
    changing=lambda deal: {
        "Stage": deal.stage.id,
        "Pipeline": deal.stage.pipeline,
        "Owner": {"id": deal.owner.id},
    },
    others=lambda deal: {
        "Deal_Name": deal.name,
        "Amount": deal.amount,
        "Contact_Name": {"id": deal.person},
    },
    whole=lambda deals: {
        "COQL queries": math.ceil(deals / 2_000),
        "deleted": 1,
        "layouts": 1,
        "pipelines": 1,
        "users": 1,
    },
    again=lambda deals: {"COQL queries": math.ceil(deals / 2_000), "deleted": 1},
)
PIPEDRIVE_DESK = Desk(
    crm=PIPEDRIVE,
    object_type="deals",
    stage="stage_id",
    owner="owner_id",
    amount="value",
    changing=lambda deal: {"stage_id": int(deal.stage.id), "owner_id": int(deal.owner.id)},
    others=lambda deal: {
        "title": deal.name,
        "value": deal.amount,
        "person_id": int(deal.person),
    },
    whole=lambda deals: {
        "lists": math.ceil(deals / 500),
        "archived": 1,
        "deleted": 2,
        "pipelines": 1,
        "stages": 1,
        "users": 1,
    },
    again=lambda deals: {"lists": math.ceil(deals / 500), "archived": 1, "deleted": 1},
)
DESKS = {desk.crm.name: desk for desk in (HUBSPOT_DESK, SALESFORCE_DESK, ZOHO_DESK, PIPEDRIVE_DESK)}
"""By the CRM's name."""
