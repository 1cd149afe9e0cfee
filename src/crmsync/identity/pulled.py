"""Writing to a profile what a CRM says: who wins was decided before, so it is the newest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crmsync.identity.state import Touched
from crmsync.identity.writing import write_trait
from crmsync.model import TraitSource

_NEXT = timedelta(microseconds=1)


def write_pulled(  # noqa: PLR0913 - a trait, its value, and the three parts of a source
    touched: Touched,
    trait: str,
    value: Any,  # noqa: ANN401 - any JSON
    *,
    at: datetime,
    connection: str,
    message_id: str,
) -> bool:
    """Write a trait that a CRM decides; return whether the held value changed.

    `at`: when the CRM's record was changed. What we held may be dated later and still give way;
    later events are compared with the moment that is kept.
    """
    held = touched.profile.trait_sources.get(trait)
    if held is not None and held.at >= at:
        at = held.at + _NEXT
    source = TraitSource(at, f"connection:{connection}", message_id)
    return write_trait(touched, trait, value, source)
