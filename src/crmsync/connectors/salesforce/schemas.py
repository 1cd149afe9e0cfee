"""What the objects of an org look like, kept for a while: one describe serves many calls."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crmsync.connectors.answers import Effect
from crmsync.connectors.salesforce.codes import TIMED_OUT
from crmsync.connectors.salesforce.documented import documented
from crmsync.connectors.salesforce.library import Library, is_name
from crmsync.connectors.salesforce.objects import Described, described
from crmsync.errors import BatchRejected, ConfigError, RetryLater

SCHEMA_SECONDS = 600.0
"""How long what was described is used."""
UNKNOWN_FIELD_SECONDS = 60.0
"""The same when a field is named that was not there: it may have been made since."""
DOUBT_SECONDS = 5.0
"""The same when Salesforce itself says that a field is not there."""
TIMED_OUT_SECONDS = 60.0
"""How long a list of changes waits that Salesforce did not finish in time."""
NO_FIELD = "INVALID_FIELD"
OUTDATED = frozenset({NO_FIELD, "INVALID_FIELD_FOR_INSERT_UPDATE", "NOT_FOUND"})


class Schemas:
    """The objects of one org. Safe to use from many threads: at worst, two describe the same."""

    def __init__(self, library: Library) -> None:
        """Describe nothing yet."""
        self._library = library
        self._described: dict[str, tuple[float, Described]] = {}

    def fresh(self, object_type: str) -> Described:
        """Describe an object now; ConfigError for one that the user may not see."""
        if not is_name(object_type):
            raise ConfigError(f"'{object_type}' cannot be the name of a Salesforce object")
        try:
            answer = self._library.describe(object_type)
        except BatchRejected as refusal:
            raise ConfigError(
                f"Salesforce has no object '{object_type}', or none that the user may see: use the"
                " API name, such as Contact, Lead or Invoice__c"
            ) from refusal
        with documented(Effect.READ):
            found = described(object_type, answer)
        self._described[object_type] = time.monotonic(), found
        return found

    def known(self, object_type: str, names: Sequence[str]) -> Described:
        """Return an object as described, anew when that is long ago or a field is unknown."""
        read_at, thing = self._described.get(object_type, (-math.inf, None))
        age = time.monotonic() - read_at
        unknown = thing is None or any(name not in thing.columns for name in names)
        if thing is None or age > SCHEMA_SECONDS or (unknown and age > UNKNOWN_FIELD_SECONDS):
            return self.fresh(object_type)
        return thing

    def having(self, object_type: str, names: Sequence[str]) -> Described:
        """Return the same; ConfigError naming the first field that is not there."""
        thing = self.known(object_type, names)
        for name in names:
            if name not in thing.columns:
                raise _no_field(object_type, name)
        return thing

    @contextmanager
    def doubting(self, object_type: str) -> Iterator[None]:
        """Describe an object anew after a refusal that says it is not as it was described."""
        try:
            yield
        except BatchRejected as refusal:
            read_at, _ = self._described.get(object_type, (math.inf, None))
            if refusal.code in OUTDATED and time.monotonic() - read_at > DOUBT_SECONDS:
                self._described.pop(object_type, None)
            raise

    @contextmanager
    def pulling(self, object_type: str) -> Iterator[None]:
        """Do the same, and say by ConfigError which field has gone: asking again finds none.

        Nothing can be made smaller of a list of changes that Salesforce did not finish in time:
        RetryLater, for its next index or a quieter hour.
        """
        try:
            with self.doubting(object_type):
                yield
        except BatchRejected as refusal:
            if refusal.code == NO_FIELD and refusal.field:
                raise _no_field(object_type, refusal.field) from None
            if refusal.code == TIMED_OUT:
                raise RetryLater(
                    f"Salesforce did not finish the query of {object_type} in time",
                    retry_after_seconds=TIMED_OUT_SECONDS,
                ) from None
            raise


def _no_field(object_type: str, name: str) -> ConfigError:
    return ConfigError(
        f"Salesforce has no field '{name}' of {object_type} that crmsync may see: create it, grant"
        " it by field-level security, or remove the line from the mapping"
    )
