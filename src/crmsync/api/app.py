"""The web application: ingest routes and health, on one frozen `Works`."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from crmsync import __version__
from crmsync.api.events import router
from crmsync.errors import StoreUnavailable
from crmsync.sync.context import Works

RETRY_AFTER_SECONDS = "5"


def make_app(
    works: Works, write_key: str, *, is_alive: Callable[[], bool] = lambda: True
) -> FastAPI:
    """Return the application; `is_alive` says whether the worker in this process, if any, works."""
    app = FastAPI(title="crmsync", version=__version__, docs_url="/docs", redoc_url=None)
    app.state.works = works
    app.state.write_key = write_key
    app.include_router(router)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """Say whether requests can be served: the database answers and the worker is alive."""
        ready = is_alive() and await run_in_threadpool(_database_answers, works)
        return JSONResponse({"ok": ready}, status_code=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Give the metrics of this process in Prometheus form."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def _database_answers(works: Works) -> bool:
    try:
        with works.store.database.read() as connection:
            works.store.database.now(connection)
    except StoreUnavailable:
        return False
    return True


async def _store_unavailable(_request: Request, error: Exception) -> Response:
    """Refuse what cannot be made durable: the client keeps the events and sends them again."""
    del error  # its words are for the log, not for strangers
    return JSONResponse(
        {"title": "Try again later", "status": 503, "detail": "the store cannot be reached"},
        status_code=503,
        media_type="application/problem+json",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )
