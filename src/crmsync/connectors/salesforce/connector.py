"""Salesforce: contacts, leads, accounts, opportunities and any other object of an org.

Two ways to the same API. Describe and queries go through simple-salesforce on our transport
(`library.py`): it knows the paths, the pages and the quoting. Records are written, and read by id,
as JSON straight through the transport: the library has no call for collections, and through its
`restful` 1,000 updates of 3 fields cost 2.5 to 4 ms of CPU for JSON alone, here 0.3 to 0.4 ms
(shared core, 2026-11). It also drops a call's own headers when it repeats one, and takes an empty
answer for None.
Shapes: `writes.py`, `reads.py`, `changes.py`, `deals.py`, `directories.py`, `composite.py`;
values: `values.py`; errors as data: `codes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crmsync.connectors.answers import Answer, Effect, Observer, Site, unobserved
from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Delivery, Key, Limit, Watch
from crmsync.connectors.http import Transport
from crmsync.connectors.salesforce import composite, directories
from crmsync.connectors.salesforce.changes import Changes
from crmsync.connectors.salesforce.deals import Deals
from crmsync.connectors.salesforce.documented import documented
from crmsync.connectors.salesforce.errors import refuse, refuses_token
from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.library import Library
from crmsync.connectors.salesforce.oauth import VENDOR
from crmsync.connectors.salesforce.objects import OPPORTUNITY, Described
from crmsync.connectors.salesforce.queries import Queries
from crmsync.connectors.salesforce.races import Races
from crmsync.connectors.salesforce.reads import READ_RECORDS, Reader
from crmsync.connectors.salesforce.rows import id_in
from crmsync.connectors.salesforce.schemas import Schemas
from crmsync.connectors.salesforce.soql import MODIFIED
from crmsync.connectors.salesforce.usage import quota_in
from crmsync.connectors.salesforce.values import in_detail
from crmsync.connectors.salesforce.writes import (
    METHODS,
    PART_RECORDS,
    fates_of,
    parts_of,
    settle,
    unsendable,
)
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import CONCURRENT, with_overrides
from crmsync.errors import BatchRejected, ConfigError, Forged
from crmsync.model import (
    Account,
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
    Timing,
)

SITE = Site(
    base_url=None,
    host_suffixes=VENDOR.api_suffixes,
    refuses_token=refuses_token,
    quota_in=quota_in,
)
LIMITS = (
    Limit("daily_calls", 15_000, 86_400),
    Limit(CONCURRENT, 5, 0),
)
"""The lowest tier (Developer Edition): "API Request Limits and Allocations", read 2026-10. To
Salesforce only calls of 20 s and more count as concurrent; any call may turn out to be one."""
FIELD_STEPS = (
    "In Salesforce: Setup > Object Manager > {object} > Fields & Relationships > New. Type Text,"
    " length 40, field name '{field}' without its ending __c. Tick 'External ID' and 'Unique', with"
    " case ignored. Make it visible and editable for the profile of the user crmsync connects as"
    " (field-level security), and save."
)
ACCOUNT = {"Account": "AccountId"}
NO_WEBHOOKS = "Salesforce calls no webhooks: its changes are asked for, every `timing.pull_seconds`"
NO_MERGE = (
    "Salesforce's REST API merges no records: merge them in Salesforce, and crmsync goes on with"
    " the one that is left"
)


class Salesforce:
    """One Salesforce org. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(METHODS, PART_RECORDS * composite.CALLS),
        records_per_read=READ_RECORDS,
        creates_fields=False,
        together={"Contact": "AccountId", "Opportunity": "AccountId"},
        reference_fields={"Contact": ACCOUNT, "Opportunity": ACCOUNT},
        field_steps=FIELD_STEPS,
    )
    timing = Timing(request_deadline_seconds=100, lease_seconds=180, settle_seconds=660)
    """Triggers and flows make it slow, and it may work on a request for ten minutes."""
    vendor = VENDOR

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return the org's limits: the lowest tier's where crmsync.yaml says nothing."""
        return with_overrides(LIMITS, connection.limits)

    def __init__(
        self,
        connection: Connection,
        throttle: Throttle,
        authorisation: Authorisation,
        observe: Observer = unobserved,
    ) -> None:
        """Open nothing yet; raises ConfigError for a wrong address."""
        self._http = Transport(
            connection, SITE, throttle, authorisation=authorisation, observe=observe
        )
        library = Library(self._http)
        self._schemas = Schemas(library)
        self._queries = Queries(self._http, library)
        self._reader = Reader(self._http, self._queries)
        self._races = Races()

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Ask which org this is: that takes a good token, and the right to use the API."""
        soql = "SELECT Id, Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"
        with documented(Effect.READ):
            [org] = self._queries.rows([soql])
            kind = f"{org['OrganizationType']}{', a sandbox' if org['IsSandbox'] else ''}"
            return Account(id_in(org), str(org["Name"]), kind)

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields that the token's user may see."""
        return self._schemas.fresh(object_type).schema

    def describe_deals(self) -> ObjectSchema:
        """Return the same of opportunities."""
        return self.describe(OPPORTUNITY)

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Raise ConfigError: the REST API makes no fields; `capabilities.field_steps` says how."""
        raise ConfigError(FIELD_STEPS.format(object=object_type, field=field.name))

    def owners(self) -> list[Owner]:
        """Return every user, active or not."""
        with documented(Effect.READ):
            return directories.owners(self._queries)

    def stages(self) -> list[Stage]:
        """Return the stages of opportunities, by the API name that these carry."""
        with documented(Effect.READ):
            return directories.stages(self._queries)

    # --- records --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call: a collection, or a composite of up to five."""
        if not batch.operations:
            return []
        keys = [batch.match_field] if batch.match_field else []
        names = {name for operation in batch.operations for name in operation.fields}
        thing = self._schemas.known(batch.object_type, [*names, *keys])
        settled = unsendable(batch, thing)
        rest = [op for place, op in enumerate(batch.operations) if place not in settled]
        if not rest:
            return list(settled.values())
        with self._schemas.doubting(batch.object_type):
            results = self._send(replace(batch, operations=rest) if settled else batch, thing)
        sent = iter(
            replace(result, failure=in_detail(result.failure, operation.fields, thing.columns))
            if result.failure
            else result
            for operation, result in zip(rest, results, strict=True)
        )
        places = range(len(batch.operations))
        return [settled[place] if place in settled else next(sent) for place in places]

    def _send(self, batch: Batch, thing: Described) -> list[Result]:
        parts = parts_of(batch, thing.columns)
        with documented(Effect.WRITE):
            calls = [part.call for part in parts]
            answers = composite.send(self._http, calls, Effect.WRITE)
            if len(parts) == 1 and answers[0] is not None and not answers[0].ok:
                _refuse(batch, answers[0])
            pairs = zip(parts, answers, strict=True)
            fates = [fate for part, answer in pairs for fate in fates_of(part, answer)]
        return self._races.settle(batch, settle(fates))

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id, 2,000 a call, or by any field that can be filtered by.

        A field that the object lacks, or that the user may not see, is None.
        """
        if not keys:
            return []
        name = keys[0].field
        thing = self._schemas.known(object_type, [*fields, *([name] if name else [])])
        with self._schemas.doubting(object_type), documented(Effect.READ):
            if name is not None:
                return self._reader.by_field(thing, name, [key.value for key in keys], fields)
            ids = [full_id(key.value) for key in keys]
            found = self._reader.by_id(thing, [one for one in ids if one], fields)
            return [found.get(one) if one else None for one in ids]

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Raise ConfigError: only Salesforce's pages, Apex and SOAP merge records."""
        raise ConfigError(f"{NO_MERGE} ({object_type} {loser} into {winner})")

    # --- what others changed --------------------------------------------------------------

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, one call a page; see `changes.py`."""
        thing = self._schemas.having(object_type, [*fields, MODIFIED])
        changes = Changes(self._queries, self._reader)
        with self._schemas.pulling(object_type), documented(Effect.READ):
            yield from changes.pages(thing, cursor, fields)

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Yield the opportunities that changed, or whose contact roles did; see `deals.py`."""
        thing = self._schemas.having(OPPORTUNITY, fields)
        with self._schemas.pulling(OPPORTUNITY), documented(Effect.READ):
            yield from Deals(self._queries).pages(thing, cursor, fields)

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Read opportunities fresh, some 2,000 a call."""
        if not ids:
            return []
        thing = self._schemas.having(OPPORTUNITY, fields)
        with self._schemas.pulling(OPPORTUNITY), documented(Effect.READ):
            return Deals(self._queries).by_id(thing, ids, fields)

    def hints(self, delivery: Delivery) -> list[Hint]:  # noqa: ARG002 (the Protocol's)
        """Raise Forged: whoever calls, it is not Salesforce."""
        raise Forged(NO_WEBHOOKS)

    def watch(self, object_types: Sequence[str]) -> Watch:  # noqa: ARG002 (the Protocol's)
        """Raise ConfigError: changes are pulled."""
        raise ConfigError(NO_WEBHOOKS)

    def unwatch(self) -> None:
        """Do nothing: nothing was set up."""


def _refuse(batch: Batch, answer: Answer) -> None:
    """Raise what a refused call means; nothing where it means its one record."""
    try:
        refuse(answer, object_type=batch.object_type)
    except BatchRejected:
        if len(batch.operations) > 1:
            raise
