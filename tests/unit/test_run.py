"""The entry: what it refuses, when it makes the environment anew, and what CI relies on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, in a path with a space, whose environment holds one package."""
    root = tmp_path / "a project"
    root.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "requirements-run.lock"):
        shutil.copy(ROOT / name, root)
    places = {
        "ROOT": root,
        "VENV": root / ".venv",
        "TOOLS": root / ".tools",
        "PYTHON": root / ".venv" / "bin" / "python",
        "STAMP": root / ".venv" / run.STAMP.name,
        "LOG": root / ".tools" / run.LOG.name,
        "LOCKS": {name: root / path.name for name, path in run.LOCKS.items()},
    }
    for name, place in places.items():
        monkeypatch.setattr(run, name, place)
    return root


@pytest.fixture
def made(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands by which environments were made; they succeed and leave a small environment."""
    commands: list[list[str]] = []
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))  # stands for an installed crmsync

    def pretend(command: list[str]) -> bool:
        commands.append(command)
        if "venv" in command:
            (project / ".venv" / "bin").mkdir(parents=True)
            (project / ".venv" / "bin" / "python").symlink_to(sys.executable)
            (project / ".venv" / "lib" / "python3.11" / "site-packages" / "celery").mkdir(
                parents=True
            )
        return True

    monkeypatch.setattr(run, "quiet", pretend)
    return commands


def times_made(commands: list[list[str]]) -> int:
    """Return how often an environment was begun."""
    return sum("venv" in command for command in commands)


# --- when the environment is made ----------------------------------------------------------


def test_an_environment_is_made_once(made: list[list[str]]) -> None:
    """The second run finds it as it should be and installs nothing."""
    run.set_up("test")
    run.set_up("test")
    assert times_made(made) == 1


def test_what_serves_the_tests_serves_the_demo(made: list[list[str]]) -> None:
    """The demo needs less, so it takes the larger environment where there is one."""
    run.set_up("test")
    run.set_up("run")
    assert times_made(made) == 1


def test_what_serves_the_demo_does_not_serve_the_tests(made: list[list[str]]) -> None:
    """The tests' packages are not there yet."""
    run.set_up("run")
    run.set_up("test")
    assert times_made(made) == 2


def change_project(root: Path) -> None:
    """Add a dependency."""
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(
        text.replace("dependencies = [", 'dependencies = ["x",', 1)
    )


def break_python(root: Path) -> None:
    """Put something that is no program in the place of the interpreter."""
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text("")
    python.chmod(0o755)


def move(stamp: Path) -> None:
    """Make the stamp say that the environment was made elsewhere."""
    content = json.loads(stamp.read_text())
    content["made_for"]["root"] = "/elsewhere"
    stamp.write_text(json.dumps(content))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a lock file changed": lambda root: (root / "requirements.lock").write_text("other"),
    "a dependency was added": change_project,
    "a package is gone": lambda root: shutil.rmtree(
        root / ".venv" / "lib" / "python3.11" / "site-packages" / "celery"
    ),
    "its Python is gone": lambda root: (root / ".venv" / "bin" / "python").unlink(),
    "its Python does not run": break_python,
    "it was interrupted": lambda root: (root / ".venv" / run.STAMP.name).unlink(),
    "its stamp is broken": lambda root: (root / ".venv" / run.STAMP.name).write_text("{"),
    "it was moved": lambda root: move(root / ".venv" / run.STAMP.name),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_environment_that_does_not_fit_is_made_anew(
    damage: Callable[[Path], object], project: Path, made: list[list[str]]
) -> None:
    """Whatever is wrong with it, the next run repairs it without being told."""
    run.set_up("test")
    damage(project)
    run.set_up("test")
    assert times_made(made) == 2


def test_settings_of_tools_do_not_make_it_anew(project: Path, made: list[list[str]]) -> None:
    """Only what is installed counts, not how the tests or checks are set."""
    run.set_up("test")
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n[tool.something]\nnew = 1\n")
    run.set_up("test")
    assert times_made(made) == 1


def test_where_uv_fails_pip_does_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, made: list[list[str]]
) -> None:
    """An index that only pip is set up for, or a platform without uv, is no obstacle."""
    pretend = run.quiet
    monkeypatch.setattr(run, "quiet", lambda command: pretend(command) and "sync" not in command)
    run.set_up("run")
    assert "--without-pip" in made[-3]
    assert made[-2][:5] == [sys.executable, "-m", "pip", "--python", str(run.PYTHON)]


def test_both_installers_check_hashes(project: Path, made: list[list[str]]) -> None:
    """What was locked is what is installed, to the byte."""
    run.LOG.parent.mkdir()
    run.make_with_uv("uv", "some.lock")
    shutil.rmtree(run.VENV)
    run.make_with_pip("some.lock")
    with_lock = [command for command in made if "some.lock" in command]
    assert len(with_lock) == 2
    assert all("--require-hashes" in command for command in with_lock)


# --- what it says when it cannot -----------------------------------------------------------


def test_a_failed_step_names_itself_and_the_log(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what failed, where the reason is and what to do; the exit code is 1."""
    monkeypatch.setattr(run, "quiet", lambda command: "install" not in command)
    monkeypatch.setattr(run, "find_uv", lambda: None)
    assert run.main(["lint"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "packages, with pip" in said
    assert str(run.LOG) in said


def test_a_python_without_pip_is_told_apart(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what to install."""
    monkeypatch.setattr(run, "quiet", lambda command: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run.main(["demo"]) == 1
    assert "has no pip: install it" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment is kept beside run.py, so that place must be writable."""
    (project / ".tools").write_text("in the way")  # stops root as well, unlike a folder's mode
    assert run.main(["lint"]) == 1
    assert capsys.readouterr().err.startswith(f"run.py: cannot write to {project}")


def test_an_unknown_verb_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is set up for a misspelt verb."""
    assert run.main(["tets"]) == 1
    assert "no such verb: tets (there are: demo, test," in capsys.readouterr().err


def test_the_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Called without a verb it explains itself."""
    assert run.main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"run.py {verb}" in shown for verb in run.VERBS)


def test_installers_ignore_settings_that_would_mislead_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user-wide pip setting must not send packages elsewhere or refuse to install."""
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    environment = run.installer_environment()
    assert "PIP_TARGET" not in environment
    assert environment["PIP_REQUIRE_VIRTUALENV"] == "0"


# --- what CI and deployment rely on --------------------------------------------------------


def test_run_py_needs_the_standard_library_only() -> None:
    """It starts on a bare Python: isolated from every installed package, it still shows help."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-I", "-S", ROOT / "run.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_two_lock_files_agree() -> None:
    """What runs in production is what was tested: the same versions."""
    pins = {
        name: set(re.findall(r"^([\w.-]+(?:\[[\w,]+\])?==\S+)", path.read_text(), re.MULTILINE))
        for name, path in run.LOCKS.items()
    }
    assert pins["run"] < pins["test"]


def test_no_file_names_where_packages_come_from() -> None:
    """Which index is used is each machine's own affair."""
    for name in ("requirements.lock", "requirements-run.lock", "Dockerfile", "pyproject.toml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url|--find-links|https?://(?!127)", text), name


def test_make_offers_the_verbs() -> None:
    """`make test` is `run.py test`."""
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()) == set(run.VERBS)


def test_compose_has_no_default_secrets() -> None:
    """A secret that is not set stops `docker compose up` with a sentence, never a known value."""
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in ("POSTGRES_PASSWORD", "CRMSYNC_KEYS", "CRMSYNC_WRITE_KEY"):
        uses = re.findall(rf"\${{{secret}(.*?)}}", text)
        assert uses, secret
        assert all(use.startswith(":?") for use in uses), secret


def test_compose_waits_for_what_it_needs() -> None:
    """Every process starts after the migration; servers have health checks; no key is evicted."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("api", "worker", "scheduler"):
        assert services[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }
        assert services[name]["read_only"]
    assert all("test" in services[name]["healthcheck"] for name in ("postgres", "redis"))
    for name in ("worker", "scheduler"):
        assert services[name]["healthcheck"]["test"] == ["CMD", "crmsync", "healthcheck", name]
    assert "noeviction" in services["redis"]["command"]
