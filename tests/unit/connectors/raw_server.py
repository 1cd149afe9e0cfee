"""A TCP server on loopback that answers each request with bytes, pauses and hang-ups as told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket], bool]
"""Answers one request on a connection; returns whether the connection stays open."""


class RawServer:
    """Answers the nth request with the nth script; the last script answers all that follow."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[bytes] = []
        self.connections = 0
        self.hung_up = threading.Semaphore(0)
        """Released each time the server has closed a connection."""
        self.stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and wait for every thread."""
        self.stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._converse(connection)
        finally:
            connection.close()
            self.hung_up.release()

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(0.05)
            while not self.stop.is_set():
                request = self._read(connection)
                if not request:
                    return
                self.requests.append(request)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                if not script(connection):
                    return

    def _read(self, connection: socket.socket) -> bytes:
        received = b""
        while not self.stop.is_set():
            head, found, body = received.partition(b"\r\n\r\n")
            lengths = [
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ]
            if found and len(body) >= sum(lengths):
                return received
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return b""
            received += piece
        return b""


@contextlib.contextmanager
def raw_server(*scripts: Script) -> Iterator[RawServer]:
    """Run a server while the block runs."""
    server = RawServer(*scripts)
    try:
        yield server
    finally:
        server.close()


def answer(body: bytes = b"{}", status: int = 200, headers: str = "") -> bytes:
    """Return a whole answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def send(data: bytes, *, keep: bool = True) -> Script:
    """Send these bytes, then keep the connection open or end it."""

    def script(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return script


def reset(connection: socket.socket) -> bool:
    """End the connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def drip(data: bytes, server_stop: Callable[[], threading.Event], seconds: float) -> Script:
    """Send one byte at a time, so that no single receive ever waits long."""

    def script(connection: socket.socket) -> bool:
        for byte in data:
            connection.sendall(bytes([byte]))
            if server_stop().wait(seconds):
                break
        return False

    return script
