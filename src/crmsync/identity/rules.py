"""What a project decides about identity, and what crmsync has to tell it about single calls.

`Rules` comes from crmsync.yaml (`identity:` and `goals:`); a `Note` goes to the ingest report and
the log. Both are read by every module of this room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EmailAsUserId(StrEnum):
    """What to do with a user id that is an e-mail address."""

    EMAIL = "email"
    """Take it for an e-mail: the user id stays free for a durable one."""
    KEEP = "keep"
    """Take it for a user id all the same."""


class Types(StrEnum):
    """What to do with a trait whose value has another type than declared or held so far."""

    LENIENT = "lenient"
    """The last write wins; the change of type is noted."""
    STRICT = "strict"
    """The value is refused; the rest of the call counts."""


class TraitType(StrEnum):
    """The types a trait can be declared with; a fact has one of them, or `any`."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    """Text `YYYY-MM-DD`."""
    DATETIME = "datetime"
    """Text `YYYY-MM-DDTHH:MM:SS.mmmZ`; epoch seconds and milliseconds are turned into it."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of identity resolution."""

    goals: frozenset[str] = frozenset()
    """Names of the tracked events that count as goals; revenue sums their `revenue` property."""
    email_as_user_id: EmailAsUserId = EmailAsUserId.EMAIL
    types: Types = Types.LENIENT
    trait_types: Mapping[str, TraitType] = field(default_factory=dict)
    """Declared types of traits, over `traits.STANDARD`."""
    max_trait_names: int = 1000
    """Different trait names in the whole project, besides the standard ones and `read_names`."""
    read_names: frozenset[str] = frozenset()
    """Traits that mappings, segments or declarations name: taken whatever else has come."""
    max_trait_bytes: int = 32 * 1024
    """Of one trait or property, as JSON."""


class NoteCode(StrEnum):
    """What a note is about."""

    ALIAS_CONFLICT = "alias_conflict"
    ANONYMOUS_IDENTIFY = "anonymous_identify"
    CLOCK_AHEAD = "clock_ahead"
    EMAIL_AS_USER_ID = "email_as_user_id"
    IDENTIFIER_CONFLICT = "identifier_conflict"
    NUL_REMOVED = "nul_removed"
    PLACEHOLDER_ID = "placeholder_id"
    TRAIT_LIMIT = "trait_limit"
    TYPE_CHANGED = "type_changed"
    VALUE_DROPPED = "value_dropped"


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one call that its sender should know; the call itself was taken."""

    code: NoteCode
    message_id: str
    detail: str
    """Names fields and says what to do; never holds a value."""
