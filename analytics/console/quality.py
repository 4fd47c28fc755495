"""Data quality: whether what the other pages say rests on enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import Request, Response

from analytics import book, oddities
from analytics.console.paper import pages, show
from analytics.routes.common import TheReader
from gpuledger.measures import GRADE, PRICED, UNKNOWN_SHARE, UNMAPPED_SHARE, select
from gpuledger.service import Reader
from gpuledger.states import CLOSES_WITHIN, UNKNOWN_WITHIN
from gpuledger.view_measures import (
    CLOSURE_ERROR,
    FAILED_READINGS,
    FAILED_SHARE,
    READINGS,
    ROWS_ASIDE,
    closure,
)

router = pages()

HEARD = timedelta(hours=2)
DAY = timedelta(days=1)
MOST = 50
Row = dict[str, Any]


@router.get("/quality")
def page(request: Request, reader: TheReader) -> Response:
    """What the book knows of the last day, and what is wrong with what it is made from."""
    at = book.last_booked(reader)
    return show(
        request,
        "quality.html",
        at=at,
        closes_within=CLOSES_WITHIN,
        unknown_within=UNKNOWN_WITHIN,
        **(_told(reader, at) if at else {}),
    )


def _told(reader: Reader, at: datetime) -> Row:
    day = {"since": at - DAY, "until": at}
    return {
        "known": reader.select(_KNOWN, **day)[0],
        "sources": reader.select(_SOURCES, since=at - HEARD, most=MOST),
        "silent": reader.select(_SILENT, since=at - HEARD, at=at, most=MOST),
        "missing": reader.select(_MISSING, most=MOST),
        "aside": reader.select(_ASIDE, most=MOST, **day),
        "odd": list(oddities.met(reader, at)),
    }


_HOURS = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"
_KNOWN = f"""
SELECT {select(UNKNOWN_SHARE, UNMAPPED_SHARE, PRICED, GRADE)},
  (SELECT {CLOSURE_ERROR.sql} FROM ({closure(_HOURS)})) AS closure_error
FROM v_book_1h WHERE {_HOURS}
"""
_SOURCES = f"""
SELECT source, cluster, uniqExact(node) AS nodes,
  {select(READINGS, FAILED_READINGS, FAILED_SHARE)}, max(ts) AS heard,
  argMaxIf(reason, ts, reason != '') AS reason
FROM v_source_runs WHERE ts > {{since:DateTime64(3, 'UTC')}}
GROUP BY source, cluster ORDER BY {FAILED_SHARE.name} DESC, source, cluster LIMIT {{most:UInt32}}
"""
_SILENT = """
SELECT o.node AS node, o.cluster AS cluster, o.gpus AS gpus,
  if(h.heard < {since:DateTime64(3, 'UTC')}, NULL, h.heard) AS heard
FROM (SELECT cluster, node, count() AS gpus FROM v_assets
  WHERE valid_from <= {at:DateTime64(3, 'UTC')} AND valid_to > {at:DateTime64(3, 'UTC')}
  GROUP BY cluster, node) AS o
LEFT JOIN (SELECT cluster, node, max(ts) AS heard FROM v_source_runs
  WHERE ts > {since:DateTime64(3, 'UTC')} GROUP BY cluster, node) AS h
  ON h.cluster = o.cluster AND h.node = o.node
WHERE heard IS NULL OR heard < {at:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE
ORDER BY heard ASC NULLS FIRST, cluster, node LIMIT {most:UInt32}
"""
_MISSING = """
SELECT source, reading, reason, uniqExact(cluster, node) AS nodes, argMax(detail, seen_at) AS detail
FROM v_missing_values WHERE reason != '' GROUP BY source, reading, reason
ORDER BY nodes DESC, source, reading, reason LIMIT {most:UInt32}
"""
_ASIDE = f"""
SELECT of AS told_for, node, cluster, reason, {select(ROWS_ASIDE)}, max(ts) AS last_seen
FROM v_quarantine
WHERE ts >= {{since:DateTime64(3, 'UTC')}} AND ts < {{until:DateTime64(3, 'UTC')}}
GROUP BY told_for, node, cluster, reason
ORDER BY {ROWS_ASIDE.name} DESC, cluster, node, told_for, reason LIMIT {{most:UInt32}}
"""
