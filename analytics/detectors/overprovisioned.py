"""Jobs that would fit less: a MIG slice, a smaller GPU that the site owns, or fewer GPUs.

Judged by the minutes of the job itself: what its busiest GPU used of multiprocessors in all but the
busiest twentieth of the minutes, and the most memory that any of its GPUs held, with head-room. A
job that uses less on average alone is not found: its peaks have to fit too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from analytics import evidence, ranks
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import jobs_sql
from analytics.less import Less, text
from gpuledger.accelerators import slices
from gpuledger.catalogue import Finding, GpuSample
from gpuledger.config import Settings
from gpuledger.store import Store

LOW = ("underused", "alloc_idle")
# Cards that MIG can cut, by what NVML calls them (MIG user guide, supported GPUs).
CUT = ("A100", "A30", "H100", "H200", "H20", "GH200", "B200", "B300", "GB200", "RTX PRO 6000")
# Memory of a slice of g compute slices, in eighths of a card that is cut in seven (profile tables).
EIGHTHS = {1: 1, 2: 2, 3: 4, 4: 4}


class OverprovisionedSettings(Settings):
    """Section `[overprovisioned]`."""

    after_min: Annotated[int, "minutes of telemetry that a judgement needs"] = 60
    # Job Defense Shield calls a model too powerful at 15-20 % utilization and 10 GB of memory.
    mean_ratio: Annotated[float, "mean SM activity (else utilization) from which a job fits"] = 0.20
    memory_ratio: Annotated[float, "share of device memory from which a job fits"] = 0.40
    headroom_ratio: Annotated[float, "what must stay free of the smaller thing"] = 0.20
    least_gpu_hours: Annotated[float, "GPU-hours below which nobody need change anything"] = 1.0


@dataclass(frozen=True)
class _Need:
    """What a job used: GPUs, share of multiprocessors and of memory of the card, and bytes."""

    gpus: int
    peak: float
    mean: float
    memory: float
    memory_bytes: float


@dataclass(frozen=True)
class _Less:
    """Something smaller that a job fits: why, what to ask for, and the share of GPUs it saves."""

    cause: str
    asks: Less
    saved: float


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job that fits less than it holds."""
    assert isinstance(settings, OverprovisionedSettings)
    rows = store.select(
        _sql(settings),
        **evidence.parameters(span),
        mean=settings.mean_ratio,
        memory=settings.memory_ratio,
        after=settings.after_min,
    )
    if not rows:
        return
    models = _models(store)
    worth = evidence.worth(store, sorted({r["job"] for r in rows}), span)
    for row in rows:
        less = _less(_need(row), row, models, settings)
        if less is None or row["held_seconds"] < settings.least_gpu_hours * 3600:
            continue
        row["open"] = int(row["running"] and (span.until - row["until"]) <= _RECENT)
        seconds = row["held_seconds"] * less.saved
        lost = {"gpu_seconds": seconds, **evidence.priced(worth.get(row["job"]), seconds)}
        yield _finding({**row, **lost}, less, span, _told(less))


def _need(row: Mapping[str, Any]) -> _Need:
    return _Need(row["gpus"], row["peak"], row["mean"], row["memory"], row["memory_bytes"])


def _less(
    need: _Need,
    row: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    settings: OverprovisionedSettings,
) -> _Less | None:
    """The smallest thing that the job fits; fewer GPUs before a slice of each."""
    room = 1 - settings.headroom_ratio
    # Ranks that share a GPU bring their memory along.
    by_use = need.gpus * max(need.peak, need.memory) / room
    gpus = max(1, math.ceil(by_use))
    slice_ = _slice(need, row["model"], room)
    if need.gpus == 1 or gpus == 1:
        fits = _slice(_whole(need), row["model"], room) if need.gpus > 1 else slice_
        if fits:
            saved = 1 - fits[1] / need.gpus
            return _Less("slice", Less(gpus=1, size=fits[0]), saved)
    if gpus < need.gpus:
        return _Less("fewer_gpus", Less(gpus=gpus), 1 - gpus / need.gpus)
    smaller = _smaller(need, row, models, room)
    if smaller:
        return _Less("smaller_gpu", Less(model=smaller["model"]), 0.5)
    if slice_:
        return _Less("slice", Less(gpus=need.gpus, size=slice_[0]), 1 - slice_[1])
    return None


def _whole(need: _Need) -> _Need:
    """The job on one GPU: what its ranks use together."""
    return _Need(1, need.peak * need.gpus, need.mean, need.memory * need.gpus, need.memory_bytes)


def _slice(need: _Need, model: str, room: float) -> tuple[int, float] | None:
    """The smallest MIG slice that one GPU's work fits: its compute slices, and share of a card."""
    if not any(name in model for name in CUT):
        return None
    parts = slices(model)
    for size in (1, 2, 3, 4) if parts > 4 else (1, 2):
        memory = EIGHTHS[size] / 8 if parts > 4 else size / parts
        if need.peak <= room * size / parts and need.memory <= room * memory:
            return size, size / parts
    return None


def _smaller(
    need: _Need, row: Mapping[str, Any], models: Sequence[Mapping[str, Any]], room: float
) -> Mapping[str, Any] | None:
    """The model with least memory that the site owns, holds the job, and costs less if priced."""
    for model in models:
        cheaper = None in (model["price"], row["price"]) or model["price"] < row["price"]
        fits = need.memory_bytes <= room * model["memory"] < row["card_bytes"]
        if fits and cheaper and model["cluster"] == row["cluster"]:
            return model
    return None


def _models(store: Store) -> list[dict[str, Any]]:
    return store.select(_MODELS_SQL)


def _told(less: _Less) -> dict[str, Any]:
    return {
        "cause": less.cause,
        "owner": evidence.OWNER,
        "action": f"Ask for {less.asks.words} the next time: what it did has room there.",
        "asks": text(less.asks),
    }


def _finding(row: Mapping[str, Any], less: _Less, span: Span, told: Mapping[str, Any]) -> Finding:
    return evidence.finding(
        "overprovisioned",
        row,
        span,
        confidence_ratio=_CONFIDENCE[row["grade"]],
        summary=(
            f"{row['job_name'] or row['job']} would fit {less.asks.words}:"
            f" on its {evidence.counted(row['gpus'], 'GPU')} ({row['model']}) it used at most"
            f" {row['peak']:.0%} of a GPU's multiprocessors (in 95 % of the minutes)"
            f" and {row['memory']:.0%} of its memory in"
            f" {evidence.duration(row['until'] - row['since'])}"
        ),
        evidence=evidence.sample_rows(
            "sm_active_ratio, utilization_ratio, memory_used_bytes, memory_total_bytes", row
        ),
        **told,
    )


_RECENT = 15 * evidence.MINUTE
# Without profiling counters, utilization says no more than that multiprocessors were used less.
_CONFIDENCE = {"A": 0.85, "B": 0.5, "C": 0.5}


def _sql(settings: OverprovisionedSettings) -> str:
    """What the low jobs used at most, GPU by GPU: only those that may fit something smaller."""
    jobs = jobs_sql(LOW, settings.after_min * 60 // evidence.SMALLEST, 0.3)
    columns = {
        "sm": ranks.SM,
        "by_sm": f"{ranks.told(GpuSample.sm_active_ratio)} IS NOT NULL",
        "used": "max(s.memory_used_mib_max)",
        "card": ranks.told(GpuSample.memory_total_bytes),
    }
    return f"""
SELECT m.job AS job, any(j.name) AS job_name, any(j.user) AS user, any(j.team) AS team,
  any(a.pool) AS pool, any(a.model) AS model, any(a.cluster) AS cluster, any(p.price) AS price,
  min(m.since) AS since, max(m.until) AS until, count() AS gpus,
  arraySort(groupArray(m.gpu_id)) AS gpu_ids, arraySort(groupUniqArray(m.node)) AS nodes,
  max(m.peak) AS peak, avg(m.mean) AS mean, max(m.used / m.card) AS memory,
  max(m.used) * 1048576 AS memory_bytes, max(m.card) * 1048576 AS card_bytes,
  if(min(m.by_sm), 'A', 'C') AS grade, sum(m.minutes) * 60 AS held_seconds,
  any(j.ended) > {{until:DateTime64(3, 'UTC')}} AS running
FROM (
  SELECT job, gpu_id, any(node) AS node, min(at) AS since, max(at) + INTERVAL 1 MINUTE AS until,
    count() AS minutes, quantileExact(0.95)(sm) AS peak, avg(sm) AS mean, max(used) AS used,
    max(card) AS card, min(by_sm) AS by_sm
  FROM ({ranks.of_jobs(jobs, "_1m", columns)}) WHERE sm IS NOT NULL
  GROUP BY job, gpu_id) AS m
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = m.gpu_id
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = m.job
LEFT JOIN ({_PRICES_SQL}) AS p ON p.model = a.model
WHERE m.used IS NOT NULL AND m.card > 0
GROUP BY job
HAVING mean > 0 AND mean < {{mean:Float64}} AND memory < {{memory:Float64}}
  AND max(m.minutes) >= {{after:UInt32}}
ORDER BY job"""


_PRICES_SQL = """
SELECT model, argMax(capacity_value, valid_from) AS price FROM v_prices GROUP BY model"""
_MODELS_SQL = f"""
SELECT a.cluster AS cluster, a.model AS model, any(p.price) AS price,
  max(g.memory_mib) * 1048576 AS memory
FROM (SELECT * FROM assets FINAL) AS a
INNER JOIN (SELECT * FROM gpus FINAL WHERE parent = '') AS g ON g.gpu_id = a.gpu_id
LEFT JOIN ({_PRICES_SQL}) AS p ON p.model = a.model
WHERE a.model != '' GROUP BY cluster, model HAVING memory > 0 ORDER BY memory, model"""

detector = Detector("Jobs that would fit a smaller or shared GPU", OverprovisionedSettings, find)
