"""Logs: columns for people at a terminal, JSON lines for machines, always on stderr.

An event is a constant name with ids as keywords. What must never be logged is taken out on the way,
whoever logs it: credentials, traits, and the texts of exceptions, which may quote either.
Set up once by each command.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from crmsync.errors import ConfigError, CrmsyncError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
CHATTY = ("httpx", "celery", "kombu", "redis", "alembic", "asyncio", "uvicorn.access")
"""Libraries whose lines hold addresses and bodies: only their warnings pass."""

SILENT = ("urllib3",)
"""Libraries whose warnings hold whole URLs, and queries hold personal data: only errors pass."""

REMIND_SECONDS = 600.0
"""How often it is told again that something is away."""

_log = structlog.get_logger()
_HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"authorization|password|passwd|secret|token|cookie|(^|_)(api_?)?keys?$", re.IGNORECASE
)
_PERSONAL = frozenset(
    {"traits", "properties", "fields", "values", "value", "snapshot", "body", "content", "email"}
)
_CREDENTIALS = (
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 " + _HIDDEN),
    (re.compile(r"\b([\w-]*(?:token|secret|key|password|code))=[^&\s\"']+", re.IGNORECASE),
     r"\1=" + _HIDDEN),
    (re.compile(r"://[^/@\s]+@"), "://" + _HIDDEN + "@"),
    (re.compile(r"\bpat-[\w-]{6,}"), _HIDDEN),
)  # fmt: skip


class Outage:
    """Something we need that may be away: told at once, seldom again, and when it is back.

    Safe to use from many threads.
    """

    def __init__(
        self, what: str, *, meanwhile: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Name it as its log events begin, and say how we get by without it."""
        self._what = what
        self._meanwhile = meanwhile
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._told_at = 0.0

    def missed(self, why: str) -> None:
        """Note that it did not answer; `why` holds no secret."""
        with self._lock:
            now = self._clock()
            if self._began_at is None:
                self._began_at = now
            elif now - self._told_at < REMIND_SECONDS:
                return
            self._told_at = now
            away_seconds = round(now - self._began_at)
        _log.warning(
            f"{self._what}_away", why=why, away_seconds=away_seconds, meanwhile=self._meanwhile
        )

    def answered(self) -> None:
        """Note that it answers."""
        with self._lock:
            if self._began_at is None:
                return
            away_seconds = round(self._clock() - self._began_at)
            self._began_at = None
        _log.info(f"{self._what}_back", away_seconds=away_seconds)


def set_up(level: str | None = None, *, quiet: bool = False) -> None:
    """Send all logs to stderr; `quiet` leaves only errors, where a command tells the rest itself.

    Raises `ConfigError` for a level that there is not.
    """
    number = LEVELS.get((level or "info").lower())
    if number is None:
        raise ConfigError(f"CRMSYNC_LOG_LEVEL is not one of {', '.join(LEVELS)}")
    if quiet:
        number = max(number, LEVELS["error"])
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer()],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(number, LEVELS["warning"]))
    for name in SILENT:
        logging.getLogger(name).setLevel(LEVELS["error"])


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Take out of one log line whatever must not be kept: a structlog processor."""
    fault = event.pop("exc_info", None)
    for name, value in event.items():
        if name != "event" and (_SECRET_NAME.search(name) or name in _PERSONAL):
            event[name] = _HIDDEN
        else:
            event[name] = without_credentials(value)
    if fault:
        event["trace"] = trace_of(fault)
    return event


def without_credentials(value: Any) -> Any:  # noqa: ANN401 - whatever was logged
    """Return a value with every credential in its texts replaced."""
    if isinstance(value, str):
        for pattern, replacement in _CREDENTIALS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {
            k: _HIDDEN if _SECRET_NAME.search(str(k)) or k in _PERSONAL else without_credentials(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_credentials(item) for item in value]
    return value


def trace_of(fault: object) -> str:
    """Return where an exception happened, without its text: that may quote what it choked on."""
    if fault is True:
        fault = sys.exception()
    if isinstance(fault, tuple):
        fault = fault[1]
    if not isinstance(fault, BaseException):
        return ""
    frames = traceback.extract_tb(fault.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    said = f": {fault.user_message}" if isinstance(fault, CrmsyncError) else ""
    return "\n".join([*lines, f"{type(fault).__name__}{said}"])


def _renderer() -> Processor:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer()
