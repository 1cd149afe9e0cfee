"""What is the same for every value of one inbound call: the rules, and where notes go.

`calls` opens one `Reading` per call; `traits` and `calls` keep values through it, so that a value
that cannot be kept is left out and noted, and the rest of the call still counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crmsync.identity.clean import MAX_NUMBER, Unusable, check_name, clean_value
from crmsync.identity.rules import Note, NoteCode, Rules


@dataclass(frozen=True, slots=True)
class Arrival:
    """How calls reached us: one per request or file."""

    source: str
    """The write key's or file's name."""
    received_at: datetime
    rules: Rules
    live: bool = True
    """False for a file: its `sentAt` tells nothing about the sender's clock."""
    _untimed: Iterator[int] = field(default_factory=itertools.count, repr=False, compare=False)

    def moment(self) -> datetime:
        """Give the time of receipt to a call without a better one, in the order of asking.

        Each is a microsecond later, so that the last of several in one request wins.
        """
        return self.received_at + timedelta(microseconds=next(self._untimed))


class Reading:
    """One call being read."""

    __slots__ = ("arrival", "harmless", "message_id", "notes")

    def __init__(
        self, arrival: Arrival, notes: list[Note], message_id: str, *, harmless: bool
    ) -> None:
        """Take where notes go, and whether `clean.digest` found the body harmless."""
        self.arrival = arrival
        self.notes = notes
        self.message_id = message_id
        self.harmless = harmless

    def note(self, code: NoteCode, detail: str) -> None:
        """Tell the sender something about this call."""
        self.notes.append(Note(code, self.message_id, detail))

    def value(self, raw: object, path: str) -> Any:  # noqa: ANN401 - JSON
        """Give a value that is safe to keep. Raises Unusable."""
        if self.harmless and not isinstance(raw, int | float):
            return raw
        if isinstance(raw, int | float) and -MAX_NUMBER < raw < MAX_NUMBER:  # never so for NaN
            return raw
        nul_paths: list[str] = []
        kept = clean_value(raw, path, self.arrival.rules.max_trait_bytes, nul_paths)
        for nul_path in nul_paths:
            self.note(NoteCode.NUL_REMOVED, f"{nul_path}: NUL characters were removed")
        return kept

    def values(self, raw: object, path: str) -> Mapping[str, Any]:
        """Keep what can be kept of an object such as `properties`; absent is empty."""
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self.dropped(Unusable(f"{path} is not an object"))
            return {}
        if self.harmless:
            return raw
        kept = {}
        for name, value in raw.items():
            try:
                check_name(name, path)
                kept[name] = self.value(value, f"{path}.{name}")
            except Unusable as error:
                self.dropped(error)
        return kept

    def dropped(self, why: Unusable) -> None:
        """Note that a value was left out."""
        self.note(NoteCode.VALUE_DROPPED, f"{why}; the rest of the call was taken")
