"""The start page and the login link."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from typing import Annotated

import jinja2
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from analytics import book
from analytics.report import snapshot
from analytics.report.render import render_html
from analytics.routes.common import TheService
from analytics.service import COOKIE
from gpuledger.states import BY_NAME

router = APIRouter(include_in_schema=False)

# Everything on the page is inline style and text of our own; no script at all.
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"


@router.get("/login")
def login(service: TheService, key: Annotated[str, Query()] = "") -> Response:
    """Turn a one-time key into a cookie."""
    if not service.logins.use(key):
        raise HTTPException(
            401, "this login link was used already; restart the service for another"
        )
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, service.token, httponly=True, samesite="strict")
    return answer


@router.get("/")
def start(service: TheService) -> HTMLResponse:
    """The week in one page: the book, what to do, where to look further."""
    span = book.span(service.boards, "7d")
    rows = book.ledger(service.boards, span, ["state"])
    page = _template().render(
        span=span,
        rows=[{**r, "state": BY_NAME[r["state"]]} for r in rows],
        total=sum(r["gpu_hours"] for r in rows),
        worth=_sum([r["capacity_value"] for r in rows]),
        currency=next((r["currency"] for r in rows), "") or "",
        recommendations=book.recommendations(service.boards, limit=10),
        has_report=bool(service.report_html or snapshot.newest(service.boards)),
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": CSP})


@router.get("/weekly-report.html")
def weekly_report(service: TheService) -> HTMLResponse:
    """The report that was written when the service started, else the one released last."""
    page = service.report_html
    if not page and (released := snapshot.newest(service.boards)):
        page = render_html(released.report())
    if not page:
        raise HTTPException(404, "no report was written yet: gpuledger report weekly --out FILE")
    return HTMLResponse(page, headers={"Content-Security-Policy": CSP})


def _sum(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["at"] = lambda at: (
        f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else "–"
    )
    return environment.from_string(files("analytics").joinpath("start.html").read_text())
