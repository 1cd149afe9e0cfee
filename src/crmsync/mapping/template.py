"""Texts with names in braces, such as `{first_name} of {company}`: the `template` of a field.

Names only: no formats, no calls, no attributes. `{{` and `}}` are braces themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crmsync.mapping.transforms import bounded
from crmsync.mapping.values import as_text, is_empty
from crmsync.model import Facts

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class TemplateError(ValueError):
    """The text is not a template."""

    def __init__(self, message: str, offset: int) -> None:
        """Say what is wrong at which character, from 0."""
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: texts and names by turns."""

    parts: tuple[tuple[str, str | None], ...]
    """(literal text, then the name that follows it); the last has no name."""
    names: tuple[tuple[str, int], ...]
    """Each name and the place of its brace in the text."""


def parse_template(text: str) -> Template:
    """Return the template, or raise `TemplateError` with the place in the text."""
    parts: list[tuple[str, str | None]] = []
    names: list[tuple[str, int]] = []
    literal, end = "", 0
    for match in _PART.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[0] in ("{{", "}}"):
            literal += match[0][0]
            continue
        name = (match[1] or "").strip()
        if not name:
            raise TemplateError(
                "a brace without a name; write {name}, or {{ and }} for braces themselves",
                match.start(),
            )
        parts.append((literal, name))
        names.append((name, match.start()))
        literal = ""
    if not names:
        raise TemplateError("a template without a {name}; write `value:` for a constant", 0)
    return Template((*parts, (literal + text[end:], None)), tuple(names))


def filler(template: Template) -> Callable[[Facts], str | None]:
    """Return a function that fills the template in.

    A missing fact leaves nothing in its place; where all are missing there is no text at all.
    """
    parts = template.parts

    def fill(facts: Facts) -> str | None:
        texts: list[str] = []
        any_known = False
        for literal, name in parts:
            texts.append(literal)
            if name is None:
                continue
            value = facts.get(name)
            if not is_empty(value):
                any_known = True
                texts.append(as_text(value))
        return bounded("".join(texts)).strip() if any_known else None

    return fill
