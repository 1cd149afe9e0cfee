"""Codes that no table has: taken for "perhaps applied", and told once each with where to add them.

An outage may bring one code for hours, and from many records: a line for each would bury the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache

import structlog

MOST_REMEMBERED = 1_000
"""Of a process; what sends more different codes than that may be told again."""
_CODE = re.compile(r"\w{1,80}", re.ASCII)

log = structlog.get_logger()


def tell_unknown(crm: str, code: str, status: int, add_to: str) -> None:
    """Log a code that the table of `add_to`, a module of `crmsync.connectors`, does not have.

    `status`: of the whole call; 0 for the refusal of one record of it.
    """
    # A code is one of the vendor's constants; anything else might be somebody's data.
    _tell(crm, code if _CODE.fullmatch(code) else "", status, add_to)


@lru_cache(maxsize=MOST_REMEMBERED)
def _tell(crm: str, code: str, status: int, add_to: str) -> None:
    log.warning(
        "unknown_code",
        crm=crm,
        code=code,
        status=status,
        taken_for="perhaps applied",
        add_to=f"crmsync.connectors.{add_to}",
    )
