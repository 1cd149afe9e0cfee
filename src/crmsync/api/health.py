"""Health over HTTP: `/livez` asks for a restart, `/readyz` for traffic, `/healthz` is both."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from crmsync.api.problems import problem
from crmsync.errors import ConfigError, StoreUnavailable
from crmsync.store import schema
from crmsync.sync.context import Works

HANGS = "the worker has not looked for work lately: restart this process"


def add_health(app: FastAPI, works: Works, is_alive: Callable[[], bool]) -> None:
    """Serve the three; `is_alive` says whether the worker in this process, if any, works."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> Response:
        """Say whether this process works, whatever else does not: 503 is cured by a restart."""
        return _answer(None if is_alive() else HANGS)

    @router.get("/readyz")
    async def readyz() -> Response:
        """Say whether requests can be served: the database answers, with tables fit for us."""
        return _answer(await run_in_threadpool(_complaint, works))

    @router.get("/healthz")
    async def healthz() -> Response:
        """Say whether both is so."""
        complaint = await run_in_threadpool(_complaint, works)
        return _answer(complaint if is_alive() else HANGS)

    app.include_router(router)


def _answer(complaint: str | None) -> Response:
    return problem(503, complaint, ok=False) if complaint else JSONResponse({"ok": True})


def _complaint(works: Works) -> str | None:
    """Return why requests cannot be served; the database's own words may name its host."""
    try:
        schema.demand_current(works.store.database)
    except StoreUnavailable:
        return "the database does not answer"
    except ConfigError as mistake:
        return mistake.user_message
    return None
