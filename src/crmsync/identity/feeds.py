"""Many calls at once -> events: a batch over HTTP, a file of JSON lines.

One bad call never takes others with it: each gives an event or an EventRejected, in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from crmsync.errors import EventRejected
from crmsync.identity.calls import Envelope, read_call
from crmsync.identity.reading import Arrival, Reading
from crmsync.identity.rules import Note
from crmsync.model import Event


def read_batch(
    body: Mapping[str, Any], arrival: Arrival, notes: list[Note]
) -> list[Event | EventRejected]:
    """Read a batch: one event or refusal per call, same order.

    Raises EventRejected where there is no list of calls at all.
    """
    calls = body.get("batch")
    if not isinstance(calls, list):
        raise EventRejected("batch is missing or is not a list; send the calls as {batch: [...]}")
    context = Reading(arrival, notes, "batch", harmless=False).values(
        body.get("context"), "context"
    )
    envelope = Envelope(body.get("sentAt") or body.get("sent_at"), context)
    return [_read_typed(call, arrival, notes, envelope) for call in calls]


def read_lines(
    lines: Iterable[bytes], arrival: Arrival, notes: list[Note]
) -> Iterator[tuple[int, Event | EventRejected]]:
    """Read JSON lines: (line number from 1, event or refusal) for each that is not blank."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, _read_typed(decode_json(line), arrival, notes, Envelope())
            except EventRejected as error:
                yield number, error


def decode_json(text: bytes) -> Any:  # noqa: ANN401 - JSON
    """Parse JSON, also with NaN and half surrogate pairs, which are refused later by field.

    Raises EventRejected with the place of the mistake.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        raise EventRejected("the text is not UTF-8; convert it first") from None
    except json.JSONDecodeError as error:
        raise EventRejected(f"not JSON: {_mistake(error)}") from None
    except (RecursionError, ValueError):
        raise EventRejected("JSON that is nested too deeply or holds a huge number") from None


def _mistake(error: json.JSONDecodeError) -> str:
    """Say what is wrong and where; the line counts only where there are several."""
    if error.pos >= len(error.doc.rstrip()):
        return "it ends before it is complete"
    if error.msg == "Extra data":
        words = "something follows the first value"
    else:
        words = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    line = f"line {error.lineno}, " if "\n" in error.doc.strip() else ""
    return f"{words} at {line}column {error.colno}"


def _read_typed(
    call: object, arrival: Arrival, notes: list[Note], envelope: Envelope
) -> Event | EventRejected:
    if not isinstance(call, Mapping):
        shape = "a list of several" if isinstance(call, list) else "something else"
        return EventRejected(f"a call is one JSON object, {{...}}; this is {shape}")
    try:
        kind = call.get("type") or ""
        return read_call(str(kind), call, arrival, notes, envelope)
    except EventRejected as error:
        return error
