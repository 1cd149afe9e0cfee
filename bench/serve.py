"""The API in a process of its own, as `crmsync api` runs it: `python -m bench.serve`.

Reads the environment, prints its address once it listens, and serves until SIGTERM.
"""

from __future__ import annotations

import socket
import sys

import structlog
import uvicorn

from crmsync.api.app import make_app
from crmsync.bootstrap import open_works, tune_collector
from crmsync.settings import load_settings


def main() -> None:
    """Serve on any free port of this machine."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    settings = load_settings()
    app = make_app(open_works(settings), settings.write_key or "")
    tune_collector()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, http="httptools", access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
