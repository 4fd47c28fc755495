"""One GPU of a job that does not keep step with the others.

In a job whose ranks wait for each other, a slow rank computes while the others wait: its SM
activity stands out above theirs. A rank with less to do stands out below. What counts is the
distance from the job's median in robust standard deviations (1.4826 times the median absolute
deviation), so that a job whose ranks differ by design, each in its own way, has no straggler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from analytics import evidence, ranks
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import islands_sql, jobs_sql
from gpuledger.catalogue import Finding, GpuSample
from gpuledger.config import Settings
from gpuledger.store import Store

WORKING = ("productive", "underused", "throttled")


class StragglerSettings(Settings):
    """Section `[straggler]`."""

    after_min: Annotated[int, "minutes out of step that make an episode"] = 15
    gap_min: Annotated[int, "minutes in step that do not end an episode"] = 5
    # NVIDIA's advice and Google's step-time deviation: 3 robust standard deviations.
    sigmas: Annotated[float, "robust standard deviations that are out of step"] = 3.0
    least_gpus: Annotated[int, "GPUs that a job needs, to have a median worth the name"] = 4
    # A job of identical ranks has a deviation near nothing: below these nobody loses anything.
    least_ratio: Annotated[float, "share of the median that is out of step at least"] = 0.2
    floor_ratio: Annotated[float, "SM activity that one standard deviation is at least"] = 0.02
    most_ratio: Annotated[float, "share of a job's GPUs that can be stragglers"] = 0.25
    # A card of the same job at a clock this much lower is slow by itself.
    slow_ratio: Annotated[float, "clock, as a share of the others', below which a card is slow"] = (
        0.93
    )


@dataclass(frozen=True)
class _Bounds:
    """What is out of step, for one level of the rollups."""

    sigmas: float
    ratio: float
    floor: float


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per GPU and stretch in which it was out of step with its job."""
    assert isinstance(settings, StragglerSettings)
    candidates = store.select(_candidates_sql(settings), **evidence.parameters(span))
    if not candidates:
        return
    rows = store.select(
        _episodes_sql(settings),
        **evidence.parameters(span),
        jobs=[r["job"] for r in candidates],
        gap=settings.gap_min,
        after=settings.after_min,
    )
    worth = evidence.worth(store, sorted({r["job"] for r in rows}), span)
    for row in rows:
        seen_after = (span.until - row["until"]) // evidence.MINUTE
        row["open"] = int(row["running"] and seen_after <= settings.gap_min)
        yield _finding({**row, **_loss(row, worth)}, span, _told(row, settings))


def _told(row: Mapping[str, Any], settings: StragglerSettings) -> dict[str, Any]:
    place = f"{row['node']}, GPU {row['slot']}"
    clock = row["clock"]
    if row["above"] and clock is not None and clock < settings.slow_ratio:
        action = f"Look at clocks, heat and power of {place}; let the next run go without it."
        return {"cause": "slow_gpu", "owner": evidence.HARDWARE, "action": action}
    if row["above"]:
        action = (
            f"Compare the rank on {place} with the others: its input, its processors, its link."
        )
        return {"cause": "slow_rank", "owner": evidence.OWNER, "action": action}
    action = f"Give the rank on {place} its share of the work: it waits for the others."
    return {"cause": "imbalance", "owner": evidence.OWNER, "action": action}


def _loss(row: Mapping[str, Any], worth: Mapping[str, evidence.Worth]) -> dict[str, Any]:
    """What the ranks that wait could have done: the others of a slow one, or an idler itself."""
    length = row["hits"] * 60
    waits = (row["gpus"] - 1) if row["above"] else 1
    low, high = sorted((row["own"], row["median"]))
    seconds = length * waits * (1 - low / high) if high > 0 else 0.0
    return {"gpu_seconds": seconds, **evidence.priced(worth.get(row["job"]), seconds)}


def _finding(row: Mapping[str, Any], span: Span, told: Mapping[str, Any]) -> Finding:
    way = "more" if row["above"] else "less"
    return evidence.finding(
        "straggler",
        {**row, "gpus": 1, "gpu_ids": [row["gpu_id"]]},
        span,
        confidence_ratio=_CONFIDENCE[row["grade"]],
        summary=(
            f"GPU {row['slot']} of {row['node']} is out of step with the other"
            f" {row['gpus'] - 1} of {row['job_name'] or row['job']}: {row['own']:.0%} SM activity,"
            f" {way} than their {row['median']:.0%}, for"
            f" {evidence.duration(row['until'] - row['since'])}"
        ),
        evidence=(
            "SELECT ts, node, slot, sm_active_ratio, utilization_ratio, power_watts, sm_clock_hertz"
            " FROM v_gpu_samples_1m WHERE (node, gpu_id) IN (SELECT node, gpu_id FROM allocations"
            f" WHERE job_id = {evidence.quoted(row['job'])})"
            f" AND {evidence.during('ts', row['since'], row['until'])} ORDER BY ts, node, slot"
        ),
        **told,
    )


def _out_of_step(jobs: str, level: str, settings: StragglerSettings, bounds: _Bounds) -> str:
    """Each GPU and bucket in which it stands out from its job: which way, and by what."""
    columns = {
        "sm": ranks.SM,
        "clock": ranks.told(GpuSample.sm_clock_hertz),
        "by_sm": f"{ranks.told(GpuSample.sm_active_ratio)} IS NOT NULL",
    }
    median = "arrayReduce('quantileExactInclusive(0.5)', {})"
    return f"""
SELECT job, at, one.1 AS gpu_id, one.2 AS own, one.3 AS clock, one.4 AS by_sm, median, gpus,
  mid_clock, own > median AS above
FROM (
  SELECT job, at, groupArray((gpu_id, assumeNotNull(sm), clock, by_sm)) AS all,
    length(all) AS gpus, {median.format("arrayMap(x -> x.2, all)")} AS median,
    1.4826 * {median.format("arrayMap(x -> abs(x.2 - median), all)")} AS spread,
    {median.format("arrayMap(x -> ifNull(x.3, 0), all)")} AS mid_clock,
    arrayFilter(x -> x.2 > {bounds.floor} AND abs(x.2 - median)
        > greatest({bounds.sigmas} * greatest(spread, {settings.floor_ratio}),
          {bounds.ratio} * median), all) AS odd
  FROM ({ranks.of_jobs(jobs, level, columns, settings.least_gpus)})
  WHERE sm IS NOT NULL
  GROUP BY job, at
  HAVING gpus >= {settings.least_gpus} AND median > {bounds.floor} AND notEmpty(odd)
    AND length(odd) <= greatest(1, {settings.most_ratio} * gpus))
ARRAY JOIN odd AS one"""


def _candidates_sql(settings: StragglerSettings) -> str:
    """Jobs that may have a straggler, by their hours: a quarter of one is diluted fourfold."""
    share = min(1.0, settings.after_min / 60) * 0.8
    bounds = _Bounds(settings.sigmas * share * 0.5, settings.least_ratio * share, 0.0)
    jobs = jobs_sql(WORKING, settings.after_min * 60 * settings.least_gpus)
    return f"SELECT DISTINCT job FROM ({_out_of_step(jobs, '_1h', settings, bounds)}) ORDER BY job"


def _episodes_sql(settings: StragglerSettings) -> str:
    jobs = "SELECT arrayJoin({jobs:Array(String)})"
    bounds = _Bounds(settings.sigmas, settings.least_ratio, 0.05)
    minutes = _out_of_step(jobs, "_1m", settings, bounds)
    hits = f"SELECT job, gpu_id, above, at, true AS hit, false AS unknown FROM ({minutes})"
    return f"""
SELECT m.job AS job, m.gpu_id AS gpu_id, m.above AS above, e.since AS since, any(e.until) AS until,
  any(e.hits) AS hits, avg(m.own) AS own, avg(m.median) AS median, max(m.gpus) AS gpus,
  avg(m.clock / nullIf(m.mid_clock, 0)) AS clock, if(min(m.by_sm), 'A', 'C') AS grade,
  any(a.node) AS node, any(a.slot) AS slot, any(a.pool) AS pool, any(j.name) AS job_name,
  any(j.user) AS user, any(j.team) AS team,
  any(j.ended) > {{until:DateTime64(3, 'UTC')}} AS running
FROM ({minutes}) AS m
INNER JOIN ({islands_sql(hits, "job, gpu_id, above")}) AS e
  ON e.job = m.job AND e.gpu_id = m.gpu_id AND e.above = m.above
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = m.gpu_id
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = m.job
WHERE m.at >= e.since AND m.at < e.until AND e.hits * 2 >= dateDiff('minute', e.since, e.until)
GROUP BY job, gpu_id, above, since ORDER BY job, since, gpu_id"""


# Utilization tells that a kernel ran, and a waiting rank runs one too.
_CONFIDENCE = {"A": 0.85, "C": 0.5}

detector = Detector("GPUs out of step with the others of their job", StragglerSettings, find)
