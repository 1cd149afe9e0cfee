"""Renewing tokens: once, kept before it is used, and never in a loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
import structlog

from crmsync.connectors.auth.renewal import (
    CALL_SECONDS,
    GRACE_SECONDS,
    LEASE_SLACK_SECONDS,
    LOOK_SECONDS,
    REFUSED_SECONDS,
    Renewing,
)
from crmsync.connectors.auth.token_calls import AlreadyRenewing
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.errors import (
    ConnectionHalted,
    OutcomeUnknown,
    RateLimited,
    SealBroken,
    StoreUnavailable,
    Unavailable,
)
from crmsync.model import Refusal, Tokens

LIFETIME = 3600.0
WITHDRAWN = ConnectionHalted("withdrawn", cause="reauth_required", hint="connect")
MISTAKEN = ConnectionHalted("mistaken", cause="refused", hint="correct it")


@dataclass
class Clock:
    """A clock that the test moves; sleeping moves it too."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Grant:
    """A grant that counts, rotates its refresh token and fails as told."""

    client_id: str = "app"
    given: str | None = None
    asked: list[Tokens | None] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    lifetime: float | None = LIFETIME
    lacking: ConnectionHalted | None = None
    during: list[Callable[[], object]] = field(default_factory=list)
    """What happens elsewhere while a call is under way."""

    def lacks(self, kept):
        return self.lacking

    def ask(self, kept, within_seconds):
        self.times.append(within_seconds)
        self.asked.append(kept)
        if self.during:
            self.during.pop(0)()
        if self.failures:
            raise self.failures.pop(0)
        n = len(self.asked)
        return Tokens(
            f"access-{n}", f"refresh-{n}", self.lifetime, client_id=self.client_id, given=self.given
        )


@dataclass
class World:
    """One store, one grant, one clock; several workers."""

    clock: Clock = field(default_factory=Clock)
    grant: Grant = field(default_factory=Grant)
    store: MemoryTokens = field(init=False)

    def __post_init__(self):  # noqa: D105 - the store runs by the world's clock
        self.store = MemoryTokens(self.clock)

    def worker(self, grant=None, store=None) -> Renewing:
        return Renewing(
            "crm",
            grant or self.grant,
            store or self.store,
            margin_seconds=300,
            clock=self.clock,
            sleep=self.clock.sleep,
        )


def used(access):
    """The token of an access."""
    return access.token


@pytest.fixture
def world():
    """Nothing granted yet."""
    return World()


def test_a_token_is_used_until_shortly_before_its_end(world):
    """One call serves until five minutes before the end; then the kept refresh token is used."""
    worker = world.worker()
    assert used(worker.access(20)) == "access-1"
    world.clock.now += LIFETIME - 301
    assert used(worker.access(20)) == "access-1"
    world.clock.now += 2
    assert used(worker.access(20)) == "access-2"
    assert [kept and kept.refresh for kept in world.grant.asked] == [None, "refresh-1"]


@pytest.mark.parametrize(("lifetime", "good_for"), [(60, 50), (1800, 1500), (7200, 6900)])
def test_a_short_life_has_a_short_margin(world, lifetime, good_for):
    """The margin is at most a sixth of the life, or a short-lived token would be renewed always."""
    world.grant.lifetime = lifetime
    worker = world.worker()
    worker.access(20)
    world.clock.now += good_for - 1
    assert worker.access(20).version == 1
    world.clock.now += 2
    assert worker.access(20).version == 2


def test_a_token_of_unknown_life_is_used_until_refused(world):
    """Salesforce does not say how long a token lasts: a 401 tells."""
    world.grant.lifetime = None
    worker = world.worker()
    first = worker.access(20)
    world.clock.now += 1_000_000
    assert worker.access(20) == first
    assert used(worker.renewed(first, 20)) == "access-2"


def test_what_another_worker_renewed_is_used(world):
    """Of two workers whose token is refused, the second finds the first one's renewal."""
    one, other = world.worker(), world.worker()
    old = one.access(20)
    assert other.access(20) == old
    assert one.renewed(old, 20).version == 2
    assert other.renewed(old, 20).version == 2
    assert len(world.grant.asked) == 2


def test_a_worker_that_slept_knows_the_latest_renewal(world):
    """What it is refused is then the latest, so that it renews instead of using another old one."""
    world.grant.lifetime = None
    sleeper, other = world.worker(), world.worker()
    other.renewed(sleeper.access(20), 20)
    assert sleeper.access(20).version == 1, "within a minute nobody looks"
    world.clock.now += LOOK_SECONDS
    dead = sleeper.access(20)
    assert dead.version == 2
    assert sleeper.renewed(dead, 20).version == 3


def test_many_threads_renew_once(world):
    """Threads that are refused the same token at once cost one call."""
    worker = world.worker()
    old = worker.access(20)
    together = threading.Barrier(16)

    def refused(_):
        together.wait()
        return worker.renewed(old, 20).token

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(refused, range(16))) == {"access-2"}
    assert len(world.grant.asked) == 2


def test_tokens_are_kept_before_they_are_used(world):
    """Whoever gets an access finds it in the store already."""
    worker = world.worker()
    access = worker.access(20)
    kept = world.store.load()
    assert (kept.version, kept.tokens.access) == (access.version, access.token)


def test_while_one_renews_early_the_others_go_on(world):
    """A token that is good for a few minutes yet is used while somebody else renews it."""
    one, other = world.worker(), world.worker()
    one.access(20)
    other.access(20)
    world.clock.now += LIFETIME - 100
    seen = []
    world.grant.during.append(lambda: seen.append(other.access(20).token))
    assert used(one.access(20)) == "access-2"
    assert seen == ["access-1"]
    assert world.clock.slept == []


def test_a_refused_token_is_waited_for_and_the_wait_ends(world):
    """While another worker renews, a refused call looks again, at most as long as it was given."""
    one, other = world.worker(), world.worker()
    old = one.access(20)

    def wait_elsewhere():
        with pytest.raises(Unavailable, match="being renewed"):
            other.renewed(old, 3)

    world.grant.during.append(wait_elsewhere)
    assert one.renewed(old, 20).version == 2
    assert sum(world.clock.slept) == pytest.approx(3)
    assert max(world.clock.slept) <= 1
    assert other.access(20).version == 2
    assert len(world.grant.asked) == 2


def test_the_lease_of_a_dead_worker_ends(world):
    """Whoever died while renewing holds the others up for seconds, not for ever."""
    world.store.claim(0, CALL_SECONDS + LEASE_SLACK_SECONDS)
    assert used(world.worker().access(30)) == "access-1"
    assert sum(world.clock.slept) == pytest.approx(20, abs=1)


def test_a_withdrawn_grant_halts_without_further_calls(world):
    """One alarm, one call, one lease: after that nobody asks until somebody reconnects."""

    class Counting(MemoryTokens):
        claims = 0

        def claim(self, version, seconds):
            self.claims += 1
            return super().claim(version, seconds)

    world.store = Counting(world.clock)
    world.grant.failures = [WITHDRAWN]
    workers = [world.worker() for _ in range(3)]
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            for worker in workers:
                with pytest.raises(ConnectionHalted) as caught:
                    worker.access(20)
                assert (caught.value.cause, caught.value.hint) == ("reauth_required", "connect")
                world.clock.now += 10 * REFUSED_SECONDS
    assert len(world.grant.asked) == 1
    assert world.store.claims == 1
    assert [entry["event"] for entry in logs] == ["halted"]
    world.store.save(Tokens("fresh", "r", LIFETIME, client_id="app"), None)  # `crmsync connect`
    assert used(workers[0].access(20)) == "fresh"


def test_a_connection_that_was_never_authorised_alarms_nobody(world):
    """There is nothing to ask the CRM with, so no lease, no call and no alarm: only the halt."""
    world.grant.lacking = WITHDRAWN
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectionHalted):
        world.worker().access(20)
    assert (logs, world.grant.asked) == ([], [])
    assert world.store.claim(0, 20) is not None
    assert world.store.load().refusal is None


def test_a_refusal_that_came_between_look_and_lease_is_seen(world):
    """Whoever gets the lease right after a refusal ended another's does not ask the CRM again."""

    class Between(MemoryTokens):
        def claim(self, version, seconds):
            self.refuse(Refusal("reauth_required", "no", "connect", "app"), version)
            return super().claim(version, seconds)

    world.store = Between(world.clock)
    with pytest.raises(ConnectionHalted):
        world.worker().access(20)
    assert world.grant.asked == []
    assert MemoryTokens.claim(world.store, 0, 20) is not None, "the lease ended"


def test_a_mistake_in_the_app_is_asked_about_again_later(world):
    """What an administrator can put right in the CRM heals by itself in a quarter of an hour."""
    world.grant.failures = [MISTAKEN]
    worker = world.worker()
    for _ in range(3):
        with pytest.raises(ConnectionHalted):
            worker.access(20)
    assert len(world.grant.asked) == 1
    world.clock.now += REFUSED_SECONDS
    assert used(worker.access(20)) == "access-2"


def test_a_refusal_is_not_believed_where_others_succeeded(world):
    """The CRM refuses a refresh token that another worker has just used: its tokens are taken."""
    worker = world.worker()
    old = worker.access(20)
    newer = Tokens("theirs", "r", LIFETIME, client_id="app")
    world.grant.during.append(lambda: world.store.save(newer, None))
    world.grant.failures = [WITHDRAWN]
    assert used(worker.renewed(old, 20)) == "theirs"
    assert world.store.load().refusal is None


def test_a_renewal_that_comes_late_takes_what_was_kept_meanwhile(world):
    """A worker that was frozen in its call does not overwrite newer tokens."""
    worker = world.worker()
    old = worker.access(20)
    newer = Tokens("theirs", "r", LIFETIME, client_id="app")
    world.grant.during.append(lambda: world.store.save(newer, None))
    assert used(worker.renewed(old, 20)) == "theirs"
    assert world.store.load().tokens == newer


def test_a_late_renewal_heals_what_others_took_for_withdrawn(world):
    """Frozen past its lease with the only good tokens, a worker brings them in after all."""
    worker = world.worker()
    old = worker.access(20)
    refusal = Refusal("reauth_required", "no", "connect", "app")
    world.grant.during.append(lambda: world.store.refuse(refusal, 1))
    assert used(worker.renewed(old, 20)) == "access-2"
    assert world.store.load().refusal is None


def test_two_renewals_at_once_are_retried_once(world):
    """`token request is already being processed` passes; twice in a row is for later."""
    world.grant.failures = [AlreadyRenewing(retry_after_seconds=2)]
    worker = world.worker()
    assert used(worker.access(20)) == "access-2"
    assert world.clock.slept == [2]
    assert world.grant.times == [CALL_SECONDS, CALL_SECONDS - 2], "both within one lease"
    world.grant.failures = [AlreadyRenewing(retry_after_seconds=2)] * 2
    with pytest.raises(AlreadyRenewing):
        worker.renewed(worker.access(20), 20)
    assert worker.renewed(worker.access(20), 20).version == 2


def test_a_token_call_is_not_cut_short(world):
    """A caller in a hurry does not make the answer with a new refresh token be thrown away."""
    world.worker().access(0.01)
    assert world.grant.times == [CALL_SECONDS]


def test_a_slow_refusal_is_not_asked_about_again_under_the_same_lease(world):
    """Where too little is left of the lease, the second question is for later."""
    world.grant.during.append(lambda: world.clock.sleep(CALL_SECONDS - 3))
    world.grant.failures = [AlreadyRenewing(retry_after_seconds=2)]
    with pytest.raises(AlreadyRenewing):
        world.worker().access(20)
    assert len(world.grant.asked) == 1


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [
        (Unavailable("away"), Unavailable),
        (RateLimited("busy", retry_after_seconds=120), RateLimited),
        (OutcomeUnknown("lost"), Unavailable),
    ],
)
def test_trouble_on_the_way_ends_the_lease(world, trouble, raised):
    """Nothing was written to the CRM, so the call may pass later, and anybody may try at once."""
    world.grant.failures = [trouble]
    with pytest.raises(raised):
        world.worker().access(20)
    assert used(world.worker().access(20)) == "access-2"
    assert world.clock.slept == []


def test_a_good_token_outlives_an_authorisation_server_that_is_away(world):
    """Renewing early fails: the old token is used, and renewing is tried again in ten seconds."""
    worker = world.worker()
    worker.access(20)
    world.clock.now += LIFETIME - 100
    world.grant.failures = [Unavailable("away")]
    assert used(worker.access(20)) == "access-1"
    assert used(worker.access(20)) == "access-1"
    assert len(world.grant.asked) == 2
    world.clock.now += GRACE_SECONDS
    assert used(worker.access(20)) == "access-3"


def test_what_the_database_would_not_take_is_kept_later(world):
    """A refresh token that was granted while the database was away is not lost, nor used unkept."""

    class Away(MemoryTokens):
        saves = 0

        def save(self, tokens, after):
            self.saves += 1
            if self.saves == 1:
                raise StoreUnavailable
            return super().save(tokens, after)

    world.store = Away(world.clock)
    worker = world.worker()
    with pytest.raises(Unavailable):
        worker.access(20)
    assert used(worker.access(20)) == "access-1"
    assert world.store.load().tokens.refresh == "refresh-1"
    assert len(world.grant.asked) == 1


def test_a_missing_key_halts_with_what_to_do(world):
    """Tokens that cannot be opened are no tokens; the message names both ways out."""

    class Sealed(MemoryTokens):
        def load(self):
            raise SealBroken

    with pytest.raises(ConnectionHalted) as caught:
        world.worker(store=Sealed()).access(20)
    assert caught.value.cause == "reauth_required"
    assert "CRMSYNC_KEYS" in caught.value.hint
    assert "crmsync connect crm" in caught.value.hint


def test_another_first_refresh_token_is_taken_up(world):
    """A changed one in crmsync.yaml counts anew; the same one, or none, leaves what is kept."""
    world.grant.given = "one"
    world.worker().access(20)
    same, none = replace(world.grant, asked=[]), replace(world.grant, given=None, asked=[])
    assert world.worker(same).access(20).version == 1
    assert world.worker(none).access(20).version == 1
    other = replace(world.grant, given="other", asked=[])
    assert world.worker(other).access(20).version == 2
    assert other.asked == [None]


def test_another_first_refresh_token_ends_a_refusal(world):
    """What was refused was the old one."""
    world.grant.given, world.grant.failures = "one", [WITHDRAWN]
    with pytest.raises(ConnectionHalted):
        world.worker().access(20)
    other = replace(world.grant, given="other", failures=[])
    assert world.worker(other).access(20).version == 1


def test_tokens_of_another_app_are_not_used(world):
    """A changed client_id means another app, which was granted nothing yet."""
    world.worker().access(20)
    other = Grant(client_id="another")
    world.worker(other).access(20)
    assert other.asked == [None]
