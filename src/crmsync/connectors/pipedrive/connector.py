"""Pipedrive: persons, organizations and deals of one company. See `base.Connector`.

There are no batches, no upsert and nothing unique, so each record is one call, and sync looks for
a record before it makes one. What makes looking cheap and complete is `lookup.py`; what an error
means is data in `errors.py`; the wire format is `wire.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from crmsync.connectors.auth.authorisation import Access, Authorisation, bearer
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.http import Answer, Observer, Site, Transport, unobserved
from crmsync.connectors.pipedrive.calls import Calls, Entry, data_of
from crmsync.connectors.pipedrive.errors import Meaning, misshapen, refusal_of, refuse
from crmsync.connectors.pipedrive.fields import Catalogue, Fields
from crmsync.connectors.pipedrive.limits import DELETE, READ_ME, WRITE, limits_of
from crmsync.connectors.pipedrive.lookup import LookUp, records_by_key
from crmsync.connectors.pipedrive.oauth import VENDOR
from crmsync.connectors.pipedrive.objects import Field, Form, ObjectType, kind_named
from crmsync.connectors.pipedrive.wire import (
    Json,
    Unfit,
    moment,
    nested,
    record_of,
    wire_values,
    with_primary,
)
from crmsync.connectors.throttle import Throttle
from crmsync.errors import Unavailable
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Failure,
    FieldSchema,
    ObjectSchema,
    Operation,
    Outcome,
    Page,
    Record,
    Result,
)

SITE = Site(base_url="https://api.pipedrive.com", host_suffixes=(".pipedrive.com",))
ME = "/v1/users/me"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHANGES_OVERLAP = timedelta(minutes=5)
"""How far behind its cursor a pull begins: times have whole seconds, and lists may be late."""
GONE = Failure(
    code="ERR_NOT_FOUND",
    message="The record is deleted.",
    hint="The record was deleted or merged in Pipedrive.",
)


class Pipedrive:
    """One Pipedrive company. See `base.Connector`."""

    capabilities = Capabilities(
        records_per_call={Action.CREATE: 1, Action.UPDATE: 1, Action.ARCHIVE: 1},
        # Records are found by listing them, 500 a page: the more keys at once, the cheaper.
        records_per_read=1_000,
        creates_fields=True,
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
        self._calls = Calls(http)
        self._catalogue = Catalogue(self._calls)
        self._lookups: dict[str, LookUp] = {}
        self._company_currency: str | None = None

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

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a custom field whose label is the field's name, unless there is one."""
        self._catalogue.make(kind_named(object_type), field)

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
            return [self._write(kind, batch.action, operation) for operation in batch.operations]
        finally:
            if batch.action is Action.CREATE:
                self._lookup(kind).outdate()

    def _write(self, kind: ObjectType, action: Action, operation: Operation) -> Result:
        if action is Action.ARCHIVE:
            return self._archive(kind, operation)
        if action is Action.UPDATE and not operation.fields:
            return Result(Outcome.SKIPPED, operation.crm_id)
        fields = self._catalogue.fields(kind, operation.fields)
        values = wire_values(fields, operation.fields, self._currency)
        if isinstance(values, Failure):
            return Result(Outcome.REJECTED, failure=values)
        if any(field.form is Form.CONTACTS for field, _ in values):
            held: Entry | None = {}
            if operation.crm_id is not None:
                held = self._calls.one(kind.path, operation.crm_id)
            if held is None:
                return Result(Outcome.REJECTED, failure=GONE)
            values = [(field, _among_others(held, field, value)) for field, value in values]
        method, path, route = "POST", kind.path, kind.path
        if operation.crm_id is not None:
            method, path, route = "PATCH", f"{kind.path}/{operation.crm_id}", f"{kind.path}/*"
        answer = self._calls.write(method, path, nested(values), cost=WRITE, route=route)
        if not answer.ok:
            return self._refused(kind, answer, operation, fields)
        written = CrmId(str(data_of(answer, "id")))
        is_id = written.isascii() and written.isdecimal()
        if not is_id or operation.crm_id not in {None, written}:
            raise misshapen(answer)
        return Result(Outcome.SUCCEEDED, written, created=action is Action.CREATE)

    def _archive(self, kind: ObjectType, operation: Operation) -> Result:
        """Delete a record; one that is deleted already is as wanted."""
        path = f"{kind.path}/{operation.crm_id}"
        answer = self._calls.write("DELETE", path, None, cost=DELETE, route=f"{kind.path}/*")
        if answer.ok:
            data_of(answer, "id")
        elif refusal_of(answer, {}).meaning is not Meaning.GONE:
            return self._refused(kind, answer, operation, self._catalogue.fields(kind))
        return Result(Outcome.SUCCEEDED, operation.crm_id)

    def _refused(
        self, kind: ObjectType, answer: Answer, operation: Operation, fields: Fields
    ) -> Result:
        """Return the result of a record that was refused; raise what concerns more than it."""
        names = {field.key: name for name in operation.fields if (field := fields.find(name))}
        refusal = refusal_of(answer, names)
        if refusal.meaning is Meaning.GONE:
            return Result(Outcome.REJECTED, failure=GONE)
        if refusal.meaning not in {Meaning.RECORD, Meaning.PERMISSION}:
            refuse(refusal, self._calls.refusals)
        if refusal.field is not None:
            # Perhaps the company has changed its fields or their options.
            self._catalogue.doubt(kind)
        return Result(Outcome.REJECTED, failure=refusal.failure())

    # --- reads ----------------------------------------------------------------------------

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records fresh, by id or by a field; see `lookup.py` for what that costs.

        By a field: without regard to case, by any of a person's e-mail addresses or numbers; the
        lowest id where several records have the value.
        """
        if not keys:
            return []
        kind = kind_named(object_type)
        name = keys[0].field
        known = self._catalogue.fields(kind, [*fields, *([name] if name else [])])
        wanted = {field: known.find(field) for field in fields}
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
        """Yield what changed since the cursor, which is a time; each record at least once.

        Looks five minutes behind the cursor. Only the last page of several lists moves it on.
        """
        kind = kind_named(object_type)
        known = self._catalogue.fields(kind, fields)
        wanted = {name: known.find(name) for name in fields}
        start = moment(cursor) if cursor else EPOCH
        reached = start
        waiting: list[Record] = []
        for entries in self._changed(kind, start):
            records = [_record(entry, wanted) for entry in entries]
            if waiting:
                yield Page(waiting, _cursor(start if len(kind.paths) > 1 else reached))
            reached = max([reached, *(r.modified_at for r in records if r.modified_at)])
            waiting = records
        if waiting:
            yield Page(waiting, _cursor(reached))

    def _changed(self, kind: ObjectType, since: datetime) -> Iterator[list[Entry]]:
        params = {"sort_by": "update_time", "sort_direction": "asc"}
        if since > EPOCH:
            params["updated_since"] = _cursor(since - CHANGES_OVERLAP)
        for path in kind.paths:
            yield from (entries for entries in self._calls.pages(path, params) if entries)


def _api_token(access: Access) -> Mapping[str, str]:
    return {"x-api-token": access.token}


def _among_others(held: Entry, field: Field, value: Json) -> Json:
    """Return what to write of a value: for a primary address, it and the others held."""
    if field.form is not Form.CONTACTS:
        return value
    return with_primary(held.get(field.key) or [], value)


def _record(entry: Entry, wanted: Mapping[str, Field | None]) -> Record:
    try:
        return record_of(entry, wanted)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unavailable("Pipedrive showed a record in another shape than documented") from None


def _cursor(at: datetime) -> str:
    """Return a time in whole seconds: Pipedrive refuses fractions."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
