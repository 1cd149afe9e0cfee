"""Ids, and the shapes that values have."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from typing import Any, NewType, TypeAlias

ProfileId = NewType("ProfileId", str)
"""26 characters of lower-case base32hex: sorts by time of making, safe where case is ignored."""
LinkId = NewType("LinkId", int)
RunId = NewType("RunId", int)
CrmId = NewType("CrmId", str)

Value: TypeAlias = str | int | float | bool | list[str] | None
Fields: TypeAlias = Mapping[str, Value]
Facts: TypeAlias = Mapping[str, Any]
"""Everything a mapping can read of one profile, by name: traits, statistics, derived names."""


def new_profile_id() -> ProfileId:
    """Return a fresh id: 48 bits of milliseconds, then 80 random bits."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return ProfileId(base64.b32hexencode(number.to_bytes(16, "big")).decode().rstrip("=").lower())
