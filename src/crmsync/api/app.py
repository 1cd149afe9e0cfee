"""The web application: events, webhooks and health, on one frozen `Works`. See docs/http.md."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from crmsync import __version__
from crmsync.api import events, hooks
from crmsync.api.health import add_health
from crmsync.api.metrics import Metrics
from crmsync.api.problems import DESCRIBED, handle_problems
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
    add_health(app, works, is_alive)
    figures = Metrics(works)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Give this process's metrics, and those of the store, in Prometheus form."""
        return Response(await run_in_threadpool(figures.text), media_type=CONTENT_TYPE_LATEST)

    return app
