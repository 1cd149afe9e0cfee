"""Names of connectors, and what is imported when."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crmsync.connectors import registry
from crmsync.connectors.auth.tokens import MemoryTokens
from crmsync.connectors.base import Connection
from crmsync.connectors.memory import Memory
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import ConfigError


def test_an_unknown_name_is_refused_with_a_suggestion():
    """A misspelt connector names the nearest one."""
    with pytest.raises(ConfigError, match="did you mean 'hubspot'"):
        registry.load("hupspot")
    with pytest.raises(ConfigError, match="there are hubspot, memory"):
        registry.load("zzz")


def test_another_package_can_add_a_connector(monkeypatch):
    """An entry point of the group is a connector like those built in."""

    class Point:
        name = "acme"

        def load(self):
            return Memory

    def points(*, group, name="acme"):
        assert group == "crmsync.connectors"
        return [Point()] if name == "acme" else []

    monkeypatch.setattr(registry, "entry_points", points)
    assert "acme" in registry.names()
    assert registry.load("acme") is Memory


def test_a_connector_gets_the_throttle_of_its_limits():
    """Overrides included and others' share of the day left out, they reach whoever makes it."""
    asked = []

    def throttle_for(connection, limits):
        asked.append((connection.name, {limit.name: limit.amount for limit in limits}))
        return MemoryThrottle(limits)

    connection = Connection("hs", "hubspot", {"token": "x"}, limits={"calls_per_10s": 190})
    registry.open_connector(connection, throttle_for, MemoryTokens())
    limits = {"calls_per_10s": 190, "daily_calls": 200_000, "search_per_second": 5}
    assert asked == [("hs", limits)]


def test_vendor_libraries_are_imported_late():
    """What reads and opens connections imports no vendor's library."""
    program = (
        "import sys; from crmsync.connectors import registry;"
        "[registry.load(name) for name in registry.BUILT_IN];"
        "print(sorted({'hubspot', 'simple_salesforce', 'zeep'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 (our own interpreter and text)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
