"""Deals with the people on them, who are not part of the record but associated with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crmsync.connectors.hubspot.api import Api, shape_of, shape_of_records
from crmsync.connectors.hubspot.codes import NOT_FOUND
from crmsync.connectors.hubspot.errors import complaint_of
from crmsync.connectors.hubspot.records import Records
from crmsync.connectors.hubspot.schemas import Schemas
from crmsync.connectors.hubspot.sdk import DEALS
from crmsync.connectors.hubspot.values import from_wire, moment
from crmsync.connectors.hubspot.walk import Entry
from crmsync.connectors.hubspot.wire import crm_id_of, former_ids_of
from crmsync.connectors.paging import Pages
from crmsync.errors import Unavailable
from crmsync.model import CrmId, Deal, DealPage, DealStatus, FieldType

PEOPLE = "contacts"
READS = 1_000
"""Records whose associations one call reads: developers.hubspot.com, "Associations v4"."""
OWN = ("amount", "closedate", "createdate", "hs_is_closed", "hs_is_closed_won")
"""Properties that say what every deal has, whatever a mapping asks for."""


class Deals:
    """The deals of one account."""

    def __init__(self, api: Api, schemas: Schemas, records: Records) -> None:
        """Read by this API."""
        self._api = api
        self._schemas = schemas
        self._records = records

    def changes(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield deals that changed; as many together as one call tells the people of."""
        together: list[Entry] = []
        reached = ""
        for entries, at in self._records.walk(DEALS, cursor, [*fields, *OWN]):
            if len(together) + len(entries) > READS:
                yield DealPage(self._whole(together, fields), reached)
                together = []
            together += entries
            reached = at
        if together:
            yield DealPage(self._whole(together, fields), reached)

    def by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals fresh; one that is gone, or was merged into another, as deleted."""
        found = self._records.by_id(DEALS, ids, [*fields, *OWN])
        entries = {str(entry["id"]): entry for entry in found.values()}
        deals = {deal.crm_id: deal for deal in self._whole(list(entries.values()), fields)}
        gone = {crm_id: Deal(crm_id, is_deleted=True) for crm_id in ids if crm_id not in deals}
        return [*deals.values(), *gone.values()]

    def _whole(self, entries: Sequence[Entry], fields: Sequence[str]) -> list[Deal]:
        """Return deals with their people, and as deleted those that were merged into them."""
        with shape_of_records(DEALS):
            live = {crm_id_of(entry): entry for entry in entries if not entry.get("archived")}
            gone = [crm_id_of(entry) for entry in entries if entry.get("archived")]
            gone += [old for entry in live.values() for old in former_ids_of(entry)]
        people = self._people(list(live))
        kinds = self._schemas.kinds(DEALS, fields)
        with shape_of_records(DEALS):
            whole = [deal_of(e, people.get(one, ()), fields, kinds) for one, e in live.items()]
        lost = dict.fromkeys(one for one in gone if one not in live)
        return [*whole, *(Deal(one, is_deleted=True) for one in lost)]

    def _people(self, ids: Sequence[CrmId]) -> Mapping[CrmId, tuple[CrmId, ...]]:
        """Return the contacts of each deal, in HubSpot's order; it knows no main one."""
        path = self._api.associations(DEALS, PEOPLE, "/batch/read")
        pages = Pages(f"POST {path}")
        found: dict[CrmId, dict[CrmId, None]] = {}
        asked: list[dict[str, Any]] = [{"id": crm_id} for crm_id in ids]
        while asked:
            some, asked = asked[:READS], asked[READS:]
            answer, payload = self._api.ask(path, {"inputs": some}, DEALS)
            with shape_of(answer):
                refusals = [e for e in payload.get("errors") or () if not _says_nobody(e)]
                for result in payload["results"]:
                    deal = crm_id_of(result["from"])
                    listed = [crm_id_of({"id": to["toObjectId"]}) for to in result["to"]]
                    found.setdefault(deal, {}).update(dict.fromkeys(listed))
                    more = ((result.get("paging") or {}).get("next") or {}).get("after")
                    if more is not None:
                        pages.turn((deal, str(more)), len(listed))
                        asked.append({"id": deal, "after": str(more)})
            if refusals:
                # Taken for "nobody", it would take the people off these deals.
                code = complaint_of(refusals[0]).code
                raise Unavailable(f"{answer.what}: HubSpot does not say who is on a deal ({code})")
        return {deal: tuple(listed) for deal, listed in found.items()}


def deal_of(
    entry: Entry,
    people: tuple[CrmId, ...],
    fields: Sequence[str],
    kinds: Mapping[str, FieldType],
) -> Deal:
    """Return a deal as HubSpot shows it; raises ValueError for what is no deal."""
    properties = entry["properties"]
    status = status_of(properties)
    closed_at = properties.get("closedate") if status is not DealStatus.OPEN else None
    amount = from_wire(properties.get("amount"), FieldType.NUMBER)
    return Deal(
        crm_id=crm_id_of(entry),
        people=people,
        status=status,
        amount=float(amount) if isinstance(amount, int | float) else None,
        created_at=moment(entry["createdAt"]) if entry.get("createdAt") else None,
        modified_at=moment(entry["updatedAt"]) if entry.get("updatedAt") else None,
        # Of an open deal it is when somebody hopes to close it.
        closed_at=moment(closed_at) if closed_at else None,
        fields={f: from_wire(properties.get(f), kinds.get(f, FieldType.TEXT)) for f in fields},
    )


def status_of(properties: Mapping[str, Any]) -> DealStatus:
    """Return what HubSpot computes from the stage, so that no stage need be known."""
    if properties.get("hs_is_closed_won") == "true":
        return DealStatus.WON
    return DealStatus.LOST if properties.get("hs_is_closed") == "true" else DealStatus.OPEN


def _says_nobody(error: Mapping[str, Any]) -> bool:
    """Say whether an entry of a 207 is about a record that is associated with none."""
    return error.get("category") == NOT_FOUND
