"""The HTTP service: every route behind one token, errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from analytics.ingest import batches
from analytics.routes import book, console, health, metrics, sql
from analytics.service import COOKIE, Service
from gpuledger import __version__
from gpuledger.errors import ConfigError, GpuledgerError

# Every thread that asks opens its own client of the engine: a few are plenty.
THREADS = 8
# Read by load balancers and people without a token; they tell nothing about the cluster.
OPEN_PATHS = {"/healthz", "/readyz", "/login"}


def create_app(service: Service) -> FastAPI:
    """The application over a service; nothing starts until a server runs it."""
    app = FastAPI(
        title="gpuledger",
        version=__version__,
        description="Every GPU-second booked to exactly one state.",
        # Their pages load scripts from a CDN; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(_authorised)],
        lifespan=_limited_threads,
    )
    app.state.service = service
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


def _authorised(request: Request) -> None:
    """401 without our token in the header or the cookie."""
    service: Service = request.app.state.service
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if request.url.path in OPEN_PATHS:
        return
    given = token if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    if not service.knows(given):
        raise HTTPException(401, "a token is needed: use the login link that the service printed")


async def _problem(_: Request, error: Exception) -> JSONResponse:
    status = 400 if isinstance(error, ConfigError) else 503
    return problem(status, str(error))


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
        {"type": "about:blank", "status": status, "detail": detail},
        status,
        headers,
        media_type="application/problem+json",
    )
