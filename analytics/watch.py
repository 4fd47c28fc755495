"""Every request, question and step is watched: its id, how long it took, its trace and its line."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.access.caller import Role
from analytics.access.rules import RULES, rules
from analytics.figures import Figures
from analytics.problems import problem
from analytics.telemetry import Access, Span, Telemetry
from gpuledger.logs import DOING, FIELDS, Doing
from gpuledger.watched import Asked

log = logging.getLogger("gpuledger.access")

HEADER = b"x-request-id"
# Long enough to be somebody's own, short enough for a line; nothing that a log could trip over.
WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{8,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What machines ask all the time; a line each would drown the others.
QUIET = frozenset(
    {"/healthz", "/readyz", "/metrics"}
    | {path for (_, path), role in RULES.items() if role is Role.INGEST}
)
UNFORESEEN = "an error that nobody foresaw: the service's log tells of it under this request_id"


@dataclass
class Watch:
    """What watches a process: its figures, and its telemetry."""

    telemetry: Telemetry = field(default_factory=Telemetry)
    figures: Figures = field(default_factory=Figures)

    @contextmanager
    def question(self, limits: str) -> Iterator[Asked]:
        """A question of that class; whoever asks fills in what came back."""
        asked, began, outcome = Asked(), perf_counter(), "failed"
        with self.telemetry.span("query") as span:
            try:
                yield asked
                outcome = "ok"
            finally:
                self.figures.questions.add((limits, outcome), perf_counter() - began)
                span.tell("db.system.name", "clickhouse")
                span.tell("gpuledger.query.class", limits)
                span.tell("db.response.returned_rows", asked.rows)
                span.tell("gpuledger.query.read_rows", asked.read_rows)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step of a tick, or the tick itself."""
        began, outcome = perf_counter(), "failed"
        with self.telemetry.span(name) as span:
            doing = DOING.set(Doing(DOING.get().request_id, span.trace_id))
            try:
                yield
                outcome = "ok"
            finally:
                DOING.reset(doing)
                self.figures.steps.add((name, outcome), perf_counter() - began)
                span.tell("gpuledger.step.outcome", outcome)


class Watched:
    """The outermost of an application: gives each request its id, and tells how it ended."""

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over, with `scope["request_id"]`; an error that nobody foresaw is a problem too."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(HEADER, b"")
        request_id = given.decode() if WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
        scope["request_id"] = request_id
        carrier = _carrier(headers)
        with self._watch.telemetry.span(scope["method"], carrier, serves=True) as span:
            doing = DOING.set(Doing(request_id, span.trace_id))
            try:
                await self._answer(scope, receive, send, span)
            finally:
                DOING.reset(doing)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        began, status, has_begun = perf_counter(), 499, False

        async def answer(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
                told = (HEADER, scope["request_id"].encode())
                message["headers"] = [*message.get("headers", ()), told]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            log.exception("%s %s", scope["method"], route_of(scope))
            if not has_begun:
                await problem(500, UNFORESEEN)(scope, receive, answer)
            status = 500
        finally:
            self._tell(scope, status, perf_counter() - began, span)

    def _tell(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        """Figures, span and line of an answered request; 499: the sender left before."""
        route, method = route_of(scope), scope["method"]
        method = method if method in METHODS else "other"
        caller = scope.get("caller")
        self._watch.figures.requests.add((route, method, str(status)), seconds)
        span.tell("http.route", route)
        span.tell("http.request.method", method)
        span.tell("http.response.status_code", status)
        span.tell("gpuledger.role", str(caller.role) if caller else None)
        span.tell("gpuledger.request_id", scope["request_id"])
        if not self._is_logged(route, status):
            return
        told = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "caller": caller.name if caller else "",
        }
        line = "%(method)s %(route)s %(status)d in %(ms).1f ms by '%(caller)s'"
        log.info(line, told, extra={FIELDS: told})

    def _is_logged(self, route: str, status: int) -> bool:
        match self._watch.telemetry.settings.access:
            case Access.ALL:
                return True
            case Access.NONE:
                return False
            case Access.ERRORS:
                return status >= 400
            case Access.READING:
                return status >= 400 or route not in QUIET


def _carrier(headers: dict[bytes, bytes]) -> dict[str, str] | None:
    """The header that names a trace, if one came."""
    found = headers.get(b"traceparent")
    return {"traceparent": found.decode("latin-1")} if found else None


def route_of(scope: Scope) -> str:
    """The template of the route, never the path: that is a stranger's word."""
    route = scope.get("route")
    if route is None:
        found = rules().find(scope["method"], scope["path"]).rules
        return found[0].path if found else "unmatched"
    return str(getattr(route, "path", "unmatched"))
