"""What is counted, and what the floor inserts."""

from __future__ import annotations

import pytest

from bench.bare_inserts import slices
from bench.calls import CONTACTS, cases
from bench.crm import Traffic, is_write


@pytest.mark.parametrize(
    ("method", "path", "writes"),
    [
        ("POST", "/crm/v3/objects/contacts/batch/update", True),
        ("PATCH", "/crm/v3/objects/contacts/1", True),
        ("DELETE", "/crm/v3/objects/contacts/1", True),
        ("POST", "/crm/v3/objects/contacts/batch/read", False),
        ("POST", "/crm/v3/objects/contacts/search", False),
        ("GET", "/crm/v3/properties/contacts", False),
    ],
)
def test_reads_by_post_are_no_writes(method: str, path: str, *, writes: bool) -> None:
    """HubSpot reads and searches by POST; only what changes records counts as a write."""
    assert is_write(method, path) is writes


def test_a_call_without_an_answer_counts_as_refused() -> None:
    """Anything but a success is a refusal, a connection that was cut included."""
    assert Traffic(statuses={200: 5, 207: 1, 429: 2, None: 1}).refused == 3


def test_no_two_events_of_the_cases_share_an_id() -> None:
    """Every event of every case is a new one: none is left out as a repetition."""
    ids = [call["messageId"] for case in cases() for call in case.calls]
    assert len(set(ids)) == len(ids) > 5 * CONTACTS


@pytest.mark.parametrize(("rows", "parts"), [(10, 3), (2, 5), (0, 4), (100, 100)])
def test_rows_are_cut_into_so_many_parts_and_none_is_lost(rows: int, parts: int) -> None:
    """The floor commits as often as the API, and inserts every row once, in order."""
    cut = slices(range(rows), parts)
    assert len(cut) == parts
    assert [row for part in cut for row in part] == list(range(rows))
    assert max(map(len, cut)) - min(map(len, cut)) <= 1
