"""The doorbell without a broker: what is rung, how often, and what a broken one costs."""

from __future__ import annotations

import threading

import pytest
from celery.utils.dispatch import Signal
from celery.worker.consumer import connection, consumer
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from crmsync import tasks
from crmsync.tasks import Doorbell
from tests.workbench import until


class Broker:
    """Takes messages, or fails."""

    def __init__(self) -> None:
        """Take messages at first."""
        self.sent: list[tuple[str, list[str], str]] = []
        self.attempts = 0
        self.is_away = False
        self.gate = threading.Event()
        self.gate.set()

    def send_task(self, name: str, args: list[str], queue: str, expires: float) -> None:
        """Take one message, which does not live for ever."""
        assert expires > 0
        self.attempts += 1
        self.gate.wait(10)
        if self.is_away:
            raise ConnectionError("no")
        self.sent.append((name, args, queue))


@pytest.fixture
def broker():
    """A broker that answers."""
    return Broker()


def test_a_ring_is_one_message_with_nothing_but_the_name(broker):
    """The message carries the connection's name, to the connection's own queue."""
    Doorbell(broker, 0.0).ring("crm")
    until(lambda: bool(broker.sent), "the bell is rung")
    assert broker.sent == [("crmsync.wake", ["crm"], "crmsync.crm")]


def test_rings_that_come_together_are_one_message(broker):
    """While one message is on its way, any number of rings become one more."""
    broker.gate.clear()
    bell = Doorbell(broker, 0.0)
    bell.ring("crm")
    until(lambda: broker.attempts == 1, "the first message is on its way")
    for _ in range(100):
        bell.ring("crm")
    broker.gate.set()
    until(lambda: len(broker.sent) == 2, "the others are rung as one")
    assert broker.attempts == 2


def test_a_broker_that_is_away_is_left_alone_for_a_while(broker, monkeypatch):
    """A failed ring is counted, not raised, and the broker is not asked again at once."""
    broker.is_away = True
    bell = Doorbell(broker, 0.0)
    bell.ring("crm")
    until(lambda: bell.failures == 1, "the failure is counted")
    bell.ring("crm")
    until(lambda: bell.failures == 2, "and the next one too")
    assert broker.attempts == 1
    monkeypatch.setattr(tasks, "BREAK_SECONDS", 0.0)


def test_a_ring_never_waits(broker):
    """Ringing returns while the broker hangs."""
    broker.gate.clear()
    bell = Doorbell(broker, 0.0)
    for _ in range(10):
        bell.ring("crm")
    assert broker.sent == []
    broker.gate.set()


def test_messages_are_safe_to_lose():
    """The app keeps no results, runs nothing twice, and has one queue per connection."""
    conf = tasks.make_app("memory://", ["a", "b"]).conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (False, False)
    assert conf.result_backend is None
    assert conf.accept_content == ["json"]
    assert sorted(conf.task_queues) == ["crmsync.a", "crmsync.b"]


class Bells:
    """A worker of which nothing but the bell may be used."""

    def __init__(self) -> None:
        """Begin in silence."""
        self.rung: list[str] = []

    def ring(self, name: str) -> None:
        """Note who was rung for."""
        self.rung.append(name)


def test_a_message_only_rings(monkeypatch):
    """The task leaves the work to the connection's own thread, and returns at once."""
    for name in ("setup_logging", "worker_init", "worker_shutting_down", "worker_shutdown"):
        monkeypatch.setattr(tasks, name, Signal(name=name))
    monkeypatch.setattr(tasks.BrokerWatch, "attach", lambda _: None)
    app = tasks.make_app("memory://", ["crm"])
    monkeypatch.setattr(app, "worker_main", lambda _: None)
    bells = Bells()
    tasks.serve(app, bells, [])
    app.tasks[tasks.WAKE]("crm")
    assert bells.rung == ["crm"]


def test_what_celery_says_of_a_broker_that_is_away_becomes_one_line(caplog):
    """Try after try is one line of ours, the end of it another; other warnings stay as they are."""
    watch = tasks.BrokerWatch()
    watch.attach()
    refused = RedisError("Error 111 connecting to 127.0.0.1:6379. Connection refused.")
    try:
        with capture_logs() as told:
            for _ in range(5):
                consumer.logger.error(consumer.CONNECTION_ERROR, "redis://h", refused, "Again...")
            connection.logger.info("Connected to %s", "redis://h")
            consumer.logger.warning("%s (%r)", consumer.CONNECTION_RETRY, refused)
            connection.logger.info("mingle: all alone")
            consumer.logger.warning("something else")
    finally:
        for module in (consumer, connection):
            module.logger.removeFilter(watch)
    assert [one["event"] for one in told] == ["broker_away", "broker_back", "broker_away"]
    assert told[0]["why"] == "Error 111 connecting to 127.0.0.1:6379. Connection refused"
    assert [record.getMessage() for record in caplog.records] == ["something else"]


def test_a_broker_that_is_away_is_told_before_anything_is_rung():
    """`look` tries it: one line while it is away, none as long as it is there."""
    with capture_logs() as told:
        Doorbell(tasks.make_app("memory://"), 0.0).look()
        bell = Doorbell(tasks.make_app("redis://127.0.0.1:9/0"), 0.0)
        bell.look()
        bell.look()
    assert [one["event"] for one in told] == ["broker_away"]
    assert "Connection refused" in told[0]["why"]


def test_celery_shows_no_banner(monkeypatch):
    """The command itself says in one line what the worker serves."""
    for name in ("setup_logging", "worker_init", "worker_shutting_down", "worker_shutdown"):
        monkeypatch.setattr(tasks, name, Signal(name=name))
    monkeypatch.setattr(tasks.BrokerWatch, "attach", lambda _: None)
    app = tasks.make_app("memory://", ["crm"])
    given: list[list[str]] = []
    monkeypatch.setattr(app, "worker_main", given.append)
    tasks.serve(app, Bells(), ["--pool=threads"])
    assert given == [["--quiet", "worker", "--pool=threads"]]
