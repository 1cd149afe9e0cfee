"""Checks exchanges with any CRM against the vendor's own description of its API.

A CRM joins by its line in `_MODULES` and a module with `DESCRIPTION` (tests/openapi/described.py).
Nothing is imported before it is needed. Without the descriptions, which are not part of this
repository, nothing is found wrong; the end of every test run says so.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping

from tests.openapi.described import Description, Entry
from tests.openapi.tally import available

_MODULES: Mapping[str, str | None] = {
    "hubspot": "tests.openapi.hubspot_exchanges",
    "pipedrive": "tests.openapi.pipedrive_exchanges",
    "salesforce": None,  # publishes no description of its REST API
    "tidewater": None,  # tests/fifth_crm: does not exist
    "zoho": "tests.openapi.zoho_exchanges",
}


def described(crm: str) -> Description | None:
    """Return a CRM's description, or None where there is nothing to check against.

    Raises KeyError for a CRM that is not in the table.
    """
    module = _MODULES[crm]
    if module is None or not available():
        return None
    description: Description = importlib.import_module(module).DESCRIPTION
    return description


def problems(crm: str, entries: Iterable[Entry], *, check_requests: bool = True) -> list[str]:
    """Return what is wrong with exchanges, one line each.

    An answer that a fault took is not looked at: the test wanted it wrong.
    """
    description = described(crm)
    if description is None:
        return []
    return [
        line
        for entry in entries
        for line in description.problems(
            entry, check_request=check_requests, check_answer=entry["fault"] is None
        )
    ]
