"""Celery as the doorbell: one task, which carries a connection's name and nothing else.

The work itself is in the database (`sync.drain`): a message that is lost, doubled or late costs
time and never data. Settings are those of docs/reliability.md, measured there.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down
from celery.worker.consumer import connection, consumer
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from crmsync.logging import Outage
from crmsync.sync.worker import Worker

WAKE = "crmsync.wake"
QUEUE_PREFIX = "crmsync."
KEY_PREFIX = "crmsync:"
"""Of everything of ours in a Redis that others may use too."""
EXPIRY_SECONDS = 60.0
BREAK_SECONDS = 10.0
"""How long a broker that did not answer is not tried again; the sweep serves meanwhile."""

MEANWHILE = "work is found by looking for it now and then"


def make_app(broker_url: str, names: list[str] | None = None) -> Celery:
    """Return the Celery app, with one queue per connection."""
    app = Celery("crmsync", broker=broker_url)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=False,  # a lost bell is found by the sweep; a redelivered one is a storm
        task_reject_on_worker_lost=False,
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "retry_on_timeout": False,
            "max_retries": 1,
            "interval_start": 0,
            "interval_max": 0.5,
            "visibility_timeout": 300,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "global_keyprefix": KEY_PREFIX,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_soft_shutdown_timeout=30,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # ours are over at once
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_queues={QUEUE_PREFIX + name: {} for name in names or []},
        task_create_missing_queues=True,
    )
    return app


def queue_key(name: str) -> str:
    """Return the key of the list in which a connection's bells lie until they are heard."""
    return f"{KEY_PREFIX}{QUEUE_PREFIX}{name}"


class Doorbell:
    """Rings workers through Celery, off the caller's thread.

    Rings of one connection within the linger time become one message. A broker that is away costs
    the caller nothing: failures are counted, and for a while it is not tried.
    """

    def __init__(self, app: Celery, linger_seconds: float) -> None:
        """Start the thread that publishes."""
        self._app = app
        self._linger = linger_seconds
        self._waiting: set[str] = set()
        self._changed = threading.Condition()
        self._resting_until = 0.0
        self._broker = Outage("broker", meanwhile=MEANWHILE)
        self.failures = 0
        threading.Thread(target=self._publish_loop, name="doorbell", daemon=True).start()

    def ring(self, name: str) -> None:
        """Ask for a message to be sent; returns at once and never raises."""
        with self._changed:
            self._waiting.add(name)
            self._changed.notify()

    def look(self) -> None:
        """Try the broker without ringing: that it is away is told before anything is lost."""
        try:
            with self._app.connection_for_write() as broker:
                broker.ensure_connection(max_retries=1, interval_start=0)
        except OperationalError as away:
            self._broker.missed(_reason(away))
        else:
            self._broker.answered()

    def _publish_loop(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
            time.sleep(
                self._linger
            )  # what is rung for is due only then, and a burst is one message
            with self._changed:
                names, self._waiting = self._waiting, set()
            for name in names:
                self._publish(name)

    def _publish(self, name: str) -> None:
        if time.monotonic() < self._resting_until:
            self.failures += 1
            return
        try:
            # A bell that nobody hears in time says nothing that the sweep does not find.
            self._app.send_task(WAKE, [name], queue=QUEUE_PREFIX + name, expires=EXPIRY_SECONDS)
        except Exception as fault:  # noqa: BLE001 - whatever ails the broker, the sweep will find the work
            self.failures += 1
            self._resting_until = time.monotonic() + BREAK_SECONDS
            self._broker.missed(_reason(fault))
        else:
            self._broker.answered()


class BrokerWatch(logging.Filter):
    """Turns what Celery says, try after try, of a broker that is away into our own few lines."""

    def __init__(self) -> None:
        """Begin with a broker that is there."""
        super().__init__()
        self._broker = Outage("broker", meanwhile=MEANWHILE)

    def attach(self) -> None:
        """Listen to the two places where Celery tells how it stands with the broker."""
        for module in (consumer, connection):
            module.logger.addFilter(self)
        connection.logger.setLevel(logging.INFO)  # that it is connected is only for information

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line of Celery's is shown; those about the broker become ours."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        if record.msg == consumer.CONNECTION_ERROR:
            self._broker.missed(_reason(arguments[1]))
        elif consumer.CONNECTION_RETRY in arguments:
            self._broker.missed("the connection was lost")
        elif str(record.msg).startswith("Connected to"):
            self._broker.answered()
        else:
            return record.levelno >= logging.WARNING
        return False


def _reason(fault: object) -> str:
    """Return why a broker could not be reached; these errors hold its host and its words alone."""
    known = isinstance(fault, OperationalError | RedisError | OSError)
    return str(fault).rstrip(".") if known else type(fault).__name__


def serve(app: Celery, worker: Worker, arguments: list[str]) -> None:
    """Run a Celery worker in the foreground until it is told to stop.

    The task only rings: the connection's own thread drains it, and knows when to look again for
    what was rung for too early.
    """

    @app.task(name=WAKE)  # type: ignore[untyped-decorator] # Celery publishes no types
    def wake(name: str) -> None:
        worker.ring(name)

    @setup_logging.connect(weak=False)  # type: ignore[untyped-decorator] # as above
    def keep_ours(**_: object) -> None:
        """Keep Celery, which would else set the level of all logs, from touching them."""

    @worker_init.connect(weak=False)  # type: ignore[untyped-decorator] # as above
    def begin(**_: object) -> None:
        worker.start()

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator] # as above
    def hear(**_: object) -> None:
        worker.begin_stop()

    @worker_shutdown.connect(weak=False)  # type: ignore[untyped-decorator] # as above
    def end(**_: object) -> None:
        worker.stop()

    # The warning of the superuser is about pickle, which we do not accept.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    BrokerWatch().attach()
    app.worker_main(["--quiet", "worker", *arguments])
