"""What stands in spoilt answers in place of what should: statuses, values, ids and headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STATUSES = (
    101, 200, 201, 202, 204, 206, 207, 299, 300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404,
    405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 418, 421, 422, 423, 424, 425, 428, 429, 431,
    451, 477, 499, 500, 501, 502, 503, 504, 507, 520, 521, 522, 523, 524, 530, 599, 600, 999,
)  # fmt: skip
NONSENSE: Sequence[Any] = (
    None, True, False, 0, 1, -1, 0.5, -1.5, 1e308, 2**53 + 1, 2**63, 10**30, "", " ", "0", "x",
    "-1", "NaN", "null", "true", "2026-02-30", "9999-12-31T23:59:59.999Z", "0000-00-00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\0", "a\tb\r\n",
    "مرحبا", "👩‍👩‍👧", "../../x", "https://elsewhere.example/next", "x" * 20_000, [],
    [[]], [None], {}, {"": {}}, {"id": None}, ["x"], [1, "x", None],
)  # fmt: skip
IDS = frozenset({"id", "Id", "ID", "objectId", "toObjectId", "recordId", "sf__Id"})
OTHER_IDS: Sequence[Any] = (999_999_999, "999999999999", "003000000000000AAA", "0", -7, "", [5], {})
HEADERS: Sequence[Mapping[str, str]] = (
    {"Retry-After": "-1"}, {"Retry-After": "nan"}, {"Retry-After": "1e400"},
    {"Retry-After": "9" * 30}, {"Retry-After": "Wed, 99 Foo 2026 00:00:00 GMT"},
    {"Retry-After": ""},
    {"Location": "https://elsewhere.example/"}, {"Date": "yesterday"}, {"Date": ""},
    {"X-HubSpot-RateLimit-Remaining": "x"}, {"x-daily-ratelimit-token-remaining": "0"},
    {"x-ratelimit-reset": "soon"}, {"x-ratelimit-remaining": "-9"},
    {"Sforce-Limit-Info": "api-usage=x/y"}, {"Sforce-Limit-Info": "api-usage=9/0"},
    {"X-API-CREDITS-REMAINING": "None"}, {"Content-Encoding": "br"}, {"Content-Encoding": "gzip"},
    {"Content-Encoding": "deflate"}, {"Content-Encoding": "gzip, gzip"}, {"X-Big": "b" * 70_000},
    {f"X-{n}": "1" for n in range(150)}, {"Set-Cookie": "a=b; Domain=.example"},
    {"Transfer-Encoding": "chunked"}, {"Content-Length": "-5"}, {"Content-Length": "1, 2"},
    {"Connection": "upgrade", "Upgrade": "h2c"},
)  # fmt: skip
TYPES = (
    "", "text/html", "application/xml", "text/plain;charset=utf-7", "application/octet-stream",
    "application/json;charset=utf-16", "application/json;charset=klingon", "multipart/form-data",
    "nonsense",
)  # fmt: skip
PAGE = b"<html><head><title>Sorry</title></head><body>Something went wrong.</body></html>"
