"""Deals: opportunities with the people who have a contact role in them.

One call finds what changed: a composite of the opportunities changed since the cursor, each with
its contact roles, and of the contact roles changed in others, since a role that comes or goes is no
change of its opportunity. Roles are the one exact tie between a person and a deal; that both belong
to one account is not taken for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from crmsync.connectors.salesforce.library import Row, quoted
from crmsync.connectors.salesforce.objects import DELETED, OPPORTUNITY, Described
from crmsync.connectors.salesforce.queries import Queries
from crmsync.connectors.salesforce.rows import id_in, reference_in, values_of
from crmsync.connectors.salesforce.soql import MODIFIED, Place, lookups
from crmsync.connectors.salesforce.values import moment
from crmsync.connectors.salesforce.walk import settled_before, walk
from crmsync.model import CrmId, Deal, DealPage, DealStatus

ROLE = "OpportunityContactRole"
DEAL, PERSON = "OpportunityId", "ContactId"
"""Of a role: what it ties."""
ROLES = "OpportunityContactRoles"
"""The roles of an opportunity, as a query reaches them."""
PEOPLE = f"(SELECT {PERSON} FROM {ROLES} WHERE {DELETED} = false ORDER BY IsPrimary DESC, Id)"  # noqa: S608
AMOUNT, CLOSED, WON, CLOSES, CREATED = "Amount", "IsClosed", "IsWon", "CloseDate", "CreatedDate"
OWN = (AMOUNT, CLOSED, WON, CLOSES, CREATED, DELETED, MODIFIED)
"""What is read of every deal, as far as the user may see it."""


@dataclass(frozen=True, slots=True)
class Deals:
    """The deals of one connection; errors as `reads.Reader` has them.

    `thing`: opportunities as described.
    """

    queries: Queries

    def pages(
        self, thing: Described, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[DealPage]:
        """Yield deals whose roles changed, then those that changed themselves.

        A cursor is two places: in opportunities, and in roles.
        """
        place, roles = _places(cursor)
        settled = settled_before()
        changed = place.query(OPPORTUNITY, [*_columns(thing, fields), PEOPLE])
        if roles is None:
            deals = self.queries.pages(changed, deleted=True)
        else:
            # Deals that changed themselves come with their roles anyhow.
            others = f"Opportunity.{MODIFIED} {'<=' if place.after else '<'} {place.since}"
            touched = roles.query(ROLE, [DEAL], others)
            deals, ties = self.queries.side_by_side([changed, touched], deleted=True)
            for rows, roles in walk(ties, settled):
                ids = dict.fromkeys(reference_in(row, DEAL) for row in rows)
                found = self.by_id(thing, [one for one in ids if one], fields)
                yield DealPage(found, _cursor(place, roles))
        if roles is None or roles.at is None or roles.at < settled:
            roles = Place(settled)
        for rows, place in walk(deals, settled):
            yield DealPage([self._deal(row, thing, fields) for row in rows], _cursor(place, roles))

    def by_id(self, thing: Described, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Return each deal once, one that is gone as deleted; some 2,000 a call."""
        wanted = list(dict.fromkeys(ids))
        columns = [*_columns(thing, fields), PEOPLE]
        queries = lookups(OPPORTUNITY, "Id", [quoted(one) for one in wanted], columns)
        rows = self.queries.rows(list(queries), deleted=True)
        found = {deal.crm_id: deal for deal in (self._deal(row, thing, fields) for row in rows)}
        return [found.get(one) or Deal(one, is_deleted=True) for one in wanted]

    def _deal(self, row: Row, thing: Described, fields: Sequence[str]) -> Deal:
        if row[DELETED] is True:
            return Deal(id_in(row), is_deleted=True)
        closed = row[CLOSED] is True
        amount = row.get(AMOUNT)
        return Deal(
            id_in(row),
            tuple(self._people(row)),
            _status(row),
            None if amount is None else float(amount),
            moment(row[CREATED]),
            moment(row[MODIFIED]),
            # A day that salespeople state; for an open deal, one that they hope for.
            _midnight(row[CLOSES]) if closed else None,
            values_of(row, thing, fields),
        )

    def _people(self, row: Row) -> Iterator[CrmId]:
        """Yield the people on a deal, the main one first; a long list has pages of its own."""
        roles: Mapping[str, Any] | None = row[ROLES]
        if roles is None:
            return
        pages = self.queries.pages_from(roles)
        ids = (reference_in(role, PERSON) for page in pages for role in page)
        yield from dict.fromkeys(one for one in ids if one)


def _columns(thing: Described, fields: Sequence[str]) -> list[str]:
    return thing.names([*OWN, *fields])


def _status(row: Row) -> DealStatus:
    if row[WON] is True:
        return DealStatus.WON
    return DealStatus.LOST if row[CLOSED] is True else DealStatus.OPEN


def _midnight(day: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(day), time(), UTC)


def _places(cursor: str | None) -> tuple[Place, Place | None]:
    """Return the places in opportunities and in roles; no roles have been seen at the beginning."""
    if not cursor:
        return Place(), None
    deals, _, roles = cursor.partition(" ")
    return Place.of(deals), Place.of(roles)


def _cursor(deals: Place, roles: Place) -> str:
    return f"{deals} {roles}"
