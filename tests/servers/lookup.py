"""Where a server comes from: the environment's URL, PATH, or the bundled programs."""

from __future__ import annotations

import os


class ServerMissing(Exception):
    """No server of this kind can be had; the message says what to supply."""


def bundled_only() -> bool:
    """Say whether URLs and PATH are to be ignored, as on a bare machine."""
    return os.environ.get("CRMSYNC_TEST_BUNDLED", "") not in {"", "0"}


def given_url(variable: str) -> str | None:
    """Return the URL of the server the environment names, if any."""
    return None if bundled_only() else os.environ.get(variable) or None


def missing(product: str, variable: str, programs: str, reason: str) -> ServerMissing:
    """Return the error for a server that none of the three ways gave."""
    return ServerMissing(
        f"no {product} for the tests: set {variable} to a server that may be written to, or put "
        f"{programs} on PATH, or let the bundled one be fetched ({reason})"
    )
