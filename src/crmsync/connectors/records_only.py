"""For a connector of records alone: what it answers about deals, merges and webhooks.

    class Invented(RecordsOnly): ...

Each method says clearly that this CRM cannot do it; a connector overrides those that it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from crmsync.connectors.base import Delivery, Watch
from crmsync.errors import ConfigError, Forged
from crmsync.model import CrmId, Deal, DealPage, Hint, ObjectSchema, Owner, Stage


class RecordsOnly:
    """See `base.Connector`: everything that is not about records."""

    def deals(self, cursor: str | None, fields: Sequence[str]) -> Iterator[DealPage]:
        """Raise ConfigError."""
        del cursor, fields
        _cannot(self, "has no deals that could be read: remove `deals` from the mapping")

    def deals_by_id(self, ids: Sequence[CrmId], fields: Sequence[str]) -> list[Deal]:
        """Raise ConfigError."""
        del ids, fields
        _cannot(self, "has no deals that could be read: remove `deals` from the mapping")

    def describe_deals(self) -> ObjectSchema:
        """Raise ConfigError."""
        _cannot(self, "has no deals that could be read: remove `deals` from the mapping")

    def owners(self) -> list[Owner]:
        """Return nobody: ids of users are shown as they are."""
        return []

    def stages(self) -> list[Stage]:
        """Return none."""
        return []

    def merge(self, object_type: str, winner: CrmId, loser: CrmId) -> CrmId:
        """Raise ConfigError."""
        del object_type, winner, loser
        _cannot(self, "merges no records: set `on_merge: keep` in the mapping")

    def hints(self, delivery: Delivery) -> list[Hint]:
        """Refuse every delivery."""
        del delivery
        raise Forged(f"{type(self).__name__} sends no webhooks")

    def watch(self, object_types: Sequence[str]) -> Watch:
        """Raise ConfigError."""
        del object_types
        _cannot(self, "sends no webhooks: changes are asked for every `pull_seconds`")

    def unwatch(self) -> None:
        """Have nothing to take down."""


def _cannot(connector: object, what: str) -> NoReturn:
    raise ConfigError(f"{type(connector).__name__} {what}")
