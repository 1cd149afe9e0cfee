"""Whom records belong to, and the stages that deals go through."""

from __future__ import annotations

from itertools import chain

from crmsync.connectors.answers import name_in
from crmsync.connectors.salesforce.queries import Queries
from crmsync.connectors.salesforce.rows import id_in
from crmsync.model import Owner, Stage

USERS = "SELECT Id, Name, Email, IsActive FROM User ORDER BY Id"
QUEUES = "SELECT Id, Name, Email FROM Group WHERE Type = 'Queue' ORDER BY Id"
STAGES = "SELECT Id, ApiName, MasterLabel, SortOrder FROM OpportunityStage ORDER BY SortOrder, Id"


def owners(queries: Queries) -> list[Owner]:
    """Return every user, and the queues that own leads; 2,000 a call."""
    users, queues = queries.side_by_side([USERS, QUEUES])
    return [
        Owner(
            id_in(row),
            row["Email"] or "",
            row["Name"] or "",
            is_active=row.get("IsActive", True) is True,
        )
        for page in chain(users, queues)
        for row in page
    ]


def stages(queries: Queries) -> list[Stage]:
    """Return every stage, also those no longer in use: sales processes share them all."""
    return [
        Stage(name_in(row["ApiName"]), row["MasterLabel"] or row["ApiName"], position=place)
        for place, row in enumerate(queries.rows([STAGES]))
    ]
