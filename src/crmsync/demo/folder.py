"""The demo's folder: a crmsync project like any other, and what the simulated CRMs held at the end.

It is kept, so that the commands named at the end of the demo work, and so that a second demo
finds everything as the first one left it. What a demo that was cut short, or another version, has
left is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crmsync.demo import people
from crmsync.demo.crms import CRMS
from crmsync.errors import CrmsyncError

PROJECT = """\
# The demo's project. Yours comes from `crmsync init`.
# The secrets are of simulated accounts: those of a real one stay in the environment, as ${{NAME}}.
connections:
{connections}
goals:                               # tracked events that count; revenue is the sum of theirs
  plan_upgraded: {{}}
  demo_booked: {{}}

# Scaled down, so that half a minute shows what takes minutes: by default 30, 120 and 300 seconds,
# 100, 180 and 660 for Salesforce.
timing: {{request_deadline_seconds: 4, lease_seconds: 9, settle_seconds: 10, linger_seconds: 0.05}}
"""
CONNECTION = """\
  {crm.name}:
    connector: {crm.name}
    {crm.connection}
    base_url: {url}   # the simulated CRM
"""
COMMAND = """\
#!/bin/sh
# crmsync in this folder's project.
CRMSYNC_CONFIG={config} exec {python} -m crmsync "$@"
"""


class Folder:
    """One demo's folder."""

    def __init__(self, path: Path) -> None:
        """Make nothing yet."""
        self.path = path
        self.config = path / "crmsync.yaml"
        self.events = path / "events.jsonl"
        self.command = path / "crmsync"
        self.changes = path / "changes.jsonl"
        self._held = path / "simulated-crms.json"

    def prepare(self, urls: Mapping[str, str], *, fresh: bool) -> dict[str, Any] | None:
        """Write the files; return what each simulated CRM held when an earlier demo ended."""
        earlier = None if fresh else self._earlier()
        try:
            if earlier is None:
                self._start_anew()
            self._held.unlink(missing_ok=True)  # written again at the end: one cut short has none
            self.config.write_text(PROJECT.format(connections=_connections(urls)))
        except OSError as error:
            raise CrmsyncError(
                f"cannot write to {self.path} ({error.strerror}); --folder names another place"
            ) from None
        return earlier

    def keep(self, held: Mapping[str, Any]) -> None:
        """Keep what each simulated CRM holds for the next demo."""
        text = json.dumps({"made_by": _fingerprint(), "held": held})
        draft = self._held.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self._held)

    def shown_command(self) -> str:
        """Return how to call crmsync in this folder from the shell that started the demo."""
        here = os.environ.get("PWD") or str(Path.cwd())
        relative = os.path.relpath(self.command, here)
        if not relative.startswith(os.pardir):
            return shlex.quote(relative if os.sep in relative else f"./{relative}")
        return shlex.quote(str(self.command))

    def _earlier(self) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._held.read_text())
            held: dict[str, Any] = kept["held"]
            return held if kept["made_by"] == _fingerprint() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _start_anew(self) -> None:
        if self.path.exists() and not self.config.exists() and any(self.path.iterdir()):
            raise CrmsyncError(f"{self.path} is not a demo's folder; --folder names another place")
        shutil.rmtree(self.path, ignore_errors=True)
        mappings = self.path / "mappings"
        mappings.mkdir(parents=True)
        (self.path / ".gitignore").write_text("*\n")
        for crm in CRMS:
            (mappings / f"{crm.sync}.yaml").write_text(crm.mapping)
        with self.events.open("w") as file:
            for call in people.generate(datetime.now(UTC)):
                file.write(json.dumps(call, ensure_ascii=False) + "\n")
        config, python = shlex.quote(str(self.config)), shlex.quote(sys.executable)
        self.command.write_text(COMMAND.format(config=config, python=python))
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)


def _connections(urls: Mapping[str, str]) -> str:
    return "\n".join(CONNECTION.format(crm=crm, url=urls[crm.name]) for crm in CRMS)


def _fingerprint() -> str:
    """Return what names this version of the demo: the same files, the same folder."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
