"""What the doctor says of a real Redis."""

from __future__ import annotations

import pytest
import redis as client_library

from crmsync import tasks
from crmsync.sync.doctor import broker
from crmsync.sync.doctor.broker import check_broker
from tests.servers import redis

pytestmark = pytest.mark.integration
QUEUES = [tasks.queue_key("crm")]


@pytest.fixture
def own_redis():
    """A Redis that the test may misconfigure and freeze."""
    with redis.start_own() as server:
        yield server


@pytest.fixture
def client(own_redis):
    """Its administrator."""
    with client_library.Redis.from_url(own_redis.url) as opened:
        yield opened


def levels(url):
    """Return level by check."""
    return {one.check: str(one.level) for one in check_broker(url, QUEUES)}


def test_a_redis_in_order(own_redis):
    """It answers, forgets nothing, and no bell lies unheard."""
    assert levels(own_redis.url) == dict.fromkeys(("broker", "broker memory", "bells"), "ok")


def test_without_a_broker_nothing_is_wrong():
    """The embedded default has none."""
    assert levels(None) == {"broker": "ok"}


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_forgets_is_told(own_redis, client, policy):
    """It would drop bells and rate counts to make room."""
    client.config_set("maxmemory-policy", policy)
    assert levels(own_redis.url)["broker memory"] == "fault"


def test_bells_that_nobody_hears_are_told(own_redis, client):
    """They are rung with the real thing, so that the doctor looks where they really lie."""
    app = tasks.make_app(own_redis.url, ["crm"])
    with app.connection_for_write() as connection:
        for _ in range(broker.UNHEARD + 1):
            app.send_task(tasks.WAKE, ["crm"], queue="crmsync.crm", connection=connection)
    assert levels(own_redis.url)["bells"] == "warning"


def test_a_redis_that_is_frozen_or_gone_is_told(own_redis, monkeypatch):
    """Frozen it is given up after a while, and so it is when nobody listens."""
    monkeypatch.setattr(broker, "SECONDS", 0.2)
    own_redis.pause()
    assert levels(own_redis.url) == {"broker": "fault"}
    own_redis.resume()
    own_redis.stop()
    [gone] = check_broker(own_redis.url, QUEUES)
    assert gone.level == "fault"
    assert "sweep" in gone.advice
