"""How well a GPU's use fits a run: whether it began and ended with it, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.store import Store

MINUTE_MS = 60_000
# Minutes on either side of a run's beginning and end that are compared.
EDGE = 5
# Memory in use that says that somebody holds the GPU, above what the driver takes for itself.
HELD_BYTES = 1 << 30
KEPT_NODES = 4

Minutes = NDArray[np.float64]


class Use:
    """Asks the store once for each node. Times are of (since, until]."""

    def __init__(self, store: Store, cluster: str, since: datetime, until: datetime) -> None:
        self._store = store
        self._cluster = cluster
        self._since_ms = to_milliseconds(since)
        self._until_ms = to_milliseconds(until)
        self._nodes: dict[str, Mapping[int, Minutes]] = {}

    def __call__(self, node: str, slot: int, started: datetime, ended: datetime) -> float:
        """From -2 (in use but during the run) to 2 (in use during the run alone)."""
        used = self._of(node).get(slot)
        if used is None:
            return 0.0
        first, last = self._minute(started), self._minute(ended)
        edge = max(1, min(EDGE, last - first))
        inside = _mean(used, first, first + edge), _mean(used, last - edge, last)
        outside = _mean(used, first - edge, first), _mean(used, last + 1, last + 1 + edge)
        return sum(inside) - sum(outside)

    def _minute(self, at: datetime) -> int:
        return (to_milliseconds(at) - self._since_ms) // MINUTE_MS

    def _of(self, node: str) -> Mapping[int, Minutes]:
        """Slot to minutes: 1 = in use, 0 = not, NaN = nothing was told."""
        if node not in self._nodes:
            while len(self._nodes) >= KEPT_NODES:
                del self._nodes[next(iter(self._nodes))]
            self._nodes[node] = self._asked(node)
        return self._nodes[node]

    def _asked(self, node: str) -> Mapping[int, Minutes]:
        rows = self._store.select(
            _USE_SQL,
            cluster=self._cluster,
            node=node,
            since=from_milliseconds(self._since_ms),
            until=from_milliseconds(self._until_ms),
            held=HELD_BYTES,
        )
        size = (self._until_ms - self._since_ms) // MINUTE_MS + 1
        out: dict[int, Minutes] = {}
        for r in rows:
            minutes = out.setdefault(r["slot"], np.full(size, np.nan))
            at = (np.array(r["minutes"], dtype=np.int64) - self._since_ms) // MINUTE_MS
            minutes[at] = r["used"]
        return out


def _mean(used: Minutes, first: int, last: int) -> float:
    """Mean of what is known there; half where nothing is."""
    some = used[max(0, first) : max(0, last)]
    known = some[~np.isnan(some)]
    return float(known.mean()) if len(known) else 0.5


_USE_SQL = """
SELECT slot, groupArray(toUnixTimestamp64Milli(ts)) AS minutes, groupArray(toUInt8(
  ifNull(active_seconds, 0) > 0 OR ifNull(memory_used_bytes, 0) > {held:UInt64})) AS used
FROM (SELECT * FROM v_gpu_samples_1m
  WHERE cluster = {cluster:String} AND node = {node:String}
    AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  ORDER BY slot, ts)
GROUP BY slot
"""
