"""Visit statistics of a person: counted event by event, in any order of arrival, O(1) each.

`Profile.stats` is plain JSON: `sessions`, `pages_viewed`, `goals_completed`, `revenue` and
`recent_sessions`, a list of at most 16 `[first second, last second, session id | None]` in order.
A session is what shares a session id, else what lies at most 30 minutes apart.
"""

from __future__ import annotations

from typing import Any

from crmsync.identity.times import epoch_ms
from crmsync.model import Event, EventType, Profile

SESSION_GAP_SECONDS = 30 * 60
"""Inactivity that ends a session, as in Google Analytics."""
RECENT_SESSIONS = 16
"""Sessions remembered to place late events; one before them is taken to be counted already."""
ACTIVITY = frozenset({EventType.PAGE, EventType.SCREEN, EventType.TRACK})
"""Calls that tell of a visit; identify, group and alias do not."""

_REVENUE_DIGITS = 6
"""Sums are rounded to this, so that their order does not matter."""
_MAX_REVENUE = 1e12
_SEEN = {"sessions", "visits"}


def count(profile: Profile, event: Event, goals: frozenset[str]) -> set[str]:
    """Count a page, screen or track event; the names of the facts that changed."""
    changed: set[str] = set()
    stats = profile.stats
    at = event.at
    if profile.first_seen is None or at < profile.first_seen:
        profile.first_seen = at
        changed.add("first_seen")
    if profile.last_seen is None or at > profile.last_seen:
        profile.last_seen = at
        changed.add("last_seen")
    if _visit(stats, epoch_ms(at) // 1000, event.session_id):
        changed |= _SEEN
    if event.type is not EventType.TRACK:
        stats["pages_viewed"] = stats.get("pages_viewed", 0) + 1
        changed.add("pages_viewed")
    elif event.name in goals:
        stats["goals_completed"] = stats.get("goals_completed", 0) + 1
        changed.add("goals_completed")
        revenue = _amount(event.properties.get("revenue"))
        if revenue:
            stats["revenue"] = round(stats.get("revenue", 0) + revenue, _REVENUE_DIGITS)
            changed.add("revenue")
    return changed


def merge(winner: Profile, loser: Profile) -> set[str]:
    """Add the loser's statistics to the winner's; the names of the facts that changed."""
    changed: set[str] = set()
    into, other = winner.stats, loser.stats
    for name in ("pages_viewed", "goals_completed", "revenue"):
        if other.get(name):
            into[name] = round(into.get(name, 0) + other[name], _REVENUE_DIGITS)
            changed.add(name)
    if other.get("sessions"):
        sessions = into.get("recent_sessions", []) + other["recent_sessions"]
        into["recent_sessions"], joined = _joined(sessions)
        into["sessions"] = into.get("sessions", 0) + other["sessions"] - joined
        changed |= _SEEN
    if loser.first_seen and (winner.first_seen is None or loser.first_seen < winner.first_seen):
        winner.first_seen = loser.first_seen
        changed.add("first_seen")
    if loser.last_seen and (winner.last_seen is None or loser.last_seen > winner.last_seen):
        winner.last_seen = loser.last_seen
        changed.add("last_seen")
    return changed


def _visit(stats: dict[str, Any], second: int, session_id: str | None) -> bool:
    """Place a moment in its session; whether the number of sessions changed."""
    recent = stats.get("recent_sessions")
    if recent is None:
        stats["recent_sessions"] = [[second, second, session_id]]
        stats["sessions"] = 1
        return True
    last = recent[-1]
    if last[2] == session_id and last[0] <= second <= last[1] + SESSION_GAP_SECONDS:
        last[1] = max(last[1], second)
        return False
    if len(recent) == RECENT_SESSIONS and second < recent[0][0] - SESSION_GAP_SECONDS:
        return False
    before = stats["sessions"]
    if second > last[0] and not any(_touches(known, second, session_id) for known in recent):
        stats["recent_sessions"] = [*recent, [second, second, session_id]][-RECENT_SESSIONS:]
        stats["sessions"] = before + 1
        return True
    stats["recent_sessions"], joined = _joined([*recent, [second, second, session_id]])
    stats["sessions"] = before + 1 - joined
    return bool(stats["sessions"] != before)


def _touches(session: list[Any], second: int, session_id: str | None) -> bool:
    if session_id is not None and session[2] is not None:
        return bool(session[2] == session_id)
    return bool(session[0] - SESSION_GAP_SECONDS <= second <= session[1] + SESSION_GAP_SECONDS)


def _joined(sessions: list[list[Any]]) -> tuple[list[list[Any]], int]:
    """Join sessions that are one: those kept, in order, and how many fewer they are."""
    by_id: dict[str, list[Any]] = {}
    apart: list[list[Any]] = []
    for first, last, session_id in sorted(sessions, key=_start):
        known = by_id.get(session_id) if session_id is not None else None
        if known is not None:
            known[1] = max(known[1], last)
            continue
        near = _near(apart, first, session_id)
        if near is None:
            near = [first, last, session_id]
            apart.append(near)
        else:
            near[1] = max(near[1], last)
            near[2] = near[2] if session_id is None else session_id
        if session_id is not None:
            by_id[session_id] = near
    return apart[-RECENT_SESSIONS:], len(sessions) - len(apart)


def _near(sessions: list[list[Any]], second: int, session_id: str | None) -> list[Any] | None:
    """Find the latest session that a moment belongs to by time, where ids do not forbid it."""
    for index in range(len(sessions) - 1, -1, -1):
        session = sessions[index]
        if session_id is not None and session[2] is not None:
            continue
        if second <= session[1] + SESSION_GAP_SECONDS:
            return sessions[index]
    return None


def _start(session: list[Any]) -> int:
    return int(session[0])


def _amount(value: object) -> float:
    """Read a revenue as a number; 0 where it is none or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        amount = float(value) if isinstance(value, str) else value
    except ValueError:
        return 0
    return amount if abs(amount) <= _MAX_REVENUE else 0  # never so for NaN
