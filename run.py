"""The one entry for people and CI: sets itself up beside this file, then does what is asked.

    python3 run.py demo                        the main job, end to end, against simulated CRMs
    python3 run.py test [--bundled] [...]      all tests, on real PostgreSQL and Redis
    python3 run.py lint                        what CI checks besides the tests
    python3 run.py bench [...]                 the measurements
    python3 run.py chaos [...]                 workers killed, CRMs spoilt, servers restarted
    python3 run.py up [...]                    crmsync itself, in one process

Needs Python 3.11 or newer with pip, nothing else: not make, docker, root, nor a writable home.
What it installs goes into `.venv` and `.tools` beside this file; it is made once and made again
when `pyproject.toml` or a lock file changes, or when it is broken. `--bundled` passes over the
servers that the environment and PATH offer, as on a bare machine. Further arguments are those
of pytest, the bench, the storms or crmsync.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

try:
    import tomllib
except ImportError:
    sys.exit(f"run.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
try:
    import fcntl
except ImportError:
    sys.exit("run.py: runs on Linux and macOS; on Windows, run it inside WSL")

UV = "uv==0.13.9"
"""What installs quickly; without it pip does the same slowly."""

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "crmsync-environment.json"
LOG = TOOLS / "setup.log"
LOCKS = {"run": ROOT / "requirements-run.lock", "test": ROOT / "requirements.lock"}
"""What crmsync needs to run, and that with what the tests and checks need."""


class Failed(Exception):
    """A step failed; the message is one line that says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return its exit code, unless this process became what it started."""
    verb, rest = (arguments[0], list(arguments[1:])) if arguments else ("help", [])
    if verb in {"help", "--help", "-h"}:
        print(__doc__.partition("\n\nNeeds")[0] if __doc__ else "")
        return 0
    if verb not in VERBS:
        return complain(f"no such verb: {verb} (there are: {', '.join(VERBS)})")
    lock_name, run = VERBS[verb]
    try:
        set_up(lock_name)
        run(rest)
    except Failed as failure:
        return complain(str(failure))
    except KeyboardInterrupt:
        return 130
    return 0


def complain(message: str) -> int:
    """Print one line where errors go; return the exit code of a failure."""
    print(f"run.py: {message}", file=sys.stderr)
    return 1


# --- verbs ---------------------------------------------------------------------------------


def demo(arguments: list[str]) -> None:
    """Show the main job."""
    become_python("-m", "crmsync.demo", *arguments)


def test(arguments: list[str]) -> None:
    """Run the tests; three processes per core, up to eight, when all of them are run.

    The longest ones wait most of their time: for leases, deadlines and limits.
    """
    if "--bundled" in arguments:
        arguments.remove("--bundled")
        os.environ["CRMSYNC_TEST_BUNDLED"] = "1"
    # Fetches what is missing before any test's clock runs. Where that fails it says so, and those
    # tests that need a server fail; the others run.
    subprocess.run([str(PYTHON), "-m", "tests.servers"], cwd=ROOT, check=False)
    processes = str(min(3 * (os.cpu_count() or 1), 8))
    spread = [] if arguments else ["-n", processes, "--dist", "worksteal"]
    become_python("-m", "pytest", *spread, *arguments)


def lint(arguments: list[str]) -> None:
    """Run every check, whatever the others say; fail when one does."""
    if arguments:
        raise Failed("lint takes no arguments")
    checks = {
        "ruff check": ["ruff", "check", "--quiet"],
        "ruff format": ["ruff", "format", "--check", "--quiet"],
        "mypy": ["mypy", "--no-error-summary"],
        "import rules": ["lint-imports", "--no-cache"],
        "spelling": ["codespell"],
    }
    failed = []
    for name, (program, *options) in checks.items():
        started = time.monotonic()
        command = [str(VENV / "bin" / program), *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok  " if done.returncode == 0 else "FAIL"
        print(f"{verdict} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)
    if failed:
        raise Failed(f"lint found something: {', '.join(failed)}")


def bench(arguments: list[str]) -> None:
    """Measure."""
    become_python("-m", "bench", *arguments)


def chaos(arguments: list[str]) -> None:
    """Let storms blow for some minutes, stop workers at every named point, or send nonsense."""
    become_python("-m", "tests.chaos", *arguments)


def up(arguments: list[str]) -> None:
    """Start crmsync in one process, in the folder this was called from."""
    become([str(VENV / "bin" / "crmsync"), "up", *arguments])


VERBS: dict[str, tuple[str, Callable[[list[str]], None]]] = {
    "demo": ("run", demo),
    "test": ("test", test),
    "lint": ("test", lint),
    "bench": ("test", bench),
    "chaos": ("test", chaos),
    "up": ("run", up),
}


def become_python(*arguments: str) -> NoReturn:
    """Go on as the environment's Python, at the root of the project."""
    os.chdir(ROOT)
    become([str(PYTHON), *arguments])


def become(command: list[str]) -> NoReturn:
    """Go on as another program: signals and the exit code are then its own affair."""
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


# --- the environment -----------------------------------------------------------------------


def set_up(lock_name: str) -> None:
    """Make `.venv` hold what the named lock file says, unless it does."""
    if fits(lock_name):
        return
    with one_at_a_time():
        if not fits(lock_name):  # another run.py may have made it meanwhile
            make_environment(lock_name)


def fits(lock_name: str) -> bool:
    """Say whether `.venv` is whole and was made from these very files for this purpose."""
    try:
        stamp = json.loads(STAMP.read_text())
        if stamp["made_for"] not in (made_for(lock_name), made_for("test")):
            return False
        if not set(stamp["present"]) <= set(installed_names()):
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    try:
        done = subprocess.run(
            [str(PYTHON), "-c", "import crmsync"],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def made_for(lock_name: str) -> dict[str, str]:
    """Describe an environment made now: for what, where, from which files."""
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = [described[table] for table in ("build-system", "project")]  # not the tools' tables
    digest = hashlib.sha256(json.dumps(installed).encode() + LOCKS[lock_name].read_bytes())
    # Scripts in an environment name its own path, so one that was moved is made again.
    return {"lock": lock_name, "root": str(ROOT), "sha256": digest.hexdigest()}


def installed_names() -> list[str]:
    """Return the names in the environment's library; what is installed by hand may add to them."""
    return sorted(
        entry.name for entry in VENV.glob("lib/python3*/site-packages/*") if entry.name[0] != "_"
    )


def make_environment(lock_name: str) -> None:
    """Make `.venv` anew, with uv, or slowly with pip where there is no uv."""
    started = time.monotonic()
    print(f"Setting up {VENV} (once; details in {LOG})", flush=True)
    lock = str(LOCKS[lock_name])
    try:
        LOG.write_text("")
        uv = find_uv()
        if uv is None:
            make_with_pip(lock)
        else:
            make_with_uv(uv, lock)
        stamp = {"made_for": made_for(lock_name), "present": installed_names()}
        STAMP.write_text(json.dumps(stamp))
    except OSError as error:
        raise Failed(
            f"setting up stopped: {error}; if .venv or .tools belong to another user, remove them"
        ) from error
    print(f"Ready in {time.monotonic() - started:.1f} s\n", flush=True)


def make_with_uv(uv: str, lock: str) -> None:
    """Make the environment with uv; with pip where uv cannot, since the two are set up apart."""
    target = ["--python", str(PYTHON)]
    clear_environment()
    try:
        step("Python environment", [uv, "venv", "--python", sys.executable, str(VENV)])
        step("packages", [uv, "pip", "sync", *target, "--require-hashes", lock])
        step("crmsync", [uv, "pip", "install", *target, "--no-deps", "--editable", str(ROOT)])
    except Failed:
        print(
            "  uv could not do that here; starting again with pip, which takes a minute", flush=True
        )
        make_with_pip(lock)


def make_with_pip(lock: str) -> None:
    """Make the environment with the pip of this Python: needs no ensurepip, takes a minute."""
    if not quiet([sys.executable, "-m", "pip", "--version"]):
        raise Failed(
            f"{sys.executable} has no pip: install it (Debian: apt install python3-pip), "
            "or put uv on PATH"
        )
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install"]
    clear_environment()
    step("Python environment", [sys.executable, "-m", "venv", "--without-pip", str(VENV)])
    step("packages, with pip", [*pip, "--require-hashes", "--requirement", lock])
    step("crmsync, with pip", [*pip, "--no-deps", "--editable", str(ROOT)])


def find_uv() -> str | None:
    """Return a uv: ours, fetched on first use, else the one on PATH, else None."""
    ours = str(TOOLS / "bin" / "uv")
    if quiet([ours, "--version"]):
        return ours
    fetch = ["install", "--upgrade", "--target", str(TOOLS), UV]
    # `--target` keeps out of the system's packages, so PEP 668 does not forbid it.
    if quiet([sys.executable, "-m", "pip", *fetch]) and quiet([ours, "--version"]):
        return ours
    return shutil.which("uv")


def clear_environment() -> None:
    """Remove `.venv`, whoever made it and however far they came."""
    if VENV.is_symlink():
        raise Failed(f"{VENV} is a link: remove it, so that an environment can be made there")
    if VENV.exists():
        shutil.rmtree(VENV)


def step(name: str, command: list[str]) -> None:
    """Run one step of the set-up and say how long it took."""
    started = time.monotonic()
    if not quiet(command):
        raise Failed(
            f"setting up failed at: {name}. The reason is at the end of {LOG}; "
            "when it is cured (network? room on the disk?), run this again"
        )
    print(f"  {name} ({time.monotonic() - started:.1f} s)", flush=True)


def quiet(command: list[str]) -> bool:
    """Run a command with its output in the log; say whether it succeeded."""
    with LOG.open("a") as log:
        log.write(f"\n$ {shlex.join(command)}\n")
        log.flush()
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=installer_environment(),
                check=False,
            )
        except OSError as error:
            log.write(f"{error}\n")
            return False
    return done.returncode == 0


def installer_environment() -> dict[str, str]:
    """Return the environment for uv and pip: the user's, without what would lead them astray."""
    environment = dict(os.environ)
    for name in ("PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    environment.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    # The certificates this machine trusts, as pip does; under the setting's old and new names.
    environment.update(UV_NATIVE_TLS="1", UV_SYSTEM_CERTS="1")
    cache = environment.get("UV_CACHE_DIR") or environment.get("XDG_CACHE_HOME") or "~/.cache"
    place = Path(cache).expanduser()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):  # a read-only home
        environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
    return environment


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the set-up for this process alone; its end, however it comes, frees it."""
    try:
        TOOLS.mkdir(exist_ok=True)
        handle = (TOOLS / "setup.lock").open("w")
    except OSError as error:
        raise Failed(
            f"cannot write to {ROOT} ({error.strerror}): the environment is kept there, so make "
            "the folder writable or copy the project to one that is"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another run.py that is setting up", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
