"""What hardware cost the fleet: GPU-hours by cause, nodes that fail again, and time between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from analytics.report.annex import Health, Loss, Offender
from analytics.report.words import STRANGER, plain
from gpuledger.service import Reader
from gpuledger.states import BY_NAME, EXCLUDED, PEER_FAULT, UNAVAILABLE, group_of, in_list

FOUR_WEEKS = timedelta(days=28)
# A node that was well for so long and fails again failed twice.
APART_H = 6
REPEATS = 2
MOST = 5
DIGITS = 6


def health(reader: Reader, since: datetime, until: datetime) -> Health:
    """Losses of the period; failures of the four weeks up to its end. StoreError."""
    losses = tuple(_loss(row) for row in reader.select(_LOST, since=since, until=until))
    asked = {"since": until - FOUR_WEEKS, "until": until}
    nodes = reader.select(_FAILED, **asked)
    failures = sum(row["failures"] for row in nodes)
    (service,) = reader.select(_NODE_HOURS, **asked)
    again = [row for row in nodes if row["failures"] >= REPEATS][:MOST]
    return Health(
        losses,
        tuple(_offender(row) for row in again),
        failures,
        round(service["hours"] / failures, DIGITS) if failures else None,
    )


def _loss(row: dict[str, Any]) -> Loss:
    state = BY_NAME.get(row["state"])
    return Loss(
        row["state"],
        state.help if state else row["state"],
        plain(row["cause"]),
        round(row["gpu_hours"], DIGITS),
        row["nodes"],
        state.colour if state else STRANGER,
    )


def _offender(row: dict[str, Any]) -> Offender:
    causes = ", ".join(plain(cause).replace("_", " ") for cause in row["causes"] if cause)
    return Offender(
        plain(f"{row['cluster']}/{row['node']}"),
        row["failures"],
        round(row["gpu_hours"], DIGITS),
        causes,
    )


_HOURS = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"
# Out of service, and what stood still beside it.
_LOST = f"""
SELECT toString(state) AS state, toString(cause) AS cause, sum(gpu_ms) / 3.6e6 AS gpu_hours,
  uniqExact(cluster, node) AS nodes
FROM accounts_1h
WHERE {_HOURS}
  AND (state IN {in_list(group_of(UNAVAILABLE))} OR cause = '{PEER_FAULT}' OR state = 'throttled')
GROUP BY state, cause ORDER BY gpu_hours DESC, state, cause"""
_FAILED = f"""
SELECT cluster, node, countIf(begins) AS failures, sum(gpu_hours) AS gpu_hours,
  arraySort(arrayDistinct(arrayFlatten(groupArray(causes)))) AS causes
FROM (SELECT *, dateDiff('hour', lagInFrame(hour, 1, toDateTime64(0, 3, 'UTC')) OVER at, hour)
    > {APART_H} AS begins
  FROM (SELECT toString(cluster) AS cluster, toString(node) AS node,
      toDateTime64(hour, 3, 'UTC') AS hour, sum(gpu_ms) / 3.6e6 AS gpu_hours,
      groupUniqArray(toString(cause)) AS causes
    FROM accounts_1h WHERE {_HOURS} AND state = 'fault' GROUP BY cluster, node, hour)
  WINDOW at AS (PARTITION BY cluster, node ORDER BY hour
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
GROUP BY cluster, node ORDER BY failures DESC, gpu_hours DESC, cluster, node"""
_NODE_HOURS = f"""
SELECT sum(nodes) AS hours FROM (SELECT hour, uniqExact(cluster, node) AS nodes FROM accounts_1h
  WHERE {_HOURS} AND state NOT IN {in_list(group_of(EXCLUDED))} GROUP BY hour)"""
