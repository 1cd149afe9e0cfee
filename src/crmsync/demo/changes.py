"""What happens to the demo's people after the first push: a few change, many more only come by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

NEW_PLAN = "enterprise"
NEW_POSITION = "Head of Operations"
SEEN_AGAIN = 200


def changes(people: list[dict[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield identify calls: three people change their plan, two their job, 200 say nothing new.

    `people` are `{user_id, traits}`, in an order that stays the same.
    """
    plans = [one for one in people if one["traits"].get("plan") not in (None, NEW_PLAN)]
    for one in plans[:3]:
        yield _identify(one, now, {"plan": NEW_PLAN})
    jobs = [one for one in people if one not in plans[:3]]
    for one in jobs[:2]:
        yield _identify(one, now, {"company_position": NEW_POSITION})
    for one in jobs[2 : 2 + SEEN_AGAIN]:
        yield _identify(one, now, {"plan": one["traits"].get("plan")})


def _identify(person: dict[str, Any], now: datetime, traits: dict[str, Any]) -> dict[str, Any]:
    user_id = person["user_id"]
    return {
        "type": "identify",
        "messageId": f"demo-change-{user_id}",
        "timestamp": now.isoformat(),
        "userId": user_id,
        "traits": traits,
    }
