"""What commands work on: the project in this folder, opened; anything new is told to the person."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from crmsync import logging
from crmsync.bootstrap import open_store, open_works
from crmsync.cli.screen import Screen
from crmsync.errors import ConfigError
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.problems import did_you_mean
from crmsync.settings import Settings, load_settings
from crmsync.sync.context import Ring, Store, Works


def open_settings(*, quiet: bool = True, needs_files: bool = True) -> Settings:
    """Read the environment, set up the log and say where a key was made, if one was.

    Raises `ConfigError` where there is no project here: nothing is made in a folder by mistake.
    """
    logging.set_up(os.environ.get("CRMSYNC_LOG_LEVEL"), quiet=quiet)
    config = Path(os.environ.get("CRMSYNC_CONFIG") or "crmsync.yaml").resolve()
    if needs_files and not config.exists():
        raise ConfigError(
            f"there is no {config}: `crmsync init` writes one, and CRMSYNC_CONFIG names one that "
            "is elsewhere"
        )
    settings = load_settings()
    if settings.keys_made_at is not None:
        Screen().note(
            f"made an encryption key: {settings.keys_made_at} (keep a copy: without it the "
            "stored payloads cannot be read)"
        )
    return settings


def open_project(
    *, settings: Settings | None = None, ring: Ring = lambda _: None,
    env: Mapping[str, str] | None = None,
) -> Works:  # fmt: skip
    """Open everything: files, database, connections on first use."""
    return open_works(
        settings or open_settings(), ring=ring, env=os.environ if env is None else env
    )


def open_to_look() -> Works:
    """Open everything for a command that calls no CRM: what it would need there may be unset."""
    return open_project(env=_Lenient(os.environ))


class _Lenient(dict[str, str]):
    """An environment that has something for every name."""

    def get(self, name: str, _default: object = None) -> str:
        return super().get(name) or "https://unset.invalid"

    def __missing__(self, name: str) -> str:
        return self.get(name)


def open_database() -> Store:
    """Open the database alone, for commands that need no files."""
    return open_store(open_settings())


def chosen_mappings(works: Works, sync: str | None) -> list[SyncMapping]:
    """Return the mapping of that name, or all; `ConfigError` for a name that there is not."""
    if sync is None:
        return list(works.configuration.mappings)
    mapping = works.mappings.get(sync)
    if mapping is None:
        known = ", ".join(works.mappings) or "none yet"
        near = did_you_mean(sync, works.mappings)
        raise ConfigError(f"there is no sync '{sync}'{near or f'; there are: {known}'}")
    return [mapping]
