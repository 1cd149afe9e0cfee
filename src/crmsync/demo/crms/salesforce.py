"""Salesforce: an access token that has expired, and an account that somebody else is writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crmsync.demo.crm import Backstage, Call, DemoCrm, Office
from crmsync.model import CrmId, Profile

MAPPING = """\
# People become Salesforce contacts: which field of theirs gets which trait of ours.
connection: salesforce
source: profiles
object: Contact
match:
  crmsync_id__c: profile_id  # a unique external id of ours
  Email: email               # takes over a contact that is already there
trigger: realtime
fields:                      # theirs: ours
  Email: email
  FirstName: first_name
  LastName: {from: last_name, default: "(not known)"}    # no contact may be without one
  Title: company_position
  Plan__c: {from: plan, conflict: theirs}     # goes both ways: salespeople correct it here
  Visits__c: {from: visits, trigger: hourly}
pull:                        # ours: theirs
  salesforce_owner: OwnerId               # read as an e-mail address
deals:
  pick: latest_open          # of all opportunities with a person, one speaks
  pull: {salesforce_stage: StageName}
"""
OF_THE_ACCOUNT = 20
"""Contacts whom a salesperson has entered before, all of one account."""
LOCKED = "row lock: {} contacts of the account waited and were sent again"
TRIED = "/services/data/v*/composite/sobjects"
"""Where up to 200 updates go, such as those of the contacts that were there."""


def prepare(stage: Backstage) -> None:
    """Make our fields, all but the key, which is there; let the access token expire.

    Somebody is writing to an account with many contacts.
    """
    fields: dict[str, dict[str, Any]] = {
        "Plan__c": {"length": 40},
        "Visits__c": {"type": "int"},
    }
    for name, details in fields.items():
        stage.control.act("add_field", object_type="Contact", name=name, **details)
    domain, colleagues = _largest_company(stage.people)
    [account] = stage.control.seed("Account", [{"Name": domain}])
    contacts = [
        {"LastName": _last_name(email), "Email": email, "AccountId": account}
        for email in colleagues[:OF_THE_ACCOUNT]
    ]
    stage.control.seed("Contact", contacts)
    stage.connector.check()  # gets a token
    stage.control.act("expire_access_tokens")
    stage.control.act("hold_lock", id=account)


def let_go(stage: Backstage) -> None:
    """Release the account once its contacts were tried in vain."""
    stage.control.wait(timeout_seconds=30, method="PATCH", path=TRIED, status=200)
    for account in stage.control.records("Account"):
        stage.control.act("release_lock", id=account["id"])


def _largest_company(people: Sequence[Profile]) -> tuple[str, list[str]]:
    """Return the domain that most people have their e-mail address at, and these addresses."""
    by_domain: dict[str, list[str]] = {}
    for email in sorted(person.email for person in people if person.email):
        by_domain.setdefault(email.partition("@")[2], []).append(email)
    return max(by_domain.items(), key=lambda one: (len(one[1]), one[0]))


def _last_name(email: str) -> str:
    """Return it as a salesperson would who knows nothing but the address."""
    return email.partition("@")[0].rpartition(".")[2].title()


def only_reads(call: Call) -> bool:
    """Say whether all parts of a composite only read."""
    if not call["route"].endswith("/composite"):
        return False
    return all(part["method"] == "GET" for part in call["body"]["compositeRequest"])


def tie(stage: Backstage, pairs: Sequence[tuple[CrmId, CrmId]]) -> None:
    """Give contacts a role in opportunities."""
    roles = [{"OpportunityId": deal, "ContactId": contact} for deal, contact in pairs]
    stage.control.seed("OpportunityContactRole", roles)


OFFICE = Office(
    sellers=("ada.sales@acme.example", "ben.sales@acme.example"),
    owner="OwnerId",
    draft=lambda _, title: {
        "Name": title, "StageName": "Qualification", "CloseDate": "2099-12-31", "Amount": 4900,
    },
    moves=({"StageName": "Negotiation/Review"}, {"StageName": "Proposal/Price Quote"}),
    lost={"StageName": "Closed Lost"},
    renamed={"name": "Negotiation/Review", "new": "Negotiation"},
    deals="Opportunity",
    tie=tie,
    made_by="integration.crmsync@acme.example",
    corrected={"Plan__c": "pro"},
    keeps_names=True,
)  # fmt: skip
SALESFORCE = DemoCrm(
    name="salesforce",
    label="Salesforce",
    sync="salesforce-contacts",
    settings={"tier": "enterprise"},
    connection="auth: {client_credentials: {client_id: sandbox-consumer-key, "
    "client_secret: sandbox-consumer-secret}}",
    object_type="Contact",
    mapping=MAPPING,
    trouble=f"an expired token, a lock on the account of {OF_THE_ACCOUNT} known contacts",
    prepare=prepare,
    office=OFFICE,
    meddle=let_go,
    cured={
        "token": "an expired token: renewed once, and the call was sent again",
        "UNABLE_TO_LOCK_ROW": LOCKED,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": LOCKED,  # the same, met in a trigger
    },
    reads=only_reads,
    sign_in="/services/oauth2/token",
)
