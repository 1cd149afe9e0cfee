"""E-mail addresses as identifiers."""

from __future__ import annotations

import pytest

from crmsync.identity.emails import email_like, normalise_email


@pytest.mark.parametrize(
    ("sent", "email"),
    [
        ("Ann@Example.COM ", "ann@example.com"),
        ("o'brien+x@mail.example", "o'brien+x@mail.example"),
        ("rosa@harbourlight", "rosa@harbourlight"),
        ("zoë@bücher.example", "zoë@bücher.example"),
        ("", None),
        ("ann", None),
        ("@b.example", None),
        ("ann@", None),
        ("a b@c.example", None),
        ("a@b@c.example", None),
        ("ann@.example", None),
        ("ann@b..example", None),
        ("ann@b.example.", None),
        ("ann@b.example\0", None),
        ("x" * 65 + "@b.example", None),
        ("x@" + "b" * 255, None),
    ],
)
def test_normalises_or_refuses(sent, email):
    """An address is trimmed and lower-cased; what cannot be one is None."""
    assert normalise_email(sent) == email


@pytest.mark.parametrize(
    ("sent", "email"),
    [("Ann@b.example", "ann@b.example"), ("ann@intranet", None), ("@ann", None), ("user_1", None)],
)
def test_tells_ids_that_surely_are_addresses(sent, email):
    """Only an id with a dotted domain is taken for an e-mail."""
    assert email_like(sent) == email
