"""The key that clients present when they send events: given, or made once by the default."""

from __future__ import annotations

import secrets
from pathlib import Path

from crmsync.cli.screen import Screen
from crmsync.errors import ConfigError
from crmsync.settings import HIDDEN_FOLDER, Settings, write_private


def write_key(settings: Settings) -> str:
    """Return the write key and tell where it is kept, where it is ours.

    Raises `ConfigError` where one must be given: processes that share a database share the key.
    """
    if settings.write_key is not None:
        return settings.write_key
    if not settings.database_url.startswith("sqlite"):
        raise ConfigError(
            "CRMSYNC_WRITE_KEY is not set: clients need a key to send events. Choose a long random "
            "one, and give every `crmsync api` the same"
        )
    file: Path = settings.config_path.parent / HIDDEN_FOLDER / "write_key"
    fresh = not file.exists()
    write_private(file, secrets.token_urlsafe(24))
    Screen().note(f"{'made' if fresh else 'using'} the write key in {file}")
    return file.read_text().strip()
