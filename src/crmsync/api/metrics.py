"""What `/metrics` tells: this process's own figures, and what the database knows of all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crmsync.errors import StoreUnavailable
from crmsync.sync.context import Works
from crmsync.sync.figures import ASIDE, DUE, OLDEST, REST, RESULTS, SILENT, Figure, figures

FRESH_SECONDS = 10.0
"""For so long one look at the database serves everybody who asks."""
_FAMILIES: Mapping[str, Callable[[], GaugeMetricFamily | CounterMetricFamily]] = {
    name: partial(family, name, words, labels=labels)
    for family, name, words, labels in (
        (GaugeMetricFamily, DUE, "Links that wait to be sent", ["connection"]),
        (GaugeMetricFamily, OLDEST, "For how long the first of them has", ["connection"]),
        (GaugeMetricFamily, ASIDE, "Links that wait for a person", ["connection", "state"]),
        (GaugeMetricFamily, REST, "For how long a connection rests yet", ["connection", "cause"]),
        (CounterMetricFamily, RESULTS, "Results of all runs", ["connection", "outcome"]),
        (GaugeMetricFamily, SILENT, "Since when the last of a role was seen", ["role"]),
    )
}


class Metrics:
    """The text of `/metrics`."""

    def __init__(self, works: Works) -> None:
        """Look at nothing yet."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Stored(works))

    def text(self) -> bytes:
        """Return the metrics in Prometheus form; without a database those of this process alone."""
        return generate_latest() + generate_latest(self._registry)


class _Stored(Collector):
    """What the database knows of every process's work."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._lock = threading.Lock()
        self._seen: Sequence[Metric] = ()
        self._seen_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as of at most ten seconds ago."""
        with self._lock:
            if time.monotonic() - self._seen_at > FRESH_SECONDS:
                try:
                    self._seen = list(_metrics(figures(self._works)))
                except StoreUnavailable:
                    return [_up(0)]
                self._seen_at = time.monotonic()
            return self._seen


def _metrics(found: Iterable[Figure]) -> Iterator[Metric]:
    families = {name: family() for name, family in _FAMILIES.items()}
    for name, labels, value in found:
        families[name].add_metric(labels, value)
    yield _up(1)
    yield from families.values()


def _up(value: int) -> Metric:
    return GaugeMetricFamily("crmsync_database_up", "Whether the database answers", value=value)
