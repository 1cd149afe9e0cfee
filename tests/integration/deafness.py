"""What takes out how a worker finds its broker again; switches of `sabotage`, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmsync import tasks
from crmsync.sync.worker import Worker

DAY_SECONDS = 86_400


def no_hearing() -> None:
    """Hear no bell."""
    Worker.ring = lambda *_: None  # type: ignore[method-assign]


def no_reconnecting() -> None:
    """End when the connection to the broker is lost."""
    _change(lambda settings: settings.update(broker_connection_retry=False))


def no_health_checks() -> None:
    """Believe for a day that a connection is good on which nothing comes.

    Looking for messages that nobody acknowledged would notice it, too, now and then.
    """
    options = {"health_check_interval": DAY_SECONDS, "unacked_restore_interval": DAY_SECONDS}
    _change(lambda settings: settings.broker_transport_options.update(options))


def _change(change: Callable[[Any], object]) -> None:
    original = tasks.make_app

    def make_app(*given: Any) -> Any:
        app = original(*given)
        change(app.conf)
        return app

    tasks.make_app = make_app
