"""The plain script that reads HubSpot's deals: hubspot-api-client as its documentation shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from hubspot import HubSpot
from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)
from hubspot.crm.deals import Filter, FilterGroup, PublicObjectSearchRequest

from bench.children import Said
from bench.crms import TOKEN
from bench.deal_script import Deal, read_deals
from bench.figures import Figures

PAGE = 200
MOST_RESULTS = 10_000
"""Of one search: what is behind them needs another, from the last time seen."""
PROPERTIES = ["dealname", "amount", "dealstage", "hubspot_owner_id", "hs_lastmodifieddate"]


def read_all(url: str, database: str) -> tuple[Figures, Said]:
    """Read what changed since the last time."""
    return read_deals(_Source(url), database)


class _Source:
    def __init__(self, url: str) -> None:
        crm = HubSpot(access_token=TOKEN).crm
        self._search = crm.deals.search_api
        self._listed = crm.deals.basic_api
        self._ties = crm.associations.v4.batch_api
        self._owners = crm.owners.owners_api
        self._pipelines = crm.pipelines.pipelines_api
        for api in (self._search, self._listed, self._ties, self._owners, self._pipelines):
            api.api_client.configuration.host = url

    def stages(self) -> Iterable[tuple[str, str]]:
        for pipeline in self._pipelines.get_all("deals").results:
            yield from ((stage.id, stage.label) for stage in pipeline.stages)

    def owners(self) -> Iterable[tuple[str, str]]:
        for archived in (True, False):
            found = self._owners.get_page(limit=100, archived=archived)
            yield from ((owner.id, owner.email) for owner in found.results)

    def changed(self, since: str | None) -> Iterator[list[Deal]]:
        start, after = since or "0", None
        while True:
            found = self._search.do_search(_request(start, after))
            page = list(self._whole(found.results))
            if page:
                yield page
            if found.paging is None:
                return
            after = found.paging.next.after
            if int(after) >= MOST_RESULTS:
                start, after = page[-1].modified, None

    def deleted(self, since: str | None) -> Iterator[list[str]]:
        after, more = None, since is None  # the full list of 90 days: not at every turn
        while more:
            found = self._listed.get_page(limit=100, archived=True, after=after)
            yield [deal.id for deal in found.results]
            after = found.paging.next.after if found.paging else None
            more = after is not None

    def _whole(self, found: list[Any]) -> Iterator[Deal]:
        if not found:
            return
        asked = [PublicFetchAssociationsBatchRequest(id=deal.id) for deal in found]
        body = BatchInputPublicFetchAssociationsBatchRequest(inputs=asked)
        ties = self._ties.get_page("deals", "contacts", body).results
        people = {tie._from.id: tuple(str(to.to_object_id) for to in tie.to) for tie in ties}  # noqa: SLF001 - the library's own name
        for deal in found:
            held = deal.properties
            yield Deal(
                deal.id,
                held["dealstage"],
                held["hubspot_owner_id"],
                float(held["amount"]),
                _milliseconds(deal.updated_at),
                people.get(deal.id, ()),
            )


def _request(since: str, after: str | None) -> PublicObjectSearchRequest:
    changed = Filter(property_name="hs_lastmodifieddate", operator="GTE", value=since)
    return PublicObjectSearchRequest(
        filter_groups=[FilterGroup(filters=[changed])],
        sorts=[{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        properties=PROPERTIES,
        limit=PAGE,
        after=after,
    )


def _milliseconds(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))
