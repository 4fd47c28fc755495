"""Waste by owner: who holds GPUs that do nothing or little, from team to job, with the fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Request, Response

from analytics import book
from analytics.book import Span
from analytics.console.overview import SPANS, Since
from analytics.console.paper import bars, pages, show
from analytics.routes.common import TheReader
from gpuledger.measures import CAPACITY_VALUE, GPU_HOURS, LOOSE_HOURS, LOOSE_VALUE, THEIRS, select
from gpuledger.service import Reader
from gpuledger.states import OCCUPIED, STATES, in_list
from gpuledger.views import book_between

router = pages()

# What the owner of a job can win back; loose time that nobody holds is in Fragmentation.
WASTED = tuple(s.name for s in STATES if s.group == OCCUPIED and s.recoverable)
# Jobs of one user beyond these are added up in a line.
MOST_JOBS = 20
NO_FIX = {"id": "", "title": "", "action": ""}
Row = dict[str, Any]


@router.get("/waste")
def page(request: Request, reader: TheReader, since: Since = "7d") -> Response:
    """Teams by what they could give back, each with its users, their jobs, and what to do."""
    span = book.span(reader, since)
    rows = _wasted(reader, span) if span else []
    teams = _tree(rows, _fixes(reader))
    total = sum(t["loose_gpu_hours"] for t in teams)
    return show(
        request, "waste.html", span=span, spans=SPANS, since=since, teams=teams, total=total
    )


def _wasted(reader: Reader, span: Span) -> list[Row]:
    """A row per team, user, job and state of waste, the largest first."""
    figures = select(GPU_HOURS, LOOSE_HOURS, LOOSE_VALUE, CAPACITY_VALUE)
    return reader.select(
        f"SELECT team, user, job, any(job_name) AS name, state, {figures},"
        " max(currency) AS currency"
        f" FROM {book_between()} AS b"
        f" WHERE state IN {in_list(WASTED)} AND {THEIRS}"
        " GROUP BY team, user, job, state HAVING gpu_hours > 0"
        " ORDER BY loose_gpu_hours DESC, team, user, job, state",
        since=span.since,
        until=span.until,
    )


def _fixes(reader: Reader) -> dict[str, Row]:
    """What to do about a job: its recommendation, else what its open finding says."""
    found = {
        f["subject"]: {**NO_FIX, "action": f["action"]}
        for f in book.findings(reader, limit=book.ALL)
    }
    advice = reversed(book.recommendations(reader, limit=book.ALL))
    return found | {
        r["subject"]: {**NO_FIX, "title": r["title"], "id": r["recommendation_id"]} for r in advice
    }


def _tree(rows: Iterable[Row], fixes: Mapping[str, Row]) -> list[Row]:
    """Teams with users with jobs, each with its sums; the largest first."""
    teams: dict[str, dict[str, dict[str, list[Row]]]] = {}
    for row in rows:
        users = teams.setdefault(row["team"], {})
        users.setdefault(row["user"], {}).setdefault(row["job"], []).append(row)
    out = [
        _added(name, [_user(user, jobs, fixes) for user, jobs in users.items()], "users")
        for name, users in teams.items()
    ]
    return _largest_first(out)


def _user(name: str, jobs: Mapping[str, list[Row]], fixes: Mapping[str, Row]) -> Row:
    listed = _largest_first([_job(job, rows, fixes) for job, rows in jobs.items()])
    user = _added(name, listed, "jobs")
    user["more"] = _added("", listed[MOST_JOBS:], "jobs") if len(listed) > MOST_JOBS else None
    user["jobs"] = listed[:MOST_JOBS]
    return user


def _job(job: str, rows: list[Row], fixes: Mapping[str, Row]) -> Row:
    told = _added(job, rows, "rows")
    return {**told, "job": job, "job_name": rows[0]["name"], "fix": fixes.get(job, NO_FIX)}


def _added(name: str, rows: list[Row], kind: str) -> Row:
    """The sums of rows, and their states as parts of a bar."""
    states = {s: sum(_of_state(r, s) for r in rows) for s in WASTED}
    values = [r["loose_value"] for r in rows if r["loose_value"] is not None]
    return {
        "name": name,
        "gpu_hours": sum(r["gpu_hours"] for r in rows),
        "loose_gpu_hours": sum(r["loose_gpu_hours"] for r in rows),
        "loose_value": sum(values) if values else None,
        "currency": max((r["currency"] or "" for r in rows), default=""),
        "states": states,
        "parts": bars({s: h for s, h in states.items() if h}),
        kind: rows,
    }


def _of_state(row: Row, state: str) -> float:
    hours: float = row["states"][state] if "states" in row else 0.0
    return row["gpu_hours"] if row.get("state") == state else hours


def _largest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: (-r["loose_gpu_hours"], r["name"]))
