"""What Salesforce says of the org's calls of the last 24 hours, with each answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crmsync.connectors.answers import DailyQuota

HEADER = "Sforce-Limit-Info"
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


def quota_in(headers: Mapping[str, str]) -> DailyQuota | None:
    """Read `api-usage=18/5000`, the org's; what one app may use of it can stand behind."""
    found = _USAGE.search(headers.get(HEADER, ""))
    if found is None:
        return None
    used, total = int(found[1]), int(found[2])
    return DailyQuota(max(0, total - used), total)
