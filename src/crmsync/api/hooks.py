"""`POST /hooks/{connection}`: what CRMs tell us unasked.

A 2xx means that the events of a delivery are committed as reasons to read records, which workers
then do. Whatever else is answered makes the CRM deliver again, or is not the CRM's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from crmsync.api.bodies import read_body
from crmsync.api.problems import problem
from crmsync.api.shapes import HOOK_REFUSALS, Received, body_of_any_shape
from crmsync.connectors.base import Delivery
from crmsync.errors import Forged, StoreUnavailable
from crmsync.sync.context import Works
from crmsync.sync.webhooks import address_of, receive

ANSWER_SECONDS = 3.0
"""HubSpot waits 5 s, Pipedrive 10 s. What is not committed by then is delivered again."""
THREADS = 8
REMIND_SECONDS = 60.0
"""How often at most it is told of one connection that forged deliveries come."""

log = structlog.get_logger()
router = APIRouter(
    prefix="/hooks", tags=["webhooks"], responses={200: {"model": Received}, **HOOK_REFUSALS}
)


class Entrance:
    """Where deliveries come in.

    It has threads of its own: a database that hangs takes no more than these, and an answer is
    given in time all the same.
    """

    def __init__(self, works: Works, clock: Callable[[], float] = time.monotonic) -> None:
        """Start nothing yet."""
        self.works = works
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hooks")
        self._clock = clock
        self._lock = threading.Lock()
        self._forged: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    async def take(self, name: str, delivery: Delivery) -> int:
        """Return how many of a delivery's events are news; raises as `receive` does, in time."""
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, receive, self.works, name, delivery
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await work
        except TimeoutError:
            raise StoreUnavailable(f"nothing was committed in {ANSWER_SECONDS:g} s") from None

    def refused(self, name: str, why: str) -> None:
        """Count a forged delivery; a storm of them is a line a minute."""
        with self._lock:
            self._forged[name] += 1
            now = self._clock()
            if now - self._told_at.get(name, -REMIND_SECONDS) < REMIND_SECONDS:
                return
            self._told_at[name] = now
            times = self._forged.pop(name)
        log.warning("webhook_refused", connection=name, why=why, times=times)


@router.post("/{connection}", openapi_extra=body_of_any_shape())
async def hooks(connection: str, request: Request) -> Response:
    """Take one delivery of a CRM's webhooks, as the CRM makes it."""
    entrance: Entrance = request.app.state.entrance
    address = address_of(entrance.works, connection)
    if address is None:
        return problem(404, "no connection of that name takes webhooks")
    body = await read_body(request)
    if isinstance(body, Response):
        return body
    delivery = Delivery(
        method=request.method,
        url=_public(address, request),
        headers=dict(request.headers.items()),
        body=body,
        received_at=datetime.now(UTC),
    )
    try:
        taken = await entrance.take(connection, delivery)
    except Forged as forged:
        entrance.refused(connection, forged.user_message)
        return problem(401, "the delivery does not prove that it is from the CRM")
    return JSONResponse({"success": True, "taken": taken})


def _public(address: str, request: Request) -> str:
    """Return the address that the CRM called: behind a proxy, ours is another."""
    query: bytes = request.scope["query_string"]
    return f"{address}?{query.decode('latin-1')}" if query else address
