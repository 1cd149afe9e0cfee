"""Fixtures of the command line's tests."""

from __future__ import annotations

from tests.end_to_end.folders import folder

__all__ = ["folder"]
