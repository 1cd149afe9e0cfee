"""E-mail addresses as identifiers: one spelling each, and a light check.

Whether mail can be delivered is not ours to judge, and CRMs differ: what a CRM refuses is that
record's dead letter. A domain without a dot passes; white space, no `@` and two `@` do not.
"""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>()\[\],;:\\\"]{1,64}@[^@\s\x00-\x1f\x7f<>()\[\],;:\\\"]+")
_MAX_LENGTH = 254
"""RFC 5321, 4.5.3.1.3, less the angle brackets."""


def normalise_email(text: str) -> str | None:
    """Trim and lower-case an address; None where the text is not one."""
    email = text.strip().lower()
    if len(email) > _MAX_LENGTH or not _EMAIL.fullmatch(email):
        return None
    domain = email.rpartition("@")[2]
    if ".." in domain or domain.startswith((".", "-")) or domain.endswith((".", "-")):
        return None
    return email


def email_like(text: str) -> str | None:
    """Give the address that an id surely is (its domain has a dot), else None."""
    if "@" not in text:
        return None
    email = normalise_email(text)
    return email if email and "." in email.rpartition("@")[2] else None
