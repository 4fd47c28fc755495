"""What `gpuledger fragmentation` answers: figures of a moment, and what is stranded by the book."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from analytics import book
from analytics.placing.settings import PlacementSettings
from analytics.repacking import figures, mig, snapshot
from analytics.repacking.scene import Scene, open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.errors import ConfigError, nearest
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings

MINUTE = timedelta(minutes=1)
DIGITS = 3
Row = dict[str, Any]


def fragmentation(
    reader: Reader,
    at: str,
    pool: str,
    settings: SnapshotSettings,
    ledger: LedgerSettings,
    placing: PlacementSettings,
) -> tuple[datetime | None, list[Row]]:
    """The moment, and a row per pool; no moment where nothing was booked.

    `at` is `now`, `2h` (ago) or a time of the book. ConfigError where it is none of them, or no
    pool has `pool` in its name.
    """
    moment = book.moment(reader, at)
    if moment is None:
        return None, []
    scene = open_scene(reader, moment, moment, settings, ledger, placing)
    scene.at(moment)
    rows = [figures.row(found) for found in figures.pools(scene)]
    chosen = [row for row in rows if pool.lower() in row["pool"].lower()]
    if pool and not chosen:
        names = sorted({row["pool"] for row in rows})
        hint = nearest(pool, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"pool {pool}: no pool is called so{hint}")
    stranded = _stranded(reader, moment)
    cut = _cut(scene)
    for row in chosen:
        key = (row["cluster"], row["pool"])
        row["stranded"] = stranded.get(key, {})
        row["mig"] = cut.get(key)
    return moment, [_rounded(row) for row in chosen]


def _stranded(reader: Reader, moment: datetime) -> dict[tuple[str, str], dict[str, float]]:
    out: dict[tuple[str, str], dict[str, float]] = {}
    for r in reader.select(_STRANDED_SQL, minute=moment.replace(second=0, microsecond=0) - MINUTE):
        out.setdefault((r["cluster"], r["pool"]), {})[r["cause"]] = r["gpus"]
    return out


def _cut(scene: Scene) -> dict[tuple[str, str], Row]:
    """Of pools with cut cards: cards, slices, those that nobody holds, and F at worst.

    On which memory slices the instances sit nobody tells, so that F is known within bounds only.
    """
    out: dict[tuple[str, str], Row] = {}
    for card in snapshot.cards(scene):
        node = scene.facts.nodes[card.node]
        row = out.setdefault(
            (node.kind.cluster, node.pool),
            {"cards": 0, "slices": 0, "free_slices": 0, "fragmented_slices_at_most": 0.0},
        )
        row["cards"] += 1
        row["slices"] += len(card.slices)
        row["free_slices"] += len(card.slices) - len(card.held)
        row["fragmented_slices_at_most"] += mig.worst(card.model, card.held)
    return out


def _rounded(value: Any) -> Any:
    """No digits that were added up in another order."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return value


_STRANDED_SQL = """
SELECT a.cluster AS cluster, a.pool AS pool, toString(c.cause) AS cause,
  sum(c.gpu_ms) / 60000 AS gpus
FROM (SELECT gpu_id, cause, gpu_ms FROM ledger_1m
  WHERE minute = {minute:DateTime64(3, 'UTC')} AND state = 'stranded') AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
GROUP BY cluster, pool, cause ORDER BY cluster, pool, gpus DESC, cause
"""
