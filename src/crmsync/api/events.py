"""`POST /v1/{identify,track,page,screen,group,alias,batch}`: the tracking specification.

Client libraries of Segment and RudderStack work unchanged when their host is set to ours. A 2xx
means that every call not listed as rejected is committed to the database.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import io
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from crmsync.errors import EventRejected
from crmsync.identity.calls import read_call
from crmsync.identity.feeds import decode_json, read_batch
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note
from crmsync.model import Event, EventType
from crmsync.sync.context import Works
from crmsync.sync.ingest import Ingested, ingest

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
"""Within which a body must have arrived: a client that drips holds no connection for ever."""
MAX_CALLS = 1_000
SOURCE = "api"
"""What events that came by the first write key are said to come from."""

router = APIRouter(prefix="/v1", tags=["events"])


@router.post("/batch")
async def batch(request: Request) -> Response:
    """Take up to 1,000 calls at once; a bad one is listed and does not keep the others out."""
    return await _take(request, "batch")


@router.post("/{kind}")
async def single(kind: str, request: Request) -> Response:
    """Take one call: identify, track, page, screen, group or alias."""
    if kind not in {str(known) for known in EventType}:
        return _problem(404, "Not found", f"there is no /v1/{kind}: use {', '.join(EventType)}")
    return await _take(request, kind)


async def _take(request: Request, kind: str) -> Response:
    if not _is_authorised(request):
        response = _problem(
            401, "Unauthorized", "send the write key by HTTP Basic or X-Crmsync-Key"
        )
        response.headers["WWW-Authenticate"] = 'Basic realm="crmsync"'
        return response
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
        return Response(status_code=400)  # nobody is there to read it
    except TimeoutError:
        return _problem(408, "Too slow", f"the body did not arrive within {BODY_SECONDS:g} s")
    encoding = request.headers.get("content-encoding", "")
    return await run_in_threadpool(_answer, request.app.state.works, kind, bytes(body), encoding)


def _answer(works: Works, kind: str, body: bytes, encoding: str) -> Response:
    notes: list[Note] = []
    arrival = Arrival(SOURCE, datetime.now(UTC), works.rules)
    try:
        read = _read(kind, decode_json(_unpacked(body, encoding)), arrival, notes)
    except EventRejected as refusal:
        return _problem(400, "Bad request", refusal.user_message)
    events = [one for one in read if isinstance(one, Event)]
    rejected = [
        {"index": index, "reason": one.user_message}
        for index, one in enumerate(read)
        if isinstance(one, EventRejected)
    ]
    report = ingest(works, events)
    return _report(report, rejected, [*notes, *report.notes])


def _read(
    kind: str, content: object, arrival: Arrival, notes: list[Note]
) -> list[Event | EventRejected]:
    if not isinstance(content, Mapping):
        raise EventRejected("the body is not a JSON object")
    if kind != "batch":
        return [read_call(kind, content, arrival, notes)]
    calls = content.get("batch")
    if isinstance(calls, list) and len(calls) > MAX_CALLS:
        raise EventRejected(f"a batch holds at most {MAX_CALLS} calls; send it in parts")
    return read_batch(content, arrival, notes)


def _report(report: Ingested, rejected: list[dict[str, Any]], notes: list[Note]) -> Response:
    content: dict[str, Any] = {
        "success": not rejected,
        "taken": report.taken,
        "repeated": report.repeated,
    }
    if rejected:
        content["rejected"] = rejected
    if report.differing:
        content["differing"] = report.differing
    if notes:
        content["notes"] = [
            {"code": note.code, "messageId": note.message_id, "detail": note.detail}
            for note in notes
        ]
    nothing_taken = rejected and not report.taken and not report.repeated
    return JSONResponse(content, status_code=400 if nothing_taken else 200)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            plain = stream.read(MAX_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise EventRejected("the body is not valid gzip") from None
    if len(plain) > MAX_BODY_BYTES:
        raise EventRejected("the unpacked body is larger than 1 MiB; send it in parts")
    return plain


def _is_authorised(request: Request) -> bool:
    given = request.headers.get("x-crmsync-key") or _basic_user(request)
    expected: str = request.app.state.write_key
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def _basic_user(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None


def _too_large() -> Response:
    return _problem(413, "Too large", "a body holds at most 1 MiB; send fewer calls at once")


def _problem(status: int, title: str, detail: str) -> Response:
    return JSONResponse(
        {"title": title, "status": status, "detail": detail, "success": False},
        status_code=status,
        media_type="application/problem+json",
    )
