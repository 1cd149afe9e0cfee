"""Upsert: each record sent changes the one it matches, or is made."""

from __future__ import annotations

from typing import Any

from crmsync.sandbox.http import Answer, Json
from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.calls.call import Call
from crmsync.sandbox.zoho.calls.writing import (
    MAX_RECORDS,
    added,
    refuse_newer,
    stamp_of,
    updated,
    write_each,
)
from crmsync.sandbox.zoho.errors import ApiError
from crmsync.sandbox.zoho.records import Record

_Match = tuple[Record, str]
"""The record found, and the field by which."""


def upsert(call: Call) -> Answer:
    """Write up to 100 records, found by `duplicate_check_fields`."""
    stamp = stamp_of(call)
    names = _check_fields(call)
    rows = call.listed("data", MAX_RECORDS)
    # Looked up before any is written, so that one new key twice makes two records; the setting
    # `new_key_twice` has them looked up in turn.
    found = [_find(call, given, names, place) for place, given in enumerate(rows)]
    refuse_newer(call, [match[0] for match in found if isinstance(match, tuple)])

    def one(place: int, given: dict[str, Any]) -> Json:
        match, path = found[place], f"$.data[{place}]"
        if match is None and call.org.settings.new_key_twice == "one":
            match = _find(call, given, names, place)
        if isinstance(match, ApiError):
            raise match
        if match is None:
            draft = call.records.draft_create(given, path, stamp.at)
            entry = added(call.org, call.org.commit(call.module, draft, stamp))
            return {**entry, "duplicate_field": None, "action": "insert"}
        record, name = match
        draft = call.records.draft_update(record, given, path, stamp.at)
        entry = updated(call.org, call.org.commit(call.module, draft, stamp))
        return {**entry, "duplicate_field": name, "action": "update"}

    return write_each(call, one, 200)


def _check_fields(call: Call) -> tuple[str, ...]:
    """Return the fields to match by; 400 where one is neither the system's own nor unique."""
    member = "duplicate_check_fields"
    matchable = call.records.fields.matchable
    names = call.body.get(member)
    if names is None:
        return matchable
    if not isinstance(names, list):
        raise errors.wrong_type("jsonarray", member, f"$.{member}")
    for place, name in enumerate(names):
        if name not in matchable:
            raise errors.invalid_member(member, f"$.{member}[{place}]")
    return tuple(names) or matchable


def _find(
    call: Call, given: dict[str, Any], names: tuple[str, ...], place: int
) -> _Match | ApiError | None:
    for name in names:
        value = given.get(name)
        if not isinstance(value, str | int) or value == "":
            continue
        holders = _visible(call, name, call.records.holding(name, value))
        if len(holders) > 1 and call.org.settings.ambiguous_match == "error":
            return errors.ambiguous(name, f"$.data[{place}].{name}")
        if holders:
            return holders[0], name
    return None


def _visible(call: Call, name: str, holders: list[Record]) -> list[Record]:
    lag_seconds = call.org.settings.match_lag_seconds
    if not lag_seconds or name in call.records.fields.unique:
        return holders
    known_since = call.org.clock.time() - lag_seconds
    return [record for record in holders if record.created <= known_since]
