"""Pipedrive: persons, organizations and deals of one company. See `base.Connector`.

There are no batches, no upsert and nothing unique, so each record is one call, and sync looks for
a record before it makes one. What makes looking cheap and complete is `lookup.py`; writing is
`writes.py`, what has changed `feed.py` and `deals.py`, being told of it `webhooks.py`; what an
error means is data in `errors.py`; the wire format is `wire.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crmsync.connectors.answers import UNREADABLE, Observer, Site, told_by, unobserved
from crmsync.connectors.auth.authorisation import Access, Authorisation, bearer
from crmsync.connectors.base import Capabilities, Connection, Delivery, Key, Limit, Watch
from crmsync.connectors.http import Transport
from crmsync.connectors.pipedrive import sales, webhooks
from crmsync.connectors.pipedrive.calls import V1, Calls, Entry
from crmsync.connectors.pipedrive.deals import Deals
from crmsync.connectors.pipedrive.feed import Asked, changed_since, misread
from crmsync.connectors.pipedrive.fields import Catalogue
from crmsync.connectors.pipedrive.limits import READ_ME, limits_of
from crmsync.connectors.pipedrive.lookup import LookUp, records_by_key
from crmsync.connectors.pipedrive.oauth import VENDOR
from crmsync.connectors.pipedrive.objects import DEALS, OBJECT_TYPES, Field, ObjectType, kind_named
from crmsync.connectors.pipedrive.wire import Unfit, record_of
from crmsync.connectors.pipedrive.writes import Writes
from crmsync.connectors.throttle import Throttle
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
    base_url="https://api.pipedrive.com",
    host_suffixes=(".pipedrive.com",),
    quota_in=told_by("x-daily-ratelimit-token-remaining", "x-daily-ratelimit-token-limit"),
)
ME = f"{V1}/users/me"


class Pipedrive:
    """One Pipedrive company. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call={Action.CREATE: 1, Action.UPDATE: 1, Action.ARCHIVE: 1},
        # Records are found by listing them, 500 a page: the more keys at once, the cheaper.
        records_per_read=1_000,
        creates_fields=True,
        reference_fields={name: kind.references for name, kind in OBJECT_TYPES.items()},
        merges=True,
        sends_webhooks=True,
    )

    vendor = VENDOR

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return the account's limits."""
        return limits_of(connection)

    def __init__(
        self,
        connection: Connection,
        throttle: Throttle,
        authorisation: Authorisation,
        observe: Observer = unobserved,
    ) -> None:
        """Open nothing yet; raises ConfigError for a wrong address."""
        http = Transport(
            connection,
            SITE,
            throttle,
            authorisation=authorisation,
            headers_of=bearer if "oauth" in connection.auth else _api_token,
            observe=observe,
        )
        self._timing = connection.timing
        self._webhooks = connection.webhooks
        self._calls = Calls(http)
        self._catalogue = Catalogue(self._calls)
        self._lookups: dict[str, LookUp] = {}
        self._company_currency: str | None = None
        self._writes = Writes(self._calls, self._catalogue, self._currency)
        self._deals = Deals(self._calls, self._catalogue)

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Read who we are, and one person: a token can be good and see no contacts."""
        me = self._me()
        self._calls.page("/persons", {"limit": "1"})
        if not me.get("company_id"):
            raise Unavailable(f"GET {ME}: Pipedrive does not say whose it is")
        return Account(
            id=str(me["company_id"]),
            name=str(me.get("company_name", "")),
            detail=f"{me.get('company_domain', '')}, {me.get('timezone_name', '')}",
        )

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields: custom ones by their hash, and by label where it is one's own."""
        kind = kind_named(object_type)
        self._catalogue.forget(kind)
        return self._catalogue.fields(kind).schema()

    def describe_deals(self) -> ObjectSchema:
        """Return the live fields of deals."""
        return self.describe(DEALS.name)

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom field whose label is the field's name, unless there is one."""
        self._catalogue.make(kind_named(object_type), field)

    def owners(self) -> list[Owner]:
        """Return every user of the company."""
        return sales.owners(self._calls)

    def stages(self) -> list[Stage]:
        """Return the stages of all pipelines."""
        return sales.stages(self._calls)

    def _me(self) -> Mapping[str, object]:
        me = self._calls.get(ME, cost=READ_ME)["data"]
        if not isinstance(me, dict):
            raise Unavailable(f"GET {ME}: the answer has another shape than documented")
        return me

    def _currency(self) -> str:
        """Return what amounts are in: the company's own currency."""
        if self._company_currency is None:
            self._company_currency = str(self._me().get("default_currency") or "")
        if not self._company_currency:
            raise Unfit("the company's own currency is not known")
        return self._company_currency

    # --- writes ---------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send the one record of a batch, in one call.

        Where an e-mail address or phone number of a linked record changes, that record is read
        first (1 token): a write replaces all addresses, and the others are not ours to take away.
        """
        kind = kind_named(batch.object_type)
        try:
            return [self._writes.write(kind, batch.action, one) for one in batch.operations]
        finally:
            if batch.action is Action.CREATE:
                self._lookup(kind).outdate()

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Merge two records (40 tokens); the winner's values go before."""
        return self._writes.merge(kind_named(object_type), winner, loser)

    # --- reads ----------------------------------------------------------------------------

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records fresh, by id or by a field; see `lookup.py` for what that costs.

        By a field: without regard to case, by any of a person's e-mail addresses or numbers; the
        lowest id where several records have the value. A field that the company does not have is
        absent from the records.
        """
        if not keys:
            return []
        kind = kind_named(object_type)
        name = keys[0].field
        known = self._catalogue.fields(kind, [*fields, *([name] if name else [])])
        wanted = {one: field for one in fields if (field := known.find(one))}
        values = [key.value for key in keys]
        entries: list[Entry | None]
        if name is None:
            ids = [value for value in values if value.isascii() and value.isdigit()]
            found = {str(entry["id"]): entry for entry in self._calls.entries(kind.paths, ids)}
            entries = [found.get(value) for value in values]
        else:
            by_value = self._lookup(kind).find(known.get(name), values)
            entries = records_by_key(by_value, values)
        return [_record(entry, wanted) if entry else None for entry in entries]

    def _lookup(self, kind: ObjectType) -> LookUp:
        return self._lookups.setdefault(kind.name, LookUp(self._calls, kind, self._timing))

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what has changed since the cursor; raises ConfigError for a field that is not."""
        kind = kind_named(object_type)
        asked = Asked(self._catalogue, kind, fields)
        for entries, reached in changed_since(self._calls, kind, cursor):
            asked.check(entries)
            yield Page([_record(entry, asked.fields) for entry in entries], reached)

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield the deals that changed; see `deals.py`."""
        return self._deals.changed(cursor, fields)

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read deals fresh: 100 a call."""
        return self._deals.by_id(ids, fields)

    # --- webhooks -------------------------------------------------------------------------

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Return which records a delivery is about, if it proves itself."""
        return webhooks.hints(self._webhooks, delivery)

    def watch(self, object_types: Sequence[str]) -> Watch:
        """Keep one webhook for each object type; look again within a day."""
        return webhooks.watch(self._calls, self._webhooks, object_types, self._calls.now())

    def unwatch(self) -> None:
        """Remove our webhooks."""
        webhooks.unwatch(self._calls, self._webhooks)


def _api_token(access: Access) -> Mapping[str, str]:
    return {"x-api-token": access.token}


def _record(entry: Entry, wanted: Mapping[str, Field]) -> Record:
    try:
        return record_of(entry, wanted)
    except UNREADABLE:
        raise misread() from None
