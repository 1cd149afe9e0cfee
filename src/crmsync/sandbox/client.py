"""A small synchronous client of the control API, for tests, the demo and benchmarks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_TIMEOUT_SECONDS = 150.0

Json = Any
"""Whatever JSON can say."""


class ControlFailed(Exception):
    """The sandbox refused a control call; the text is its own."""


class Control:
    """One running simulated CRM, seen from outside.

    Args of `ledger`, `calls`, `peak` and `wait` that narrow what is counted: `since` (a `seq`),
    `method`, `path` (shell pattern), `status`, `applied` and `finished`.
    """

    def __init__(self, url: str) -> None:
        """Control the CRM that listens at `url`."""
        self.url = url
        self._host = urlsplit(url).netloc

    # --- the CRM as a whole -----------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """Return the numbers of records of each object type, of faults and of requests ever."""
        return dict(self._call("GET", ""))

    def reset(self) -> None:
        """Forget records, customisation, faults and the ledger. Settings and time stay."""
        self._call("POST", "/reset")

    def settings(self, **changes: object) -> dict[str, Any]:
        """Change settings; return all of them."""
        if not changes:
            return dict(self._call("GET", "/settings"))
        return dict(self._call("PATCH", "/settings", changes))

    def advance(self, seconds: float) -> None:
        """Let time pass at once: tokens expire, quotas reset, the index catches up."""
        self._call("POST", "/clock", {"advance_seconds": seconds})

    def now(self) -> float:
        """Return the CRM's time, in seconds since 1970."""
        return float(self._call("GET", "/clock")["time"])

    # --- faults -----------------------------------------------------------------------------

    def fault(self, kind: str, **details: object) -> int:
        """Post a fault (see `faults.Fault`) and return its id."""
        return int(self._call("POST", "/faults", {"kind": kind, **details})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults with how often each matched and fired."""
        return list(self._call("GET", "/faults"))

    def release(self, fault_id: int) -> None:
        """Let go what a `hold` fault holds."""
        self._call("POST", f"/faults/{fault_id}/release", {})

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Take down one fault, or all."""
        self._call("DELETE", "/faults" if fault_id is None else f"/faults/{fault_id}")

    # --- the ledger -------------------------------------------------------------------------

    def ledger(
        self, *, limit: int = 10_000, bodies: bool = True, **wanted: object
    ) -> list[dict[str, Any]]:
        """Return the requests received, oldest first."""
        query = {"limit": limit, "bodies": bodies, **wanted}
        return list(self._call("GET", "/ledger", query=query))

    def calls(self, **wanted: object) -> int:
        """Return how many requests were received."""
        return len(self.ledger(bodies=False, limit=10_000_000, **wanted))

    def counts(self) -> list[dict[str, Any]]:
        """Return `{method, route, status, calls}` of everything since the last clearing."""
        return list(self._call("GET", "/ledger/counts"))

    def peak(self, window_seconds: float, **wanted: object) -> int:
        """Return the most requests that arrived in any window of so many seconds."""
        query = {"window_seconds": window_seconds, **wanted}
        return int(self._call("GET", "/ledger/peak", query=query)["calls"])

    def wait(self, calls: int = 1, *, timeout_seconds: float = 60.0, **wanted: object) -> bool:
        """Wait until so many requests were received; return whether they were."""
        query = {"calls": calls, "timeout_seconds": timeout_seconds, **wanted}
        return bool(self._call("GET", "/ledger/wait", query=query)["reached"])

    def clear_ledger(self) -> None:
        """Forget the requests received so far."""
        self._call("DELETE", "/ledger")

    # --- records ----------------------------------------------------------------------------

    def records(self, object_type: str, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return records as they are held, archived and merged ones included."""
        query = {"id": list(ids)} if ids is not None else {}
        return list(self._call("GET", f"/records/{object_type}", query=query))

    def record(self, object_type: str, record_id: str) -> dict[str, Any]:
        """Return one record as it is held."""
        return dict(self._call("GET", f"/records/{object_type}/{quote(record_id)}")[0])

    def seed(self, object_type: str, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Create records past the API; return their ids, in order."""
        return list(self._call("POST", f"/records/{object_type}", list(records)))

    def edit(self, object_type: str, record_id: str, **values: object) -> None:
        """Change a record as a salesperson would in the CRM's own pages."""
        self._call("PATCH", f"/records/{object_type}/{quote(record_id)}", values)

    def snapshot(self) -> dict[str, Any]:
        """Return what the CRM holds, for `restore` in another process."""
        return dict(self._call("GET", "/snapshot"))

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Let the CRM hold what a snapshot says, in place of all it held."""
        self._call("PUT", "/snapshot", dict(snapshot))

    def act(self, action: str, **details: object) -> Json:
        """Do what only this CRM can do; `actions` lists it."""
        return self._call("POST", f"/actions/{action}", details)

    def actions(self) -> dict[str, str]:
        """Return what `act` can do, each with a sentence."""
        return dict(self._call("GET", "/actions"))

    def _call(
        self, method: str, path: str, body: object = None, query: Mapping[str, Any] | None = None
    ) -> Json:
        target = f"/_sandbox{path}"
        if query:
            target += "?" + urlencode(_wire(query), doseq=True)
        # A connection for each call: controls are rare, and none is left open in a test.
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, target, payload)
            answer = connection.getresponse()
            value = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ControlFailed(value["error"])
        return value


def _wire(query: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }
