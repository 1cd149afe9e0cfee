"""The limits that a mapping and crmsync.yaml set, key by key."""

from __future__ import annotations

import pytest

from crmsync.mapping.compiled import GUARD, GuardLimit, Harm
from crmsync.mapping.guarding import guard_of
from crmsync.mapping.spec import GuardKeys

CLEARED, CHANGED = GUARD


@pytest.mark.parametrize(
    ("mapping", "project", "expected"),
    [
        ({}, {}, GUARD),
        ({"cleared": 0.1}, {}, (GuardLimit(Harm.CLEARED, 0.1, 100), CHANGED)),
        ({}, {"cleared": 0.1}, (GuardLimit(Harm.CLEARED, 0.1, 100), CHANGED)),
        ({"cleared": 1.0}, {"cleared": 0.1}, (GuardLimit(Harm.CLEARED, 1.0, 100), CHANGED)),
        ({"changed": 0.3}, {}, (CLEARED, GuardLimit(Harm.CHANGED, 0.3, 100))),
        (
            {"at_least": 7},
            {"changed": 0.3},
            (GuardLimit(Harm.CLEARED, 0.2, 7), GuardLimit(Harm.CHANGED, 0.3, 7)),
        ),
        (
            {"at_least": 7},
            {},
            (
                GuardLimit(Harm.CLEARED, 0.2, 7),
                GuardLimit(Harm.CHANGED, 0.5, 7, backfill_only=True),
            ),
        ),
        (
            {"at_least": 0},
            {"at_least": 7},
            (
                GuardLimit(Harm.CLEARED, 0.2, 0),
                GuardLimit(Harm.CHANGED, 0.5, 0, backfill_only=True),
            ),
        ),
    ],
)
def test_a_mapping_goes_before_the_project_and_the_project_before_us(mapping, project, expected):
    """`changed` that somebody set holds for every run; else for a backfill alone."""
    found = guard_of(GuardKeys.model_validate(mapping), GuardKeys.model_validate(project))
    assert found == expected
