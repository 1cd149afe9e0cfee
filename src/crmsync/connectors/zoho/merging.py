"""Making one record of two, which Zoho cannot take back.

The one that stays keeps its values and takes over what hangs on the other: deals, notes, calls.
zoho.com/crm/developer/docs/api/v8, "Merge Records", read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from crmsync.connectors.zoho.api import Api, misshapen
from crmsync.connectors.zoho.errors import complaint_of
from crmsync.connectors.zoho.fields import Module
from crmsync.connectors.zoho.rows import Rows, path_of
from crmsync.errors import BatchRejected
from crmsync.model import CrmId

MERGED = {"SUCCESS", "SCHEDULED"}
"""Done, or to be done at once: nothing can come in between."""


def merge(api: Api, module: str, winner: CrmId, loser: CrmId) -> CrmId:
    """Merge one record into another; see `base.Connector.merge`.

    Raises BatchRejected where Zoho refuses though both are there, or neither is.
    """
    if winner == loser:
        return winner
    try:
        entry = _send(api, module, winner, loser)
        complaint = complaint_of(entry)
        if complaint.code in MERGED:
            return winner
        refusal = BatchRejected(
            f"Zoho does not merge: {complaint.code} {complaint.message}",
            code=complaint.code,
            hint="Merge the two in Zoho.",
        )
    except BatchRejected as refused:
        refusal = refused
    live = Rows(api, Module(module, {})).by_id([winner, loser], [])
    if len(live) == 1:
        return CrmId(next(iter(live)))
    raise refusal


def _send(api: Api, module: str, winner: CrmId, loser: CrmId) -> Mapping[str, Any]:
    answer, entries = api.write(
        "POST",
        f"{path_of(module)}/{quote(winner, safe='')}/actions/merge",
        "merge",
        json={"merge": [{"data": [{"id": loser}], "master_record_fields": []}]},
        needs=f"ZohoCRM.modules.{module}.ALL",
        records=1,
        route=f"{path_of(module)}/{{id}}/actions/merge",
    )
    if not entries or not isinstance(entries[0], dict):
        raise misshapen(answer)
    return entries[0]
