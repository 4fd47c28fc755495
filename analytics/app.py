"""The HTTP applications: every route behind a token, errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from inspect import getdoc
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from analytics.access.guard import Doorkeeper, Guard
from analytics.access.refused import Refusals
from analytics.bounded import Bounded
from analytics.console import routes as console
from analytics.ingest import batches, otlp, remote_write
from analytics.ingest.intake import Intake
from analytics.ingest.journal import Busy
from analytics.ingest.pause import TellPause
from analytics.problems import problem
from analytics.routes import api, described, health, metrics, relay, sql
from analytics.service import Keeper, Service
from analytics.watch import Watch, Watched
from gpuledger import __version__
from gpuledger.errors import ConfigError, Conflict, GpuledgerError, Unknown, nearest

# Every thread that asks opens its own client of the engine: a few are plenty.
THREADS = 8
# The doors for senders: the collectors' token opens these and no other.
SENDING = (batches.router, remote_write.router, otlp.router)
OK = {"description": "Successful Response"}
# Long enough for a server to come back, short enough for a spool to stay small.
RETRY_AFTER_S = 10


def create_app(service: Service) -> FastAPI:
    """The application over a service; nothing starts until a server runs it."""
    app = _application(service, service.intake, service.watch)
    app.state.service = service
    for router in (*api.ROUTERS, sql.router, health.router, metrics.router, console.router):
        app.include_router(router)
    return app


def create_relay_app(intake: Intake, keeper: Keeper, watch: Watch | None = None) -> FastAPI:
    """The doors for senders alone; it needs no store to answer."""
    app = _application(keeper, intake, watch or Watch())
    app.include_router(relay.router)
    return app


def _application(keeper: Doorkeeper, intake: Intake | None, watch: Watch) -> FastAPI:
    app = FastAPI(
        title="gpuledger",
        version=__version__,
        description="Every GPU-second booked to exactly one state.",
        # Their pages load scripts from a CDN; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(_understood)],
        lifespan=_limited_threads,
    )
    app.state.intake = intake
    app.state.watch = watch
    app.state.refusals = Refusals()
    app.add_middleware(Bounded, free=SENDING_PREFIXES)
    app.add_middleware(Guard, keeper=keeper, refusals=app.state.refusals)
    app.add_middleware(TellPause)
    app.add_middleware(Watched, watch=watch)
    for router in SENDING:
        app.include_router(router)
    app.openapi = partial(_described, app, app.openapi)  # type: ignore[method-assign] # its hook
    app.add_exception_handler(GpuledgerError, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _described(app: FastAPI, describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The application's description, with the plain routes, of which FastAPI tells nothing."""
    if app.openapi_schema is None:
        paths = describe()["paths"]
        for route in (r for router in SENDING for r in router.routes):
            if type(route) is Route:
                paths[route.path] = {
                    "post": {
                        "summary": route.name.replace("_", " ").title(),
                        "description": getdoc(route.endpoint),
                        "responses": {"200": OK},
                    }
                }
        described.complete(describe())
    return describe()


def _sending_prefixes() -> tuple[str, ...]:
    """What the paths of the doors for senders begin with."""
    paths = (getattr(route, "path", "") for router in SENDING for route in router.routes)
    return tuple({path.partition("{")[0] for path in paths})


SENDING_PREFIXES = _sending_prefixes()


def sends(path: str) -> bool:
    """Whether the path is a door for senders."""
    return path.startswith(SENDING_PREFIXES)


@asynccontextmanager
async def _limited_threads(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _understood(request: Request) -> None:
    """400 for a parameter that the route does not have: it would answer another question."""
    route = request.scope["route"]
    known = set(_query_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            raise HTTPException(400, f"unknown parameter '{name}'{nearest(name, known)}")


def _query_names(dependant: Any) -> Iterator[str]:
    """Parameters of a route and of what it depends on."""
    yield from (p.alias for p in dependant.query_params)
    for one in dependant.dependencies:
        yield from _query_names(one)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    # A sender must keep its rows whatever is wrong with our side: 4xx would throw them away.
    if isinstance(error, ConfigError) and not sends(request.url.path):
        return problem(_status(error), str(error))
    wait_s = error.retry_after_s if isinstance(error, Busy) else RETRY_AFTER_S
    return problem(503, str(error), {"Retry-After": f"{wait_s:.0f}"})


def _status(error: ConfigError) -> int:
    if isinstance(error, Unknown):
        return 404
    return 409 if isinstance(error, Conflict) else 400


async def _http_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem(422, f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}")
