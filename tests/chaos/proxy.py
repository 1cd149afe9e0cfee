"""A proxy in front of a CRM, over real TCP, that spoils what passes as the weather has it.

    with between(sandbox.url, weather) as proxy:
        ...    # requests to `proxy.url` reach the CRM, or not, and are answered, or not

It takes requests as a simulated CRM does (`crmsync.sandbox.http`) and sends them on with urllib3.
A request that a client has sent is not called back: who is killed meanwhile has sent it all the
same. The control API of a simulated CRM is asked past the proxy, at the CRM's own address.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import urllib3

from crmsync.sandbox.http import HTML, Answer, Connection, HangUp, Request
from tests.chaos.faults import Fault, Gets, Pace, Reaches, Weather

HOST = "127.0.0.1"
CALLS_AT_ONCE = 64
START_SECONDS = 10.0
LOOK_SECONDS = 0.05
"""How often a silent proxy looks whether the client has given up."""
PAGE = b"<html><body><h1>Sign in to the network</h1></body></html>"
OWN_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "content-type"})
"""Of an answer: those that it is given anew. Of a request: all but the last."""
HANG_UPS: dict[Gets, HangUp] = {
    Gets.RESET: "reset",
    Gets.CLOSE: "close",
    Gets.HALF_CLOSE: "half_close",
}
T = TypeVar("T")


class Proxy:
    """What stands before one CRM; `take` is called for each request, in the loop's thread."""

    def __init__(self, target: str, weather: Weather, pace: Pace) -> None:
        """Send on to the address `target`."""
        self._weather = weather
        self._pace = pace
        self._pool = urllib3.connection_from_url(target, maxsize=CALLS_AT_ONCE)
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="proxy")
        self._tasks: set[asyncio.Task[None]] = set()
        self._landing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.url = ""
        self.mistakes: list[Exception] = []
        """What went wrong that nobody asked for."""

    def take(self, request: Request, connection: Connection) -> None:
        """Start on a request."""
        self._start(self._answer(request, connection, self._weather.fault_for(request)))

    def land(self) -> None:
        """Send on what is late, now and from now on at once. From any thread."""
        self._loop.call_soon_threadsafe(self._landing.set)

    def close(self) -> None:
        """Let go of the CRM, once what was being sent on is there."""
        self._threads.shutdown(cancel_futures=True)
        self._pool.close()

    async def _answer(self, request: Request, connection: Connection, fault: Fault | None) -> None:
        if fault is None:
            connection.send(await self._send_on(request))
        else:
            await self._go_wrong(request, connection, fault)
        if fault is None or fault.gets is not Gets.HALF_CLOSE:  # then nothing more can be answered
            connection.finish()

    async def _go_wrong(self, request: Request, connection: Connection, fault: Fault) -> None:
        if fault.waits:
            await asyncio.sleep(self._weather.chance.random() * self._pace.delay_seconds)
        answer = Answer(fault.status)
        if fault.reaches is Reaches.YES:
            answer = await self._send_on(request)
        elif fault.reaches is Reaches.LATE:
            self._start(self._send_on_late(request))
        await self._let_have(connection, fault, answer)

    async def _let_have(self, connection: Connection, fault: Fault, answer: Answer) -> None:
        match fault.gets:
            case Gets.ANSWER:
                connection.send(answer)
            case Gets.DRIP:
                await self._drip(connection, answer)
            case Gets.HALF:
                connection.send(answer, len(answer.body) // 2)
                connection.hang_up("close")
            case Gets.PAGE:
                connection.send(Answer(200, PAGE, HTML))
            case Gets.STATUS:
                connection.send(Answer(fault.status, PAGE, HTML, {"Retry-After": "1"}))
            case Gets.SILENCE:
                while connection.open:  # noqa: ASYNC110 - it tells nobody that it has ended
                    await asyncio.sleep(LOOK_SECONDS)
            case Gets.RESET | Gets.CLOSE | Gets.HALF_CLOSE:
                connection.hang_up(HANG_UPS[fault.gets])

    async def _drip(self, connection: Connection, answer: Answer) -> None:
        connection.send(answer, 0)
        for start in range(0, len(answer.body), self._pace.drip_bytes):
            await asyncio.sleep(self._pace.drip_seconds)
            if not connection.open:
                return
            connection.send_more(answer.body[start : start + self._pace.drip_bytes])

    async def _send_on_late(self, request: Request) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.late_seconds):
                await self._landing.wait()
        await self._send_on(request)

    async def _send_on(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ask, request)

    def _ask(self, request: Request) -> Answer:
        kept = OWN_HEADERS - {"content-type"}
        headers = {name: value for name, value in request.headers.items() if name not in kept}
        answered = self._pool.urlopen(
            request.method,
            request.target,
            body=request.body or None,
            headers=headers,
            retries=False,  # a request is sent on once
            decode_content=False,
        )
        others = {n: value for n, value in answered.headers.items() if n.lower() not in OWN_HEADERS}
        content_type = answered.headers.get("Content-Type", "")
        return Answer(answered.status, answered.data, content_type, others)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        mistake = None if task.cancelled() else task.exception()
        if isinstance(mistake, Exception):
            self.mistakes.append(mistake)


@contextmanager
def between(target: str, weather: Weather, pace: Pace | None = None) -> Iterator[Proxy]:
    """Stand before the CRM at `target` while the block runs; call the proxy's `url` instead."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop,), name="proxy", daemon=True)
    thread.start()

    def do(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(START_SECONDS)

    connections: set[Connection] = set()
    proxy, server = do(_begin(target, weather, pace or Pace(), connections))
    try:
        yield proxy
    finally:
        do(_end(server, connections))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        proxy.close()
    if proxy.mistakes:
        raise ExceptionGroup("the proxy failed", proxy.mistakes)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


async def _begin(
    target: str, weather: Weather, pace: Pace, connections: set[Connection]
) -> tuple[Proxy, asyncio.Server]:
    proxy = Proxy(target, weather, pace)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(proxy.take, connections), HOST, 0)
    proxy.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    return proxy, server


async def _end(server: asyncio.Server, connections: set[Connection]) -> None:
    server.close()
    for connection in list(connections):
        connection.hang_up("close")
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)  # one turn of the loop, for the sockets to be closed
