"""What a check found: how it stands, what was seen, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    FAULT = "fault"
    """Something does not work until somebody does something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result. Holds no secret and nobody's values."""

    subject: str
    """`crmsync` for what is ours, else the name of a connection."""
    check: str
    level: Level
    seen: str
    advice: str = ""
    """What to do; nothing where all is well."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom findings are about."""

    name: str

    def ok(self, check: str, seen: str) -> Finding:
        """All is well."""
        return Finding(self.name, check, Level.OK, seen)

    def warning(self, check: str, seen: str, advice: str) -> Finding:
        """Somebody should look at it."""
        return Finding(self.name, check, Level.WARNING, seen, advice)

    def fault(self, check: str, seen: str, advice: str) -> Finding:
        """Somebody has to do something."""
        return Finding(self.name, check, Level.FAULT, seen, advice)


OURS = Subject("crmsync")


def lasting(seconds: float) -> str:
    """Return a time that something has lasted, in the largest unit that fits twice."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
