"""Redis, the doorbell: that it answers, forgets nothing to make room, and that bells are heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import redis

from crmsync.sync.doctor.finding import OURS, Finding

MEMORY = "broker memory"
KEEPS_ALL = "noeviction"
SECONDS = 2.0
"""How long Redis may take to answer."""
UNHEARD = 100
"""So many bells of one connection are rung in a second, and heard in the next."""
MEANWHILE = "meanwhile work is found by the sweep, only later"


def check_broker(url: str | None, queues: Sequence[str]) -> list[Finding]:
    """Look at it; `queues` are the keys of the lists in which bells lie until they are heard."""
    if url is None:
        return [OURS.ok("broker", "none: one process does everything")]
    if not url.startswith(("redis://", "rediss://")):
        return [OURS.warning("broker", "it is not Redis: it is not looked at", "use Redis")]
    client = redis.Redis.from_url(
        url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=None
    )
    try:
        with client:
            return list(_findings(client, queues))
    except redis.RedisError as away:
        seen = f"Redis does not answer ({type(away).__name__})"
        advice = f"is it running, and is CRMSYNC_BROKER_URL right? {MEANWHILE}"
        return [OURS.fault("broker", seen, advice)]


def _findings(client: redis.Redis, queues: Sequence[str]) -> Iterator[Finding]:
    about = client.info()
    yield OURS.ok("broker", f"Redis {about.get('redis_version', '')} answers")
    # Said by INFO too, for the many who rent a Redis on which CONFIG is not allowed.
    policy = str(about.get("maxmemory_policy", KEEPS_ALL))
    if policy == KEEPS_ALL:
        yield OURS.ok(MEMORY, f"maxmemory-policy is {policy}")
    else:
        yield OURS.fault(
            MEMORY,
            f"maxmemory-policy is {policy}: it forgets bells and rate counts to make room",
            f"set maxmemory-policy {KEEPS_ALL}",
        )
    lengths = {queue: int(client.llen(queue)) for queue in queues}
    unheard = {queue: length for queue, length in lengths.items() if length > UNHEARD}
    if unheard:
        told = ", ".join(f"{length:,} in {queue}" for queue, length in unheard.items())
        yield OURS.warning(
            "bells",
            f"not heard: {told}",
            f"is a worker running that hears them? {MEANWHILE}; they end by themselves",
        )
    else:
        yield OURS.ok("bells", f"{sum(lengths.values())} not heard yet")
