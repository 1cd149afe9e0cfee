"""Salesforce's record ids: 15 characters whose case counts, or 18 that do without.

The last three of the 18 say which of the first 15 are capitals, so that both name one record.
Every id that leaves the connector has 18.
"""

from __future__ import annotations

import re

from crmsync.model import CrmId

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[A-Za-z0-5]{3})?", re.ASCII)
_SHORT = 15
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def full_id(text: str) -> CrmId | None:
    """Return the 18 characters of an id; None for what cannot be one."""
    if not _ID.fullmatch(text):
        return None
    if len(text) > _SHORT:
        return CrmId(text)
    suffix = ""
    for start in range(0, _SHORT, 5):
        capitals = (c.isupper() << place for place, c in enumerate(text[start : start + 5]))
        suffix += _SUFFIX[sum(capitals)]
    return CrmId(text + suffix)
