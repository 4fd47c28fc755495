"""What every page shares: its frame, its words, what its browser may do, and errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from markupsafe import Markup

from analytics.access.caller import Caller
from analytics.access.rules import rules
from analytics.console import said, static
from analytics.report import words
from analytics.service import Service
from gpuledger import __version__
from gpuledger.errors import ConfigError, GpuledgerError, Unknown
from gpuledger.schema import FOREVER
from gpuledger.states import BY_NAME, EXCLUDED, State

HOME = Path(__file__).parent
# No script, style, picture or question that is not a file of ours; nobody may frame a page.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` browsers would not tell the origin of a form either.
    "Referrer-Policy": "same-origin",
}
MENU = (
    ("/", "Overview"),
    ("/waste", "Waste by owner"),
    ("/fleet", "Fleet"),
    ("/fragmentation", "Fragmentation"),
    ("/recommendations", "Recommendations"),
    ("/alerts", "Alerts"),
    ("/reports", "Reports"),
    ("/exemptions", "Exemptions"),
    ("/quality", "Data quality"),
    ("/tokens", "Tokens"),
    ("/audit", "Audit"),
)
MINUS, NOTHING = words.MINUS, words.NOTHING
STRANGER = State("unknown", EXCLUDED, "a state of another version", "", words.STRANGER, "")
# Stands in the map where rows are not the caller's to see.
OTHERS = State("others", EXCLUDED, "held by other teams, or not seen", "", words.STRANGER, "")


def service_of(request: Request) -> Service:
    """The service that answers."""
    service: Service = request.app.state.service
    return service


def caller_of(request: Request) -> Caller | None:
    """Who asks; None on the pages that everybody may see."""
    return request.scope.get("caller")


def may(request: Request, method: str, path: str) -> bool:
    """Whether the caller may use that route: what it may not is not offered."""
    caller = caller_of(request)
    return caller is not None and rules().find(method, path).allows(caller)


def show(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    """The page that the template makes of the values."""
    caller = caller_of(request)
    message = said.heard(request)
    text = (
        _environment()
        .get_template(template)
        .render(
            caller=caller,
            menu=[entry for entry in MENU if may(request, "GET", entry[0])],
            here=request.url.path,
            message=message,
            form_token=said.form_token(request),
            may=partial(may, request),
            search=request.query_params.get("q", ""),
            **values,
        )
    )
    answer = HTMLResponse(text, status, headers=HEADERS)
    if message:
        said.forget(answer)
    return answer


class PageRoute(APIRoute):
    """A route whose errors are pages as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, which shows what went wrong."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as e:
                return _error(request, e.status_code, str(e.detail))
            except RequestValidationError as e:
                first = e.errors()[0]
                return _error(request, 422, f"{first['loc'][-1]}: {first['msg']}")
            except Unknown as e:
                return _error(request, 404, str(e))
            except ConfigError as e:
                return _error(request, 400, str(e))
            except GpuledgerError as e:
                return _error(request, 503, str(e))

        return shown


def pages() -> APIRouter:
    """A router for pages, which are no part of the API."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def _error(request: Request, status: int, detail: str) -> Response:
    title = HTTPStatus(status).phrase
    return show(request, "error.html", status, title=title, detail=words.sentence(detail))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HOME / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=words.number,
        percent=words.percent,
        duration=words.duration,
        plural=words.plural,
        sentence=words.sentence,
        span=words.span,
        money=money,
        gpu_hours=gpu_hours,
        time=time,
        state=state_of,
        spoken=spoken,
        part=partial(quote, safe=""),
        path=partial(quote, safe="/"),
    )
    environment.globals.update(version=__version__, static=static.address)
    return environment


def money(value: float | None, currency: str | None) -> str:
    """An amount with its currency, or that there is no price."""
    return "no price" if value is None else words.money(value, currency or "")


def gpu_hours(value: float | None) -> str:
    """GPU-hours with their unit; a dash where nobody knows."""
    return NOTHING if value is None else f"{words.number(value)} GPU-h"


def time(at: datetime | None) -> Markup | str:
    """An instant in UTC; our script adds it in the reader's own time."""
    if at is None or at >= FOREVER:
        return NOTHING
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}"
    )


def state_of(name: str | None) -> State:
    """The state of that name; one of another version has no meaning here."""
    return OTHERS if name == OTHERS.name else BY_NAME.get(name or "", STRANGER)


def spoken(word: str | None) -> str:
    """A name of ours (state, kind, cause) as people read it."""
    return (word or "").replace("_", " ").replace(",", ", ") or NOTHING


def bars(parts: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Name, begin and width of each part, in hundredths of the whole, in the order given."""
    total = sum(parts.values()) or 1.0
    out, begin = [], 0.0
    for name, value in parts.items():
        width = 100 * value / total
        out.append((name, round(begin, 3), round(width, 3)))
        begin += width
    return out
