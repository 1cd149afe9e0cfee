"""Lists that do not end."""

from __future__ import annotations

import pytest

from crmsync.connectors.paging import EMPTY_PAGES, Pages
from crmsync.errors import Unavailable


def test_a_place_that_comes_again_ends_a_list():
    """However far back it was."""
    pages = Pages("GET /x")
    for place in ("a", "b", "c"):
        pages.turn(place, 1)
    with pytest.raises(Unavailable, match="GET /x"):
        pages.turn("a", 1)


def test_empty_pages_are_passed_over_only_so_often():
    """A cursor that is always new leads nowhere; one entry begins the count anew."""
    pages = Pages("GET /x")
    for place in range(EMPTY_PAGES):
        pages.turn(place, 0)
    pages.turn("here", 1)
    for place in range(EMPTY_PAGES):
        pages.turn(f"later {place}", 0)
    with pytest.raises(Unavailable):
        pages.turn("last", 0)
