"""Jobs that use little of their GPUs, and why.

Two kinds of stretches: those that the book calls underused, and hours of productive work whose
multiprocessors are mostly idle or whose tensor cores stand still. Of the second only those are told
whose cause is clear, and they cost nothing in the book: the work was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.causes import slow
from analytics.causes.features import Episode, Features, gather
from analytics.causes.judge import Verdict, judge
from analytics.detector import Detector
from analytics.evidence import Loss
from analytics.learn import framework
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

LOSS = Loss(states=("underused",), lost="b.state = 'underused'", hit="cells > 0")
# A cause that is not clear leaves a finding that is sure of the low use alone.
UNCLEAR = 0.5
MOST_GPUS_SHOWN = 16


class UnderusedSettings(Settings):
    """Section `[underused]`."""

    # Alert 8 of the usual catalogues (data starved) waits as long.
    after_min: Annotated[int, "minutes of low use that make an episode"] = 30
    gap_min: Annotated[int, "minutes of better use that do not end an episode"] = 30
    # DCGM's guide calls SM activity below 0.5 likely ineffective.
    work_ratio: Annotated[float, "SM activity below which productive work is explained too"] = 0.5
    work_after_h: Annotated[int, "hours of such work that make an episode"] = 2
    most_jobs: Annotated[int, "productive jobs explained in one tick, largest first"] = 100
    look_min: Annotated[int, "minutes at the end of an episode that a cause is judged by"] = 120
    fine_min: Annotated[int, "minutes of them that dips and pauses are looked for in"] = 60
    least_score: Annotated[float, "what must speak for a cause, 0 to 1"] = 0.5
    margin: Annotated[float, "by how much it must beat the next one"] = 0.1


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and episode of low use in the span, largest loss first."""
    assert isinstance(settings, UnderusedSettings)
    if span.since >= span.until:
        return
    episodes = evidence.episodes(
        store, span, LOSS, gap_min=settings.gap_min, after_min=settings.after_min
    )
    # A service's use follows its requests: the detector `serving` judges it.
    low = [row for row in episodes if row["kind"] != "service"]
    working = slow.episodes(
        store,
        span,
        below=settings.work_ratio,
        hours=settings.work_after_h,
        most=settings.most_jobs,
        without={row["job"] for row in low},
    )
    rows = [*low, *working]
    frameworks = framework.judged(store, [row["job"] for row in rows])
    for row, features in zip(rows, _features(store, rows, settings), strict=True):
        verdict = judge(features, settings.least_score, settings.margin)
        if row["gpu_seconds"] or verdict.best:
            action = _action(verdict, frameworks.get(row["job"], ""))
            yield _finding({**row, "action": action}, features, verdict, span)


def _features(
    store: Store, rows: Sequence[Mapping[str, Any]], settings: UnderusedSettings
) -> list[Features]:
    look_ms, fine_ms = settings.look_min * 60_000, settings.fine_min * 60_000
    episodes = [
        Episode(row["job"], max(to_milliseconds(row["since"]), until - look_ms), until)
        for row in rows
        for until in [to_milliseconds(row["until"])]
    ]
    return gather(store, episodes, fine_ms)


def _finding(row: Mapping[str, Any], features: Features, verdict: Verdict, span: Span) -> Finding:
    confidence = evidence.CONFIDENCE[row["grade"]]
    best = verdict.best
    return evidence.finding(
        "underused",
        row,
        span,
        owner=evidence.OWNER,
        cause=best.cause.name if best else "",
        action=row["action"],
        confidence_ratio=confidence * (best.score if best else UNCLEAR),
        summary=f"{_what(row, features)}: {_why(verdict)}",
        evidence=_rows(row),
    )


def _what(row: Mapping[str, Any], features: Features) -> str:
    kind, use = ("SM", features.get("sm")), features.get("use")
    name = "SM activity" if kind[1] is not None else "utilization"
    used = "little" if use is None else f"{name} {100 * use:.0f} %"
    lost = f", {row['gpu_seconds'] / 3600:,.1f} GPU-hours" if row["gpu_seconds"] else ""
    return (
        f"{row['job_name'] or row['job']} on {evidence.counted(row['gpus'], 'GPU')} of"
        f" {evidence.places(row['nodes'])} for {evidence.duration(row['until'] - row['since'])}"
        f"{lost}: {used}"
    )


def _why(verdict: Verdict) -> str:
    if verdict.best:
        return f"it {verdict.best.cause.title} ({verdict.best.words})"
    if verdict.next:
        return f"no clear cause; next would be {verdict.next.cause.name} ({verdict.next.words})"
    return "no clear cause"


def _action(verdict: Verdict, runs: str) -> str:
    """What to do, in the words of the framework that it runs."""
    if verdict.best:
        action = verdict.best.cause.advice(runs)
        return f"{action[0].upper()}{action[1:]}."
    return "Profile a few steps (py-spy, torch.profiler, Nsight Systems): no counter tells why."


def _rows(row: Mapping[str, Any]) -> str:
    """The query that shows what the GPUs and their machines told by the minute."""
    ids = ", ".join(map(str, row["gpu_ids"][:MOST_GPUS_SHOWN]))
    during = evidence.during("ts", row["since"], row["until"] + timedelta(0))
    return (
        "SELECT g.*, h.cpu_busy_ratio, h.cpu_iowait_ratio FROM (SELECT ts, cluster, node, slot,"
        " utilization_ratio, sm_active_ratio, sm_occupancy_ratio, tensor_active_ratio,"
        " fp32_active_ratio, dram_active_ratio, active_seconds, memory_used_bytes, power_watts"
        f" FROM v_gpu_samples_1m WHERE gpu_id IN ({ids}) AND {during}) AS g"
        " LEFT JOIN (SELECT ts, cluster, node, cpu_busy_ratio, cpu_iowait_ratio"
        f" FROM v_host_samples_1m WHERE {during}) AS h"
        " ON h.ts = g.ts AND h.cluster = g.cluster AND h.node = g.node"
        " ORDER BY g.ts, g.node, g.slot"
    )


detector = Detector("Jobs that use little of their GPUs, and why", UnderusedSettings, find)
