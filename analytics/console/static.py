"""Styles and script as files whose names change with what is in them, so browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import HTTPException, Response

from gpuledger.states import STATES

HOME = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
FILES = ("console.css", "console.js")
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
HASH_DIGITS = 12


@cache
def _content(name: str) -> bytes:
    text = (HOME / name).read_text()
    return (text + _colours() if name.endswith(".css") else text).encode()


def _colours() -> str:
    """A class for each state: its colour as background and as fill."""
    return "".join(
        f".s-{s.name}{{--state:{s.colour};background-color:{s.colour};fill:{s.colour}}}\n"
        for s in STATES
    )


@cache
def address(name: str) -> str:
    """Where browsers find a file of `static/`."""
    digest = hashlib.sha256(_content(name)).hexdigest()[:HASH_DIGITS]
    stem, dot, ending = name.rpartition(".")
    return f"/static/{stem}.{digest}{dot}{ending}"


@cache
def _by_address() -> dict[str, str]:
    return {address(name): name for name in FILES}


def page(name: str) -> Response:
    """The file; 404 where there is none with that content."""
    file = _by_address().get(f"/static/{name}")
    if file is None:
        raise HTTPException(404, "there is no such file")
    return Response(_content(file), media_type=TYPES[Path(file).suffix], headers=HEADERS)
