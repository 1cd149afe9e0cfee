"""Walking through what changed: where each page ends, and answers that lead nowhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.connectors.salesforce.walk import settled_before, walk
from crmsync.errors import Unavailable
from tests.unit.connectors.salesforce.answers import FIRST, SECOND

SETTLED = datetime(2024, 5, 1, 10, 0, 5, tzinfo=UTC)


def row(crm_id, second):
    """A row of a query."""
    return {"Id": crm_id, "SystemModstamp": f"2024-05-01T10:00:{second:02}.000+0000"}


def places(*pages):
    """The cursors of the pages."""
    return [str(place) for _, place in walk(pages, SETTLED)]


def test_a_place_is_exact_where_nothing_appears_any_more():
    """Of later ones the time alone is kept; a page without rows is none."""
    assert places([row(FIRST, 1), row(SECOND, 1)], [], [row(FIRST, 4)], [row(SECOND, 5)]) == [
        f"2024-05-01T10:00:01Z/{SECOND}",
        f"2024-05-01T10:00:04Z/{FIRST}",
        "2024-05-01T10:00:05Z",
    ]


@pytest.mark.parametrize(
    "pages",
    [
        ([row(FIRST, 2), row(SECOND, 1)],),
        ([row(FIRST, 2)], [row(SECOND, 1)]),
        ([row(FIRST, 2)], [row(FIRST, 2)]),
        ([row(FIRST, 1), row(SECOND, 1)], [row(FIRST, 1), row(SECOND, 1)]),
    ],
)
def test_pages_that_do_not_go_forward_end_the_walk(pages):
    """Out of order, a cursor would omit records; repeated, the walk would not end."""
    with pytest.raises(Unavailable, match="does not go forward"):
        places(*pages)


def test_what_is_settled_is_older_than_late_commits_and_wrong_clocks():
    """Five minutes of the one, ten of the other."""
    age = datetime.now(UTC) - settled_before()
    assert 899 < age.total_seconds() < 960
