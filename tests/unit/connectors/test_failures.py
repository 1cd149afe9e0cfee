"""What is told of an answer."""

from __future__ import annotations

import pytest

from crmsync.connectors.failures import EXCERPT_CHARACTERS, excerpt_in, excerpt_of


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "s3cret", "a": 1}',
        b'{"refresh_token":"s3cret"}',
        b'{"message": "Authorization: Bearer s3cret is wrong"}',
        b'{"message": "Zoho-oauthtoken s3cret is wrong"}',
        b'{"client_secret" : "s3cret"}',
        b'{"apiKey":"s3cret"}',
        b'{"Password":"s3cret"}',
        b"x" * (EXCERPT_CHARACTERS - 24) + b' "token": "s3cret"',
    ],
)
def test_secrets_are_struck_out(body):
    """Whatever looks like a credential is not kept, even across the cut."""
    assert "s3cret" not in excerpt_of(body)
    assert "***" in excerpt_of(body)


def test_a_bottomless_part_of_an_answer_is_told_as_nothing():
    """What cannot be written down does not keep the refusal itself from being told."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    assert excerpt_in(deep) == ""
    assert excerpt_in([{"token": "s3cret"}]) == '[{"token":"***"}]'


def test_the_rest_is_kept():
    """Words, numbers and bytes that are no text survive, up to the size of an excerpt."""
    assert excerpt_of(b'{"message": "token is 7"}') == '{"message": "token is 7"}'
    assert excerpt_of(b"\xff\xfe") == "\ufffd\ufffd"
    assert len(excerpt_of(b"x" * 10_000)) == EXCERPT_CHARACTERS
