"""The file by which a worker or a scheduler tells that it works."""

from __future__ import annotations

import pytest

from crmsync.cli.liveness import LifeSign, complaint_of, patience_seconds
from crmsync.settings import Role, alive_file, load_settings

NOON = 1_800_000_000.0


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file that `CRMSYNC_ALIVE_FILE` names."""
    path = tmp_path / "below" / "alive"
    monkeypatch.setenv("CRMSYNC_ALIVE_FILE", str(path))
    return path


@pytest.fixture
def noon(monkeypatch):
    """The time stands still at noon."""
    monkeypatch.setattr("crmsync.cli.liveness.time.time", lambda: NOON)


@pytest.mark.parametrize(
    ("idle_seconds", "later", "alive"),
    [(0, 0, True), (0, 60, True), (0, 61, False), (50, 10, True), (50, 11, False), (0, -5, True)],
)
def test_a_sign_counts_for_so_long(file, noon, idle_seconds, later, alive):
    """From the last completed look for work, which may have been before the sign was renewed."""
    with LifeSign(Role.WORKER, 60.0) as sign:
        sign.renew(idle_seconds)
        assert (complaint_of(file, NOON + later) is None) == alive


def test_who_ended_in_order_is_not_alive(file):
    """The file is gone with its process, and what asks for it says so."""
    with LifeSign(Role.WORKER, 60.0):
        assert file.exists()
    assert "is it running" in str(complaint_of(file, NOON))


def test_a_file_that_was_cleaned_away_comes_back(file, noon):
    """Temporary folders are swept now and then."""
    with LifeSign(Role.WORKER, 60.0) as sign:
        file.unlink()
        sign.renew()
        sign.renew()
        assert complaint_of(file, NOON) is None


def test_what_is_not_a_sign_is_no_life(file):
    """A file of something else is told apart from a live process."""
    file.parent.mkdir()
    file.write_text("?")
    assert "cannot be read" in str(complaint_of(file, NOON))


def test_a_place_that_takes_no_file_stops_nobody(tmp_path, monkeypatch):
    """The work goes on; that nobody can see it is in the log."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("CRMSYNC_ALIVE_FILE", str(tmp_path / "file" / "alive"))
    with LifeSign(Role.SCHEDULER, 60.0) as sign:
        sign.renew()


def test_each_role_has_a_file_of_its_own(tmp_path):
    """Beside crmsync.yaml, unless the environment names one."""
    env = {"CRMSYNC_CONFIG": str(tmp_path / "crmsync.yaml")}
    assert alive_file(Role.WORKER, env) == tmp_path / ".crmsync" / "worker.alive"
    assert alive_file(Role.SCHEDULER, env) == tmp_path / ".crmsync" / "scheduler.alive"


@pytest.mark.parametrize(("sweep_seconds", "patience"), [(15.0, 120.0), (60.0, 240.0)])
def test_a_slow_sweep_is_given_more_time(tmp_path, sweep_seconds, patience):
    """Four sweeps, and two minutes at least."""
    settings = load_settings({"CRMSYNC_CONFIG": str(tmp_path / "crmsync.yaml")})
    assert patience_seconds(settings, sweep_seconds) == patience
