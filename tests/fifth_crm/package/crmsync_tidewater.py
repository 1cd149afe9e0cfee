"""Tidewater for crmsync: contacts and companies of an invented CRM, over its REST API.

    POST /v1/{collection}:save     {by, rows: [{ref, key, set, clear}]}   50 rows
    POST /v1/{collection}:remove   {rows: [{ref, key}]}                   50 rows
    POST /v1/{collection}:get      {by, values, fields}                   50 values
    GET  /v1/{collection}          ?after=&fields=                        what changed, by cursor
    GET, POST /v1/fields/{collection}, GET /v1/account

A save without `by` creates, by `id` updates, by a unique field does whichever is due. Rows are
answered in any order, each by its `ref`, with a state of its own; empty fields are left out.
What its refusals mean is data: `ROW_CODES` for one record, `refuse` for a whole call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

import orjson

from crmsync.connectors.answers import Answer, Effect, Observer, Site, lost, unobserved
from crmsync.connectors.auth.authorisation import Access, Authorisation
from crmsync.connectors.base import Capabilities, Connection, Key, Limit
from crmsync.connectors.failures import excerpt_of
from crmsync.connectors.http import Transport
from crmsync.connectors.records_only import RecordsOnly
from crmsync.connectors.throttle import Throttle
from crmsync.connectors.waits import retry_after
from crmsync.connectors.windows import with_overrides
from crmsync.errors import BatchRejected, ConfigError, ConnectionHalted, RateLimited
from crmsync.model import (
    Account,
    Action,
    Batch,
    CrmId,
    Failure,
    FieldSchema,
    FieldType,
    ObjectSchema,
    Operation,
    Outcome,
    Page,
    Record,
    Result,
    Value,
)

SITE = Site(
    base_url="https://api.tidewater.example",
    host_suffixes=(".tidewater.example",),
    correlation_header="X-Tidewater-Trace",
)
LIMITS = (
    Limit("calls_per_minute", 360, 60),
    Limit("daily_calls", 20_000, 86_400),
)
"""Of the smallest plan."""
ROWS = 50
"""Of every call."""
WAIT_SECONDS = 10.0
"""After a 429 that does not say for how long."""
SERVER_ERRORS = range(500, 600)
KINDS: Mapping[str, FieldType] = {
    "text": FieldType.TEXT,
    "email": FieldType.EMAIL,
    "phone": FieldType.PHONE,
    "number": FieldType.NUMBER,
    "yesno": FieldType.BOOLEAN,
    "day": FieldType.DATE,
    "instant": FieldType.DATETIME,
    "choice": FieldType.PICKLIST,
    "choices": FieldType.MULTI_PICKLIST,
    "link": FieldType.REFERENCE,
}
KIND_OF = {kind: name for name, kind in KINDS.items()}
GONE = "NO_SUCH_RECORD"
# a refused row's code -> what became of it, what a person does about it
ROW_CODES: Mapping[str, tuple[Outcome, str]] = {
    "NO_SUCH_FIELD": (Outcome.REJECTED, "Make the field in Tidewater, or remove the line."),
    "BAD_VALUE": (Outcome.REJECTED, "Correct the value, or translate it with `map:`."),
    "TAKEN": (Outcome.REJECTED, "Another record holds this value: merge the two in Tidewater."),
    GONE: (Outcome.REJECTED, "The record was removed in Tidewater."),
    "REPEATED_KEY": (Outcome.RETRY, "Nothing: the record goes with the next batch."),
}
OTHER_CODE = (Outcome.REJECTED, "Correct the record, then replay.")
SAVED = (Action.CREATE, Action.UPDATE, Action.UPSERT, Action.ARCHIVE)
UNSAID = Failure(
    code="NO_ROW",
    message="Tidewater's answer says nothing about this record.",
    hint="Nothing: it is looked at after the settle time.",
)


class Tidewater(RecordsOnly):
    """One Tidewater account. See `crmsync.connectors.base.Connector`."""

    capabilities = Capabilities(
        records_per_call=dict.fromkeys(SAVED, ROWS),
        records_per_read=ROWS,
        upserts_by=frozenset({"email"}),
        creates_fields=True,
    )

    @staticmethod
    def limits(connection: Connection) -> tuple[Limit, ...]:
        """Return the plan's limits: the smallest one's where crmsync.yaml says nothing."""
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
            connection,
            SITE,
            throttle,
            authorisation=authorisation,
            headers_of=key_header,
            observe=observe,
        )

    # --- metadata -------------------------------------------------------------------------

    def check(self) -> Account:
        """Read who we are."""
        answer = self._ask("GET", "/v1/account")
        with reading(answer) as payload:
            account = payload["account"]
            return Account(id=account["id"], name=account["name"], detail=account["plan"])

    def describe(self, object_type: str) -> ObjectSchema:
        """Return the live fields."""
        answer = self._ask("GET", _path("fields/", object_type))
        with reading(answer) as payload:
            fields = [field_of(entry) for entry in payload["fields"]]
        return ObjectSchema(object_type, {field.name: field for field in fields})

    def create_field(self, object_type: str, field: FieldSchema) -> None:
        """Make a field; one that exists is left as it is."""
        body = {
            "key": field.name,
            "title": field.label,
            "kind": KIND_OF[field.type],
            "unique": field.unique,
            "choices": [{"code": code, "title": title} for code, title in field.options],
        }
        path = _path("fields/", object_type)
        answer = self._http.request("POST", path, effect=Effect.WRITE, json=body)
        if not answer.ok and answer.status != HTTPStatus.CONFLICT:
            refuse(answer)

    # --- records --------------------------------------------------------------------------

    def write(self, batch: Batch) -> list[Result]:
        """Send one batch in one call."""
        if not batch.operations:
            return []
        verb = ":remove" if batch.action is Action.ARCHIVE else ":save"
        path = _path("", batch.object_type, verb)
        answer = self._http.request("POST", path, effect=Effect.WRITE, json=body_of(batch))
        if not answer.ok:
            refuse(answer)
        with reading(answer) as payload:
            said = {int(row["ref"]): result_of(row) for row in payload["rows"]}
        nothing = Result(Outcome.UNKNOWN, failure=UNSAID)
        return [said.get(place, nothing) for place in range(len(batch.operations))]

    def read(
        self, object_type: str, keys: Sequence[Key], fields: Sequence[str]
    ) -> list[Record | None]:
        """Read records by id or unique field."""
        found: dict[str, Record | None] = {}
        values = list(dict.fromkeys(key.value for key in keys))
        for start in range(0, len(values), ROWS):
            some = values[start : start + ROWS]
            found |= self._get(object_type, keys[0].field or "id", some, fields)
        return [found[key.value] for key in keys]

    def _get(
        self, object_type: str, by: str, values: Sequence[str], fields: Sequence[str]
    ) -> dict[str, Record | None]:
        """Return what each value stands for; one that Tidewater passes over is a lost answer."""
        body = {"by": by, "values": values, "fields": list(fields)}
        answer = self._ask("POST", _path("", object_type, ":get"), json=body)
        with reading(answer) as payload:
            found: dict[str, Record | None] = dict.fromkeys(payload["missing"])
            found |= {row["asked"]: record_of(row, fields) for row in payload["rows"]}
            return {value: found[value] for value in values}

    def changes(
        self, object_type: str, cursor: str | None, fields: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what changed since the cursor, which is Tidewater's own."""
        more = True
        while more:
            params = {"fields": ",".join(fields), "after": cursor or ""}
            answer = self._ask("GET", _path("", object_type), params=params)
            with reading(answer) as payload:
                records = [record_of(row, fields) for row in payload["rows"]]
                # A page without records is the last one, whatever it says.
                cursor, more = str(payload["next"]), payload["more"] and bool(records)
            if records:
                yield Page(records, cursor)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what changes nothing; return a successful answer."""
        answer = self._http.request(method, path, effect=Effect.READ, json=json, params=params)
        if not answer.ok:
            refuse(answer)
        return answer


# --- the wire -----------------------------------------------------------------------------


def key_header(access: Access) -> Mapping[str, str]:
    """Return the header that Tidewater takes a token in."""
    return {"X-Tidewater-Key": access.token}


def body_of(batch: Batch) -> dict[str, Any]:
    """Return the body that saves or removes a batch. A row's `ref` is its place."""
    rows = [row_of(place, operation) for place, operation in enumerate(batch.operations)]
    match batch.action:
        case Action.CREATE | Action.ARCHIVE:
            return {"rows": rows}
        case Action.UPDATE:
            return {"by": "id", "rows": rows}
        case _:
            return {"by": batch.match_field, "rows": rows}


def row_of(place: int, operation: Operation) -> dict[str, Any]:
    """Return one row: what to set, and by name what to clear."""
    fields = operation.fields
    row: dict[str, Any] = {
        "ref": str(place),
        "set": {name: value for name, value in fields.items() if value is not None},
        "clear": [name for name, value in fields.items() if value is None],
    }
    key = operation.crm_id or operation.match_value
    return row | {"key": key} if key else row


def result_of(row: Mapping[str, Any]) -> Result:
    """Return what became of one row."""
    if row["state"] != "refused":
        return Result(Outcome.SUCCEEDED, CrmId(row["id"]), created=row["state"] == "created")
    outcome, hint = ROW_CODES.get(row["code"], OTHER_CODE)
    failure = Failure(
        row["code"], row["words"], hint, row.get("field"), excerpt_of(orjson.dumps(row))
    )
    holder = row.get("holder")
    return Result(
        outcome,
        failure=failure,
        existing_id=CrmId(holder) if holder else None,
        is_gone=row["code"] == GONE,
    )


def record_of(row: Mapping[str, Any], fields: Sequence[str]) -> Record:
    """Return a record as Tidewater shows it: what is empty is not there."""
    values: dict[str, Value] = {name: row["values"].get(name) for name in fields}
    return Record(CrmId(row["id"]), values, datetime.fromisoformat(row["changed"]))


def field_of(entry: Mapping[str, Any]) -> FieldSchema:
    """Return one field; a kind we do not know is shown as text that cannot be written."""
    kind = KINDS.get(entry["kind"])
    return FieldSchema(
        name=entry["key"],
        label=entry["title"],
        type=kind or FieldType.TEXT,
        writable=kind is not None and not entry["fixed"],
        unique=entry["unique"],
        options=tuple((choice["code"], choice["title"]) for choice in entry["choices"]),
    )


def refuse(answer: Answer) -> NoReturn:
    """Raise what an answer other than success means for the whole call."""
    try:
        said = orjson.loads(answer.body)
        code, words = str(said["code"]), str(said["words"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        said, code, words = {}, str(answer.status), ""
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            raise ConnectionHalted(
                "Tidewater does not accept the key", cause="reauth_required", hint=answer.remedy
            )
        case HTTPStatus.FORBIDDEN:
            rights = ", ".join(said.get("need", ())) or "not named"
            raise ConnectionHalted(
                f"Tidewater refuses for want of a right: {rights}",
                cause="missing_scope",
                hint=f"Give the key these rights in Tidewater: {rights}.",
            )
        case HTTPStatus.NOT_FOUND if code == "NO_SUCH_COLLECTION":
            raise ConfigError(words)
        case HTTPStatus.TOO_MANY_REQUESTS:
            seconds = retry_after(answer.headers.get("Retry-After"), WAIT_SECONDS)
            raise RateLimited(f"{answer.what}: too fast", retry_after_seconds=seconds)
        case status if status == HTTPStatus.REQUEST_TIMEOUT or status in SERVER_ERRORS:
            raise lost(answer.effect, f"{answer.what}: Tidewater answered {status}")
        case status if status < HTTPStatus.BAD_REQUEST:
            raise ConnectionHalted(
                f"Tidewater is elsewhere ({status})", cause="refused", hint="Check `base_url`."
            )
    raise BatchRejected(
        f"Tidewater refused the call: {code}",
        code=code,
        hint="Look at the excerpt: some record of the batch is at fault.",
        excerpt=answer.excerpt(),
    )


@contextmanager
def reading(answer: Answer) -> Iterator[Any]:
    """Give the JSON of a success; one of another shape than documented is a lost answer."""
    try:
        yield answer.json()
    except (LookupError, TypeError, ValueError, AttributeError):
        what = f"{answer.what}: the answer has another shape than documented"
        raise lost(answer.effect, what) from None


def _path(area: str, object_type: str, verb: str = "") -> str:
    return f"/v1/{area}{quote(object_type, safe='')}{verb}"
