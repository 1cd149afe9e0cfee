"""The ingest API, served over real HTTP in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import uvicorn
from fastapi import FastAPI

from crmsync.api.app import make_app
from crmsync.sync.context import Works
from tests.servers.process import free_port
from tests.workbench import until

WRITE_KEY = "wk-test"
PATIENCE_SECONDS = 20.0


class Api:
    """One served API."""

    def __init__(self, url: str) -> None:
        """Call the API at this address."""
        self.url = url

    def post(self, path: str, json: Any = None, *, key: str = WRITE_KEY, **given: Any) -> Any:
        """Send one call with the write key; return the answer."""
        return requests.post(
            f"{self.url}{path}", json=json, auth=(key, ""), timeout=PATIENCE_SECONDS, **given
        )

    def get(self, path: str) -> requests.Response:
        """Ask without a key."""
        return requests.get(f"{self.url}{path}", timeout=PATIENCE_SECONDS)


@contextmanager
def serving(works: Works, *, port: int | None = None, **given: Any) -> Iterator[Api]:
    """Serve the API while the block runs."""
    with served(make_app(works, WRITE_KEY, **given), port) as url:
        yield Api(url)


@contextmanager
def served(app: FastAPI, port: int | None = None) -> Iterator[str]:
    """Serve any application while the block runs, on a free port or this one; give its address."""
    port = port or free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the API listens")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
