"""What a newcomer reads once simulated CRMs are listening: connections to paste, what comes next.

The texts are crmsync's: `connections:` of its crmsync.yaml, and its commands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from crmsync.sandbox.registry import CREDENTIALS

_COMMANDS = (
    ("crmsync init --crm {crm}", "writes a first mapping; crmsync.yaml stays as it is"),
    ("crmsync connect {crm}", "tries it, and makes the match field where the API can"),
    ("crmsync check --live", "does every field exist and take our values?"),
    ("crmsync up", "takes events on http://127.0.0.1:8000 and works; or, by hand:"),
    ("crmsync push", "sends what differs"),
    ("crmsync pull", "reads back what changed there"),
)
"""What is done next, and what for."""


def connection(crm: str, url: str) -> dict[str, Any]:
    """Return the connection to a simulated CRM, as crmsync.yaml has it under its name."""
    return {"connector": crm, "base_url": url, "auth": CREDENTIALS[crm]}


def commands(crm: str) -> list[str]:
    """Return what is done next, in this order."""
    return [command.format(crm=crm) for command, _ in _COMMANDS]


def print_text(urls: Mapping[str, str]) -> None:
    """Print each CRM's name and URL, then what to paste and what to do."""
    first, *others = urls
    lines = [
        *(f"{crm} {url}" for crm, url in urls.items()),
        "",
        "# crmsync.yaml, in an empty folder; remove the connections that you do not want",
        *_yaml("connections", {crm: connection(crm, url) for crm, url in urls.items()}, ""),
        "",
        "# then, in another terminal and that folder"
        + (f" (likewise for {', '.join(others)})" if others else ""),
        *(_noted(command.format(crm=first), purpose) for command, purpose in _COMMANDS),
        "",
        "Ctrl-C ends this, and what these accounts hold is gone then.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def print_json(urls: Mapping[str, str]) -> None:
    """Print one JSON object a line: `{crm, url, connection{}, commands[]}`."""
    for crm, url in urls.items():
        content = {
            "crm": crm, "url": url, "connection": connection(crm, url), "commands": commands(crm),
        }  # fmt: skip
        sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _yaml(name: str, value: object, indent: str) -> Iterator[str]:
    """Yield the lines of one key; no text here needs quotes."""
    if not isinstance(value, Mapping):
        yield f"{indent}{name}: {value}"
        return
    yield f"{indent}{name}:"
    for inner, one in value.items():
        yield from _yaml(inner, one, f"{indent}  ")


def _noted(command: str, purpose: str) -> str:
    return f"  {command.ljust(32)}# {purpose}"
