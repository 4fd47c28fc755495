"""The HTTP service: every route behind one token, errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics.ingest import batches
from analytics.routes import book, console, health, metrics, sql
from analytics.service import COOKIE, Service
from gpuledger import __version__
from gpuledger.errors import ConfigError, GpuledgerError, nearest

# Every thread that asks opens its own client of the engine: a few are plenty.
THREADS = 8
# Read by load balancers and people without a token; they tell nothing about the cluster.
INGEST_PREFIX = "/v1/ingest/"
OPEN_PATHS = {"/healthz", "/readyz", "/login"}
NOT_KNOWN = "a token is needed: use the login link that the service printed"
NOT_FOR_SENDING = (
    "this token may not send: give the agent the service's GPULEDGER_INGEST_TOKEN"
    " (GPULEDGER_TOKEN_FILE)"
)
# Long enough for a server to come back, short enough for a spool to stay small.
RETRY_AFTER_S = 10


def create_app(service: Service) -> FastAPI:
    """The application over a service; nothing starts until a server runs it."""
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
    app.state.service = service
    app.add_middleware(Guard, service=service)
    for router in _routers():
        app.include_router(router)
    app.add_exception_handler(GpuledgerError, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _routers() -> tuple[APIRouter, ...]:
    return book.router, batches.router, sql.router, health.router, metrics.router, console.router


@asynccontextmanager
async def _limited_threads(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


class Guard:
    """Nobody passes without our token in the header or the cookie; nothing is read before."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over what may pass, answer 401 to the rest."""
        if scope["type"] != "http" or self._may_pass(Request(scope)):
            await self._app(scope, receive, send)
            return
        sends = scope["path"].startswith(INGEST_PREFIX)
        refusal = problem(
            401, NOT_FOR_SENDING if sends else NOT_KNOWN, {"WWW-Authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)

    def _may_pass(self, request: Request) -> bool:
        if request.url.path in OPEN_PATHS:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
        if request.url.path.startswith(INGEST_PREFIX) and self._service.may_ingest(given):
            return True
        return self._service.knows(given)


def _understood(request: Request) -> None:
    """400 for a parameter that the route does not have: it would answer another question."""
    route = request.scope["route"]
    known = {p.alias for p in route.dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise HTTPException(400, f"unknown parameter '{name}'{nearest(name, known)}")


async def _problem(request: Request, error: Exception) -> JSONResponse:
    # A sender must keep its rows whatever is wrong with our side: 4xx would throw them away.
    if isinstance(error, ConfigError) and not request.url.path.startswith(INGEST_PREFIX):
        return problem(400, str(error))
    return problem(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})


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
