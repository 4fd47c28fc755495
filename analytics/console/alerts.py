"""Alerts: what is open, worst first, and what ended lately."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from analytics.console.paper import pages, show
from analytics.routes.common import TheReader
from gpuledger.service import Reader

router = pages()

MOST = 500


@router.get("/alerts")
def page(
    request: Request,
    reader: TheReader,
    ended: Annotated[bool, Query(description="those that ended")] = False,
) -> Response:
    """Alerts that are pending or firing; with `ended` those of before."""
    rows = standing(reader, ended=ended)
    return show(request, "alerts.html", rows=rows, ended=ended, most=MOST)


def standing(reader: Reader, *, ended: bool = False) -> list[dict[str, Any]]:
    """Alerts with severity, summary and owner, the worst or the latest first. StoreError."""
    return reader.select(_ENDED if ended else _OPEN, most=MOST)


_ALERTS = """
SELECT rule, subject, state, since, fired, resolved, gpus, cost_per_hour, currency,
  JSONExtractString(labels, 'severity') AS severity, JSONExtractString(labels, 'owner') AS owner,
  JSONExtractString(labels, 'team') AS team, JSONExtractString(labels, 'user') AS user,
  JSONExtractString(annotations, 'summary') AS summary,
  JSONExtractString(annotations, 'action') AS action
FROM v_alert_states
"""
_OPEN = f"""{_ALERTS} WHERE state != 'resolved'
ORDER BY state = 'firing' DESC, indexOf(['critical', 'high', 'warning', 'info'], severity), since,
  rule, subject LIMIT {{most:UInt32}}"""
_ENDED = f"""{_ALERTS} WHERE state = 'resolved'
ORDER BY resolved DESC, rule, subject LIMIT {{most:UInt32}}"""
