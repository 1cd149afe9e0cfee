"""What every test may ask for: real servers, fresh databases; and the closing words.

    database_url    a fresh database, once on SQLite and once on PostgreSQL
    pg_database     the URL of a fresh PostgreSQL database, dropped afterwards
    redis_database  the URL of an emptied Redis database
    postgres_url, redis_url, postgres_server, redis_server    the servers themselves

Servers start when first asked for, one per test process. A test that may stop or freeze its server
starts its own: `with postgres.start_own() as server`. What needs a server is marked `integration`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest

from tests.openapi import tally
from tests.servers import lookup, postgres, redis

SERVER_FIXTURES = {"postgres_server", "redis_server"}

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

_servers_used: set[str] = set()


# --- servers and databases -----------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """A PostgreSQL; quick rather than safe against a crash of the machine."""
    with postgres.start(fsync=False) as server:
        _servers_used.add(server.description)
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: postgres.Postgres) -> str:
    """The URL of the server's own database; tests write to `pg_database` instead."""
    return postgres_server.url


@pytest.fixture
def pg_database(postgres_server: postgres.Postgres) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, empty database: the test runs once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crmsync.db'}"
    url: str = request.getfixturevalue("pg_database")
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis.Redis]:
    """A Redis without persistence."""
    with redis.start() as server:
        _servers_used.add(server.description)
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: redis.Redis) -> str:
    """The URL of this test process's Redis database."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    # A given server is shared by all test processes, so each takes a database of its own.
    return redis_server.database(int(worker))


@pytest.fixture
def redis_database(redis_url: str) -> str:
    """The URL of a Redis database that is empty when the test begins."""
    redis.Redis(redis_url, "").flush()
    return redis_url


# --- hooks ---------------------------------------------------------------------------------


SAFEGUARDS = ("safeguard", "safeguards")
"""Names of the parameter that says what a story is told without."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a test that proves a race or a rule be run longer than each change can wait for."""
    parser.addoption("--rounds", type=int, default=10, help="how often processes race for a token")
    parser.addoption("--all-limits", action="store_true", help="every limit in every way")
    parser.addoption("--edits", type=int, default=3_000, help="at random, by both sides together")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let tests connect to the servers the environment names, besides loopback."""
    for variable in (postgres.URL_VARIABLE, redis.URL_VARIABLE):
        host = urlsplit(lookup.given_url(variable) or "").hostname
        if host:
            config.option.allow_hosts += f",{host}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a server and what takes a safeguard out: nobody needs to remember it."""
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")
        given = getattr(item, "callspec", None)
        if given is not None and any(given.params.get(name) for name in SAFEGUARDS):
            item.add_marker("control")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker process used and checked to the one that reports."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servers_used"] = sorted(_servers_used)
        output["checked"] = dict(tally.CHECKED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a worker process used and checked, when it ends."""
    output = getattr(node, "workeroutput", {})
    _servers_used.update(output.get("servers_used", ()))
    tally.CHECKED.update(output.get("checked", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the tests ran on, and how much was checked against what."""
    servers = ", ".join(sorted(_servers_used)) or "none was needed"
    terminalreporter.write_line(f"Servers: {servers}")
    terminalreporter.write_line(tally.summary())
