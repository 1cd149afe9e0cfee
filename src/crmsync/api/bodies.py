"""Reading a request's body: within a size and a time, whoever sends it."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from crmsync.api.problems import problem

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
"""Within which a body must have arrived: a client that drips holds no connection for ever."""


async def read_body(request: Request) -> bytes | Response:
    """Read the body as it came, or say why it is not taken."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _too_large()
    except ClientDisconnect:
        return problem(400, "the body ended too early")  # nobody is there to read it
    except TimeoutError:
        return problem(408, f"the body did not arrive within {BODY_SECONDS:g} s")
    return bytes(body)


def _too_large() -> Response:
    return problem(413, "a body holds at most 1 MiB; send it in parts")
