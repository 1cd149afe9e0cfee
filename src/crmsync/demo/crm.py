"""What the demo knows of a CRM: how it is reached, what goes where, and what goes wrong there.

Each CRM of the demo is one of these, as data, in `crms/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmsync.connectors.base import Connector
from crmsync.model import CrmId, FieldSchema, FieldType, Profile
from crmsync.sandbox import Control

MATCH = FieldSchema("crmsync_id", "crmsync_id", FieldType.TEXT, unique=True)
"""The field by which a CRM's records are known to be ours."""
Call = Mapping[str, Any]
"""An entry of a ledger: `method`, `route`, `body` and so on."""
PLANS = (("free", "Free"), ("trial", "Trial"), ("pro", "Pro"), ("enterprise", "Enterprise"))
"""The options of a picklist of plans: value, label."""


@dataclass(frozen=True, slots=True)
class Backstage:
    """One CRM seen from behind the scenes."""

    control: Control
    connector: Connector
    people: Sequence[Profile]
    """Those who are about to be sent."""


def leave_alone(_: Backstage) -> None:
    """Do nothing."""


def writes(_: Call) -> bool:
    """Say that a call does not only read."""
    return False


def is_named(_: Backstage, __: Sequence[tuple[CrmId, CrmId]]) -> None:
    """Do nothing: a deal itself names its person."""


@dataclass(frozen=True, slots=True)
class Office:
    """How salespeople work in one CRM, in its own words. Values are as its own pages take them."""

    sellers: tuple[str, str]
    """E-mail addresses of who takes records over; the second one leaves afterwards."""
    owner: str
    """The field that says whose a record is."""
    draft: Callable[[CrmId, str], Mapping[str, Any]]
    """The values of a new deal with a contact, under a title."""
    moves: tuple[Mapping[str, Any], Mapping[str, Any]]
    """How a deal gets on; the stage of the first is the one that is renamed."""
    lost: Mapping[str, Any]
    """How a deal is lost."""
    renamed: Mapping[str, Any]
    """The stage that gets another name, as the control API's `rename_stage` wants it."""
    deals: str = "deals"
    tie: Callable[[Backstage, Sequence[tuple[CrmId, CrmId]]], None] = is_named
    """Puts contacts on deals: deal, contact."""
    owner_value: Callable[[str], Any] = str
    """Writes the id of an owner."""
    leaves: str = "deactivate_user"
    """The control API's name for somebody's leaving; takes `id`."""
    made_by: str = ""
    """Whose a record is that crmsync made: its own user's, where it is not nobody's."""
    corrected: Mapping[str, Any] = field(default_factory=dict)
    """What is corrected in the record of the first person besides."""
    keeps_names: bool = False
    """Whether a snapshot keeps the names of stages."""


@dataclass(frozen=True, slots=True)
class DemoCrm:
    """One simulated CRM and its part in the demo."""

    name: str
    """Of the simulated CRM, the connector and the connection."""
    label: str
    sync: str
    """The name of its mapping."""
    settings: Mapping[str, Any]
    """Of the simulated CRM; the tier is one whose limits keep nobody waiting."""
    connection: str
    """What crmsync.yaml says of the connection, in YAML, besides connector and address."""
    object_type: str
    mapping: str
    """The whole mapping file."""
    trouble: str
    """What is going to go wrong."""
    prepare: Callable[[Backstage], None]
    """Makes our fields and orders the trouble, before the first push."""
    office: Office
    cured: Mapping[str, str] = field(default_factory=dict)
    """What became of trouble that passes, by its code in the sync log or `token` for a token that
    was renewed; `{}`: how many records met it."""
    meddle: Callable[[Backstage], None] = leave_alone
    """What else happens there while the first push goes on."""
    reads: Callable[[Call], bool] = writes
    """Whether a call that is no GET only reads."""
    sign_in: str = ""
    """The route by which tokens are had; empty where none are."""
    settled: str = ""
    """What is found after the settle time, where an answer was lost; `{}`: how many records."""

    def kind_of(self, call: Call) -> str:
        """Return what a call is: `write`, `read` or `sign-in`."""
        if call["route"] == self.sign_in:
            return "sign-in"
        return "read" if call["method"] == "GET" or self.reads(call) else "write"

    @property
    def owner_trait(self) -> str:
        """The trait that says who has a person, according to this CRM."""
        return f"{self.name}_owner"

    @property
    def stage_trait(self) -> str:
        """The trait that says how far a person's deal is, according to this CRM."""
        return f"{self.name}_stage"
