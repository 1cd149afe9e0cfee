"""Answers of another shape than Salesforce documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crmsync.connectors.answers import UNREADABLE, Effect, lost


@contextmanager
def documented(effect: Effect) -> Iterator[None]:
    """Take a success whose body is not what Salesforce documents for a lost answer."""
    try:
        yield
    except UNREADABLE:
        raise lost(effect, "Salesforce's answer has another shape than documented") from None
