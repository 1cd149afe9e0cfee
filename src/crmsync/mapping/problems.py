"""Where in a file something stands, and the list of everything found wrong there.

Every check of this room takes a `Problems` and goes on after a mistake, so that a person sees all
of them at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from crmsync.errors import Problem

NEAR: Final = 0.75
"""How alike two names must be (difflib's ratio) for one to be taken as a slip for the other."""

_SECRET: Final = re.compile(
    r"(?P<key>\b\w*(?:token|secret|password)[\"']?\s*:\s*)(?![\"']?\$\{)\S.*", re.IGNORECASE
)
_URL_CREDENTIALS: Final = re.compile(r"://[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Place:
    """A point in a file that a person wrote."""

    file: str
    """Relative to the folder of crmsync.yaml, with forward slashes."""
    line: int = 1
    column: int = 1
    """Both from 1, in characters."""
    source_line: str = field(default="", compare=False)
    """The text of that line; `problem` hides any secret in it."""

    def problem(self, message: str, severity: str = "error") -> Problem:
        """Say that something is wrong here."""
        shown = _SECRET.sub(r"\g<key>***", self.source_line)
        shown = _URL_CREDENTIALS.sub("://***@", shown)
        if self.column > len(shown) + 1:  # in a part that is hidden or cut off
            shown = ""
        return Problem(self.file, self.line, self.column, message, shown, severity)

    def shifted(self, characters: int) -> Place:
        """Return the place so many characters further on in the same line."""
        return Place(self.file, self.line, self.column + characters, self.source_line)


class Problems:
    """Everything found wrong so far. The first error at a place hides those that follow from it."""

    def __init__(self) -> None:
        """Start with nothing wrong."""
        self._found: list[Problem] = []
        self._error_places: set[Place] = set()

    def error(self, place: Place, message: str) -> None:
        """Note a mistake that refuses the files."""
        if place not in self._error_places:
            self._error_places.add(place)
            self._found.append(place.problem(message))

    def warn(self, place: Place, message: str) -> None:
        """Note something that a person should know and may leave."""
        self._found.append(place.problem(message, "warning"))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Every error, by file and place."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Every warning, by file and place."""
        return self._of("warning")

    def _of(self, severity: str) -> tuple[Problem, ...]:
        chosen = [p for p in self._found if p.severity == severity]
        return tuple(sorted(chosen, key=lambda p: ("/" in p.file, p.file, p.line, p.column)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most likely a slip for, if any is near."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=NEAR)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)`, or nothing where no known name is near."""
    near = nearest(name, known)
    return f" (did you mean '{near}'?)" if near else ""


def listed(names: Collection[str]) -> str:
    """Return `a, b or c`; `none` where there are no names."""
    *most, last = names or ("none",)
    return f"{', '.join(most)} or {last}" if most else last
