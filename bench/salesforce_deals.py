"""The plain script that reads Salesforce's opportunities: simple-salesforce as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from bench.children import Said
from bench.deal_script import Deal, read_deals
from bench.figures import Figures
from bench.salesforce_script import client_of

PAGE = 2_000
COLUMNS = "Id, StageName, OwnerId, Amount, IsDeleted, SystemModstamp"
ROLES = "(SELECT ContactId FROM OpportunityContactRoles)"


def read_all(url: str, database: str) -> tuple[Figures, Said]:
    """Read what changed since the last time."""
    return read_deals(_Source(url), database)


class _Source:
    def __init__(self, url: str) -> None:
        self._client = client_of(url)
        self._gone: list[str] = []

    def stages(self) -> Iterable[tuple[str, str]]:
        for row in self._client.query_all_iter("SELECT ApiName, MasterLabel FROM OpportunityStage"):
            yield row["ApiName"], row["MasterLabel"]

    def owners(self) -> Iterable[tuple[str, str]]:
        for row in self._client.query_all_iter("SELECT Id, Email FROM User"):
            yield row["Id"], row["Email"]

    def changed(self, since: str | None) -> Iterator[list[Deal]]:
        condition = f"WHERE SystemModstamp >= {since} " if since else ""
        order = f"{condition}ORDER BY SystemModstamp, Id"
        query = f"SELECT {COLUMNS}, {ROLES} FROM Opportunity {order}"  # noqa: S608 - ours
        rows = self._client.query_all_iter(query, include_deleted=True)
        while some := list(islice(rows, PAGE)):
            self._gone += [row["Id"] for row in some if row["IsDeleted"]]
            yield [
                Deal(
                    row["Id"],
                    row["StageName"],
                    row["OwnerId"],
                    row["Amount"],
                    row["SystemModstamp"].replace("+0000", "Z"),
                    tuple(role["ContactId"] for role in (row[RELATION] or NOBODY)["records"]),
                )
                for row in some
                if not row["IsDeleted"]
            ]

    def deleted(self, since: str | None) -> Iterator[list[str]]:  # noqa: ARG002 - as all sources
        yield self._gone


RELATION, NOBODY = "OpportunityContactRoles", {"records": ()}
