"""A person's folder: crmsync.yaml, mappings and events, with nothing else in the environment."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog
import yaml

ELSEWHERE = (
    "CRMSYNC_CONFIG", "CRMSYNC_DATABASE_URL", "DATABASE_URL", "CRMSYNC_BROKER_URL", "CRMSYNC_KEYS",
    "CRMSYNC_WRITE_KEY", "CRMSYNC_LOG_LEVEL", "PORT", "CRM_TOKEN", "SSH_CONNECTION", "SSH_TTY",
    "DISPLAY", "WAYLAND_DISPLAY",
)  # fmt: skip
"""Variables that would lead a command out of the folder."""
EVENTS = "events.jsonl"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    handlers = logging.getLogger().handlers[:]
    yield tmp_path
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


def write_project(
    folder: Path, connections: Mapping[str, object], mappings: Mapping[str, str]
) -> None:
    """Write crmsync.yaml and the mappings, by the names of their syncs."""
    timing = {"linger_seconds": 0.01, "sweep_seconds": 0.2}
    content = {"connections": dict(connections), "timing": timing}
    (folder / "crmsync.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "mappings").mkdir(exist_ok=True)
    for name, text in mappings.items():
        (folder / "mappings" / f"{name}.yaml").write_text(text)


def write_person(folder: Path, **traits: object) -> None:
    """Write the events of one person."""
    traits = {"email": "ann0@acme.example", "first_name": "Ann0", "last_name": "Lee", **traits}
    call = {"type": "identify", "userId": "u0", "messageId": "m0", "traits": traits}
    (folder / EVENTS).write_text(json.dumps(call) + "\n")
