"""The environment, read once into one frozen `Settings` (docs/settings.md says what each is)."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from crmsync.errors import ConfigError

HIDDEN_FOLDER = ".crmsync"
"""Beside crmsync.yaml: what the embedded default makes for itself, kept out of version control."""

ALIVE_SECONDS = 120.0
"""How long ago a worker that is not hanging last looked for work: a round may take half a minute,
and a call at its end as long."""


class Role(StrEnum):
    """Processes that have no port, so that a file must tell whether they work."""

    WORKER = "worker"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how to get at them."""

    config_path: Path
    database_url: str
    broker_url: str | None
    """None: everything in one process, no broker."""
    keys: tuple[str, ...] = field(repr=False)
    """Encryption keys, newest first."""
    write_key: str | None = field(repr=False)
    """What an ingest call must present."""
    keys_made_at: Path | None = None
    """The file of keys that was made on this start, to be told to a person."""
    alive_seconds: float = ALIVE_SECONDS
    """How long ago the last completed look for work may be."""

    @property
    def is_embedded(self) -> bool:
        """Whether one process does everything."""
        return self.broker_url is None


def load_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; raises `ConfigError` where something is missing."""
    config_path = _config_path(env)
    hidden = config_path.parent / HIDDEN_FOLDER
    given_database = env.get("CRMSYNC_DATABASE_URL") or env.get("DATABASE_URL")
    keys, made_at = _keys(env, hidden, embedded=given_database is None)
    return Settings(
        config_path=config_path,
        database_url=given_database or f"sqlite:///{hidden / 'crmsync.db'}",
        broker_url=env.get("CRMSYNC_BROKER_URL") or None,
        keys=keys,
        write_key=env.get("CRMSYNC_WRITE_KEY") or None,
        keys_made_at=made_at,
        alive_seconds=_alive_seconds(env),
    )


def alive_file(role: Role, env: Mapping[str, str] = os.environ) -> Path:
    """Return the file whose time says when a process of this role last looked for work."""
    given = env.get("CRMSYNC_ALIVE_FILE")
    return Path(given) if given else _config_path(env).parent / HIDDEN_FOLDER / f"{role}.alive"


def _config_path(env: Mapping[str, str]) -> Path:
    return Path(env.get("CRMSYNC_CONFIG") or "crmsync.yaml").resolve()


def _alive_seconds(env: Mapping[str, str]) -> float:
    given = env.get("CRMSYNC_ALIVE_SECONDS") or str(ALIVE_SECONDS)
    if not given.replace(".", "", 1).isdecimal() or float(given) == 0.0:
        raise ConfigError("CRMSYNC_ALIVE_SECONDS must be a number of seconds above 0")
    return float(given)


def _keys(
    env: Mapping[str, str], hidden: Path, *, embedded: bool
) -> tuple[tuple[str, ...], Path | None]:
    given = tuple(key.strip() for key in env.get("CRMSYNC_KEYS", "").split(",") if key.strip())
    if given:
        return given, None
    file = hidden / "keys"
    if file.exists():
        return tuple(file.read_text().split()), None
    if not embedded:
        raise ConfigError(
            "CRMSYNC_KEYS is not set: stored payloads are encrypted, so a key is needed. "
            "`crmsync keys new` prints a fresh one; every process must have the same"
        )
    write_private(file, new_key())
    return tuple(file.read_text().split()), file


def write_private(file: Path, content: str) -> None:
    """Write a file that only its owner may read; one that exists is left as it is."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole = file.with_name(f"{file.name}-{os.getpid()}")
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content + "\n")
    # Under its own name it is there whole or not at all, whoever else starts at the same moment.
    with suppress(FileExistsError):
        os.link(whole, file)
    whole.unlink()


def new_key() -> str:
    """Return a fresh encryption key as `CRMSYNC_KEYS` takes it."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
