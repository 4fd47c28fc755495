"""Jobs that use some of their GPUs while others do nothing, all the time.

A GPU counts while it idles and another GPU of its job works. GPUs that take turns are not found:
each of them works again within the episode's gap. When the whole job idles, that is another find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from analytics import circumstances, evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import HELD_UP, WITHIN, held_sql, islands_sql, jobs_sql
from analytics.less import Less, text
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE
from gpuledger.store import Store

Row = dict[str, Any]


class PartialIdleSettings(Settings):
    """Section `[partial_idle]`."""

    # Job Defense Shield spares jobs that use most of their GPUs; 30 minutes: our alert catalogue.
    after_min: Annotated[int, "minutes that a GPU idles beside working ones"] = 30
    gap_min: Annotated[int, "minutes of other things that do not end an episode"] = 10
    # From its start on: a program that never took the GPU up, not one that let it go.
    never_min: Annotated[int, "minutes after the start by which every GPU should be in use"] = 30


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and stretch in which some of its GPUs idled beside working ones."""
    assert isinstance(settings, PartialIdleSettings)
    rows = store.select(
        _sql(settings.after_min * 60),
        **evidence.parameters(span),
        gap=settings.gap_min,
        after=settings.after_min,
    )
    known = circumstances.known(store) if rows else None
    for row in _by_job(rows):
        assert known
        gap = timedelta(minutes=settings.gap_min)
        row["open"] = int(row["ended"] > span.until and span.until - row["until"] <= gap)
        told = _told(store, row, settings)
        yield _finding(row, span, {"confidence_ratio": known.confidence(row), **told})


def _by_job(rows: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Overlapping episodes of a job's GPUs as one; rows are in order of job and start."""
    open_: Row | None = None
    for row in rows:
        if open_ and open_["job"] == row["job"] and row["since"] <= open_["until"]:
            _join(open_, row)
            continue
        if open_:
            yield open_
        open_ = {
            **row,
            "gpu_ids": [row["gpu_id"]],
            "nodes": [row["node"]],
            "gpus": 1,
            "gpu_seconds": row["lost_seconds"],
            "on_nodes": {row["node"]: row["on_node"]},
        }
    if open_:
        yield open_


def _join(whole: Row, part: Mapping[str, Any]) -> None:
    whole["until"] = max(whole["until"], part["until"])
    whole["gpu_ids"] = sorted({*whole["gpu_ids"], part["gpu_id"]})
    whole["nodes"] = sorted({*whole["nodes"], part["node"]})
    whole["gpus"] = len(whole["gpu_ids"])
    whole["grade"] = max(whole["grade"], part["grade"])
    whole["gpu_seconds"] += part["lost_seconds"]
    whole["on_nodes"][part["node"]] = part["on_node"]
    told = [at for at in (whole["held_up_from"], part["held_up_from"]) if at]
    whole["held_up_from"] = min(told, default=None)
    for money in ("capacity_value", "cash_avoidable"):
        whole[money] = evidence.added(whole[money], part[money])


def _told(store: Store, row: Mapping[str, Any], settings: PartialIdleSettings) -> dict[str, Any]:
    """Why, and what to do: held up by a fault, never used, all of a node, or used before."""
    if circumstances.is_peer_fault(row):
        nodes = circumstances.faulty_nodes(store, row["job"], row["since"], row["until"])
        return circumstances.billed_to_hardware(nodes)
    used = row["held"] - row["gpus"]
    to_the_end = row["open"] or row["until"] + timedelta(minutes=settings.gap_min) >= row["ended"]
    late = row["since"] > row["started"] + timedelta(minutes=settings.never_min)
    if late or not to_the_end:
        action = "Look at the process of each idle GPU: it may have died."
        return {"cause": "went_quiet", "owner": evidence.OWNER, "action": action}
    less = Less(gpus=used)
    if row["gpus"] == sum(row["on_nodes"].values()):
        cause = "node_not_used"
        action = f"Start the program on every node of the job, or ask for {less.words}."
    else:
        cause = "never_used"
        action = f"Ask for {less.words} next time, or let the program use all."
    return {"cause": cause, "owner": evidence.OWNER, "action": action, "asks": text(less)}


def _finding(row: Mapping[str, Any], span: Span, told: Mapping[str, Any]) -> Finding:
    gpus = ", ".join(map(str, row["gpu_ids"]))
    verb, work = ("leaves", "work") if row["open"] else ("left", "worked")
    return evidence.finding(
        "partial_idle",
        row,
        span,
        summary=(
            f"{row['job_name'] or row['job']} {verb} {row['gpus']} of its {row['held']} GPUs idle"
            f" on {evidence.places(row['nodes'])} while the others {work}, for"
            f" {evidence.duration(row['until'] - row['since'])}{circumstances.after(told)}:"
            f" {row['gpu_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=evidence.book_rows(
            row["job"], row["since"], row["until"], f"gpu_id IN ({gpus}) AND state = 'alloc_idle'"
        ),
        **told,
    )


def _minutes_sql(jobs: str) -> str:
    """Minutes of GPUs that idle beside working ones (hit), or that nobody saw (unknown)."""
    held = held_sql(jobs)
    return f"""
SELECT job, at, gpu.1 AS gpu_id, gpu.2 AS hit, NOT hit AS unknown FROM (
  SELECT h.job AS job, b.minute AS at, countIf(b.state IN ('productive', 'underused', 'throttled'))
      > 0 AS works,
    groupUniqArrayIf(b.gpu_id, b.state = 'alloc_idle' AND b.flags NOT LIKE '%serving%') AS idle,
    groupUniqArrayIf(b.gpu_id, b.state = 'alloc_unknown') AS unseen
  FROM (SELECT gpu_id, alloc_id, minute, state, flags FROM ledger_1m WHERE {WITHIN}
    AND gpu_id IN (SELECT gpu_id FROM ({held}))) AS b
  INNER JOIN (SELECT gpu_id, alloc_id, job_id AS job FROM ({held})) AS h
    ON h.gpu_id = b.gpu_id AND h.alloc_id = b.alloc_id
  GROUP BY job, at HAVING works AND notEmpty(idle))
ARRAY JOIN arrayConcat(arrayMap(x -> (x, true), idle), arrayMap(x -> (x, false), unseen)) AS gpu"""


def _sql(least_seconds: int) -> str:
    """Episodes of single GPUs, with the size of their job."""
    jobs = jobs_sql(("alloc_idle",), least_seconds // evidence.SMALLEST)
    held = f"SELECT job_id, gpu_id, node FROM allocations WHERE job_id IN ({jobs})"
    lost = evidence.cells_sql(jobs, "state = 'alloc_idle'")
    return f"""
SELECT b.job AS job, b.gpu_id AS gpu_id, any(b.node) AS node, any(b.user) AS user,
  any(b.team) AS team, any(b.pool) AS pool, any(b.job_name) AS job_name, e.since AS since,
  any(e.until) AS until, max(b.grade) AS grade, max(b.currency) AS currency,
  minOrNullIf(b.minute, {HELD_UP}) AS held_up_from,
  sum(b.gpu_seconds) AS lost_seconds, {CAPACITY_VALUE.sql} AS capacity_value,
  {CASH_AVOIDABLE.sql} AS cash_avoidable, any(s.gpus) AS held, any(n.gpus) AS on_node,
  any(j.started) AS started, any(j.ended) AS ended
FROM ({lost}) AS b
INNER JOIN ({islands_sql(_minutes_sql(jobs), "job, gpu_id")}) AS e
  ON e.job = b.job AND e.gpu_id = b.gpu_id
LEFT JOIN (SELECT job_id, uniqExact(gpu_id) AS gpus FROM ({held}) GROUP BY job_id) AS s
  ON s.job_id = b.job
LEFT JOIN (SELECT job_id, node, uniqExact(gpu_id) AS gpus FROM ({held}) GROUP BY job_id, node) AS n
  ON n.job_id = b.job AND n.node = b.node
LEFT JOIN (SELECT job_id, started, ended FROM jobs FINAL) AS j ON j.job_id = b.job
WHERE b.minute >= e.since AND b.minute < e.until
GROUP BY job, gpu_id, since ORDER BY job, since, gpu_id"""


detector = Detector("Jobs of which some GPUs idle while others work", PartialIdleSettings, find)
