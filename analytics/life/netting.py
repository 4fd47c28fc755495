"""Overlapping recommendations, each GPU-hour counted once.

The largest gain takes what it is made of; of the next one is left what nobody took before it. What
a gain is made of are resources (jobs, `node/<cluster>/<name>`, `team/<name>`, `pool/…`) with
their parts of it; where nobody said, it is the subject alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from analytics.life.events import shares

NET = "net_gain_gpu_hours"
# GPU-hours; less is rounding.
LEAST_TOLD = 0.5


def net(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows by gain, the largest first, each with `net_gain_gpu_hours`: what it adds.

    Rows need `recommendation_id`, `subject`, `resources` and `gain_gpu_hours`. A gain that nobody
    knows adds nothing that could be told.
    """
    ranked = sorted(rows, key=lambda r: (-(r["gain_gpu_hours"] or 0.0), r["recommendation_id"]))
    taken: dict[str, float] = {}
    return [{**row, NET: _left(row, taken)} for row in ranked]


def overlap(row: Mapping[str, Any]) -> str:
    """A word on what of a gain was counted before; empty where it is all new. `row` is of `net`."""
    gain, left = row["gain_gpu_hours"], row[NET]
    if gain is None or left > gain - LEAST_TOLD:
        return ""
    return f"only {left:,.0f} GPU-hours of it are beyond those above"


def total(rows: Iterable[Mapping[str, Any]], name: str = NET) -> float:
    """GPU-hours of all; missing ones add nothing."""
    return sum(row[name] or 0.0 for row in rows)


def _left(row: Mapping[str, Any], taken: dict[str, float]) -> float | None:
    """What is left of a gain, after which it is taken too.

    Of a resource that was taken for a part is left what its part here exceeds that one by.
    """
    gain: float | None = row["gain_gpu_hours"]
    if gain is None:
        return None
    parts = _parts(row, gain)
    left = 0.0
    for resource, hours in parts.items():
        left += max(0.0, hours - taken.get(resource, 0.0))
        taken[resource] = max(hours, taken.get(resource, 0.0))
    return left


def _parts(row: Mapping[str, Any], gain: float) -> dict[str, float]:
    """Resources to the GPU-hours that each gives; together they are the gain."""
    told = {k: v for k, v in shares(row["resources"] or "").items() if v > 0}
    whole = sum(told.values())
    return {k: v / whole * gain for k, v in told.items()} if told else {row["subject"] or "": gain}
