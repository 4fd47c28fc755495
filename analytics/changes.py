"""What was changed on the fleet: each fact compared with what it was when last looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from analytics.book import Span
from gpuledger.catalogue import Change
from gpuledger.ddl import stored_names
from gpuledger.service import Reader
from gpuledger.store import Store

# A card's facts count from when an agent read them, a scheduler's from its snapshot.
_CARD = "SELECT * FROM gpus FINAL WHERE parent = '' AND gpu_id != 0"
NO_SLOT = "toUInt16(65535)"


def _of_node(kind: str, column: str) -> str:
    return f"""
SELECT '{kind}' AS kind, cluster, node, {NO_SLOT} AS slot, '' AS subject,
  argMax({column}, seen_at) AS value, max(seen_at) AS at
FROM ({_CARD} AND {column} != '') GROUP BY cluster, node
"""


def _of_card(kind: str, column: str) -> str:
    return f"""
SELECT '{kind}' AS kind, cluster, node, slot, '' AS subject,
  argMax({column}, seen_at) AS value, max(seen_at) AS at
FROM ({_CARD} AND {column} != '') GROUP BY cluster, node, slot
"""


_QUOTAS = f"""
SELECT 'quota' AS kind, cluster, '' AS node, {NO_SLOT} AS slot,
  arrayStringConcat(arrayFilter(x -> x != '', [toString(scheduler), toString(queue),
    toString(team), toString(gpu_model)]), '/') AS subject,
  concat('guaranteed ', toString(guaranteed_milli / 1000), ', ',
    if(limit_milli = 0, 'no limit', concat('limit ', toString(intDiv(limit_milli, 1000)))))
    AS value, seen_at AS at
FROM quotas FINAL
"""

_POOL_NODES = f"""
SELECT 'nodes' AS kind, cluster, '' AS node, {NO_SLOT} AS slot, toString(pool) AS subject,
  nodes AS value, seen_at AS at
FROM pools FINAL WHERE nodes != ''
"""

FACTS = " UNION ALL ".join(
    (
        _of_node("driver", "driver"),
        _of_card("vbios", "vbios"),
        _of_card("card", "uuid"),
        _of_card("mig", "mig"),
        _QUOTAS,
        _POOL_NODES,
    )
)

# A fact seen for the first time is kept too, without a value before: the next look compares.
_NEWS = f"""
SELECT f.at AS ts, f.cluster AS cluster, f.node AS node, f.slot AS slot, f.kind AS kind,
  f.subject AS subject, k.value AS before, f.value AS after
FROM (SELECT kind, toString(cluster) AS cluster, toString(node) AS node, slot, subject,
  toString(value) AS value, at FROM ({FACTS})) AS f
LEFT JOIN (SELECT cluster, node, slot, kind, subject, argMax(after, ts) AS value, max(ts) AS seen
  FROM changes GROUP BY cluster, node, slot, kind, subject) AS k
  ON k.cluster = f.cluster AND k.node = f.node AND k.slot = f.slot AND k.kind = f.kind
  AND k.subject = f.subject
WHERE f.value != k.value AND f.at > k.seen
"""

# Schedulers' statements keep their history, so each turn of a node is known, not only the last.
_TURNS = """
SELECT valid_from AS ts, cluster, node, toUInt16(65535) AS slot,
  multiIf(state = 'up', 'resume', state = 'drained', 'drain', 'down') AS kind,
  '' AS subject, earlier AS before, if(reason = '', state, concat(state, ': ', reason)) AS after
FROM (
  SELECT toString(cluster) AS cluster, toString(node) AS node, toString(state) AS state, reason,
    valid_from, lagInFrame(toString(state), 1, '') OVER (PARTITION BY cluster, node
      ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS earlier
  FROM node_states FINAL)
WHERE state != earlier AND NOT (earlier = '' AND state = 'up')
  AND (cluster, node, valid_from) NOT IN (
    SELECT cluster, node, ts FROM changes WHERE kind IN ('resume', 'drain', 'down'))
"""


def note(store: Store, _now: datetime) -> None:
    """Write what is another than before; looking twice writes nothing twice. StoreError."""
    names = ", ".join(stored_names(Change.table))
    for news in (_NEWS, _TURNS):
        store.command(f"INSERT INTO changes ({names}) SELECT {names} FROM ({news})")


def between(
    reader: Reader, span: Span, *, node: str = "", kinds: Sequence[str] = (), limit: int = 1000
) -> list[dict[str, Any]]:
    """Changes of a span, newest first: ts, cluster, node, slot, kind, subject, before, after.

    Without what was merely seen for the first time.
    """
    return [
        {k: None if v == "" else v for k, v in row.items()}
        for row in reader.select(
            _BETWEEN, since=span.since, until=span.until, node=node, kinds=list(kinds), limit=limit
        )
    ]


# Changes of a span without what was merely seen for the first time. Parameters: since, until.
TOLD = f"""
SELECT ts, cluster, node, nullIf(slot, {NO_SLOT}) AS slot, kind, subject, before, after,
  toInt64(changes.slot) AS slot_number
FROM changes
WHERE ts >= {{since:DateTime64(3, 'UTC')}} AND ts < {{until:DateTime64(3, 'UTC')}}
  AND (before != '' OR kind IN ('drain', 'down'))
"""
_BETWEEN = f"""
SELECT * EXCEPT (slot_number) FROM ({TOLD})
WHERE ({{node:String}} = '' OR node = {{node:String}})
  AND (empty({{kinds:Array(String)}}) OR has({{kinds:Array(String)}}, kind))
ORDER BY ts DESC, cluster, node, slot_number, kind, subject LIMIT {{limit:UInt32}}
"""
