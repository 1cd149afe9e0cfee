"""The settings every simulated CRM has, and how a running one is given others.

Settings are frozen: a change makes a new object and puts it in place of the old one, so that
nothing sees half a change. A CRM adds its own by deriving from `Settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

AnySettings = TypeVar("AnySettings", bound="Settings")


class SettingsError(ValueError):
    """A setting is unknown or has a wrong value; the text names each one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the frame itself needs to know."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    seed: int = 0
    """Start of everything random: result order, jitter, ids of tokens and correlation."""
    latency_seconds: float = 0.0
    """How long an answer is held back. The request takes effect when it arrives."""
    jitter_seconds: float = 0.0
    """Up to this much is added to the latency, evenly spread."""
    limits: bool = True
    """Whether the CRM refuses calls beyond its rate limits."""
    ledger_entries: int = 100_000
    """How many requests the ledger remembers; older ones remain only in the counts."""
    ledger_bodies: bool = True
    """Whether it remembers bodies too. Off for benchmarks."""


def changed(settings: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
    """Return the settings with some of them changed; `SettingsError` names every wrong one."""
    return parse(type(settings), {**asdict(settings), **changes})


def parse(kind: type[AnySettings], values: Mapping[str, Any]) -> AnySettings:
    """Build settings from plain values; `SettingsError` names every wrong one."""
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        raise SettingsError(describe(error)) from None


def describe(error: ValidationError) -> str:
    """One line for each wrong value: where it stands and what was expected."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )
