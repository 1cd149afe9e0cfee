"""Listening: in the foreground for people, in a background thread for tests.

Every CRM has a port of its own, because the paths of one vendor mean nothing under another's.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox.client import Control
from crmsync.sandbox.exchange import Exchange
from crmsync.sandbox.http import Connection
from crmsync.sandbox.registry import CRMS, SETTINGS
from crmsync.sandbox.settings import parse

HOST = "127.0.0.1"
PORT = 9100
_BACKLOG = 1024
_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One simulated CRM that is listening."""

    name: str
    url: str
    control: Control


def serve(  # noqa: PLR0913 - all but one by name
    names: Sequence[str] = (),
    *,
    host: str = HOST,
    port: int = PORT,
    settings: Mapping[str, Any] | None = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    announce: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> None:
    """Serve CRMs on consecutive ports until SIGTERM or SIGINT: all, where none is named; each once.

    `settings` are those of all of them, `own` further ones of single CRMs, by name.
    Once all are listening, `announce` is told their URLs by name. Port 0 takes any free one.
    Raises `SettingsError` for a wrong setting and `OSError` where a port is taken.
    """
    exchanges = [
        (name, _exchange(name, {**(settings or {}), **(own or {}).get(name, {})}))
        for name in dict.fromkeys(names or CRMS)
    ]
    asyncio.run(_serve(exchanges, host, port, announce))


@contextmanager
def running(
    name: str = "hubspot", *, host: str = HOST, port: int = 0, **settings: object
) -> Iterator[Sandbox]:
    """Serve one CRM in a background thread while the block runs."""
    exchange = _exchange(name, settings)
    loop = asyncio.new_event_loop()
    started: list[Listener] = []
    failed: list[OSError] = []
    ready = threading.Event()
    stop = asyncio.Event()

    async def live() -> None:
        try:
            started.append(await Listener.start(exchange, host, port))
        except OSError as error:
            failed.append(error)
            return
        finally:
            ready.set()
        await stop.wait()
        await started[0].close()

    thread = threading.Thread(target=_run, args=(loop, live), name=f"sandbox-{name}", daemon=True)
    thread.start()
    ready.wait(_START_SECONDS)
    try:
        if failed:
            raise failed[0]
        url = started[0].url
        yield Sandbox(name, url, Control(url))
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            thread.join(_START_SECONDS)


class Listener:
    """One port that is open."""

    def __init__(self, server: asyncio.Server, connections: set[Connection], url: str) -> None:
        """Own a started server; see `start`."""
        self._server = server
        self._connections = connections
        self.url = url

    @classmethod
    async def start(cls, exchange: Exchange, host: str, port: int) -> Listener:
        """Listen; `OSError` where the port is taken."""
        connections: set[Connection] = set()
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: Connection(exchange.take, connections), host, port, backlog=_BACKLOG
            )
        except OSError as error:
            # asyncio's own words hold a tuple and a number; the place is what a person needs.
            raise OSError(error.errno, _reason(error), f"{host}:{port}") from None
        bound_port = server.sockets[0].getsockname()[1]
        return cls(server, connections, f"http://{host}:{bound_port}")

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        self._server.close()
        for connection in list(self._connections):
            connection.hang_up("close")
        # One turn of the loop, for the transports to close their sockets.
        await asyncio.sleep(0)


async def _serve(
    exchanges: Sequence[tuple[str, Exchange]],
    host: str,
    port: int,
    announce: Callable[[Mapping[str, str]], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    listeners = {
        name: await Listener.start(exchange, host, port + offset if port else 0)
        for offset, (name, exchange) in enumerate(exchanges)
    }
    announce({name: listener.url for name, listener in listeners.items()})
    await stop.wait()
    for listener in listeners.values():
        await listener.close()


def _reason(error: OSError) -> str:
    """Say in a person's words why a port cannot be had."""
    if error.errno == errno.EADDRINUSE:
        return "another program listens there already"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    return os.strerror(error.errno or 0).lower()


def _exchange(name: str, settings: Mapping[str, Any]) -> Exchange:
    return Exchange(CRMS[name](parse(SETTINGS[name], settings)))


def _run(loop: asyncio.AbstractEventLoop, live: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(live())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
