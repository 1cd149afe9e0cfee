"""Pipedrive's answers as a script, and a connector that gets them."""

from __future__ import annotations

from typing import Any

import orjson

from crmsync.connectors.auth.authorisation import FixedToken
from crmsync.connectors.base import Connection
from crmsync.connectors.pipedrive.connector import Pipedrive
from crmsync.connectors.throttle import MemoryThrottle

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 (of a simulated account)
API = "https://api.pipedrive.com/api/v2"
PERSONS, DEALS, FIELDS = f"{API}/persons", f"{API}/deals", f"{API}/personFields"
TIER, KEY, OTHER = "a" * 40, "b" * 40, "c" * 40


def connector(**settings: Any) -> Pipedrive:
    """A connector with an API token."""
    connection = Connection("p", "pipedrive", {"token": TOKEN}, **settings)
    return Pipedrive(connection, MemoryThrottle(Pipedrive.limits(connection)), FixedToken(TOKEN))


def ok(data: Any, **more: Any) -> bytes:
    """A success."""
    return orjson.dumps({"success": True, "data": data, **more})


def custom(code: str, name: str, kind: str = "varchar", options: Any = None) -> dict[str, Any]:
    """A custom field as Pipedrive tells of it."""
    return {
        "field_name": name,
        "field_code": code,
        "field_type": kind,
        "options": options,
        "is_custom_field": True,
    }


def tell_fields(api: Any, *fields: Any, url: str = FIELDS) -> None:
    """Script the list of fields."""
    told = fields or (
        custom(TIER, "Tier", "enum", [{"id": 21, "label": "Gold"}]),
        custom(KEY, "crmsync_id"),
    )
    api.get(url, ok(list(told)))
