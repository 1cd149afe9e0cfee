"""What is sent and what comes back, in the words that `http` and every connector share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

from crmsync.connectors.failures import excerpt_of
from crmsync.errors import OutcomeUnknown, Unavailable

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What goes wrong in reading an answer of another shape than documented. Arithmetic: a moment
beyond the years that there are."""


class Effect(StrEnum):
    """What sending a request does, hence when it may be sent again here."""

    READ = "read"
    """Changes nothing: repeated after any failure on the way."""
    WRITE = "write"
    """Never repeated: whether a lost answer may be sent again is the caller's decision."""
    TOKEN = "token"  # noqa: S105 (the name of an effect, not a secret)
    """A token call: repeated only when it surely never left, since a token may be used once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the CRM answered, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    effect: Effect
    what: str
    """Method, host with port, and route, for messages."""
    remedy: str = ""
    """What to do where the answer is that our credentials are not accepted."""

    @property
    def ok(self) -> bool:
        """Say whether the status is a success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:  # noqa: ANN401 (any JSON; the connector's reader gives it a type)
        """Return the body as JSON; an unreadable one is a lost answer, never a success."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise lost(self.effect, f"{self.what}: answered {self.status} without JSON") from None

    def excerpt(self) -> str:
        """Return the beginning of the body as text, without secrets. May hold personal data."""
        return excerpt_of(self.body)


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """What a CRM says is left of a day's calls, tokens or credits."""

    left: int
    total: int | None = None
    """None where it does not say how many a day has."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it, for the log and the metrics. Holds no personal data."""

    connection: str
    method: str
    route: str
    """The path without query and ids."""
    scope: str
    started_at: datetime
    waited_seconds: float
    """For the throttle, before sending."""
    duration_seconds: float
    bytes_sent: int
    """Head and body, uncompressed, before TLS."""
    bytes_received: int
    status: int | None = None
    """None when no answer could be read."""
    failure: str = ""
    """Why not, in a few words."""
    correlation_id: str = ""
    """The CRM's own name for the request: what its support asks for."""
    answered_at: datetime | None = None
    """By the CRM's clock, in whole seconds; None where it does not say."""
    quota: DailyQuota | None = None


Observer = Callable[[Exchange], None]


def unobserved(_exchange: Exchange) -> None:
    """Do nothing with an exchange."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the transport must know of one CRM."""

    base_url: str | None
    """None where each account has an address of its own, which comes with its token."""
    host_suffixes: tuple[str, ...]
    """The vendor's own domains, each beginning with a dot."""
    correlation_header: str = "X-Request-Id"
    refuses_token: Callable[[Answer], bool] = field(
        default=lambda answer: answer.status == HTTPStatus.UNAUTHORIZED
    )
    """Whether an answer means that another access token may be accepted. Such a call is surely not
    applied, so that even a write is sent again."""
    quota_in: Callable[[Mapping[str, str]], DailyQuota | None] = field(default=lambda _: None)
    """Reads from an answer's headers what is left of the day."""


def told_by(
    left: str, total: str | None = None
) -> Callable[[Mapping[str, str]], DailyQuota | None]:
    """Return what reads a day's quota from headers of these names."""

    def quota_in(headers: Mapping[str, str]) -> DailyQuota | None:
        told, whole = headers.get(left, ""), headers.get(total, "") if total else ""
        if not told.isdecimal():
            return None
        return DailyQuota(int(told), int(whole) if whole.isdecimal() else None)

    return quota_in


def name_in(said: object) -> str:
    """Return what an answer calls something by: a text or a whole number; ValueError for others."""
    if isinstance(said, bool) or not isinstance(said, str | int) or said == "":
        raise ValueError("not a name")
    return str(said)


def lost(effect: Effect, message: str) -> OutcomeUnknown | Unavailable:
    """Return the error for an answer that was lost after the request was sent."""
    return Unavailable(message) if effect is Effect.READ else OutcomeUnknown(message)
