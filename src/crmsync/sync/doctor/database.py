"""The database: that it answers, has the right tables and the right time, and has room."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from crmsync.errors import CrmsyncError, StoreUnavailable
from crmsync.store import schema
from crmsync.store.database import Database
from crmsync.store.schema import Standing
from crmsync.sync.doctor.finding import OURS, Finding, lasting

OLDEST_POSTGRESQL = 12
CLOCK_SECONDS = 5.0
"""By how much two clocks may differ before anybody should care."""
LEAST_BYTES = 1_000_000_000
"""Of free disk for SQLite: its log and its temporary files need room, too."""
FULL_BYTES = 100_000_000
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "glusterfs"}
)
"""File systems whose locks SQLite cannot rely on (sqlite.org/faq.html, question 5)."""
MOUNTS = Path("/proc/self/mounts")

MIGRATE = "run `crmsync migrate`"
NEWER = "run the crmsync here, too, that made these tables"


@dataclass(frozen=True, slots=True)
class Host:
    """What is asked of this machine."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    mounts: Callable[[], str] = lambda: MOUNTS.read_text() if MOUNTS.exists() else ""


def check_database(database: Database, host: Host | None = None) -> list[Finding]:
    """Look at it; where the first finding is a fault, nothing else can be asked of it."""
    host = host or Host()
    try:
        found = [_answers(database)]
    except StoreUnavailable as away:
        advice = "is it running, and is CRMSYNC_DATABASE_URL right?"
        return [OURS.fault("database", away.user_message, advice)]
    found.append(_tables(database))
    if database.is_sqlite:
        folder = Path(str(database.url.database)).resolve().parent
        return [*found, _file_system(folder, host.mounts()), _disk(host.free_bytes(folder))]
    return [*found, _clock(database, host)]


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether anything can be read from a database that was found so."""
    return all(one.level != "fault" for one in findings if one.check in {"database", "tables"})


def _answers(database: Database) -> Finding:
    """Return which database it is; StoreUnavailable where it does not answer."""
    name = database.product()
    major = int(name.split()[1].split(".")[0])
    if not database.is_sqlite and major < OLDEST_POSTGRESQL:
        advice = f"crmsync is tested with PostgreSQL {OLDEST_POSTGRESQL} and later: upgrade it"
        return OURS.warning("database", f"{name} answers", advice)
    return OURS.ok("database", f"{name} answers")


def _tables(database: Database) -> Finding:
    try:
        standing = schema.standing(database)
        seen = f"the tables are {standing.value} (version {schema.version(database) or 'none'})"
    except CrmsyncError as trouble:
        return OURS.fault("tables", trouble.user_message, MIGRATE)
    match standing:
        case Standing.CURRENT:
            return OURS.ok("tables", seen)
        case Standing.BEHIND:
            return OURS.fault("tables", seen, MIGRATE)
        case Standing.AHEAD:
            return OURS.warning("tables", seen, "finish the deploy: update this crmsync, too")
        case Standing.BEYOND:
            return OURS.fault("tables", seen, NEWER)


def _clock(database: Database, host: Host) -> Finding:
    """Compare with half of what the question took, since the answer was true about then."""
    asked = host.now()
    with database.read() as connection:
        theirs = database.now(connection)
    off = (theirs - (asked + (host.now() - asked) / 2)).total_seconds()
    if abs(off) > CLOCK_SECONDS:
        return OURS.warning(
            "database clock",
            f"it is {lasting(abs(off))} {'ahead of' if off > 0 else 'behind'} this machine's",
            "let both follow a time server; leases go by the database's clock and stay right",
        )
    return OURS.ok("database clock", f"the same as this machine's, to {CLOCK_SECONDS:g} s")


def _file_system(folder: Path, mounts: str) -> Finding:
    kind = next(iter(_kinds(folder, mounts)), "unknown")
    if kind in NETWORK:
        return OURS.fault(
            "file system",
            f"SQLite lies on a network file system ({kind}), whose locks do not hold",
            "move it to a local disk, or use PostgreSQL",
        )
    return OURS.ok("file system", f"SQLite lies on a local disk ({kind})")


def _kinds(folder: PurePath, mounts: str) -> Iterator[str]:
    """Yield the kinds of the file systems that a folder is in, the innermost first."""
    at = {}
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split(" ")
        at[place.replace("\\040", " ")] = kind
    for outer in (folder, *folder.parents):
        if str(outer) in at:
            yield at[str(outer)]


def _disk(free: int) -> Finding:
    seen = f"{free / 1e9:,.1f} GB free where SQLite lies"
    advice = "make room: without it events are refused (503) and nothing is sent"
    if free < FULL_BYTES:
        return OURS.fault("disk", seen, advice)
    return OURS.warning("disk", seen, advice) if free < LEAST_BYTES else OURS.ok("disk", seen)
