"""Data quality: what the book of a span rests on, and how the sources of agents do."""

from __future__ import annotations

from typing import Any

from analytics import book
from gpuledger.measures import GRADE, PRICED, UNKNOWN_SHARE, UNMAPPED_SHARE, select
from gpuledger.service import Reader
from gpuledger.view_measures import CLOSURE_ERROR, closure
from gpuledger.views import book_between

_HOURS = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"


def collection(reader: Reader, since: str) -> dict[str, Any]:
    """Closure, knowledge and ages of the book of a span that ends with the last booked minute.

    Where nothing is booked, what there is to say is absent. ConfigError, StoreError.
    """
    span = book.span(reader, since)
    limits = {"since": span.since, "until": span.until} if span else None
    hours = reader.select(_BOOKING, **limits)[0] if limits else _NOTHING
    knows = reader.select(_KNOWS, **limits) if limits else []
    known = dict(zip(_SHARES, knows[0].values(), strict=True)) if knows else dict.fromkeys(_SHARES)
    ages = reader.select(_AGES)[0]
    return {
        "since": span.since if span else None,
        "until": span.until if span else None,
        **hours,
        **known,
        "last_booked": book.last_booked(reader),
        **ages,
    }


_SHARES = ("unknown_ratio", "unmapped_ratio", "priced_ratio", "grade")
_NOTHING = {"hours_booked": 0, "hours_restated": 0, "closure_error_ratio": None}
_BOOKING = f"""
SELECT (SELECT count() FROM v_booked_hours WHERE {_HOURS}) AS hours_booked,
  (SELECT uniqExact(hour) FROM v_ledger_adjust WHERE {_HOURS}) AS hours_restated,
  (SELECT {CLOSURE_ERROR.sql} FROM ({closure(_HOURS)})) AS closure_error_ratio
"""
_KNOWS = f"""
SELECT {select(UNKNOWN_SHARE, UNMAPPED_SHARE, PRICED, GRADE)} FROM {book_between()}
HAVING count() > 0
"""
_AGES = """
SELECT (SELECT max(ts) FROM gpu_samples_1m HAVING count() > 0) AS last_sample,
  (SELECT sum(rows) FROM v_quarantine) AS quarantined_rows
"""
# Sources by node in a span. Parameters: since, until.
SOURCES = """
SELECT toString(cluster) AS cluster, toString(node) AS node, toString(source) AS source,
  sum(r.runs) AS runs, sum(r.failures) AS failures, sum(r.rows) AS rows,
  avg(r.duration_seconds) AS duration_seconds,
  max(r.duration_seconds_max) AS duration_seconds_max, max(r.ts) AS last_heard,
  dateDiff('second', max(r.ts), now64(3)) AS age_seconds,
  argMaxIf(r.reason, r.ts, r.reason != '') AS reason
FROM v_source_runs AS r
WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
GROUP BY cluster, node, source
"""
