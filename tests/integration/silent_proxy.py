"""A TCP proxy that can go silent: its connections stay open, and nothing passes any more.

What a failover leaves behind: the other end is gone and nobody was told.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SilentProxy:
    """Passes bytes between its own port and a server's, until it is told not to."""

    def __init__(self, host: str, port: int) -> None:
        """Listen on a free port."""
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._silenced: set[socket.socket] = set()
        self._waiting: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Let nothing pass any more on what is open now; what is opened from now on passes."""
        self._silenced = set(self._open)

    def waiting(self) -> frozenset[socket.socket]:
        """Return the connections on which somebody asked last and has not hung up."""
        return frozenset(self._waiting)

    def close(self) -> None:
        """Close everything."""
        for one in (self._listener, *self._open):
            # A thread in `accept` or `recv` wakes only where the socket is shut down.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                try:
                    theirs = socket.create_connection(self._server)
                except OSError:
                    ours.close()  # the server is away: whoever called sees that, too
                    continue
                self._open += [ours, theirs]
                for one, other in ((ours, theirs), (theirs, ours)):
                    arguments = (one, other, one is ours)
                    threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while piece := one.recv(65_536):
                if asks:
                    self._waiting.add(one)
                if one not in self._silenced:
                    self._waiting.discard(other)
                    other.sendall(piece)
            if one not in self._silenced:
                other.shutdown(socket.SHUT_WR)
        self._waiting.discard(one)


@contextmanager
def silent_proxy(host: str, port: int) -> Iterator[SilentProxy]:
    """Run one while the block does."""
    proxy = SilentProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
