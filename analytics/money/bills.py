"""Cloud bills as rates: what a GPU-hour of a node costs in cash, day by day.

Charges are spread over the GPU-hours that the asset list owns of the node (or pool) on that day, so
that the rates times the book come to the bill.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from gpuledger.service import Reader

DAY = timedelta(days=1)


class Cash(NamedTuple):
    """Charged for one GPU-hour, and the part of it that no commitment has fixed already."""

    rate: float
    avoidable: float
    currency: str


@dataclass(frozen=True)
class Billed:
    """Cash rates of one place by day, in the order of days."""

    days: Mapping[datetime, Cash] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    holds: timedelta = DAY

    @property
    def times(self) -> Sequence[datetime]:
        """When the rate may change."""
        if self.first is None or self.last is None:
            return []
        count = (self.last - self.first) // DAY + 2
        return [*(self.first + i * DAY for i in range(count)), self.last + self.holds]

    def at(self, at: datetime) -> Cash | None:
        """The rate of a time; the last day billed speaks of later ones for a while."""
        if self.first is None or self.last is None or at < self.first:
            return None
        if at >= self.last + self.holds:
            return None
        own = self.days.get(at.replace(hour=0, minute=0, second=0, microsecond=0))
        if own is not None:
            return own
        last = self.days[self._billed_before(at)]
        # Within the bill, a day that charges nothing cost nothing.
        return last if at >= self.last + DAY else Cash(0.0, 0.0, last.currency)

    def _billed_before(self, at: datetime) -> datetime:
        days = sorted(self.days)
        return days[max(0, bisect_right(days, at) - 1)]


@dataclass(frozen=True)
class Bills:
    """What was billed, by node and by pool."""

    by_node: Mapping[tuple[str, str], Billed]
    by_pool: Mapping[str, Billed]

    def of(self, cluster: str, node: str, pool: str) -> Billed:
        """The bill of a place: its node's, else its pool's."""
        return self.by_node.get((cluster, node)) or self.by_pool.get(pool) or Billed()


def billed(reader: Reader, holds: timedelta) -> Bills:
    """What all bills come to. StoreError."""
    nodes: dict[tuple[str, str], dict[datetime, Cash]] = {}
    pools: dict[str, dict[datetime, Cash]] = {}
    for row in reader.select(_SQL):
        hours = row["gpu_hours"]
        if hours <= 0:
            continue
        cash = Cash(row["cost"] / hours, row["avoidable"] / hours, row["currency"])
        if row["node"]:
            nodes.setdefault((row["cluster"], row["node"]), {})[row["day"]] = cash
        else:
            pools.setdefault(row["pool"], {})[row["day"]] = cash
    return Bills(
        {key: _billed(days, holds) for key, days in nodes.items()},
        {key: _billed(days, holds) for key, days in pools.items()},
    )


def _billed(days: Mapping[datetime, Cash], holds: timedelta) -> Billed:
    return Billed(days, min(days), max(days), max(holds, DAY))


# The lines of a day, and the GPU-hours owned in it; a day's credits cannot make it cost less
# than nothing.
_SQL = """
SELECT b.day AS day, b.cluster AS cluster, b.node AS node, b.pool AS pool, b.currency AS currency,
  greatest(0., b.cost) AS cost, least(cost, greatest(0., b.avoidable)) AS avoidable,
  sum(greatest(0, least(toUnixTimestamp(a.valid_to), toUnixTimestamp(b.day) + 86400)
    - greatest(toUnixTimestamp(a.valid_from), toUnixTimestamp(b.day)))) / 3600 AS gpu_hours
FROM (
  SELECT day, toString(cluster) AS cluster, toString(node) AS node, toString(pool) AS pool,
    max(currency) AS currency, sum(net) AS cost,
    sumIf(net, category != 'committed' AND commitment = '') AS avoidable
  FROM (SELECT *, ifNull(cost, 0) - ifNull(credit, 0) AS net FROM v_cloud_bills
    WHERE unused = 0 AND (node != '' OR pool != ''))
  GROUP BY day, cluster, node, pool) AS b
INNER JOIN (
  SELECT toString(cluster) AS cluster, toString(node) AS node, toString(pool) AS pool,
    valid_from, valid_to, arrayJoin(['node', 'pool']) AS by FROM assets FINAL) AS a
  ON if(b.node != '', concat(b.cluster, '/', b.node), b.pool)
    = if(a.by = 'node', concat(a.cluster, '/', a.node), a.pool)
    AND if(b.node != '', 'node', 'pool') = a.by
GROUP BY day, cluster, node, pool, currency, b.cost, b.avoidable
ORDER BY day, cluster, node, pool
"""
