"""A bench per connector; `bench` runs each test of the suite over every name of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crmsync.connectors import registry
from crmsync.sandbox import Control, running
from tests.contract.bench import Bench
from tests.contract.hubspot_bench import HubSpotBench
from tests.contract.memory_bench import MemoryBench


@pytest.fixture(scope="session")
def hubspot_control() -> Iterator[Control]:
    """One simulated HubSpot for all tests; each begins with an empty account."""
    with running("hubspot") as sandbox:
        yield sandbox.control


BENCHES: dict[str, Callable[[pytest.FixtureRequest], Bench]] = {
    "hubspot": lambda request: HubSpotBench(request.getfixturevalue("hubspot_control")),
    "memory": lambda _request: MemoryBench(),
}


@pytest.fixture(params=sorted(registry.BUILT_IN))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The CRM of each connector in turn. A connector without a bench fails here."""
    made = BENCHES[request.param](request)
    yield made
    made.recover()
    assert made.problems() == []
