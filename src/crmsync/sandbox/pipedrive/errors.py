"""Pipedrive's ways of saying no: the words of v2, those of v1 and the gateway, and HTML.

Texts are Pipedrive's own where its documentation or observed traffic shows them; bodies of 402,
404, 405, 415 and 429 are not confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.sandbox.http import HTML, Answer

_INFO = "Please check developers.pipedrive.com"
_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>{title}</title></head>
<body><h1>{title}</h1><p>Cloudflare Ray ID: 9a0c0ffee0ddba11</p></body></html>
"""
_GATEWAY = {502: "Bad gateway", 503: "Service unavailable", 504: "Gateway time-out"}
"""What the network in front of Pipedrive answers by itself."""


class ApiError(Exception):
    """A request is refused."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        """Take the HTTP status and the whole body."""
        super().__init__(body["error"])
        self.status = status
        self.body = body
        self.headers: dict[str, str] = {}

    @property
    def message(self) -> str:
        """Pipedrive's words."""
        return str(self.body["error"])

    def answer(self) -> Answer:
        """Return what is sent."""
        return Answer.of(self.status, self.body, self.headers)


class Blocked(Exception):
    """The network in front of Pipedrive lets a client no longer in."""


class Invalid(Exception):
    """One value is refused; the text says what was expected in its place."""


# --- what is wrong with a request of v2 ---------------------------------------------------------


def invalid(problems: Sequence[str]) -> ApiError:
    """Refuse a request as a whole, naming all offenders, each `key: text`."""
    text = f"Validation failed: {'; '.join(problems)}"
    body = {"success": False, "error": text, "code": "ERR_SCHEMA_VALIDATION_FAILED"}
    return ApiError(400, body)


def not_allowed(key: str) -> str:
    """Say that a parameter is none of this request's."""
    return f"{key}: Parameter '{key}' is not allowed for this request"


def malformed() -> ApiError:
    """Refuse a body that is not JSON."""
    body = {"success": False, "error": "Invalid JSON in request body", "code": "ERR_BAD_REQUEST"}
    return ApiError(400, body)


def not_found(kind: str) -> ApiError:
    """Refuse a read or write of what does not exist, was deleted or merged."""
    body = {"success": False, "error": f"{kind.capitalize()} not found", "code": "ERR_NOT_FOUND"}
    return ApiError(404, body)


def capped(text: str, code: str) -> ApiError:
    """Refuse what the plan does not include."""
    body = {"success": False, "error": text, "error_info": _INFO, "data": None,
            "additional_data": None, "code": code}  # fmt: skip
    return ApiError(403, body)


def contact_sync_only(keys: Sequence[str]) -> ApiError:
    """Refuse the fields that a company without contact sync does not have."""
    text = f"{', '.join(keys)}: available only for users with contact sync enabled"
    return ApiError(403, {"success": False, "error": text, "code": "ERR_FORBIDDEN"})


def forbidden(text: str) -> ApiError:
    """Refuse what nobody may do."""
    return ApiError(403, {"success": False, "error": text, "code": "ERR_FORBIDDEN"})


# --- what v1 and the gateway say ----------------------------------------------------------------


def gateway(status: int, text: str, info: str = _INFO) -> ApiError:
    """Refuse in the words of the gateway."""
    body = {"success": False, "error": text, "errorCode": status, "error_info": info}
    return ApiError(status, body)


def unauthorized() -> ApiError:
    """Refuse a token that is wrong, expired or revoked: they are not told apart."""
    return gateway(401, "unauthorized access")


def account_closed() -> ApiError:
    """Refuse everything in a company whose trial ended or whose bill is unpaid."""
    return gateway(402, "company account is not open")


def scope_mismatch() -> ApiError:
    """Refuse a call the app was granted no scope for."""
    return gateway(403, "Scope and URL mismatch")


def rate_limited() -> ApiError:
    """Refuse one call too many, of the burst or of the day: they are not told apart."""
    return gateway(429, "Rate limit exceeded", "You have exceeded the allowed number of requests")


def no_such_path() -> ApiError:
    """Refuse a path that does not exist."""
    return gateway(404, "Unknown method.")


def wrong_method() -> ApiError:
    """Refuse a method that a path does not have."""
    return gateway(405, "Method not allowed")


def wrong_media_type() -> ApiError:
    """Refuse a body that does not say it is JSON."""
    return gateway(415, "Unsupported media type")


def blocked() -> Answer:
    """Return Cloudflare's page."""
    page = _PAGE.format(title="Attention Required! | Cloudflare")
    return Answer(403, page.encode(), HTML)


# --- failures that come from nothing the client did ---------------------------------------------


def failure(status: int) -> Answer:
    """Return the body an error status has where it has no cause here."""
    if status in _GATEWAY:
        return Answer(status, _PAGE.format(title=f"{status} {_GATEWAY[status]}").encode(), HTML)
    if status in _CAUSELESS:
        return _CAUSELESS[status].answer()
    body = {"success": False, "error": "Internal Server Error", "code": "ERR_UNKNOWN"}
    return Answer.of(status, body)


_CAUSELESS = {
    400: invalid([not_allowed("data")]),
    401: unauthorized(),
    402: account_closed(),
    403: scope_mismatch(),
    404: no_such_path(),
    405: wrong_method(),
    410: gateway(410, "Gone"),
    415: wrong_media_type(),
    429: rate_limited(),
}
