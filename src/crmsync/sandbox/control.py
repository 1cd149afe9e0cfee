"""The control API: `/_sandbox/` on a simulated CRM's own port, JSON in and out.

It sets what the CRM does (settings, faults, time, records) and tells what it did (ledger, records).
Its calls cost no quota, meet no faults and are not in the ledger. docs/connectors/sandbox.md has
the table; `client.Control` wraps it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

import orjson

from crmsync.sandbox.crm import ControlError, SimulatedCrm
from crmsync.sandbox.faults import FaultBoard
from crmsync.sandbox.http import Answer, Json, Request
from crmsync.sandbox.ledger import Ledger, Wanted
from crmsync.sandbox.settings import SettingsError, changed

PREFIX = "/_sandbox"

_DEFAULT_LIMIT = 10_000
_DEFAULT_WAIT_SECONDS = 60.0

_Handler = Callable[[Request, list[str]], Json]


class ControlApi:
    """Answers what is asked under `/_sandbox/`."""

    def __init__(
        self, crm: SimulatedCrm, ledger: Ledger, faults: FaultBoard, chance: random.Random
    ) -> None:
        """Control one CRM and the frame around it."""
        self._crm = crm
        self._ledger = ledger
        self._faults = faults
        self._chance = chance
        self._handlers: dict[tuple[str, str], _Handler] = {
            ("GET", ""): self._about,
            ("POST", "reset"): self._reset,
            ("GET", "settings"): self._read_settings,
            ("PATCH", "settings"): self._change_settings,
            ("GET", "clock"): self._read_clock,
            ("POST", "clock"): self._advance_clock,
            ("GET", "faults"): self._read_faults,
            ("POST", "faults"): self._post_fault,
            ("DELETE", "faults"): self._remove_faults,
            ("GET", "ledger"): self._read_ledger,
            ("DELETE", "ledger"): self._clear_ledger,
            ("GET", "records"): self._read_records,
            ("POST", "records"): self._write_records,
            ("PATCH", "records"): self._edit_record,
            ("GET", "snapshot"): self._read_snapshot,
            ("PUT", "snapshot"): self._restore,
            ("GET", "actions"): self._list_actions,
            ("POST", "actions"): self._act,
        }

    async def answer(self, request: Request) -> Answer:
        """Do as asked; what is wrong with the request is said under 400 or 404."""
        subject, *rest = request.path[len(PREFIX) :].strip("/").split("/")
        try:
            if request.method == "GET" and (subject, rest) == ("ledger", ["wait"]):
                return Answer.of(200, await self._wait(request))
            handler = self._handlers.get((request.method, subject))
            if handler is None:
                return Answer.of(404, {"error": f"no such control: {request.method} {subject}"})
            return Answer.of(200, handler(request, rest))
        except orjson.JSONDecodeError as error:
            return Answer.of(400, {"error": f"the body is not JSON: {error}"})
        except (SettingsError, ControlError, ValueError, TypeError) as error:
            return Answer.of(400, {"error": str(error)})

    # --- the CRM as a whole -----------------------------------------------------------------

    def _about(self, _request: Request, _rest: list[str]) -> Json:
        return {
            "objects": self._crm.object_counts(),
            "faults": len(self._faults.report()),
            "requests": self._ledger.received,
        }

    def _reset(self, _request: Request, _rest: list[str]) -> Json:
        self._faults.remove()
        self._crm.clock.forget()
        self._crm.reset()
        self._ledger.clear()
        self._chance.seed(self._crm.settings.seed)
        return {}

    def _read_settings(self, _request: Request, _rest: list[str]) -> Json:
        return asdict(self._crm.settings)

    def _change_settings(self, request: Request, _rest: list[str]) -> Json:
        settings = changed(self._crm.settings, _object(request))
        self._crm.configure(settings)
        self._ledger.keep(entries=settings.ledger_entries, bodies=settings.ledger_bodies)
        return asdict(settings)

    def _read_clock(self, _request: Request, _rest: list[str]) -> Json:
        clock = self._crm.clock
        return {"time": clock.time(), "advanced_seconds": clock.advanced_seconds}

    def _advance_clock(self, request: Request, _rest: list[str]) -> Json:
        seconds = float(_object(request)["advance_seconds"])
        if seconds < 0:
            raise ControlError("advance_seconds: time cannot go back")
        self._crm.clock.advance(seconds)
        return self._read_clock(request, [])

    # --- faults -----------------------------------------------------------------------------

    def _read_faults(self, _request: Request, _rest: list[str]) -> Json:
        return self._faults.report()

    def _post_fault(self, request: Request, rest: list[str]) -> Json:
        if len(rest) == 2 and rest[1] == "release":  # noqa: PLR2004 - faults/{id}/release
            posted = self._faults.find(int(rest[0]))
            if posted is None:
                raise ControlError(f"no such fault: {rest[0]}")
            posted.released.set()
            return posted.report()
        return self._faults.post(_object(request)).report()

    def _remove_faults(self, _request: Request, rest: list[str]) -> Json:
        self._faults.remove(int(rest[0]) if rest else None)
        return {}

    # --- the ledger -------------------------------------------------------------------------

    def _read_ledger(self, request: Request, rest: list[str]) -> Json:
        wanted = _wanted(request)
        if rest == ["counts"]:
            return self._ledger.counts()
        if rest == ["peak"]:
            window_seconds = float(request.one("window_seconds") or 10)
            return {"calls": self._ledger.peak(wanted, window_seconds)}
        limit = int(request.one("limit") or _DEFAULT_LIMIT)
        bodies = request.one("bodies") != "false"
        return [e.report(bodies=bodies) for e in islice(self._ledger.select(wanted), limit)]

    def _clear_ledger(self, _request: Request, _rest: list[str]) -> Json:
        self._ledger.clear()
        return {}

    async def _wait(self, request: Request) -> Json:
        calls = int(request.one("calls") or 1)
        timeout_seconds = float(request.one("timeout_seconds") or _DEFAULT_WAIT_SECONDS)
        return {"reached": await self._ledger.wait(_wanted(request), calls, timeout_seconds)}

    # --- records ----------------------------------------------------------------------------

    def _read_records(self, request: Request, rest: list[str]) -> Json:
        if not rest:
            return self._crm.object_counts()
        return self._crm.held(rest[0], rest[1:] or request.query.get("id"))

    def _write_records(self, request: Request, rest: list[str]) -> Json:
        if len(rest) != 1:
            raise ControlError("say which object type: POST /_sandbox/records/{type}")
        values = request.json()
        if not isinstance(values, list):
            raise ControlError("send a list of records, each an object of field and value")
        return [self._crm.write_directly(rest[0], None, fields) for fields in values]

    def _edit_record(self, request: Request, rest: list[str]) -> Json:
        object_type, record_id = rest
        return self._crm.write_directly(object_type, record_id, _object(request))

    # --- all it holds, kept for another day -------------------------------------------------

    def _read_snapshot(self, _request: Request, _rest: list[str]) -> Json:
        return self._crm.snapshot()

    def _restore(self, request: Request, _rest: list[str]) -> Json:
        self._crm.restore(_object(request))
        return self._crm.object_counts()

    # --- what only this CRM can do ----------------------------------------------------------

    def _list_actions(self, _request: Request, _rest: list[str]) -> Json:
        return {name: (act.__doc__ or "").strip() for name, act in self._crm.actions().items()}

    def _act(self, request: Request, rest: list[str]) -> Json:
        act = self._crm.actions().get(rest[0]) if rest else None
        if act is None:
            raise ControlError(f"no such action; there are: {', '.join(self._crm.actions())}")
        return act(**_object(request))


def _object(request: Request) -> dict[str, Any]:
    value = request.json() if request.body else {}
    if not isinstance(value, dict):
        raise ControlError("the body must be a JSON object")
    return value


def _wanted(request: Request) -> Wanted:
    status = request.one("status")
    return Wanted(
        since=int(request.one("since") or 0),
        method=request.one("method"),
        path=request.one("path"),
        status=int(status) if status else None,
        applied=_flag(request.one("applied")),
        finished=_flag(request.one("finished")),
    )


def _flag(text: str | None) -> bool | None:
    return None if text is None else text == "true"
