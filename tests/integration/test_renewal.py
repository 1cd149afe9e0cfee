"""Thirty processes and one grant that is lost for ever when two of them renew it.

`run.py test -- tests/integration/test_renewal.py --rounds 100` races a hundred times.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from crmsync.model import Tokens
from crmsync.store.database import Database
from crmsync.store.tables import oauth_tokens
from crmsync.store.tokens import RowTokens
from crmsync.store.vault import Vault
from tests.integration.strict_server import FIRST, strict_server
from tests.integration.workers import workers
from tests.workbench import ENCRYPTION_KEY, KEYED

PROCESSES = 30


@pytest.fixture
def crm():
    """The strict server."""
    with strict_server() as server:
        yield server


@pytest.fixture
def project(new_project):
    """A migrated database, and the environment that leads to it."""
    return new_project(mappings={"contacts": KEYED})


@pytest.fixture
def store(project):
    """The database as the processes use it."""
    database = Database(project.env["CRMSYNC_DATABASE_URL"])
    yield database
    database.dispose()


def tokens_in(store):
    """The tokens of the processes' connection."""
    return RowTokens(store, Vault([ENCRYPTION_KEY]), "crm")


def let_the_lease_end(store):
    """Let the time of a lease pass."""
    ended = datetime(2000, 1, 1, tzinfo=UTC)
    store.transact(lambda c: c.execute(update(oauth_tokens).values(lease_until=ended)))


def all_at_once(processes):
    """Have every process make a call at the same moment; count what came of it."""
    for process in processes:
        process.line.send("go")
    return Counter(process.hear() for process in processes)


@pytest.mark.timeout(600)
def test_thirty_processes_meet_an_expired_token_at_once(project, crm, request):
    """Each round costs exactly one renewal, every call passes, and the grant survives."""
    with workers(project, CRM_URL=crm.url) as start:
        processes = [start(role="call_when_told") for _ in range(PROCESSES)]
        assert {process.hear() for process in processes} == {"ready"}
        for done in range(1, request.config.getoption("--rounds") + 1):
            crm.expire()
            assert all_at_once(processes) == {200: PROCESSES}
            assert crm.renewals == done
    assert not crm.revoked
    # From the second round on each process had a token that had just ended.
    assert crm.refused_calls == PROCESSES * (done - 1)


def test_without_the_lease_the_grant_is_lost(project, crm):
    """Negative control: processes that renew on their own revoke what they share."""
    crm.meeting = threading.Barrier(2)
    with workers(project, "no_renewal_lease", CRM_URL=crm.url) as start:
        processes = [start(role="call_when_told") for _ in range(6)]
        assert {process.hear() for process in processes} == {"ready"}
        all_at_once(processes)
    assert crm.renewals > 1
    assert crm.revoked


def test_a_worker_killed_between_answer_and_keeping_leaves_no_loop(project, crm, store):
    """The connection halts after one further call; a new consent brings it back.

    The refresh token that only the dead worker knew is gone, and nobody asks the CRM in a loop.
    """
    with workers(project, CRM_URL=crm.url) as start:
        doomed = start("die_before_keeping", role="call_when_told")
        assert doomed.hear() == "ready"
        doomed.line.send("go")
        doomed._process.join(30)
        assert doomed._process.exitcode == -9
        assert (crm.renewals, crm.revoked) == (1, False)
        let_the_lease_end(store)
        others = [start(role="call_when_told") for _ in range(3)]
        assert {process.hear() for process in others} == {"ready"}
        for _ in range(5):
            assert all_at_once(others) == {"reauth_required": 3}
        assert crm.renewals == 2
        crm.refresh, crm.revoked = FIRST, False
        crm.spent.clear()
        crm.expire()
        given = tokens_in(store).load().refusal.given
        granted = Tokens("stale", FIRST, 1800.0, client_id="app", given=given)
        tokens_in(store).save(granted, None)
        assert all_at_once(others) == {200: 3}
        assert crm.renewals == 3
