"""A job: what it asked for, got and did, why it waits, and what would make it better."""

from __future__ import annotations

from fastapi import Request, Response

from analytics import book, closer
from analytics.console.paper import bars, pages, show
from analytics.routes.common import TheReader

router = pages()


@router.get("/jobs/{job:path}")
def page(request: Request, reader: TheReader, job: str) -> Response:
    """A job by `cluster/number`, or by its number alone where clusters do not share it."""
    found = closer.job(reader, job)
    advice = [
        r
        for r in book.recommendations(reader, limit=book.ALL)
        if found["job_id"] in (r["subject"], *(r["about"] or "").split(","))
    ]
    parts = bars({s["state"]: s["gpu_hours"] for s in found["states"]})
    return show(request, "job.html", job=found, parts=parts, advice=advice)
