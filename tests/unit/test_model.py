"""Ids of profiles."""

from __future__ import annotations

import re
from unittest import mock

from crmsync.model import new_profile_id


def test_a_profile_id_is_26_letters_and_digits():
    """An id is lower-case base32hex, safe where case is ignored, and no two are the same."""
    ids = {new_profile_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-v]{26}", one) for one in ids)


def test_profile_ids_sort_by_the_time_they_were_made():
    """What was made in a later millisecond sorts after what was made before."""
    with mock.patch("time.time_ns", side_effect=[n * 1_000_000 for n in range(1, 50)]):
        ids = [new_profile_id() for _ in range(49)]
    assert ids == sorted(ids)
