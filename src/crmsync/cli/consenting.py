"""A person's consent in the terminal: a page in the browser, and two ways back from it.

The CRM sends the browser back to a server on 127.0.0.1 that lives as long as the question; where
the browser runs on another machine (over SSH), the address it ends at is pasted instead. Whichever
comes first counts; a redirect with another `state` never does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from crmsync.cli.screen import Screen
from crmsync.connectors.auth.consent import Consent, WrongRedirect
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.model import Tokens

HOST = "127.0.0.1"
PATH = "/callback"
PORT = 8910
REQUEST_SECONDS = 5.0
"""How long a browser may take to say what it wants."""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>crmsync</title>
<body style="font: 1.1rem system-ui; margin: 4rem auto; max-width: 40rem"><p>{}</p></body></html>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
RETURNED = "Thank you. Back to the terminal: it says what happened. You may close this page."
ELSEWHERE = "This is crmsync, waiting for an authorisation, and this address is not the one."


def redirect_uri(port: int) -> str:
    """Return what the app's settings in the CRM must name. CRMs take http for localhost only."""
    return f"http://localhost:{port}{PATH}"


def ask_consent(
    consent: Consent, *, port: int, wait_seconds: float, open_browser: bool, screen: Screen
) -> Tokens:
    """Send the person to the CRM's page and return the tokens they come back with.

    Raises CrmsyncError when nobody came back in time, or the CRM was told no.
    """
    came: queue.SimpleQueue[str] = queue.SimpleQueue()
    with _listening(port, consent, came.put):
        screen.say(f"Agree in {consent.vendor.label} that crmsync may use your account:\n")
        screen.say(consent.url + "\n")
        here = open_browser and has_browser(os.environ) and webbrowser.open(consent.url)
        if not here:
            screen.note(
                "Open this address in a browser. If that is on another machine, the page it ends "
                "at cannot be shown there: copy its address and paste it here."
            )
        threading.Thread(target=_read_pasted, args=(came.put,), daemon=True).start()
        while True:
            try:
                redirected = came.get(timeout=wait_seconds)
            except queue.Empty:
                raise CrmsyncError(
                    f"nobody came back from {consent.vendor.label} within {wait_seconds:g} s: run "
                    "`crmsync connect` again"
                ) from None
            try:
                return consent.redeem(redirected)
            except WrongRedirect as wrong:
                screen.note(wrong.user_message, style="red")


def has_browser(env: Mapping[str, str]) -> bool:
    """Say whether a browser opened here would be seen by the person at this terminal."""
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY"):
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


@contextmanager
def _listening(port: int, consent: Consent, came: Callable[[str], None]) -> Iterator[None]:
    """Take the redirect on 127.0.0.1 while the block runs; ConfigError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            fits = path == PATH and bool(query)
            body = PAGE.format(RETURNED if fits else ELSEWHERE).encode()
            self.send_response(200 if fits else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(body)
            if fits:
                came(self.path)

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's types
            """Say nothing: the address holds the code."""

    try:
        server = HTTPServer((HOST, port), Handler)
    except OSError as error:
        raise ConfigError(
            f"port {port} of this machine is taken ({error.strerror}): free it, or give another "
            f"with --port and add {consent.redirect_uri} with that port to the app in "
            f"{consent.vendor.label}"
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read_pasted(came: Callable[[str], None]) -> None:
    """Hand over every line that is pasted, until there are no more."""
    try:
        for line in sys.stdin:
            if line.strip():
                came(line)
    except (OSError, ValueError):
        return  # there is nobody at this stdin
