"""What comes in: events, and the people and companies that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crmsync.model.ids import ProfileId


class EventType(StrEnum):
    """The calls of the tracking specification."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


@dataclass(frozen=True, slots=True)
class Event:
    """One inbound call, checked and in one shape whatever client sent it."""

    type: EventType
    source: str
    """Which write key or file it came by."""
    message_id: str
    at: datetime
    """When it happened, after clock correction and clamping."""
    body_sha256: bytes
    """Of the body without what a retry changes (`sentAt`)."""
    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    """Lower-cased; from the traits or from an e-mail used as user id."""
    previous_id: str | None = None
    group_id: str | None = None
    session_id: str | None = None
    name: str | None = None
    """Of a track event, page or screen."""
    traits: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


class ProfileKind(StrEnum):
    """What a profile is about; a mapping's `source` names one of them in the plural."""

    PERSON = "person"
    COMPANY = "company"


class IdentifierKind(StrEnum):
    """What sort of value names a profile."""

    USER_ID = "user_id"
    EMAIL = "email"
    ANONYMOUS_ID = "anonymous_id"
    GROUP_ID = "group_id"
    COMPANY_ID = "company_id"
    COMPANY_NAME = "company_name"
    """Normalised; provisional, until an id is known."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A typed value naming a profile; unique over all profiles."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True, slots=True)
class TraitSource:
    """Where a trait's value came from: decides which of two values is newer, and explains it."""

    at: datetime
    origin: str
    """`source:<name>` for events, `connection:<name>` for what a CRM said."""
    message_id: str


@dataclass(slots=True)
class Profile:
    """Our unified person or company, as stored; the fold of events changes it in place."""

    id: ProfileId
    kind: ProfileKind = ProfileKind.PERSON
    version: int = 0
    user_id: str | None = None
    email: str | None = None
    company_id: ProfileId | None = None
    """The company profile this person belongs to."""
    traits: dict[str, Any] = field(default_factory=dict)
    trait_sources: dict[str, TraitSource] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    """See `identity.statistics`: sessions, pages_viewed, goals_completed, revenue, ..."""
    created_at: datetime | None = None
    identified_at: datetime | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
