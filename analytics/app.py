"""The HTTP applications: every route behind a token, errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Protocol

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics.ingest import batches, otlp, remote_write
from analytics.ingest.intake import Intake
from analytics.ingest.journal import Busy
from analytics.routes import book, console, health, metrics, relay, sql
from analytics.service import COOKIE, Keeper, Service
from gpuledger import __version__
from gpuledger.errors import ConfigError, GpuledgerError, nearest

# Every thread that asks opens its own client of the engine: a few are plenty.
THREADS = 8
# The doors for senders: the collectors' token opens these and no other.
SENDING = (batches.router, remote_write.router, otlp.router)
OK = {"description": "Successful Response"}
# Read by load balancers and people without a token; they tell nothing about the cluster.
OPEN_PATHS = {"/healthz", "/readyz", "/login"}
NOT_KNOWN = "a token is needed: GPULEDGER_TOKEN, or the login link that the service printed"
NOT_FOR_SENDING = (
    "this token may not send: give the sender the service's GPULEDGER_INGEST_TOKEN"
    " (GPULEDGER_TOKEN_FILE)"
)
# Long enough for a server to come back, short enough for a spool to stay small.
RETRY_AFTER_S = 10


def create_app(service: Service) -> FastAPI:
    """The application over a service; nothing starts until a server runs it."""
    app = _application(service, service.intake)
    app.state.service = service
    for router in (book.router, sql.router, health.router, metrics.router, console.router):
        app.include_router(router)
    return app


def create_relay_app(intake: Intake, keeper: Keeper) -> FastAPI:
    """The doors for senders alone; it needs no store to answer."""
    app = _application(keeper, intake)
    app.include_router(relay.router)
    return app


def _application(keeper: Doorkeeper, intake: Intake | None) -> FastAPI:
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
    app.add_middleware(Guard, keeper=keeper)
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
    return describe()


def _sending_prefixes() -> tuple[str, ...]:
    """What the paths of the doors for senders begin with."""
    paths = (getattr(route, "path", "") for router in SENDING for route in router.routes)
    return tuple({path.partition("{")[0] for path in paths})


SENDING_PREFIXES = _sending_prefixes()


def sends(path: str) -> bool:
    """Whether the path is a door for senders."""
    return path.startswith(SENDING_PREFIXES)


class Doorkeeper(Protocol):
    """Who knows the tokens."""

    def who(self, token: str, *, sends: bool) -> str:
        """Whose token it is; empty where it does not open such a door."""


@asynccontextmanager
async def _limited_threads(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


class Guard:
    """Nobody passes without our token in the header or the cookie; nothing is read before."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper) -> None:
        self._app = app
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over what may pass, with who it is; answer 401 to the rest."""
        if scope["type"] != "http" or self._may_pass(scope):
            await self._app(scope, receive, send)
            return
        refusal = problem(
            401,
            NOT_FOR_SENDING if sends(scope["path"]) else NOT_KNOWN,
            {"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in OPEN_PATHS:
            return True
        scope["identity"] = self._keeper.who(_given(scope), sends=sends(path))
        return bool(scope["identity"])


def _given(scope: Scope) -> str:
    """The token of the header, else of the cookie."""
    request = Request(scope)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def _understood(request: Request) -> None:
    """400 for a parameter that the route does not have: it would answer another question."""
    route = request.scope["route"]
    known = {p.alias for p in route.dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise HTTPException(400, f"unknown parameter '{name}'{nearest(name, known)}")


async def _problem(request: Request, error: Exception) -> JSONResponse:
    # A sender must keep its rows whatever is wrong with our side: 4xx would throw them away.
    if isinstance(error, ConfigError) and not sends(request.url.path):
        return problem(400, str(error))
    wait_s = error.retry_after_s if isinstance(error, Busy) else RETRY_AFTER_S
    return problem(503, str(error), {"Retry-After": f"{wait_s:.0f}"})


async def _http_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem(422, f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem-details answer."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        status,
        headers,
        media_type="application/problem+json",
    )
