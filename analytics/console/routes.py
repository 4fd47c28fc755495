"""All pages of the console, each from its module."""

from __future__ import annotations

from fastapi import Response

from analytics.console import (
    alerts,
    audit,
    exemptions,
    fleet,
    fragmentation,
    job,
    login,
    node,
    overview,
    quality,
    recommendations,
    reports,
    search,
    static,
    success,
    tokens,
    waste,
)
from analytics.console.paper import pages

router = pages()
for one in (
    *(login, overview, success, waste, fleet, recommendations, job, node),
    *(fragmentation, alerts, reports, quality, exemptions, search, tokens, audit),
):
    router.include_router(one.router)


@router.get("/static/{name}")
def file(name: str) -> Response:
    """Styles and script; their names change with what is in them."""
    return static.page(name)
