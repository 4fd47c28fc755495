"""What is free now: whole GPUs and blocks on one node by model, why others are not usable, and when
the next ones come free. Now is the last booked minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.book import last_booked
from gpuledger.errors import ConfigError, nearest
from gpuledger.measures import REQUEST_SIZES
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.states import BY_NAME, OCCUPIED

MINUTE = timedelta(minutes=1)
# Stranded for larger requests, but a request that fits on one node can have it.
SMALL_BLOCKS = ("gpu_count_on_node", "topology_island")
OUT_OF_SERVICE = "powered_down"
Row = dict[str, Any]


@dataclass
class _Model:
    """GPUs of one model in one cluster."""

    owned: int = 0
    used: int = 0
    free_by_node: Counter[str] = field(default_factory=Counter)
    not_usable: Counter[str] = field(default_factory=Counter)


def free(reader: Reader, model: str = "") -> tuple[datetime | None, list[Row]]:
    """The minute, and a row per cluster and model; no minute where nothing was booked.

    ConfigError where no GPU's model has `model` in its name.
    """
    until = last_booked(reader)
    if until is None:
        return None, []
    models = _models(reader.select(_GPUS_SQL, minute=until - MINUTE))
    frees = {
        (r["cluster"], r["model"]): r for r in reader.select(_NEXT_SQL, now=until, never=FOREVER)
    }
    chosen = {k: m for k, m in models.items() if model.lower() in k[1].lower()}
    if model and not chosen:
        names = sorted({name for _, name in models})
        hint = nearest(model, names) or f"; there are {', '.join(names)}"
        raise ConfigError(f"model {model}: no GPU is called so{hint}")
    rows = [_row(*key, found, frees.get(key, {})) for key, found in sorted(chosen.items())]
    return until, rows


def _models(gpus: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], _Model]:
    out: dict[tuple[str, str], _Model] = {}
    for gpu in gpus:
        found = out.setdefault((gpu["cluster"], gpu["model"]), _Model())
        found.owned += 1
        if gpu["usable"]:
            found.free_by_node[gpu["node"]] += 1
        elif _is_used(gpu["state"]):
            found.used += 1
        else:
            found.not_usable[_why(gpu)] += 1
    return out


def _is_used(state: str) -> bool:
    return state in BY_NAME and BY_NAME[state].group == OCCUPIED


def _why(gpu: Mapping[str, Any]) -> str:
    """`stranded cpu_ram`, `held reservation`, `fault`."""
    powered_down = OUT_OF_SERVICE in gpu["flags"].split(",")
    return OUT_OF_SERVICE if powered_down else f"{gpu['state']} {gpu['cause']}".strip()


def _row(cluster: str, model: str, found: _Model, next_: Mapping[str, Any]) -> Row:
    blocks = {
        f"blocks_{size}": sum(gpus // size for gpus in found.free_by_node.values())
        for size in REQUEST_SIZES
    }
    return {
        "cluster": cluster,
        "model": model,
        "owned_gpus": found.owned,
        "used_gpus": found.used,
        "free_gpus": found.free_by_node.total(),
        **blocks,
        "not_usable": dict(sorted(found.not_usable.items())),
        "next_free": next_.get("at"),
        "next_free_gpus": next_.get("gpus"),
    }


_USABLE = (
    "state IN ('free_demand', 'free_surplus')"
    f" AND NOT has(splitByChar(',', toString(flags)), '{OUT_OF_SERVICE}')"
    f" OR state = 'stranded' AND cause IN {SMALL_BLOCKS}"
)
# A GPU of which any part is held in the minute is not free in one piece.
_GPUS_SQL = f"""
SELECT a.cluster AS cluster, a.model AS model, a.node AS node, c.gpu_id AS gpu_id,
  min(c.usable) AS usable, argMax(c.told, (NOT c.usable, c.gpu_ms)) AS said,
  said.1 AS state, said.2 AS cause, said.3 AS flags
FROM (
  SELECT gpu_id, gpu_ms, {_USABLE} AS usable,
    (toString(state), toString(cause), toString(flags)) AS told
  FROM ledger_1m WHERE minute = {{minute:DateTime64(3, 'UTC')}} AND state != 'off_ledger') AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
GROUP BY cluster, model, node, gpu_id ORDER BY cluster, model, node, gpu_id
"""
_NEXT_SQL = """
SELECT cluster, model, ends_by AS at, uniqExact(gpu_id) AS gpus FROM (
  SELECT a.cluster AS cluster, a.model AS model, l.gpu_id AS gpu_id,
    max(greatest(j.ends_by, {now:DateTime64(3, 'UTC')})) AS ends_by
  FROM (SELECT * FROM allocations FINAL WHERE valid_to > {now:DateTime64(3, 'UTC')}) AS l
  JOIN (SELECT * FROM jobs FINAL WHERE ended > {now:DateTime64(3, 'UTC')}) AS j
    ON j.job_id = l.job_id
  LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = l.gpu_id
  WHERE l.valid_from <= {now:DateTime64(3, 'UTC')}
  GROUP BY cluster, model, gpu_id)
WHERE ends_by < {never:DateTime64(3, 'UTC')}
GROUP BY cluster, model, at ORDER BY at LIMIT 1 BY cluster, model
"""
