"""The web application: events, webhooks and health, on one frozen `Works`. See docs/http.md."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from crmsync import __version__
from crmsync.api import events, hooks
from crmsync.api.problems import DESCRIBED, handle_problems, problem
from crmsync.errors import StoreUnavailable
from crmsync.sync.context import Works


def make_app(
    works: Works, write_key: str, *, is_alive: Callable[[], bool] = lambda: True
) -> FastAPI:
    """Return the application; `is_alive` says whether the worker in this process, if any, works."""
    app = FastAPI(
        title="crmsync",
        version=__version__,
        docs_url="/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        responses={"default": {"description": "Any other refusal.", **DESCRIBED}},
    )
    app.state.works = works
    app.state.write_key = write_key
    app.state.entrance = hooks.Entrance(works)
    app.include_router(events.router)
    app.include_router(hooks.router)
    handle_problems(app)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """Say whether requests can be served: the database answers and the worker is alive."""
        ready = is_alive() and await run_in_threadpool(_database_answers, works)
        if not ready:
            return problem(503, "the database does not answer, or the worker hangs", ok=False)
        return JSONResponse({"ok": True})

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
