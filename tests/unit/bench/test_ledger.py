"""What is counted, and what the floor inserts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench.bare_inserts import slices
from bench.calls import CONTACTS, Seen, adoption, aim, cases
from bench.crms import CRMS, PIPEDRIVE, SALESFORCE
from bench.simulated import Traffic, most_at_once

RIGHT = Seen(Counter(write=5), 1, CONTACTS, 0, ["Title", "MailingCity"])
"""Of Salesforce, all changed."""


def test_a_call_without_an_answer_counts_as_refused() -> None:
    """Anything but a success is a refusal, a connection that was cut included."""
    assert Traffic(statuses={200: 5, 207: 1, 429: 2, None: 1}).refused == 3


def test_no_two_events_of_the_cases_share_an_id() -> None:
    """Every event of every case is a new one: none is left out as a repetition."""
    ids = [call["messageId"] for case in cases() for call in case.events]
    assert len(set(ids)) == len(ids) > 5 * CONTACTS


@pytest.mark.parametrize(
    ("crm", "all_changed", "few_changed"),
    [("hubspot", 10, 1), ("salesforce", 5, 1), ("zoho", 10, 1), ("pipedrive", 1_000, 10)],
)
def test_the_most_calls_are_those_that_are_promised(
    crm: str, all_changed: int, few_changed: int
) -> None:
    """1,000 changed contacts, 1 % of them, and none: docs/performance.md promises these numbers."""
    _, every, few, *others, burst = cases()
    assert [case.most_writes(CRMS[crm]) for case in (every, few, burst)] == [
        all_changed,
        few_changed,
        1,
    ]
    assert [case.most_writes(CRMS[crm]) for case in others] == [0] * 4
    assert not any(case.most_reads(CRMS[crm]) for case in (every, few, burst, *others))


def test_pipedrive_may_list_two_pages_when_nobody_is_linked_yet() -> None:
    """Only the first push may read records: two pages of all, and who is there in hundreds."""
    first, *_ = cases()
    assert first.most_reads(PIPEDRIVE) == adoption().most_reads(PIPEDRIVE) == 12


@pytest.mark.parametrize(
    ("seen", "reached"),
    [
        (RIGHT, True),
        (replace(RIGHT, calls={"write": 6}), False),
        (replace(RIGHT, calls={"write": 5, "read": 1}), False),
        (replace(RIGHT, fields=["Title", "Email"]), False),
        (replace(RIGHT, records=CONTACTS + 1), False),
        (replace(RIGHT, waiting=1), False),
    ],
    ids=["right", "a write more", "a read more", "another field", "a duplicate", "one waits"],
)
def test_a_case_is_missed_for_every_reason(seen: Seen, *, reached: bool) -> None:
    """A call too many, a field that did not change, a duplicate or a record that waits: missed."""
    _, every, *_ = cases()
    found = aim(SALESFORCE, every, replace(seen, calls=Counter(seen.calls)))
    assert found.counted
    assert found.reached is reached


def test_calls_that_follow_each_other_are_not_under_way_together() -> None:
    """The most at once counts overlaps; a call that begins as another ends takes its place."""
    times = [(0.0, 1.0), (0.5, 1.0), (1.0, 0.5), (3.0, 9.0)]
    entries = [{"received_at": at, "duration_seconds": took} for at, took in times]
    assert most_at_once(entries) == 2


@pytest.mark.parametrize(("rows", "parts"), [(10, 3), (2, 5), (0, 4), (100, 100)])
def test_rows_are_cut_into_so_many_parts_and_none_is_lost(rows: int, parts: int) -> None:
    """The floor commits as often as the API, and inserts every row once, in order."""
    cut = slices(range(rows), parts)
    assert len(cut) == parts
    assert [row for part in cut for row in part] == list(range(rows))
    assert max(map(len, cut)) - min(map(len, cut)) <= 1
