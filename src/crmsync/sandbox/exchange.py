"""From a request to its answer: ledger, faults, latency, the CRM.

The ordinary path runs without a task or a turn of the event loop. Whatever has to wait becomes a
task of its own; its connection takes no further request meanwhile, all others go on.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine

from crmsync.sandbox.control import PREFIX, ControlApi
from crmsync.sandbox.crm import SimulatedCrm
from crmsync.sandbox.faults import FaultBoard, Posted
from crmsync.sandbox.http import Answer, Connection, Request
from crmsync.sandbox.ledger import Entry, Ledger

_FIRST_ERROR_STATUS = 400
_log = logging.getLogger(__name__)


class Exchange:
    """Everything that happens on one port."""

    def __init__(self, crm: SimulatedCrm) -> None:
        """Serve one CRM."""
        settings = crm.settings
        self._crm = crm
        self._chance = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose
        self._faults = FaultBoard(self._chance)
        self._ledger = Ledger(
            crm.clock, entries=settings.ledger_entries, bodies=settings.ledger_bodies
        )
        self._control = ControlApi(crm, self._ledger, self._faults, self._chance)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, request: Request, connection: Connection) -> None:
        """Answer a request, now or in a task."""
        if request.path.startswith(PREFIX):
            self._start(self._answer_control(request, connection))
            return
        entry = self._ledger.open(request, self._crm.route_of(request))
        posted = self._faults.take(request)
        if posted is not None:
            entry.fault = posted.id
            self._start(self._go_wrong(entry, posted, connection))
            return
        answer = self._carry_out(entry)
        delay = self._latency()
        if delay > 0:
            self._start(self._answer_later(entry, answer, connection, delay))
        else:
            self._finish(entry, answer, connection, connection.send(answer))

    # --- the ordinary way -------------------------------------------------------------------

    def _carry_out(self, entry: Entry) -> Answer:
        try:
            answer = self._crm.answer(entry.request)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer
            # A mistake of ours must not look like a lost connection.
            _log.exception("the simulated CRM failed at %s %s", entry.request.method, entry.route)
            return self._crm.failure(500)
        if answer.status < _FIRST_ERROR_STATUS:
            self._ledger.applied(entry)
        return answer

    def _latency(self) -> float:
        settings = self._crm.settings
        if settings.jitter_seconds:
            return settings.latency_seconds + self._chance.random() * settings.jitter_seconds
        return settings.latency_seconds

    async def _answer_later(
        self, entry: Entry, answer: Answer, connection: Connection, delay: float
    ) -> None:
        await asyncio.sleep(delay)
        self._finish(entry, answer, connection, connection.send(answer))

    async def _answer_control(self, request: Request, connection: Connection) -> None:
        connection.send(await self._control.answer(request))
        connection.finish()

    def _finish(
        self, entry: Entry, answer: Answer | None, connection: Connection, bytes_out: int
    ) -> None:
        self._close(entry, answer if bytes_out else None, bytes_out)
        connection.finish()

    def _close(self, entry: Entry, answer: Answer | None, bytes_out: int) -> None:
        _end(entry.request)
        self._ledger.close(entry, answer, bytes_out)

    def _drop(self, entry: Entry, posted: Posted, connection: Connection) -> None:
        connection.hang_up(posted.fault.how)
        self._finish(entry, None, connection, 0)

    # --- the ways to go wrong ---------------------------------------------------------------

    async def _go_wrong(self, entry: Entry, posted: Posted, connection: Connection) -> None:
        fault = posted.fault
        await asyncio.sleep(self._latency())
        if fault.kind == "late":
            self._crm.clock.later(fault.seconds, lambda: self._apply_late(entry))
            self._drop(entry, posted, connection)
            return
        if fault.when == "before":
            await self._wait(posted)
            if fault.kind == "drop":
                self._drop(entry, posted, connection)
                return
            if fault.kind == "answer":
                answer = fault.scripted() or self._crm.failure(fault.status)
                self._finish(entry, answer, connection, connection.send(answer))
                return
        answer = self._carry_out(entry)
        if fault.when == "after":
            await self._wait(posted)
            if fault.kind == "drop":
                self._drop(entry, posted, connection)
                return
        await self._spoil(entry, posted, connection, answer)

    async def _wait(self, posted: Posted) -> None:
        if posted.fault.kind == "hold":
            await posted.released.wait()
        elif posted.fault.kind == "delay":
            await asyncio.sleep(posted.fault.seconds)

    def _apply_late(self, entry: Entry) -> None:
        self._carry_out(entry)
        _end(entry.request)

    async def _spoil(
        self, entry: Entry, posted: Posted, connection: Connection, answer: Answer
    ) -> None:
        fault = posted.fault
        if fault.kind == "drip":
            sent = await self._drip(posted, connection, answer)
            self._finish(entry, answer, connection, sent)
        elif fault.kind == "truncate":
            sent = connection.send(answer, fault.piece_bytes)
            self._close(entry, None, sent)
            connection.hang_up("close" if fault.how == "reset" else fault.how)
        else:
            answer = self._disguised(posted, answer)
            self._finish(entry, answer, connection, connection.send(answer))

    def _disguised(self, posted: Posted, answer: Answer) -> Answer:
        fault = posted.fault
        if fault.kind == "answer":
            return fault.scripted() or self._crm.failure(fault.status)
        if fault.kind == "status":
            headers = {**answer.headers, **fault.headers}
            return Answer(fault.status, answer.body, answer.content_type, headers)
        return answer

    async def _drip(self, posted: Posted, connection: Connection, answer: Answer) -> int:
        step = max(posted.fault.piece_bytes, 1)
        sent = connection.send(answer, 0)
        for start in range(0, len(answer.body), step):
            await asyncio.sleep(posted.fault.seconds)
            if not connection.open:
                return 0
            sent += connection.send_more(answer.body[start : start + step])
        return sent

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _end(request: Request) -> None:
    for call in request.at_end:
        call()
    request.at_end.clear()
