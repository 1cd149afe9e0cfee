"""Refusals: every error of every route is one shape, problem details (RFC 9457).

`problem` makes one; `handle_problems` gives the same shape to what the framework refuses by itself
(no such address, no such method, a parameter that does not fit) and to what fails in a route.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from crmsync.errors import StoreUnavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
DETAILS: Mapping[int, str] = {
    404: "there is nothing at this address; /openapi.json lists what there is",
    405: "this address does not take that method; the Allow header lists those it takes",
}


class Problem(BaseModel):
    """What every error is told as; some routes add members of their own."""

    type: str = Field("about:blank", description="Always `about:blank`: the status says the kind.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong and what to do; never holds a value.")
    success: bool = Field(default=False, description="What client libraries look for.")


DESCRIBED: dict[str, Any] = {"content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
"""An error as OpenAPI describes it, but for its description."""


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> Response:
    """Return an error answer; `members` are further facts of it."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(
        {**told.model_dump(), **members},
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def handle_problems(app: FastAPI) -> None:
    """Let whatever goes wrong on the way to a route, or in it, be answered in this shape."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(Exception, _fault)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    detail = DETAILS.get(error.status_code, error.detail)
    return problem(error.status_code, detail, headers=error.headers)


async def _misfit(_request: Request, error: Exception) -> Response:
    """Name the parameters that do not fit, without their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    errors = [
        {"at": ".".join(map(str, fault["loc"])), "detail": str(fault["msg"])}
        for fault in error.errors()
    ]
    told = "; ".join(f"{fault['at']}: {fault['detail']}" for fault in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=errors)


async def _store_unavailable(_request: Request, error: Exception) -> Response:
    """Refuse what cannot be made durable: the client keeps the events and sends them again."""
    del error  # its words are for the log, not for strangers
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the store cannot be reached; try again later",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


async def _fault(_request: Request, error: Exception) -> Response:
    del error  # the server logs it
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault in crmsync itself; its log says more")
