"""The limits beyond which a run stops and asks: what a mapping and crmsync.yaml say of `guard`."""

from __future__ import annotations

from dataclasses import replace

from crmsync.mapping.compiled import GUARD, GuardLimit, Harm
from crmsync.mapping.spec import GuardKeys

_AT_LEAST = 100
"""Records that a share which a person has set lets pass in any case."""


def guard_of(mapping: GuardKeys, project: GuardKeys) -> tuple[GuardLimit, ...]:
    """Return a mapping's limits; key by key its own, else those of the project, else ours."""
    set_keys = {
        **project.model_dump(exclude_none=True),
        **mapping.model_dump(exclude_none=True),
    }
    return tuple(_limit(default, set_keys) for default in GUARD)


def _limit(default: GuardLimit, keys: dict[str, float]) -> GuardLimit:
    share, at_least = keys.get(default.harm), keys.get("at_least")
    limit = default
    if share is not None:
        limit = GuardLimit(Harm(default.harm), share, _AT_LEAST)
    return limit if at_least is None else replace(limit, at_least=int(at_least))
