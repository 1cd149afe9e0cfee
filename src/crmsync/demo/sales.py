"""What salespeople do in a CRM while nobody pushes: deals, owners, one who leaves, a new name.

All of it goes past the API, as edits in the CRM's own pages do.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.demo.crm import Backstage, DemoCrm
from crmsync.model import CrmId

WORKED_ON = 40
"""People that salespeople have to do with, in each CRM."""
WITH_HISTORY = 3
"""Of these, who also have an older open deal and one that was lost since."""
REAL_DEAL = "The real deal"
"""The title of the deal that is to speak for a person."""
DEALS = WORKED_ON + 2 * WITH_HISTORY


def sell(crm: DemoCrm, stage: Backstage, contacts: Sequence[CrmId]) -> None:
    """Open deals with these contacts and move them on; take the contacts over."""
    control, office = stage.control, crm.office
    known = contacts[:WITH_HISTORY]
    titled = [
        *((contact, "A first attempt") for contact in known),
        *((contact, REAL_DEAL) for contact in contacts),
        *((contact, "One more that came to nothing") for contact in known),
    ]
    made = control.seed(office.deals, [office.draft(*one) for one in titled])
    deals = [CrmId(one) for one in made]
    office.tie(stage, [(deal, contact) for deal, (contact, _) in zip(deals, titled, strict=True)])
    for number, deal in enumerate(deals[WITH_HISTORY:-WITH_HISTORY]):
        control.edit(office.deals, deal, **office.moves[number % 2])
    for deal in deals[-WITH_HISTORY:]:
        control.edit(office.deals, deal, **office.lost)

    ids = {owner.email: owner.id for owner in stage.connector.owners()}
    sellers = [ids[email] for email in office.sellers]
    for number, contact in enumerate(contacts):
        taken_over = {office.owner: office.owner_value(sellers[number // 2 % 2])}
        control.edit(crm.object_type, contact, **taken_over)
    if office.corrected:
        control.edit(crm.object_type, contacts[0], **office.corrected)
    control.act(office.leaves, id=sellers[1])
    rename(crm, stage)


def rename(crm: DemoCrm, stage: Backstage) -> None:
    """Give a stage its new name."""
    stage.control.act("rename_stage", **crm.office.renamed)
