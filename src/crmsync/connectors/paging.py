"""Lists that come in pages: seeing to it that one ends, whatever the CRM says of further pages."""

from __future__ import annotations

from collections.abc import Hashable

from crmsync.errors import Unavailable

EMPTY_PAGES = 100
"""In a row, each with a promise of more: nobody's filter is that unlucky."""


class Pages:
    """The pages of one list as they come."""

    def __init__(self, what: str) -> None:
        """Name the list for messages."""
        self._what = what
        self._seen: set[Hashable] = set()
        self._empty = 0

    def turn(self, place: Hashable, found: int) -> None:
        """Note that a page had so many entries, and where the next one is said to begin.

        Raises Unavailable where the list leads in a circle, or on and on to nothing.
        """
        self._empty = 0 if found else self._empty + 1
        if place in self._seen or self._empty > EMPTY_PAGES:
            raise Unavailable(f"{self._what}: the CRM's list does not end")
        self._seen.add(place)
