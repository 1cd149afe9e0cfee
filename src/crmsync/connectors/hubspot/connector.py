"""HubSpot: contacts, companies, deals and custom objects.

Two ways to the same API. Metadata (properties) goes through hubspot-api-client's own paths and
models, on our transport (`sdk.py`): it is called a few times an hour. Records go straight
through the transport as JSON: with the SDK, whose models and `json` do the work per record, a batch
of 100 updates of 3 fields costs 15 to 23 ms of CPU, here 0.6 to 1.4 ms (shared core, 2026-11), and
the SDK knows no total deadline.
What each error means is data in `errors.py`; the wire format is `wire.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from crmsync.connectors.auth.authorisation import Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.http import Answer, Effect, Observer, Site, Transport, lost, unobserved
from crmsync.connectors.hubspot import sdk
from crmsync.connectors.hubspot.errors import refuse, refused_record
from crmsync.connectors.hubspot.oauth import VENDOR
from crmsync.connectors.hubspot.search import BEGINNING, Place, lookups, next_place, query
from crmsync.connectors.hubspot.wire import (
    inputs_of,
    names_of,
    not_found,
    read_body,
    record_of,
    results_of,
    unsendable,
)
from crmsync.connectors.paging import Pages
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.windows import with_overrides
from crmsync.errors import BatchRejected, Unavailable
from crmsync.model import (
    Account,
    Action,
    Batch,
    FieldSchema,
    FieldType,
    ObjectSchema,
    Outcome,
    Page,
    Record,
    Result,
)

SITE = Site(
    base_url="https://api.hubapi.com",
    host_suffixes=(".hubapi.com", ".hubspot.com"),
    correlation_header="X-HubSpot-Correlation-Id",
)
VERSION = "v3"
"""`v3`, or a dated family such as `2026-09` with the same bodies; v1-v3 end in September 2027."""
LIMITS = (
    Limit("calls_per_10s", 100, 10),
    Limit("daily_calls", 250_000, 86_400),
    Limit("search_per_second", 5, 1, scope="search"),
)
"""The lowest tier (Free, Starter): developers.hubspot.com, "Usage guidelines", read 2026-10."""
BATCH_RECORDS = 100
"""Of every batch call: developers.hubspot.com, "CRM API | Object APIs", read 2026-10."""
SCHEMA_SECONDS = 600.0
"""How long the types of fields are remembered for decoding what is read."""
UNKNOWN_FIELD_SECONDS = 60.0
"""The same when a field is asked for that was not there: it may have been made since."""


class HubSpot:
    """One HubSpot account. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(Action, BATCH_RECORDS),
        records_per_read=BATCH_RECORDS,
        # Partial upserts by it are not supported (Object APIs); an unlinked record is sent whole.
        upserts_by=frozenset({"email"}),
        creates_fields=True,
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
        self._http = Transport(
            connection, SITE, throttle, authorisation=authorisation, observe=observe
        )
        self._version = version
        self._schemas: dict[str, tuple[float, ObjectSchema]] = {}

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Read who we are, and one contact: a token can be valid and lack every scope."""
        details = self._get("/account-info/v3/details", {})
        self._get(self._path("objects", "contacts"), {"limit": "1"})
        if not details.get("portalId"):
            raise Unavailable("GET /account-info/v3/details: HubSpot does not say whose it is")
        return Account(
            id=str(details["portalId"]),
            name=str(details.get("uiDomain", "")),
            detail=f"{details.get('accountType', '')}, {details.get('timeZone', '')}",
        )

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live properties."""
        schema = sdk.describe(self._http, self._version, object_type)
        self._schemas[object_type] = time.monotonic(), schema
        return schema

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom property in the object's own group; one that exists is left as it is."""
        sdk.create_property(self._http, self._version, object_type, field)
        self._schemas.pop(object_type, None)

    def _kinds(self, object_type: str, fields: Sequence[str]) -> Mapping[str, FieldType]:
        """Return the types of an object's fields, read anew when old or when one is unknown."""
        known = self._known(object_type, fields)
        return {name: field.type for name, field in known.fields.items()}

    def _is_unique(self, object_type: str, name: str) -> bool:
        field = self._known(object_type, [name]).fields.get(name)
        # What the CRM does not have is left to it to refuse, in the cheaper of the two calls.
        return field is None or field.unique

    def _known(self, object_type: str, names: Sequence[str]) -> ObjectSchema:
        """Return an object's fields, described anew when that is long ago or one is unknown."""
        read_at, schema = self._schemas.get(object_type, (-math.inf, ObjectSchema("", {})))
        age = time.monotonic() - read_at
        unknown = any(name not in schema.fields for name in names)
        if age > SCHEMA_SECONDS or (unknown and age > UNKNOWN_FIELD_SECONDS):
            return self.describe(object_type)
        return schema

    # --- records --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call."""
        settled = unsendable(batch)
        rest = [op for place, op in enumerate(batch.operations) if place not in settled]
        if not rest:
            return list(settled.values())
        sent = iter(self._send(replace(batch, operations=rest) if settled else batch))
        places = range(len(batch.operations))
        return [settled[place] if place in settled else next(sent) for place in places]

    def _send(self, batch: Batch) -> list[Result]:
        path = self._path("objects", batch.object_type, f"/batch/{batch.action}")
        body = {"inputs": inputs_of(batch)}
        answer = self._http.request("POST", path, effect=Effect.WRITE, json=body)
        if not answer.ok:
            try:
                refuse(answer, object_type=batch.object_type)
            except BatchRejected:
                if len(batch.operations) > 1:
                    raise
                return [refused_record(answer)]
        if answer.status == HTTPStatus.NO_CONTENT and batch.action is Action.ARCHIVE:
            return [Result(Outcome.SUCCEEDED, op.crm_id) for op in batch.operations]
        try:
            return results_of(batch, answer.json())
        except (LookupError, TypeError, ValueError, AttributeError):
            raise _misshapen(answer) from None

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or unique property, 100 a call, from the primary store.

        By any other property they are searched for, some seconds late: where several have the
        value, the one with the lowest id is taken.
        """
        name = keys[0].field if keys else None
        if name is not None and not self._is_unique(object_type, name):
            return self._find(object_type, name, [key.value for key in keys], fields)
        found: dict[str, Record] = {}
        for start in range(0, len(keys), BATCH_RECORDS):
            some = keys[start : start + BATCH_RECORDS]
            found |= self._read_batch(object_type, some, fields)
        return [found.get(key.value.lower()) for key in keys]

    def _read_batch(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> dict[str, Record]:
        """Return the records that have one of these keys, by every name they answer to."""
        kinds = self._kinds(object_type, fields)
        path = self._path("objects", object_type, "/batch/read")
        answer = self._http.request("POST", path, effect=Effect.READ, json=read_body(keys, fields))
        payload = _object(answer, object_type)
        found: dict[str, Record] = {}
        try:
            for entry in payload["results"]:
                record = record_of(entry, fields, kinds)
                found |= dict.fromkeys(names_of(entry, keys[0].field), record)
            nothing_said = not payload["results"] and not not_found(payload)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise _misshapen(answer) from None
        if nothing_said:
            raise Unavailable(f"{answer.what}: HubSpot answered neither records nor errors")
        return found

    def _find(
        self, object_type: str, name: str, values: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        kinds = self._kinds(object_type, [*fields, name])
        path = self._path("objects", object_type, "/search")
        found: dict[str, Record] = {}
        for body in lookups(name, values, fields):
            after: str | None = ""
            pages = Pages(f"POST {path}")
            while after is not None:
                page = body | {"after": after} if after else body
                answer = self._http.request(
                    "POST", path, effect=Effect.READ, json=page, scope="search"
                )
                payload = _object(answer, object_type, search=True)
                try:
                    for entry in payload["results"]:
                        value = str(entry["properties"][name]).strip().lower()
                        found.setdefault(value, record_of(entry, fields, kinds))
                    after = ((payload.get("paging") or {}).get("next") or {}).get("after")
                except (LookupError, TypeError, ValueError, AttributeError):
                    raise _misshapen(answer) from None
                pages.turn(str(after), len(payload["results"]))
        return [found.get(value.strip().lower()) for value in values]

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, by search: seconds late, each record at least once.

        Looks five minutes behind the cursor for what the index had not shown yet.
        """
        place: Place | None = Place.read(cursor) if cursor else BEGINNING
        path = self._path("objects", object_type, "/search")
        kinds = self._kinds(object_type, fields)
        reached = BEGINNING
        while place is not None:
            body = query(object_type, place, fields)
            answer = self._http.request("POST", path, effect=Effect.READ, json=body, scope="search")
            payload = _object(answer, object_type, search=True)
            try:
                records = [record_of(entry, fields, kinds) for entry in payload["results"]]
                place, last = next_place(object_type, place, payload)
            except (LookupError, TypeError, ValueError, AttributeError):
                raise _misshapen(answer) from None
            reached = max(reached, last)
            if records:
                yield Page(records, str(reached))

    # --- the wire -------------------------------------------------------------------------

    def _get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        return _object(self._http.request("GET", path, effect=Effect.READ, params=params))

    def _path(self, area: str, object_type: str, rest: str = "") -> str:
        """Return a CRM path in the family of this version."""
        name = quote(object_type, safe="")
        if self._version.startswith("v"):
            return f"/crm/{self._version}/{area}/{name}{rest}"
        return f"/crm/{area}/{self._version}/{name}{rest}"


def _object(answer: Answer, object_type: str = "", *, search: bool = False) -> Mapping[str, Any]:
    """Return the JSON object of a successful answer; raise what any other means."""
    if not answer.ok:
        refuse(answer, object_type=object_type, search=search)
    payload = answer.json()
    if not isinstance(payload, dict):
        raise _misshapen(answer)
    return payload


def _misshapen(answer: Answer) -> Exception:
    """Return the error for a success whose body is not what HubSpot documents: a lost answer."""
    return lost(answer.effect, f"{answer.what}: the answer has another shape than documented")
