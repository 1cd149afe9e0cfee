"""What may be told of an exchange: why it failed, and the beginning of what was answered.

Reasons hold no URL, address or value. Excerpts hold no secrets but may hold personal data: they
are stored encrypted and never logged.
"""

from __future__ import annotations

import http.client
import re
from typing import Any

import orjson
import requests
import urllib3.exceptions

EXCERPT_CHARACTERS = 500
_SECRETS = re.compile(
    r"""((?:bearer|zoho-oauthtoken)\s+|"(?:\w*token|client_secret|authorization|api_?key|password)"\s*:\s*")[^"\s]+""",
    re.IGNORECASE,
)

# The first that fits names a failure; the libraries' own words hold URLs and addresses.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (PermissionError, "the host resolves to an address that must not be reached"),
    (ConnectionRefusedError, "the connection was refused"),
    (urllib3.exceptions.NameResolutionError, "the host name does not resolve"),
    (urllib3.exceptions.NewConnectionError, "no connection could be made"),
    (urllib3.exceptions.ConnectTimeoutError, "no connection within the time for connecting"),
    (urllib3.exceptions.SSLError, "the certificate or the encryption was not accepted"),
    (TimeoutError, "no full answer before the deadline"),
    (urllib3.exceptions.TimeoutError, "no full answer before the deadline"),
    (requests.Timeout, "no full answer before the deadline"),
    (urllib3.exceptions.IncompleteRead, "the answer was cut short"),
    (http.client.IncompleteRead, "the answer was cut short"),
    (urllib3.exceptions.DecodeError, "the answer could not be decompressed, or is too large"),
    (http.client.RemoteDisconnected, "the connection was closed before an answer"),
    (ConnectionError, "the connection was reset"),
)


def excerpt_of(body: bytes) -> str:
    """Return the beginning of a body as text, with whatever looks like a secret struck out."""
    text = body[: EXCERPT_CHARACTERS * 8].decode("utf-8", "replace")
    return _SECRETS.sub(r"\1***", text)[:EXCERPT_CHARACTERS]


def excerpt_in(document: Any) -> str:  # noqa: ANN401 (any JSON)
    """Return the beginning of a part of an answer as text, likewise; of one too deep, nothing."""
    try:
        return excerpt_of(orjson.dumps(document))
    except orjson.JSONEncodeError:  # nested too deeply
        return ""


def reason_of(error: BaseException) -> str:
    """Say in a few words why a request failed: the first entry that fits anything in the chain."""
    chain = list(_chain(error))
    for kind, words in _REASONS:
        if any(isinstance(link, kind) for link in chain):
            return words
    return f"the exchange failed ({type(chain[-1]).__name__})"


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and everything it wraps, by cause, context, `reason` or argument."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or any(link is known for known in found):
            continue
        found.append(link)
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return found
