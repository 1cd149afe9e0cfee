"""Where the vendors' descriptions of their APIs are, and how much was checked against them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "crm-apis" / "openapi"
"""A folder of descriptions per CRM; not part of this repository."""

CHECKED: Counter[str] = Counter()
"""How much was checked in this process, and in those that handed it theirs.

{"hubspot requests": 12, "hubspot answers": 11}
"""


def available() -> bool:
    """Say whether the descriptions are at hand."""
    return OPENAPI.is_dir()


def summary() -> str:
    """Return the line for the end of a test run."""
    if not available():
        return (
            "OpenAPI data of the CRMs: not there (../shared/crm-apis/openapi), "
            "so requests and answers were not checked against it"
        )
    checked = ", ".join(f"{count:,} {what}" for what, count in sorted(CHECKED.items()))
    return f"OpenAPI data of the CRMs: found; checked against it: {checked or 'nothing'}"
