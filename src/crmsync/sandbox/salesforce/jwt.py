"""Verifying the assertion of the JWT bearer flow: RS256, its audience and its few minutes."""

from __future__ import annotations

import base64
from collections.abc import Container
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_LONGEST_SECONDS = 300
"""How far ahead `exp` may lie: three minutes, with some room for clocks that differ."""
_PARTS = 3


class AssertionRefused(Exception):
    """An assertion is not good; the text is what Salesforce says of it."""


def verify(token: str, public_key: str, audiences: Container[str], now: float) -> dict[str, Any]:
    """Return the claims of a JWT signed with the key to this PEM; `AssertionRefused` if it is not.

    Args:
        token: Header, claims and signature, joined by dots.
        public_key: PEM of a public key or a certificate; none refuses everything.
        audiences: What `aud` may be.
        now: Seconds since 1970, as the signer sees them.
    """
    parts = token.split(".")
    if len(parts) != _PARTS or not public_key:
        raise AssertionRefused("invalid assertion")
    try:
        header, claims = (orjson.loads(_decoded(part)) for part in parts[:2])
        _load(public_key).verify(
            _decoded(parts[2]), f"{parts[0]}.{parts[1]}".encode(), PKCS1v15(), SHA256()
        )
        expires_at = float(claims["exp"])
        algorithm = header["alg"]
    except (InvalidSignature, ValueError, KeyError, TypeError):
        raise AssertionRefused("invalid assertion") from None
    if algorithm != "RS256":
        raise AssertionRefused("invalid assertion")
    if claims.get("aud") not in audiences:
        raise AssertionRefused("audience is invalid")
    if not now < expires_at <= now + _LONGEST_SECONDS:
        raise AssertionRefused("assertion expired")
    return dict(claims)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _load(pem: str) -> RSAPublicKey:
    encoded, is_certificate = pem.encode(), "CERTIFICATE" in pem
    key = (
        x509.load_pem_x509_certificate(encoded).public_key()
        if is_certificate
        else load_pem_public_key(encoded)
    )
    if not isinstance(key, RSAPublicKey):
        raise TypeError("RS256 needs an RSA key")
    return key
