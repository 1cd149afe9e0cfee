"""Whatever goes wrong ends in one line and an exit code."""

from __future__ import annotations

import pytest

from crmsync.cli import entry
from crmsync.cli.commands import Commands
from crmsync.errors import ConfigError, ConnectionHalted, Problem, StoreUnavailable


def fails_with(monkeypatch, error):
    """Let every command raise this."""

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(Commands, "main", fail)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("say what"), 1, "crmsync: say what"),
        (StoreUnavailable("away"), 1, "away; is it running"),
        (ConnectionHalted("no", cause="refused", hint="give another token"), 1, "another token"),
        (KeyboardInterrupt(), 130, "stopped"),
        (RuntimeError("secret words"), 1, "a fault in crmsync itself (RuntimeError)"),
    ],
)
def test_an_error_is_one_line_on_stderr(monkeypatch, capsys, error, code, words):
    """The message says what to do; no stack trace, and no text that we did not write."""
    monkeypatch.delenv("CRMSYNC_LOG_LEVEL", raising=False)
    fails_with(monkeypatch, error)
    assert entry.run(["runs"]) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert "secret words" not in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not shown.out


def test_every_problem_of_a_file_is_shown_with_its_caret(monkeypatch, capsys):
    """A wrong file gives each problem with its line and a caret below the place."""
    problems = [Problem("a.yaml", 7, 5, "unknown trait 'emial'", "    emial: x")]
    fails_with(monkeypatch, ConfigError(problems=problems))
    assert entry.run(["check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "crmsync: a.yaml:7:5: unknown trait 'emial'",
        "        emial: x",
        "        ^",
    ]


@pytest.mark.parametrize("arguments", [["nonsense"], ["push", "--nonsense"], ["explain"], ["keys"]])
def test_a_misuse_ends_with_1_and_not_with_2(arguments, capsys):
    """2 means differences for `plan --exit-code`, so a slip of the keyboard must not give it."""
    assert entry.run(arguments) == 1
    assert "--help" in capsys.readouterr().err


def test_a_slip_in_a_commands_name_gets_a_suggestion(capsys):
    """Only where one is near."""
    assert entry.run(["pushh"]) == 1
    assert "there is no command 'pushh' (did you mean 'push'?)" in capsys.readouterr().err
    assert entry.run(["nonsense"]) == 1
    assert "did you mean" not in capsys.readouterr().err


def test_help_is_short_and_needs_no_project(capsys):
    """The list of commands fits one screen."""
    assert entry.run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip().startswith("push ") for line in lines)
    assert len(lines) <= 45
