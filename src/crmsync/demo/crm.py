"""What the demo knows of a CRM: how it is reached, what goes where, and what goes wrong there.

Each CRM of the demo is one of these, as data, in `crms/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmsync.connectors.base import Connector
from crmsync.model import FieldSchema, FieldType, Profile
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
