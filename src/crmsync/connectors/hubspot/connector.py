"""HubSpot: contacts, companies, deals and custom objects.

Two ways to the same API. Metadata (properties) goes through hubspot-api-client's own paths and
models, on our transport (`sdk.py`): it is called a few times an hour. Records go straight
through the transport as JSON: with the SDK, whose models and `json` do the work per record, a batch
of 100 updates of 3 fields costs 15 to 23 ms of CPU, here 0.6 to 1.4 ms (shared core, 2026-11), and
the SDK knows no total deadline.
This is the table of contents: `records.py` and `deals.py` read, by the walk in `walk.py` and the
searches in `search.py`; `writes.py` writes; `sales.py` has owners and stages, `webhooks.py` what
HubSpot tells us unasked. What an error means is data in `errors.py`; the wire format is `wire.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crmsync.connectors.answers import Observer, Site, told_by, unobserved
from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Delivery, Key, Limit, Watch
from crmsync.connectors.http import Transport
from crmsync.connectors.hubspot import sales, webhooks
from crmsync.connectors.hubspot.api import Api
from crmsync.connectors.hubspot.deals import Deals
from crmsync.connectors.hubspot.oauth import VENDOR
from crmsync.connectors.hubspot.records import Records
from crmsync.connectors.hubspot.schemas import Schemas
from crmsync.connectors.hubspot.sdk import DEALS
from crmsync.connectors.hubspot.wire import BATCH_RECORDS
from crmsync.connectors.hubspot.writes import PAIRS, Writes
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import with_overrides
from crmsync.errors import Unavailable
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Deal,
    DealPage,
    FieldSchema,
    Hint,
    ObjectSchema,
    Owner,
    Page,
    Record,
    Result,
    Stage,
)

SITE = Site(
    base_url="https://api.hubapi.com",
    host_suffixes=(".hubapi.com", ".hubspot.com"),
    correlation_header="X-HubSpot-Correlation-Id",
    quota_in=told_by("X-HubSpot-RateLimit-Daily-Remaining", "X-HubSpot-RateLimit-Daily"),
)
VERSION = "v3"
"""`v3`, or a dated family such as `2026-09` with the same bodies; v1-v3 end in September 2027."""
LIMITS = (
    Limit("calls_per_10s", 100, 10),
    Limit("daily_calls", 250_000, 86_400),
    Limit("search_per_second", 5, 1, scope="search"),
)
"""The lowest tier (Free, Starter): developers.hubspot.com, "Usage guidelines", read 2026-10."""


class HubSpot:
    """One HubSpot account. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call={**dict.fromkeys(Action, BATCH_RECORDS), Action.ASSOCIATE: PAIRS},
        records_per_read=BATCH_RECORDS,
        # Partial upserts by it are not supported (Object APIs); an unlinked record is sent whole.
        upserts_by=frozenset({"email"}),
        creates_fields=True,
        merges=True,
        sends_webhooks=True,
    )

    vendor = VENDOR

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return the account's limits: the lowest tier's where crmsync.yaml says nothing."""
        return with_overrides(LIMITS, connection.limits)

    def __init__(
        self,
        connection: Connection,
        throttle: Throttle,
        authorisation: Authorisation,
        observe: Observer = unobserved,
        *,
        version: str = VERSION,
    ) -> None:
        """Open nothing yet; raises ConfigError for a wrong address."""
        http = Transport(connection, SITE, throttle, authorisation=authorisation, observe=observe)
        self._webhooks = connection.webhooks
        self._api = Api(http, version)
        self._schemas = Schemas(self._api)
        self._records = Records(self._api, self._schemas)
        self._deals = Deals(self._api, self._schemas, self._records)
        self._writes = Writes(self._api, self._records)

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Read who we are, and one contact: a token can be valid and lack every scope."""
        _, details = self._api.get("/account-info/v3/details")
        self._api.get(self._api.objects("contacts"), {"limit": "1"})
        if not details.get("portalId"):
            raise Unavailable("GET /account-info/v3/details: HubSpot does not say whose it is")
        return Account(
            id=str(details["portalId"]),
            name=str(details.get("uiDomain", "")),
            detail=f"{details.get('accountType', '')}, {details.get('timeZone', '')}",
        )

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live properties."""
        return self._schemas.describe(object_type)

    def describe_deals(self) -> ObjectSchema:
        """Return the live properties of deals."""
        return self._schemas.describe(DEALS)

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom property in the object's own group; one that exists is left as it is."""
        self._schemas.create(object_type, field)

    def owners(self) -> list[Owner]:
        """Return every owner, also who left."""
        return sales.owners(self._api)

    def stages(self) -> list[Stage]:
        """Return the stages of all pipelines of deals."""
        return sales.stages(self._api)

    # --- writing --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call."""
        return self._writes.write(batch)

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Merge two records; return the id of the one that is left, often a third one."""
        return self._writes.merge(object_type, winner, loser)

    # --- reading --------------------------------------------------------------------------

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or unique property, 100 a call, from the primary store.

        By any other property they are searched for, some seconds late: where several have the
        value, the one with the lowest id is taken.
        """
        return self._records.read(object_type, keys, fields)

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, by search: seconds late, each record at least once.

        Looks five minutes behind the cursor for what the index had not shown yet.
        """
        return self._records.changes(object_type, cursor, fields)

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield deals that changed since the cursor; not those of which only the people did."""
        return self._deals.changes(cursor, fields)

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals fresh, with their people."""
        return self._deals.by_id(ids, fields)

    # --- what HubSpot tells us ------------------------------------------------------------

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Return which records a delivery is about, once its signature is found to be right."""
        return webhooks.hints_of(delivery, self._webhooks)

    def watch(self, object_types: Sequence[str]) -> Watch:
        """Raise ConfigError with what to set up: no API sets the webhooks of a project app."""
        raise webhooks.to_set_up(object_types, self._webhooks)

    def unwatch(self) -> None:
        """Raise ConfigError with what to take down."""
        raise webhooks.to_take_down(self._webhooks)
