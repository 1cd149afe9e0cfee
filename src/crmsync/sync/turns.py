"""Fields on which both sides take turns, and what was told of a field already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import orjson
import structlog

from crmsync.model import Value
from crmsync.planning.reading import FLIPS_WITHIN, Flips, Verdict, flipped
from crmsync.store.link_records import Linked
from crmsync.store.read_log import Entry
from crmsync.sync import complaints
from crmsync.sync.reading import Books, Reader

log = structlog.get_logger()


def watch_turns(books: Books, linked: Linked, verdict: Verdict, flips: Mapping[str, Flips]) -> None:
    """Count the turns of fields that both sides write; leave alone what would go on for ever."""
    reader = books.reader
    for name, (_, theirs) in verdict.replaced.items():
        if not reader.takes_turns(name):
            continue
        mark = _mark(books, linked, name, theirs)
        kept = flipped(flips.get(name), mark, books.now, _turns_within(reader))
        books.flips[linked.link_id, name] = kept
        if kept.frozen_at:
            log.warning(
                "field_frozen",
                connection=reader.mapping.connection,
                object_type=reader.mapping.object_type,
                field=name,
                profile=linked.profile_id,
                do="two systems correct each other: let one of them own the field, then replay",
            )
            books.counts["frozen"] += 1
            failure = complaints.frozen(name)
            books.note(Entry(linked.link_id, linked.profile_id, linked.crm_id, {}, failure))


def _mark(books: Books, linked: Linked, name: str, theirs: Value) -> bytes:
    """Return what tells one value of a field from another, and gives neither away."""
    vault = books.reader.sync.store.vault
    return vault.fingerprint(orjson.dumps(theirs), f"field_flips:{linked.link_id}:{name}")


def _turns_within(reader: Reader) -> timedelta:
    """Return within how long turns are counted: the slowest are seen by a poll, and then settle."""
    timing = reader.sync.timing
    turn = timedelta(seconds=timing.pull_seconds + timing.settle_seconds)
    return max(FLIPS_WITHIN, 3 * turn)


def was_told(
    books: Books, linked: Linked, flips: Mapping[str, Flips], name: str, theirs: Value
) -> bool:
    """Whether the log says already what is wrong with a value; from now on it does.

    The same record is read again and again: by the overlap of two polls, and by each re-reading.
    """
    if name in books.turned(linked):
        return False
    mark = _mark(books, linked, name, theirs)
    held = flips.get(name)
    if held is not None and held.theirs == mark:
        return True
    books.flips[linked.link_id, name] = Flips(0, books.now, mark)
    return False
