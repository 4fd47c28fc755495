"""A node: its GPUs, who holds them, its last day, signs of sickness, and what was changed."""

from __future__ import annotations

from fastapi import Request, Response

from analytics import closer
from analytics.console.paper import bars, pages, show
from analytics.routes.common import TheReader

router = pages()


@router.get("/nodes/{node:path}")
def page(request: Request, reader: TheReader, node: str) -> Response:
    """A node named `cluster/node`, or by its name alone where no other has it."""
    found = closer.node(reader, node)
    parts = bars({s["state"]: s["gpu_hours"] for s in found["states"]})
    return show(request, "node.html", node=found, parts=parts)
