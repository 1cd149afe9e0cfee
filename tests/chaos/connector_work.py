"""Everything that crmsync asks of a connector, and what must be true of whatever it says.

A `Desk` is one connector to a simulated CRM with a few people and deals in it. Each of its `WORKS`
makes one call and raises `Wrong` for a statement that the CRM itself does not bear out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from crmsync.connectors.answers import unobserved
from crmsync.connectors.auth.token_calls import Client, TokenCalls
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.auth.vendors import Vendor
from crmsync.connectors.base import Connection, Connector, Key, Webhooks
from crmsync.connectors.registry import load, open_connector, vendor_of
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError
from crmsync.model import (
    Action,
    Batch,
    CrmId,
    FieldSchema,
    FieldType,
    LinkId,
    Operation,
    Outcome,
    Result,
    Timing,
)
from crmsync.sandbox import ControlFailed
from tests.chaos.deliveries import HOOKS, spoilt_delivery
from tests.chaos.demands import Wrong, demand_deal, demand_id, demand_record, demand_text
from tests.contract.bench import Bench
from tests.crms import CRMS, Crm

KNOWN: Mapping[str, Crm] = {crm.name: crm for crm in CRMS}


@dataclass(slots=True)
class Desk:
    """One connector, and what it is asked about."""

    bench: Bench
    name: str
    url: str
    chance: random.Random
    people: Sequence[str] = ()
    """Ids of records with the keys p0, p1 and so on."""
    deals: Sequence[str] = ()
    outcomes: Counter[str] = field(default_factory=Counter)
    number: int = 0
    """Of values written; each is another one."""
    connector: Connector = field(init=False)

    def __post_init__(self) -> None:
        """Open the connector."""
        self.reopen()

    def reopen(self) -> None:
        """Begin with a connector that knows nothing yet."""
        connection = Connection(
            "crm",
            self.name,
            {"token": self.bench.secret},
            base_url=self.url,
            timing=Timing(request_deadline_seconds=5.0),
            webhooks=Webhooks(HOOKS, "s3cret"),
        )
        self.connector = open_connector(
            connection, lambda _connection, _limits: MemoryThrottle(()), MemoryTokens()
        )

    @property
    def crm(self) -> Crm:
        """What differs between the CRMs."""
        return KNOWN[self.name]

    def furnish(self, people: int = 6, deals: int = 3) -> None:
        """Put people and deals into the CRM, past whatever spoils answers."""
        for n in range(people):
            fields = {**self.bench.needed, self.bench.key: f"p{n}"}
            batch = Batch(
                self.bench.object_type, Action.CREATE, [Operation(LinkId(n), Action.CREATE, fields)]
            )
            [made] = self.connector.write(batch)
            self.people = [*self.people, str(made.crm_id)]
        stages = {stage.label: stage.id for stage in self.connector.stages()}
        control: Any = self.bench.control  # type: ignore[attr-defined]
        sales = self.crm.sales
        self.deals = [
            sales.deal(control, self.connector, self.people[n], stages[sales.stages[0]])
            for n in range(deals)
        ]

    # --- writes -----------------------------------------------------------------------------

    def write(self, action: Action) -> None:
        """Write up to four records, at times one that the CRM refuses."""
        most = self.connector.capabilities.records_per_call.get(action, 0)
        if not most:
            return
        count = self.chance.randint(1, min(4, most))
        operations = [self._operation(action, place) for place in range(count)]
        match_field = self.bench.key if action is Action.UPSERT else None
        results = self.connector.write(
            Batch(self.bench.object_type, action, operations, match_field)
        )
        if len(results) != count:
            raise Wrong(f"{len(results)} results for {count} operations")
        self.outcomes.update(str(result.outcome) for result in results)
        for operation, result in zip(operations, results, strict=True):
            if result.outcome is Outcome.SUCCEEDED:
                self._demand(operation, result)

    def _operation(self, action: Action, place: int) -> Operation:
        bench = self.bench
        self.number += 1
        value = f"N{self.number}"
        person = (self.number + place) % len(self.people)
        fields: dict[str, Any] = {bench.first_name: value}
        if self.chance.random() < 0.2:
            fields |= bench.refused_fields()[0]
        if action is Action.UPDATE:
            person = place  # each once
            return Operation(LinkId(place), action, fields, crm_id=CrmId(self.people[person]))
        key = f"p{place}" if action is Action.UPSERT else f"c{self.number}"
        fields |= {**bench.needed, bench.key: key}
        match = key if action is Action.UPSERT else None
        return Operation(LinkId(place), action, fields, match_value=match)

    def _demand(self, operation: Operation, result: Result) -> None:
        """Raise Wrong unless the CRM holds what is said to have succeeded."""
        crm_id = demand_id(result.crm_id)
        value = operation.fields[self.bench.first_name]
        held = next(iter(self._held([crm_id])), None)
        if held is not None:
            self._demand_own(operation, held)
        elif operation.crm_id is not None:
            held = next(iter(self._held([operation.crm_id])), {})
        else:
            # The answer may have named a record that never was; it must exist all the same.
            mine = [one for one in self._held() if one.get(self.bench.key) == self._key(operation)]
            held = mine[0] if mine else {}
        if str(held.get(self.bench.first_name)) != value:
            raise Wrong("a success of which the CRM holds nothing")

    def _demand_own(self, operation: Operation, held: Mapping[str, Any]) -> None:
        if operation.crm_id is None and held.get(self.bench.key) != self._key(operation):
            raise Wrong("a success under the id of another person's record")

    def _key(self, operation: Operation) -> Any:
        return operation.fields.get(self.bench.key)

    def _held(self, ids: Iterable[str] | None = None) -> list[Mapping[str, Any]]:
        """Return the fields of live records as the CRM holds them, by the mapping's names."""
        bench: Any = self.bench
        named = getattr(bench, "_named", lambda properties: properties)
        try:
            records = bench.control.records(bench.object_type, ids)
        except ControlFailed:  # there is no such record
            return []
        live = (one for one in records if "properties" in one and not one.get("archived_at"))
        return [named(one["properties"]) for one in live]

    # --- reads ------------------------------------------------------------------------------

    def read(self, field_name: str | None) -> None:
        """Read people by id or by our key, one of them unknown."""
        fields = [self.bench.first_name, self.bench.key]
        known = self.people if field_name is None else [f"p{n}" for n in range(len(self.people))]
        keys = [Key(one, field_name) for one in [*known, known[0][:-1] + "9"]]
        found = self.connector.read(self.bench.object_type, keys, fields)
        if len(found) != len(keys):
            raise Wrong(f"{len(found)} records for {len(keys)} keys")
        for record in found:
            if record is not None:
                demand_record(record)

    def changes(self) -> None:
        """Walk through all people, and go on from where that led."""
        cursor: str | None = None
        fields = [self.bench.first_name, self.bench.key]
        for _ in range(2):
            walk = self.connector.changes(self.bench.object_type, cursor, fields)
            for page in walk:
                cursor = demand_text(page.cursor)
                for record in page.records:
                    demand_record(record)

    def deal_changes(self) -> None:
        """Walk through all deals, and go on from where that led."""
        cursor: str | None = None
        for _ in range(2):
            walk = self.connector.deals(cursor, [self.crm.sales.stage])
            for page in walk:
                cursor = demand_text(page.cursor)
                for deal in page.deals:
                    demand_deal(deal)

    def deals_by_id(self) -> None:
        """Read deals by id."""
        ids = [CrmId(one) for one in self.deals]
        for deal in self.connector.deals_by_id(ids, [self.crm.sales.stage]):
            demand_deal(deal)

    def metadata(self) -> None:
        """Describe the account anew, and make a field that is there already."""
        self.reopen()
        connector = self.connector
        demand_text(connector.check().id)
        described = connector.describe(self.bench.object_type), connector.describe_deals()
        for schema in described:
            for name, one in schema.fields.items():
                if name != one.name or not name or not isinstance(name, str):
                    raise Wrong("a field of another name")
                if not isinstance(one.type, FieldType):
                    raise Wrong("a field of no type")
        if connector.capabilities.creates_fields:
            ours = FieldSchema(self.bench.key, self.bench.key, FieldType.TEXT, unique=True)
            connector.create_field(self.bench.object_type, ours)

    def directories(self) -> None:
        """Read owners and stages."""
        for owner in self.connector.owners():
            demand_text(owner.id)
        for stage in self.connector.stages():
            demand_text(stage.id)

    def merge(self) -> None:
        """Merge two records, where the CRM has a call for it."""
        with suppress(ConfigError):
            demand_id(
                self.connector.merge(
                    self.bench.object_type, CrmId(self.people[0]), CrmId(self.people[-1])
                )
            )

    # --- the rest ---------------------------------------------------------------------------

    def watch(self) -> None:
        """Ask to be told of changes, and to be told no more."""
        self.connector.watch([self.bench.object_type, "deals"])
        self.connector.unwatch()

    def hints(self) -> None:
        """Take a delivery whose body is spoilt."""
        for hint in self.connector.hints(spoilt_delivery(self.name, self.chance)):
            demand_id(hint.crm_id)
            demand_text(hint.key)
            demand_text(hint.object_type)
            if hint.at.tzinfo is None:
                raise Wrong("a moment without a zone")

    def token(self) -> None:
        """Renew a token."""
        vendor = vendor_of(load(self.name))
        assert isinstance(vendor, Vendor)
        connection = Connection("crm", self.name, {"oauth": {}}, self.url, auth_url=self.url)
        app = Client(self.crm.app["client_id"], self.crm.app["client_secret"])
        form = {"grant_type": "refresh_token", "refresh_token": REFRESH[self.name]}
        granted = TokenCalls(connection, vendor, app, unobserved).ask(form, None, 5.0)
        demand_text(granted.access)


REFRESH = {
    "hubspot": "na1-sandbox-refresh-token",
    "salesforce": "5Aep861-sandbox-refresh-token",
    "zoho": "1000.sandbox-refresh-token",
    "pipedrive": "1:1:sandbox-refresh-token",
}
"""Of the simulated accounts; good from the start."""
WORKS: Mapping[str, tuple[float, Callable[[Desk], None]]] = {
    "upsert": (4, lambda desk: desk.write(Action.UPSERT)),
    "create": (3, lambda desk: desk.write(Action.CREATE)),
    "update": (4, lambda desk: desk.write(Action.UPDATE)),
    "read by id": (2, lambda desk: desk.read(None)),
    "read by key": (2, lambda desk: desk.read(desk.bench.key)),
    "changes": (2, Desk.changes),
    "deals": (2, Desk.deal_changes),
    "deals by id": (1, Desk.deals_by_id),
    "metadata": (1, Desk.metadata),
    "directories": (1, Desk.directories),
    "merge": (0.3, Desk.merge),
    "watch": (0.5, Desk.watch),
    "hints": (1, Desk.hints),
    "token": (1, Desk.token),
}
"""Each with how often it is done, as a share of the sum."""
