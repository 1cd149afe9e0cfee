"""Short storms for every change; `run.py chaos` has the long ones, of other seeds each time.

What a storm cannot tell reliably is told on order: a late write in `test_late.py`, a frozen worker
whose lease another has (`no_fence`) in tests/integration/test_kill.py and in the matrix.
"""

from __future__ import annotations

import pytest

from tests.chaos.storm import Storm, blow

SHORT = {"people": 120, "changes": 480, "seconds": 8.0, "share": 0.2, "calm_seconds": 240.0}
"""The calm is longer than it ever takes: how fast a machine is, is not judged here."""
NEVER_SECONDS = 3600.0


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)]
)
def test_a_storm_is_survived(tmp_path, backend):
    """Workers are killed, a fifth of the calls go wrong, servers restart: all is right in the end.

    In all four CRMs at once nobody is lost or there twice, and every record holds what was accepted
    last.
    """
    outcome = blow(
        Storm(seed=1, broker_seconds=2.0, database_seconds=4.0, **SHORT), backend, tmp_path
    )
    assert outcome.complaints == []
    assert outcome.dealt["SIGKILL"] > 0
    assert outcome.met.total() > 0
    if backend == "postgresql":
        assert outcome.dealt["PostgreSQL restarted"] > 0


@pytest.mark.timeout(400)
def test_eight_processes_share_a_file(tmp_path):
    """Workers wait for each other and for the API, which accepts everything: nothing is refused."""
    calm = {**SHORT, "share": 0.0, "kill_seconds": NEVER_SECONDS}
    outcome = blow(Storm(seed=1, workers=8, **calm), "sqlite", tmp_path)
    assert outcome.complaints == []
    assert outcome.answers.keys() == {"200"}
