"""The four success metrics, before and after; they take seconds at a large fleet, so are kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from analytics import book, success
from analytics.console.paper import pages, show
from analytics.report import words
from analytics.routes.common import TheReader, TheService
from analytics.service import Service
from analytics.success import Success
from gpuledger.service import Reader

router = pages()

Metric = dict[str, Any]


@router.get("/success")
def page(request: Request, service: TheService, reader: TheReader) -> Response:
    """The metrics with what they are compared with; the overview takes them from here."""
    found = service.memory.of(_hour(reader), lambda: _metrics(reader))
    return show(request, "success.html", metrics=found, sides=success.windows(reader))


def at_hand(service: Service, reader: Reader) -> list[Metric] | None:
    """The metrics if they are known; None = /success finds them out."""
    found: list[Metric] | None = service.memory.at_hand(_hour(reader))
    return found


def _hour(reader: Reader) -> datetime | None:
    """The last booked hour: within it the metrics hardly move."""
    at = book.last_booked(reader)
    return at and at.replace(minute=0, second=0, microsecond=0)


def _metrics(reader: Reader) -> list[Metric]:
    """Each metric with its lines; none where nothing is booked."""
    sides = success.windows(reader)
    return _grouped(success.metrics(reader, *sides)) if sides else []


def _grouped(found: Iterable[Success]) -> list[Metric]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault(one.metric, []).append(_line(one))
    return [_together(name, lines) for name, lines in groups.items()]


def _together(name: str, lines: list[dict[str, Any]]) -> Metric:
    """A metric; what holds of all of its lines is said once."""
    reasons = {line["not_shown"] for line in lines}
    if len(lines) == 1 or len(reasons) > 1 or "" in reasons:
        return {"metric": name, "lines": lines, "not_shown": ""}
    told = [{**line, "not_shown": ""} for line in lines]
    return {"metric": name, "lines": told, "not_shown": reasons.pop()}


def _line(one: Success) -> dict[str, Any]:
    """One line of a metric in words; `turn` is better, worse or nothing that one can tell."""
    rises = (one.change or 0) > 0
    better = "better" if rises == (one.better == "higher") else "worse"
    return {
        "what": one.what,
        "after": words.NOTHING if one.after is None else words.quantity(one.after, one.unit),
        "change": "" if one.change is None else words.difference(one.change, one.unit),
        "before": "" if one.before is None else words.quantity(one.before, one.unit),
        "turn": "" if one.change is None else better,
        "not_shown": one.not_shown,
        "grade": one.grade,
    }
