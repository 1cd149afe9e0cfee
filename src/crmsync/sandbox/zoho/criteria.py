r"""Criteria of a search: `((Last_Name:equals:Li)and(Email:starts_with:li\,))`.

Parentheses, commas and backslashes in values are escaped with a backslash.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.fields import Fields

Matches = Callable[[dict[str, Any]], bool]

MAX_CRITERIA = 15


def read_criteria(text: str, fields: Fields) -> Matches:
    """Return the test that criteria make; 400 where they cannot be read."""
    reader = _Reader(text, fields)
    matches = reader.group()
    if reader.rest or reader.count > MAX_CRITERIA:
        raise errors.invalid_parameter("criteria")
    return matches


class _Reader:
    """Reads criteria from left to right."""

    def __init__(self, text: str, fields: Fields) -> None:
        self._text = text.strip()
        self._place = 0
        self._fields = fields
        self.count = 0

    @property
    def rest(self) -> str:
        """What has not been read."""
        return self._text[self._place :].strip()

    def group(self) -> Matches:
        """Read what stands in parentheses, and what it is joined with."""
        self._take("(")
        matches = self._group_joined() if self.rest.startswith("(") else self._criterion()
        self._take(")")
        return matches

    def _group_joined(self) -> Matches:
        matches = self.group()
        while not self.rest.startswith(")"):
            joint = self._word()
            if joint not in ("and", "or"):
                raise errors.invalid_parameter("criteria")
            matches = _joined(matches, self.group(), both=joint == "and")
        return matches

    def _criterion(self) -> Matches:
        self.count += 1
        name, _, rest = self._until_end().partition(":")
        word, _, value = rest.partition(":")
        test = _TESTS.get(word.strip())
        name = name.strip()
        if self._fields.find(name) is None or test is None:
            raise errors.invalid_parameter("criteria")
        wanted = _split(value)
        return lambda values: test(_text(values.get(name)), wanted)

    def _until_end(self) -> str:
        start = self._place
        while self._place < len(self._text) and self._text[self._place] not in "()":
            self._place += 2 if self._text[self._place] == "\\" else 1
        return self._text[start : self._place]

    def _word(self) -> str:
        self._skip_spaces()
        start = self._place
        while self._text[self._place : self._place + 1].isalpha():
            self._place += 1
        return self._text[start : self._place].lower()

    def _take(self, character: str) -> None:
        self._skip_spaces()
        if self._text[self._place : self._place + 1] != character:
            raise errors.invalid_parameter("criteria")
        self._place += 1

    def _skip_spaces(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1


def _split(value: str) -> list[str]:
    """Return the values joined by commas, without their escapes, in lower case."""
    parts, escaped = [""], False
    for character in value:
        if character == "\\" and not escaped:
            escaped = True
            continue
        if character == "," and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = False
    return [part.casefold() for part in parts]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).casefold()


def _joined(left: Matches, right: Matches, *, both: bool) -> Matches:
    if both:
        return lambda values: left(values) and right(values)
    return lambda values: left(values) or right(values)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[str, list[str]], bool]:
    def test(held: str, wanted: list[str]) -> bool:
        try:
            return bool(held) and compare(float(held), float(wanted[0]))
        except ValueError:
            return compare(held, wanted[0])  # dates and moments, written alike

    return test


_TESTS: dict[str, Callable[[str, list[str]], bool]] = {
    "equals": lambda held, wanted: held in wanted,
    "not_equal": lambda held, wanted: held not in wanted,
    "in": lambda held, wanted: held in wanted,
    "starts_with": lambda held, wanted: held.startswith(wanted[0]),
    "greater_than": _ordered(operator.gt),
    "greater_equal": _ordered(operator.ge),
    "less_than": _ordered(operator.lt),
    "less_equal": _ordered(operator.le),
}
