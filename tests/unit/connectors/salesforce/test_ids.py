"""Ids in 15 and in 18 characters."""

from __future__ import annotations

import pytest

from crmsync.connectors.salesforce.ids import full_id


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("0035e00000AbCdE", "0035e00000AbCdEAAV"),
        ("0035e00000AbCdEAAV", "0035e00000AbCdEAAV"),
        ("001000000000000", "001000000000000AAA"),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555"),
        ("", None),
        ("0035e00000AbCd", None),
        ("0035e00000AbCdEAA", None),
        ("0035e00000AbCdE' OR", None),
        ("\u0660\u0660\u06635e00000AbCdE", None),
    ],
)
def test_an_id_has_18_characters(given, full):
    """The suffix says which of the first 15 are capitals; what cannot be an id is none."""
    assert full_id(given) == full
