"""Times that a CRM names in headers: how long it asks to wait, and what its clock says."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_WAIT_SECONDS = 3_600.0
"""Whatever the CRM says, look again within the hour: clocks and headers are wrong at times."""


def retry_after(header: str | None, otherwise: float, now: datetime | None = None) -> float:
    """Return seconds from a Retry-After header (seconds or a date), within 0..1 h.

    `otherwise` stands in for one that is absent, unreadable or not positive.
    """
    if not header:
        return otherwise
    try:
        seconds = float(header)
    except ValueError:
        at = moment_of(header)
        if at is None:
            return otherwise
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    if math.isnan(seconds) or seconds <= 0:
        return otherwise
    return min(seconds, MAX_WAIT_SECONDS)


def moment_of(header: str | None) -> datetime | None:
    """Return the time that a header such as Date names; None for one that is absent or unreadable.

    It is to the second.
    """
    try:
        at = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
