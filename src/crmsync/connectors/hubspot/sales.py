"""Who sells, and by which steps: the owners of an account and the stages of its deals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.connectors.answers import name_in
from crmsync.connectors.hubspot.api import Api, following, shape_of
from crmsync.connectors.paging import Pages
from crmsync.model import Owner, Stage

OWNERS_PER_PAGE = 100
"""As HubSpot gives them unasked; what more it gives is not documented."""


def owners(api: Api) -> list[Owner]:
    """Return the owners: who left is on a list of its own, unless they came back."""
    found: dict[str, Owner] = {}
    for has_left in (True, False):
        found |= {owner.id: owner for owner in _owners(api, has_left=has_left)}
    return list(found.values())


def stages(api: Api) -> list[Stage]:
    """Return the stages of all pipelines of deals. Ids stay, labels do not."""
    answer, payload = api.get(api.sales("pipelines"), object_type="deals")
    with shape_of(answer):
        return [
            Stage(
                id=name_in(stage["id"]),
                label=str(stage["label"]),
                pipeline_id=name_in(pipeline["id"]),
                pipeline=str(pipeline["label"]),
                position=int(stage["displayOrder"]),
            )
            for pipeline in payload["results"]
            for stage in pipeline["stages"]
        ]


def _owners(api: Api, *, has_left: bool) -> list[Owner]:
    path = api.sales("owners")
    params = {"limit": str(OWNERS_PER_PAGE), "archived": str(has_left).lower()}
    pages = Pages(f"GET {path}")
    found: list[Owner] = []
    after: str | None = ""
    while after is not None:
        page = params | {"after": after} if after else params
        answer, payload = api.get(path, page)
        with shape_of(answer):
            listed, after = payload["results"], following(payload)
            found += [_owner(entry, is_active=not has_left) for entry in listed]
        pages.turn(after, len(listed))
    return found


def _owner(entry: Mapping[str, Any], *, is_active: bool) -> Owner:
    name = f"{entry.get('firstName') or ''} {entry.get('lastName') or ''}".strip()
    return Owner(name_in(entry["id"]), str(entry.get("email") or ""), name, is_active)
