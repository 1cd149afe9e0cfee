"""Encryption of what must not lie readable in the database: snapshots, payloads, tokens.

AES-256-GCM-SIV from the `cryptography` package: authenticated, forgiving of a nonce used twice, and
bound to its place by a context, so that a ciphertext moved to another row does not open
(docs/adr/0007). The first key seals; every key opens, so keys rotate by putting a new one
first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crmsync.errors import ConfigError, SealBroken

KEY_BYTES = 32
KEY_ID_BYTES = 4
NONCE_BYTES = 12


class Vault:
    """Seals and opens bytes; a sealed value is key id, nonce, ciphertext with its tag."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take keys newest first, each 32 bytes in URL-safe base64; `ConfigError` otherwise."""
        if not keys:
            raise ConfigError("CRMSYNC_KEYS is empty: give at least one key")
        ciphers = [_cipher(key) for key in keys]
        self._sealer_id, self._sealer = ciphers[0]
        self._openers = dict(reversed(ciphers))
        # A random half and a count (RFC 5116, 3.2): a system call for each would cost more than
        # the cipher. Were a nonce ever used twice, SIV gives away no more than equal plain texts.
        self._nonce_prefix = os.urandom(NONCE_BYTES // 2)
        self._sealed = itertools.count()
        self._fingerprint_key = _derived(_raw(keys[0]), b"crmsync fingerprints")

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt; only the same context opens it again."""
        nonce = self._nonce_prefix + next(self._sealed).to_bytes(NONCE_BYTES // 2, "big")
        return self._sealer_id + nonce + self._sealer.encrypt(nonce, plain, context.encode())

    def fingerprint(self, plain: bytes, context: str) -> bytes:
        """Return what tells one plain text from another and gives neither away."""
        return hmac.digest(self._fingerprint_key, context.encode() + b"\0" + plain, "sha256")

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt, or raise `SealBroken`."""
        body = KEY_ID_BYTES + NONCE_BYTES
        opener = self._openers.get(sealed[:KEY_ID_BYTES])
        if opener is None:
            raise SealBroken(f"no key in CRMSYNC_KEYS opens {context}: was an old key removed?")
        try:
            return opener.decrypt(sealed[KEY_ID_BYTES:body], sealed[body:], context.encode())
        except InvalidTag:
            raise SealBroken(f"stored data of {context} was moved or changed") from None


def _cipher(key: str) -> tuple[bytes, AESGCMSIV]:
    raw = _raw(key)
    cipher = AESGCMSIV(_derived(raw, b"crmsync payloads"))
    return hashlib.sha256(raw).digest()[:KEY_ID_BYTES], cipher


def _derived(raw: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose).derive(raw)


def _raw(key: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ConfigError("a key in CRMSYNC_KEYS is not 32 bytes of URL-safe base64")
    return raw
