"""What `gpuledger fragmentation` answers: figures of a moment, and what is stranded by the book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics import book
from analytics.placing.settings import PlacementSettings
from analytics.repacking import figures, mig, snapshot
from analytics.repacking.figures import Figures
from analytics.repacking.scene import Scene, open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.errors import ConfigError, nearest
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings

MINUTE = timedelta(minutes=1)
DIGITS = 3
# What tells the rows apart.
KEYS = {"pool": ("cluster", "pool"), "node": ("cluster", "node"), "cluster": ("cluster",)}
# What nobody tells of them.
LESS = {
    "pool": (),
    "node": ("largest_repacked", "repacked", "scattered", "sentence"),
    "cluster": ("pool", "node", "scattered"),
}
Row = dict[str, Any]


def fragmentation(
    reader: Reader,
    at: str,
    pool: str,
    settings: SnapshotSettings,
    ledger: LedgerSettings,
    placing: PlacementSettings,
    by: str = "pool",
) -> tuple[datetime | None, list[Row]]:
    """The moment, and a row per pool, cluster or node; no moment where nothing was booked.

    `at` is `now`, `2h` (ago) or a time of the book; `by` a key of `KEYS`. Only of pools that have
    `pool` in their name; ConfigError where there is none. The most fragmented node comes first.
    """
    moment = book.moment(reader, at)
    if moment is None:
        return None, []
    scene = open_scene(reader, moment, moment, settings, ledger, placing)
    scene.at(moment)
    found = _of_pools(figures.nodes(scene) if by == "node" else figures.pools(scene), pool)
    kept = {(f.cluster, f.pool) for f in found}
    stranded, cut = _Sums(KEYS[by], kept), _Sums(KEYS[by], kept)
    for r in reader.select(_STRANDED_SQL, minute=moment.replace(second=0, microsecond=0) - MINUTE):
        stranded.add(r, {r["cause"]: r["gpus"]})
    for place, told in _cut(scene):
        cut.add(place, told)
    rows = []
    for one in figures.together(found) if by == "cluster" else found:
        row = {k: value for k, value in figures.row(one).items() if k not in LESS[by]}
        causes = stranded.of(row) or {}
        row["stranded"] = dict(sorted(causes.items(), key=lambda item: (-item[1], item[0])))
        row["mig"] = cut.of(row)
        rows.append(_rounded(row))
    if by == "node":
        rows.sort(key=lambda row: (-row["fragmented"], row["cluster"], row["node"]))
    return moment, rows


def _of_pools(told: Iterator[Figures], name: str) -> list[Figures]:
    """Those of pools that have the name in theirs, upper and lower case alike."""
    found = list(told)
    chosen = [f for f in found if name.lower() in f.pool.lower()]
    if name and not chosen:
        names = sorted({f.pool for f in found})
        hint = nearest(name, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"pool {name}: no pool is called so{hint}")
    return chosen


class _Sums:
    """Numbers by name of what rows are about; only of the pools that are kept."""

    def __init__(self, keys: Sequence[str], kept: set[tuple[str, str]]) -> None:
        self._keys = keys
        self._kept = kept
        self._sums: dict[tuple[str, ...], dict[str, float]] = {}

    def add(self, place: Mapping[str, Any], told: Mapping[str, float]) -> None:
        """Of a place: a cluster, pool and node."""
        if (place["cluster"], place["pool"]) in self._kept:
            key = tuple(place[k] for k in self._keys)
            self._sums[key] = figures.added((self._sums.get(key, {}), told))

    def of(self, row: Row) -> dict[str, float] | None:
        """What was added for a row; None where nothing was."""
        return self._sums.get(tuple(row[k] for k in self._keys))


def _cut(scene: Scene) -> Iterator[tuple[dict[str, str], dict[str, float]]]:
    """Of each cut card: its place, slices, those that nobody holds, and F at worst.

    On which memory slices the instances sit nobody tells, so that F is known within bounds only.
    """
    for card in snapshot.cards(scene):
        node = scene.facts.nodes[card.node]
        name = card.node.partition("/")[2]
        yield (
            {"cluster": node.kind.cluster, "pool": node.pool, "node": name},
            {
                "cards": 1,
                "slices": len(card.slices),
                "free_slices": len(card.slices) - len(card.held),
                "fragmented_slices_at_most": mig.worst(card.model, card.held),
            },
        )


def _rounded(value: Any) -> Any:
    """No digits that were added up in another order."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return value


_STRANDED_SQL = """
SELECT a.cluster AS cluster, a.pool AS pool, if(c.node = '', a.node, c.node) AS node,
  toString(c.cause) AS cause, sum(c.gpu_ms) / 60000 AS gpus
FROM (SELECT gpu_id, node, cause, gpu_ms FROM ledger_1m
  WHERE minute = {minute:DateTime64(3, 'UTC')} AND state = 'stranded') AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
GROUP BY cluster, pool, node, cause ORDER BY cluster, pool, node, cause
"""
