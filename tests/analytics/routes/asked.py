"""What the API offers, as its OpenAPI tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from analytics.app import create_app
from analytics.service import Service

NOBODY: Any = None
NEXT = re.compile(r'<(/v1/[^>]+)>; rel="next"')
OPENAPI = create_app(Service(store=NOBODY, reader=NOBODY, runner=NOBODY, token="t")).openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation of ours."""
    for path, methods in OPENAPI["paths"].items():
        yield from ((method, path, told) for method, told in methods.items())


def lists() -> list[str]:
    """Paths that answer with a list in several forms."""
    return [
        path
        for method, path, told in operations()
        if method == "get" and "text/csv" in told["responses"]["200"].get("content", {})
    ]


def parameters() -> list[tuple[str, str]]:
    """Every path with each of its query parameters, and what it needs besides."""
    return [
        (path, one["name"])
        for method, path, told in operations()
        if method == "get" and "{" not in path
        for one in told.get("parameters", ())
        if one["in"] == "query"
    ]


def next_of(answer: Any) -> str:
    """The path of the next page; empty on the last."""
    found = NEXT.fullmatch(answer.headers.get("link", ""))
    return found[1] if found else ""


def walked(api: Any, path: str) -> list[Any]:
    """All rows of a list, page by page."""
    rows: list[Any] = []
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        rows += answer.json()
        path = next_of(answer)
    return rows
