"""A simulated Tidewater for the sandbox's frame, which adds HTTP, faults, ledger and control.

Its wire is what `package/crmsync_tidewater.py` describes. It knows contacts only, accepts every key
that begins with `tw-`, and has no rate limits of its own. Rows are answered last to first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from crmsync.sandbox.clock import Clock
from crmsync.sandbox.http import Answer, Request
from crmsync.sandbox.registry import CRMS, SETTINGS
from crmsync.sandbox.settings import Settings
from tests.sandboxes import WatchedSandbox, running

PACKAGE = Path(__file__).with_name("package")
"""What a folder of installed packages holds of one: put it on the path and it is installed."""
CONTACTS = "contacts"
ROWS = 50
PAGE = 100
STAGES = ("lead", "customer")
TEXTS = {"text", "email", "phone", "day", "instant", "link"}

Row = dict[str, Any]
"""What is held of a record: `id, values, sequence, created, changed, removed`."""


@contextmanager
def running_tidewater() -> Iterator[WatchedSandbox]:
    """Serve it while the block runs. The frame finds CRMs in two tables, which it joins."""
    with pytest.MonkeyPatch.context() as tables:
        tables.setitem(CRMS, "tidewater", SimulatedTidewater)
        tables.setitem(SETTINGS, "tidewater", Settings)
        with running("tidewater") as sandbox:
            tables.undo()
            yield sandbox


@dataclass(eq=False)
class Refused(Exception):
    """Why a row is not taken."""

    code: str
    field: str | None = None
    holder: str | None = None


def field_of(key: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """Return a field as `GET /v1/fields/contacts` shows it."""
    plain = {"key": key, "title": key, "kind": kind, "unique": False, "fixed": False, "choices": []}
    return plain | more


class SimulatedTidewater:
    """One account. See `crmsync.sandbox.crm.SimulatedCrm`."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.settings = settings
        self.reset()

    # --- what the frame asks --------------------------------------------------------------

    def route_of(self, request: Request) -> str:
        return request.path

    def answer(self, request: Request) -> Answer:
        if not request.headers.get("x-tidewater-key", "").startswith("tw-"):
            return self.failure(401)
        *area, name = request.path.removeprefix("/v1/").split("/")
        collection, _, verb = name.partition(":")
        if collection == "account":
            account = {"id": "T-17", "name": "Harbour", "plan": "small"}
            return Answer.of(200, {"account": account})
        if collection != CONTACTS:
            words = f"Tidewater has no collection '{collection}'"
            return Answer.of(404, {"code": "NO_SUCH_COLLECTION", "words": words})
        handler = self._handlers().get((request.method, "/".join(area), verb))
        body = orjson.loads(request.body) if request.body else {}
        return handler(request, body) if handler else self.failure(404)

    def failure(self, status: int) -> Answer:
        return Answer.of(status, {"code": f"STATUS_{status}", "words": "no"})

    def configure(self, settings: Settings) -> None:
        self.settings = settings

    def reset(self) -> None:
        self.rows: dict[str, Row] = {}
        self.sequence = 0
        choices = [{"code": stage, "title": stage} for stage in STAGES]
        fields = [
            field_of("email", "email", unique=True),
            field_of("firstname"),
            field_of("stage", "choice", choices=choices),
        ]
        self.fields = {field["key"]: field for field in fields}

    def object_counts(self) -> dict[str, int]:
        return {CONTACTS: sum(not row["removed"] for row in self.rows.values())}

    def held(self, object_type: str, ids: list[str] | None) -> list[dict[str, Any]]:
        wanted = self.rows if ids is None else ids
        return [
            {
                "id": row["id"],
                "properties": row["values"],
                "created_at": row["created"],
                "modified_at": row["changed"],
                "archived_at": row["removed"],
                "merged_into": None,
                "history": {},
            }
            for row in (self.rows[row_id] for row_id in wanted)
        ]

    def write_directly(
        self, object_type: str, record_id: str | None, values: Mapping[str, Any]
    ) -> str:
        return self._keep(record_id, values, ())["id"]

    def snapshot(self) -> dict[str, Any]:
        return copy.deepcopy({"rows": self.rows, "fields": self.fields, "sequence": self.sequence})

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self.rows, self.fields = dict(snapshot["rows"]), dict(snapshot["fields"])
        self.sequence = snapshot["sequence"]

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        return {}

    # --- its calls ------------------------------------------------------------------------

    def _handlers(self) -> Mapping[tuple[str, str, str], Callable[[Request, Any], Answer]]:
        return {
            ("GET", "fields", ""): lambda _request, _body: Answer.of(
                200, {"fields": list(self.fields.values())}
            ),
            ("POST", "fields", ""): self._make_field,
            ("POST", "", "save"): self._save,
            ("POST", "", "remove"): self._remove,
            ("POST", "", "get"): self._get,
            ("GET", "", ""): self._list,
        }

    def _make_field(self, _request: Request, body: Any) -> Answer:
        if body["key"] in self.fields:
            return Answer.of(409, {"code": "FIELD_EXISTS", "words": "there is one"})
        self.fields[body["key"]] = field_of(**body)
        return Answer.of(201, {"field": self.fields[body["key"]]})

    def _save(self, _request: Request, body: Any) -> Answer:
        seen: set[str] = set()

        def save(row: Any) -> dict[str, Any]:
            key = row.get("key", "").lower()
            if key and key in seen:
                raise Refused("REPEATED_KEY", body["by"])
            seen.add(key)
            found = self._find(body["by"], key) if "by" in body else None
            if body.get("by") == "id" and found is None:
                raise Refused("NO_SUCH_RECORD")
            values = dict(row["set"])
            if body.get("by", "id") != "id":
                values.setdefault(body["by"], row["key"])
            self._check(values, row["clear"], found)
            kept = self._keep(found and found["id"], values, row["clear"])
            return {"id": kept["id"], "state": "updated" if found else "created"}

        return self._each(body["rows"], save)

    def _remove(self, _request: Request, body: Any) -> Answer:
        def remove(row: Any) -> dict[str, Any]:
            found = self._find("id", row["key"])
            if found is None:
                raise Refused("NO_SUCH_RECORD")
            found["removed"] = self._now()
            return {"id": found["id"], "state": "removed"}

        return self._each(body["rows"], remove)

    def _each(self, rows: Any, do: Callable[[Any], dict[str, Any]]) -> Answer:
        """Do something with each row; answer for each, last to first."""
        if not 0 < len(rows) <= ROWS:
            return Answer.of(400, {"code": "TOO_MANY_ROWS", "words": f"1 to {ROWS}"})
        said = []
        for row in rows:
            try:
                said.append({"ref": row["ref"], **do(row)})
            except Refused as why:
                entry = {"ref": row["ref"], "state": "refused", "code": why.code, "words": "no"}
                said.append(entry | {"field": why.field, "holder": why.holder})
        return Answer.of(200, {"rows": said[::-1]})

    def _get(self, _request: Request, body: Any) -> Answer:
        if not 0 < len(body["values"]) <= ROWS:
            return Answer.of(400, {"code": "TOO_MANY_VALUES", "words": f"1 to {ROWS}"})
        found = {value: self._find(body["by"], value) for value in body["values"]}
        rows = [{"asked": value, **self._shown(row)} for value, row in found.items() if row]
        missing = [value for value, row in found.items() if row is None]
        return Answer.of(200, {"rows": rows[::-1], "missing": missing})

    def _list(self, request: Request, _body: Any) -> Answer:
        after = int(request.one("after") or 0)
        live = (row for row in self.rows.values() if not row["removed"])
        changed = sorted(
            (row for row in live if row["sequence"] > after), key=lambda row: row["sequence"]
        )
        page = changed[:PAGE]
        answer = {
            "rows": [self._shown(row) for row in page],
            "next": str(page[-1]["sequence"] if page else after),
            "more": len(changed) > PAGE,
        }
        return Answer.of(200, answer)

    # --- its rules ------------------------------------------------------------------------

    def _find(self, by: str, value: str) -> Row | None:
        """Return the live record with this id, or this value of a field, whatever its case."""
        if by == "id":
            row = self.rows.get(value.upper())
            return row if row and not row["removed"] else None
        live = (row for row in self.rows.values() if not row["removed"])
        same = (row for row in live if str(row["values"].get(by, "")).lower() == value.lower())
        return next(same, None)

    def _check(self, values: Row, clear: list[str], found: Row | None) -> None:
        for name in [*values, *clear]:
            if name not in self.fields:
                raise Refused("NO_SUCH_FIELD", name)
        for name, value in values.items():
            field = self.fields[name]
            if not _fits(field, value):
                raise Refused("BAD_VALUE", name)
            holder = self._find(name, str(value)) if field["unique"] else None
            if holder and holder is not found:
                raise Refused("TAKEN", name, holder["id"])

    def _keep(self, row_id: str | None, values: Mapping[str, Any], clear: Any) -> Row:
        self.sequence += 1
        fresh: Row = {
            "id": f"C{self.sequence}",
            "values": {},
            "created": self._now(),
            "removed": None,
        }
        row = self.rows[row_id] if row_id else fresh
        row["values"].update(values)
        for name in clear:
            row["values"].pop(name, None)
        row["changed"], row["sequence"] = self._now(), self.sequence
        self.rows[row["id"]] = row
        return row

    def _shown(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in ("id", "values", "changed")}

    def _now(self) -> str:
        return datetime.fromtimestamp(self.clock.time(), UTC).isoformat()


def _fits(field: Mapping[str, Any], value: Any) -> bool:
    """Say whether a value is of a field's kind."""
    codes = {choice["code"] for choice in field["choices"]}
    match field["kind"]:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "yesno":
            return isinstance(value, bool)
        case "choice":
            return value in codes
        case "choices":
            return isinstance(value, list) and codes.issuperset(value)
        case kind:
            return kind in TEXTS and isinstance(value, str) and value != ""
