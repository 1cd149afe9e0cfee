"""Simulated CRMs over real HTTP: stateful, faithful to the wire, and able to fail on order.

A product feature (`crmsync sandbox`, `python -m crmsync.sandbox`) and the test bed. Imports nothing
else of crmsync. `serve` runs in the foreground, `running` in a background thread; `Control` steers
a running one and reads what it received and holds. See docs/connectors/sandbox.md.
"""

from __future__ import annotations

from crmsync.sandbox.client import Control, ControlFailed
from crmsync.sandbox.server import Sandbox, running, serve
from crmsync.sandbox.settings import SettingsError

__all__ = ["Control", "ControlFailed", "Sandbox", "SettingsError", "running", "serve"]
