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


def lost(effect: Effect, message: str) -> OutcomeUnknown | Unavailable:
    """Return the error for an answer that was lost after the request was sent."""
    return Unavailable(message) if effect is Effect.READ else OutcomeUnknown(message)
