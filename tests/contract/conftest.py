"""A bench per connector; `bench` runs each test of the suite over every name of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crmsync.connectors import registry
from crmsync.sandbox import Control
from tests.contract.bench import Bench
from tests.contract.hubspot_bench import HubSpotBench
from tests.contract.memory_bench import MemoryBench
from tests.contract.pipedrive_bench import PipedriveBench
from tests.contract.salesforce_bench import SalesforceBench
from tests.contract.tidewater_bench import TidewaterBench
from tests.contract.zoho_bench import ZohoBench
from tests.fifth_crm.simulated import PACKAGE, running_tidewater
from tests.sandboxes import running


@pytest.fixture(scope="session")
def hubspot_control() -> Iterator[Control]:
    """One simulated HubSpot for all tests; each begins with an empty account."""
    with running("hubspot") as sandbox:
        yield sandbox.control


@pytest.fixture(scope="session")
def pipedrive_control() -> Iterator[Control]:
    """One simulated Pipedrive for all tests; each begins with an empty company."""
    with running("pipedrive", limits=False, search_lag_seconds=60) as sandbox:
        yield sandbox.control


@pytest.fixture(scope="session")
def zoho_control() -> Iterator[Control]:
    """One simulated Zoho CRM for all tests; each begins with an empty organisation."""
    with running("zoho", tier="ultimate") as sandbox:
        yield sandbox.control


@pytest.fixture(scope="session")
def salesforce_control() -> Iterator[Control]:
    """One simulated Salesforce for all tests; each begins with an empty org."""
    with running("salesforce", tier="sandbox", external_id_fields=[]) as sandbox:
        yield sandbox.control


@pytest.fixture
def tidewater_control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """A simulated Tidewater; the package with its connector is installed while the test runs."""
    monkeypatch.syspath_prepend(PACKAGE)
    with running_tidewater() as sandbox:
        yield sandbox.control


BENCHES: dict[str, Callable[[pytest.FixtureRequest], Bench]] = {
    "hubspot": lambda request: HubSpotBench(request.getfixturevalue("hubspot_control")),
    "memory": lambda _request: MemoryBench(),
    "salesforce": lambda request: SalesforceBench(request.getfixturevalue("salesforce_control")),
    "pipedrive": lambda request: PipedriveBench(request.getfixturevalue("pipedrive_control")),
    "tidewater": lambda request: TidewaterBench(request.getfixturevalue("tidewater_control")),
    "zoho": lambda request: ZohoBench(request.getfixturevalue("zoho_control")),
}


@pytest.fixture(params=sorted([*registry.BUILT_IN, "tidewater"]))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The CRM of each connector in turn. A connector without a bench fails here."""
    made = BENCHES[request.param](request)
    yield made
    made.recover()
    assert made.problems() == []
