"""Page tokens: where a list goes on, for whom, with which parameters and until when."""

from __future__ import annotations

import random
from dataclasses import dataclass

from crmsync.sandbox.zoho import errors
from crmsync.sandbox.zoho.errors import ApiError

MAX_BY_PAGE = 2_000
MAX_BY_TOKEN = 100_000
TOKEN_SECONDS = 86_400

Bound = tuple[object, ...]
"""What a token holds good for: module, parameters, caller."""


@dataclass(frozen=True, slots=True)
class _Token:
    offset: int
    bound: Bound
    expires_at: int


class PageTokens:
    """The tokens an organisation has given out."""

    def __init__(self, chance: random.Random) -> None:
        """Make tokens from this randomness."""
        self._chance = chance
        self._all: dict[str, _Token] = {}

    def issue(self, offset: int, bound: Bound, expires_at: int) -> str:
        """Make a token for what begins at an offset."""
        token = self._chance.randbytes(24).hex()
        self._all[token] = _Token(offset, bound, expires_at)
        return token

    def redeem(self, token: str, bound: Bound, now: int) -> int:
        """Return the offset of a token; 400 where it is unknown, too old or somebody else's."""
        known = self._all.get(token)
        if known is None:
            raise errors.invalid_parameter("page_token")
        if known.expires_at <= now:
            raise ApiError(400, "EXPIRED_VALUE", "the token has expired", param_name="page_token")
        if known.bound != bound:
            text = "the token does not belong to these parameters"
            raise ApiError(400, "TOKEN_BOUND_DATA_MISMATCH", text, param_name="page_token")
        return known.offset


def check_page(page: int, per_page: int) -> None:
    """Refuse a page that only a token reaches."""
    if page * per_page > MAX_BY_PAGE:
        text = f"only the first {MAX_BY_PAGE} records can be read by page"
        code = "DISCRETE_PAGINATION_LIMIT_EXCEEDED"
        raise ApiError(400, code, text, limit=MAX_BY_PAGE, param_name="page")


def check_depth(end: int) -> None:
    """Refuse what not even a token reaches."""
    if end > MAX_BY_TOKEN:
        text = f"only {MAX_BY_TOKEN} records can be read"
        raise ApiError(400, "PAGINATION_LIMIT_EXCEEDED", text, limit=MAX_BY_TOKEN)
