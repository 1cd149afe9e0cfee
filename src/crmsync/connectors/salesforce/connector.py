"""Salesforce: contacts, leads, accounts, opportunities and any other object of an org.

Two ways to the same API. Describe and queries go through simple-salesforce on our transport
(`library.py`): it knows the paths, the pages and the quoting. Records are written, and read by id,
as JSON straight through the transport: the library has no call for collections, and through its
`restful` 1,000 updates of 3 fields cost 2.5 to 4 ms of CPU for JSON alone, here 0.3 to 0.4 ms
(shared core, 2026-11). It also drops a call's own headers when it repeats one, and takes an empty
answer for None.
Shapes: `writes.py`, `reads.py`, `composite.py`; values: `values.py`; errors as data: `codes.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.http import Answer, Effect, Observer, Site, Transport, lost, unobserved
from crmsync.connectors.salesforce import composite
from crmsync.connectors.salesforce.errors import complaint_of, errors_of, refuse, refuses_token
from crmsync.connectors.salesforce.ids import full_id
from crmsync.connectors.salesforce.library import Library, is_name
from crmsync.connectors.salesforce.oauth import VENDOR
from crmsync.connectors.salesforce.objects import Described, described
from crmsync.connectors.salesforce.races import Races
from crmsync.connectors.salesforce.reads import READ_RECORDS, Reader, record_of
from crmsync.connectors.salesforce.soql import MODIFIED, Place
from crmsync.connectors.salesforce.values import in_detail
from crmsync.connectors.salesforce.writes import (
    PART_RECORDS,
    fates_of,
    parts_of,
    settle,
    unsendable,
)
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import CONCURRENT, with_overrides
from crmsync.errors import BatchRejected, ConfigError
from crmsync.model import (
    Account,
    Action,
    Batch,
    FieldSchema,
    ObjectSchema,
    Page,
    Record,
    Result,
    Timing,
)

SITE = Site(
    base_url=None,
    host_suffixes=VENDOR.api_suffixes,
    refuses_token=refuses_token,
)
LIMITS = (
    Limit("daily_calls", 15_000, 86_400),
    Limit(CONCURRENT, 5, 0),
)
"""The lowest tier (Developer Edition): "API Request Limits and Allocations", read 2026-10. To
Salesforce only calls of 20 s and more count as concurrent; any call may turn out to be one."""
SCHEMA_SECONDS = 600.0
"""How long what was described is used."""
UNKNOWN_FIELD_SECONDS = 60.0
"""The same when a field is named that was not there: it may have been made since."""
DOUBT_SECONDS = 5.0
"""The same when Salesforce itself says that a field is not there."""
OUTDATED = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "NOT_FOUND"})
PAGE_RECORDS = 2_000
FIELD_STEPS = (
    "In Salesforce: Setup > Object Manager > {object} > Fields & Relationships > New. Type Text,"
    " length 40, field name '{field}' without its ending __c. Tick 'External ID' and 'Unique', with"
    " case ignored. Make it visible and editable for the profile of the user crmsync connects as"
    " (field-level security), and save."
)


class Salesforce:
    """One Salesforce org. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(Action, PART_RECORDS * composite.CALLS),
        records_per_read=READ_RECORDS,
        creates_fields=False,
        together={"Contact": "AccountId", "Opportunity": "AccountId"},
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
        self._library = Library(self._http)
        self._reader = Reader(self._http, self._library)
        self._races = Races()
        self._described: dict[str, tuple[float, Described]] = {}

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Ask which org this is: that takes a good token, and the right to use the API."""
        soql = "SELECT Id, Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"
        with _documented(Effect.READ):
            [org] = self._library.query(soql)
            kind = f"{org['OrganizationType']}{', a sandbox' if org['IsSandbox'] else ''}"
            return Account(str(org["Id"]), str(org["Name"]), kind)

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields that the token's user may see."""
        if not is_name(object_type):
            raise ConfigError(f"'{object_type}' cannot be the name of a Salesforce object")
        try:
            answer = self._library.describe(object_type)
        except BatchRejected as refusal:
            raise ConfigError(
                f"Salesforce has no object '{object_type}', or none that the user may see: use the"
                " API name, such as Contact, Lead or Invoice__c"
            ) from refusal
        with _documented(Effect.READ):
            found = described(object_type, answer)
        self._described[object_type] = time.monotonic(), found
        return found.schema

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Raise ConfigError: the REST API makes no fields; `capabilities.field_steps` says how."""
        raise ConfigError(FIELD_STEPS.format(object=object_type, field=field.name))

    def _known(self, object_type: str, names: Sequence[str]) -> Described:
        """Return an object as described, anew when that is long ago or a field is unknown."""
        read_at, thing = self._described.get(object_type, (-math.inf, None))
        age = time.monotonic() - read_at
        unknown = thing is None or any(name not in thing.columns for name in names)
        if thing is None or age > SCHEMA_SECONDS or (unknown and age > UNKNOWN_FIELD_SECONDS):
            self.describe(object_type)
            return self._described[object_type][1]
        return thing

    # --- records --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call: a collection, or a composite of up to five."""
        if not batch.operations:
            return []
        keys = [batch.match_field] if batch.match_field else []
        names = {name for operation in batch.operations for name in operation.fields}
        thing = self._known(batch.object_type, [*names, *keys])
        settled = unsendable(batch, thing)
        rest = [op for place, op in enumerate(batch.operations) if place not in settled]
        if not rest:
            return list(settled.values())
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
        try:
            with _documented(Effect.WRITE):
                calls = [part.call for part in parts]
                answers = composite.send(self._http, calls, Effect.WRITE)
                if len(parts) == 1 and answers[0] is not None and not answers[0].ok:
                    return self._refused(batch, answers[0])
                pairs = zip(parts, answers, strict=True)
                fates = [fate for part, answer in pairs for fate in fates_of(part, answer)]
            return self._races.settle(batch, settle(fates))
        except BatchRejected as refusal:
            self._doubt(batch.object_type, refusal)
            raise

    @staticmethod
    def _refused(batch: Batch, answer: Answer) -> list[Result]:
        """Return the result of the one record that a refused call was about, or raise."""
        try:
            refuse(answer, object_type=batch.object_type)
        except BatchRejected:
            if len(batch.operations) > 1:
                raise
            return [complaint_of(errors_of(answer), answer.status).result()]

    def _doubt(self, object_type: str, refusal: BatchRejected) -> None:
        """Describe an object anew after a refusal that says it is not as it was described."""
        read_at, _ = self._described.get(object_type, (math.inf, None))
        if refusal.code in OUTDATED and time.monotonic() - read_at > DOUBT_SECONDS:
            self._described.pop(object_type, None)

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id, 2,000 a call, or by any field that can be filtered by.

        A field that the object lacks, or that the user may not see, is None.
        """
        if not keys:
            return []
        name = keys[0].field
        thing = self._known(object_type, [*fields, *([name] if name else [])])
        try:
            with _documented(Effect.READ):
                if name is not None:
                    values = [key.value for key in keys]
                    return self._reader.by_field(thing, name, values, fields)
                ids = [full_id(key.value) for key in keys]
                found = self._reader.by_id(thing, [one for one in ids if one], fields)
                return [found.get(one) if one else None for one in ids]
        except BatchRejected as refusal:
            self._doubt(object_type, refusal)
            raise

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, each record at least once, deleted ones not.

        Looks five minutes behind the cursor for what was being committed then.
        """
        thing = self._known(object_type, fields)
        soql = Place.after(cursor).query(object_type, thing.names(fields))
        records: list[Record] = []
        reached = ""
        with _documented(Effect.READ):
            for row in self._library.query(soql):
                records.append(record_of(row, thing, fields))
                reached = row[MODIFIED]
                if len(records) == PAGE_RECORDS:
                    yield Page(records, reached)
                    records = []
        if records:
            yield Page(records, reached)


@contextmanager
def _documented(effect: Effect) -> Iterator[None]:
    """Take a success whose body is not what Salesforce documents for a lost answer."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError):
        raise lost(effect, "Salesforce's answer has another shape than documented") from None
