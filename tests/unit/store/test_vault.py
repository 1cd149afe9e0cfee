"""Sealed data opens with its key and in its place, and nowhere else."""

from __future__ import annotations

import pytest

from crmsync.errors import ConfigError, SealBroken
from crmsync.settings import new_key
from crmsync.store.vault import Vault

CONTEXT = "links:1"


def test_what_is_sealed_opens_again():
    """The same keys and the same context give the plain bytes back."""
    vault = Vault([new_key()])
    sealed = vault.seal(b"secret", CONTEXT)
    assert b"secret" not in sealed
    assert vault.open(sealed, CONTEXT) == b"secret"


def test_the_same_twice_is_not_the_same_sealed():
    """Two seals of one value cannot be told to be of one value."""
    vault = Vault([new_key()])
    assert vault.seal(b"secret", CONTEXT) != vault.seal(b"secret", CONTEXT)


def test_moved_data_does_not_open():
    """A ciphertext that was moved to another row is refused."""
    vault = Vault([new_key()])
    with pytest.raises(SealBroken, match="links:2 was moved or changed"):
        vault.open(vault.seal(b"secret", CONTEXT), "links:2")


@pytest.mark.parametrize("place", [4, 20, -1])
def test_changed_data_does_not_open(place):
    """A flipped bit in nonce, ciphertext or tag is refused."""
    vault = Vault([new_key()])
    sealed = bytearray(vault.seal(b"a longer secret", CONTEXT))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        vault.open(bytes(sealed), CONTEXT)


def test_keys_rotate():
    """A new first key seals from now on, while the old one still opens what it sealed."""
    old, new = new_key(), new_key()
    before = Vault([old]).seal(b"secret", CONTEXT)
    both = Vault([new, old])
    assert both.open(before, CONTEXT) == b"secret"
    after = both.seal(b"secret", CONTEXT)
    assert Vault([new]).open(after, CONTEXT) == b"secret"
    with pytest.raises(SealBroken, match="was an old key removed"):
        Vault([new]).open(before, CONTEXT)


@pytest.mark.parametrize("keys", [[], ["short"], ["not base64 at all!"], ["QUJD"], ["é" * 44]])
def test_wrong_keys_are_refused(keys):
    """A key that is none is a mistake of a person, and is not repeated in the message."""
    with pytest.raises(ConfigError, match="CRMSYNC_KEYS") as error:
        Vault(keys)
    assert not any(key in str(error.value) for key in keys)
