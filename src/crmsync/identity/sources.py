"""Sources of traits <-> compact JSON for the store.

Traits that came in one call share one entry: `[[microseconds since 1970, origin, message id,
[trait, ...]], ...]`, so that unpacking makes one `TraitSource` per call, not per trait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from crmsync.identity.times import EPOCH
from crmsync.model import TraitSource

_MICROSECOND = timedelta(microseconds=1)


def pack_sources(sources: Mapping[str, TraitSource]) -> list[list[Any]]:
    """Group traits by their source."""
    groups: dict[TraitSource, list[str]] = {}
    last: TraitSource | None = None
    names: list[str] = []
    for trait, source in sources.items():
        if source is not last:  # traits of one call usually stand together
            names = groups.setdefault(source, [])
            last = source
        names.append(trait)
    return [
        [(source.at - EPOCH) // _MICROSECOND, source.origin, source.message_id, names]
        for source, names in groups.items()
    ]


def unpack_sources(packed: Sequence[Sequence[Any]]) -> dict[str, TraitSource]:
    """Undo `pack_sources`."""
    sources: dict[str, TraitSource] = {}
    for microseconds, origin, message_id, names in packed:
        source = TraitSource(EPOCH + timedelta(microseconds=microseconds), origin, message_id)
        for trait in names:
            sources[trait] = source
    return sources
