"""Running a measured thing in a fresh process: memory and CPU are then its own.

    figures, said = run(floor_job, url=..., ...)

A job is a top-level function of this package that takes keyword arguments which JSON can say, does
its preparations, measures itself with `figures.measured` and returns the figures with whatever
else it has to say.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figures import Figures

ROOT = Path(__file__).resolve().parents[1]
Said = dict[str, Any]
Job = Callable[..., tuple[Figures, Said]]


class JobFailed(Exception):
    """A measured process ended with an error; the text ends with its last words."""


def run(job: Job, **arguments: object) -> tuple[Figures, Said]:
    """Run a job in a fresh process and return what it returned."""
    name = f"{job.__module__}:{job.__name__}"
    done = subprocess.run(  # noqa: S603 - our own program and arguments
        [sys.executable, "-m", "bench.children", name],
        cwd=ROOT,
        input=json.dumps(arguments),  # 10,000 ids are too long for a command line
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise JobFailed(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Figures(**answer["figures"]), answer["said"]


def main(name: str, arguments: Mapping[str, Any]) -> None:
    """Run a job here, and print what it returns as the last line."""
    module, _, function = name.partition(":")
    job: Job = getattr(importlib.import_module(module), function)
    figures, said = job(**arguments)
    print(json.dumps({"figures": asdict(figures), "said": said}))


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
