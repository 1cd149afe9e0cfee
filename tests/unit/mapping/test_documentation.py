"""docs/mapping.md says everything the code knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crmsync.mapping import project_spec, spec
from crmsync.mapping.transforms import TRANSFORMS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "mapping.md").read_text()
KEYS = sorted(
    {
        field.alias or name
        for keys in (*vars(spec).values(), *vars(project_spec).values())
        if isinstance(keys, type) and issubclass(keys, spec.Keys)
        for name, field in keys.model_fields.items()
    }
)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented(key):
    """In code style, as it is written in a file."""
    assert f"`{key}`" in PAGE


def test_the_table_of_transforms_is_that_of_the_code():
    """Name and summary, in the order of the code."""
    rows = re.findall(r"^\| `(\w+)` \| .*?\| .*?\| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, transform.summary) for name, transform in TRANSFORMS.items()]
