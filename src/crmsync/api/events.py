"""`POST /v1/{identify,track,page,screen,group,alias,batch}`: the tracking specification.

Client libraries of Segment and RudderStack work unchanged when their host is set to ours. A 2xx
means that every call not listed as rejected is committed to the database.
"""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from crmsync.api.bodies import MAX_BODY_BYTES, read_body
from crmsync.api.problems import problem
from crmsync.api.shapes import REFUSALS, Batch, Call, Report, body_of
from crmsync.errors import EventRejected
from crmsync.identity.calls import read_call
from crmsync.identity.feeds import decode_json, read_batch
from crmsync.identity.reading import Arrival
from crmsync.identity.rules import Note
from crmsync.model import Event, EventType
from crmsync.sync.context import Works
from crmsync.sync.ingest import Ingested, ingest

MAX_CALLS = 1_000
SOURCE = "api"
"""What events that came by the first write key are said to come from."""

KINDS = [str(kind) for kind in EventType]
PLAIN = {"", "identity"}
PACKED = {"gzip", "x-gzip"}

router = APIRouter(prefix="/v1", tags=["events"], responses={200: {"model": Report}, **REFUSALS})
Kind = Annotated[str, Path(json_schema_extra={"enum": KINDS})]


@router.post("/batch", openapi_extra=body_of(Batch))
async def batch(request: Request) -> Response:
    """Take up to 1,000 calls at once; a bad one is listed and does not keep the others out."""
    return await _take(request, "batch")


@router.post("/{kind}", openapi_extra=body_of(Call))
async def single(kind: Kind, request: Request) -> Response:
    """Take one call: identify, track, page, screen, group or alias."""
    if kind not in KINDS:
        return problem(404, f"there is no such call: use {', '.join(KINDS)} or batch")
    return await _take(request, kind)


async def _take(request: Request, kind: str) -> Response:
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    body = await read_body(request)
    if isinstance(body, Response):
        return body
    return await run_in_threadpool(
        _answer, request.app.state.works, kind, body, is_packed=_encoding(request) in PACKED
    )


def _refusal(request: Request) -> Response | None:
    """Return why a request is refused before its body is read."""
    if not _is_authorised(request):
        return problem(
            401,
            "send the write key by HTTP Basic or X-Crmsync-Key",
            headers={"WWW-Authenticate": 'Basic realm="crmsync"'},
        )
    if _encoding(request) not in PLAIN | PACKED:
        return problem(
            415, "send the body plain, or packed by gzip", headers={"Accept-Encoding": "gzip"}
        )
    return None


def _encoding(request: Request) -> str:
    return request.headers.get("content-encoding", "").strip().lower()


def _answer(works: Works, kind: str, body: bytes, *, is_packed: bool) -> Response:
    notes: list[Note] = []
    arrival = Arrival(SOURCE, datetime.now(UTC), works.rules)
    try:
        plain = _unpacked(body) if is_packed else body
        read = _read(kind, decode_json(plain), arrival, notes)
    except EventRejected as refusal:
        return problem(400, refusal.user_message)
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
    if rejected and not report.taken and not report.repeated:
        return problem(400, "no call could be taken: `rejected` says why", **content)
    return JSONResponse(content)


def _unpacked(body: bytes) -> bytes:
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
