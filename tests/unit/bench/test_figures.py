"""What is measured of a process."""

from __future__ import annotations

import os
import sys
import time

import pytest

from bench.children import JobFailed, Said, run
from bench.figures import Figures, measured, peak_mib, tree_cpu_seconds

BALLAST_MIB = 300


def burn_cpu() -> tuple[Figures, Said]:
    """Use a tenth of a second of CPU: a job."""
    with measured() as figures:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
    return figures, {"pid": os.getpid()}


def fail() -> tuple[Figures, Said]:
    """Fail with a message: a job."""
    raise ValueError("nothing to measure")


def test_a_child_measures_its_own_cpu_and_memory_not_its_parents() -> None:
    """A job runs in another process, and what the parent holds is not in its peak."""
    ballast = bytearray(BALLAST_MIB * 1024 * 1024)
    ballast[::4096] = b"x" * len(ballast[::4096])
    figures, said = run(burn_cpu)
    assert said["pid"] != os.getpid()
    assert figures.cpu_seconds >= 0.08  # the kernel counts in hundredths
    assert figures.peak_mib < BALLAST_MIB < peak_mib()


def test_a_job_that_fails_says_why() -> None:
    """The last words of a failed child are in the error."""
    with pytest.raises(JobFailed, match="nothing to measure"):
        run(fail)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_cpu_of_a_tree_counts_those_that_ended() -> None:
    """What a child used is counted for its parent after it ended."""
    before = tree_cpu_seconds(os.getpid())
    run(burn_cpu)
    after = tree_cpu_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert after - before >= 0.08


def test_a_process_that_is_not_there_has_no_figures() -> None:
    """An unknown process gives None, not zero."""
    assert tree_cpu_seconds(2**22 + 1) is None
