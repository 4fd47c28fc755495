"""Jobs that ask for far more processors or memory of their nodes than they use.

GPUs of a node whose processors or memory are given away cannot be given to anybody: what a job asks
for beyond its share of the node (its GPUs to all of them) keeps other GPUs from work. So only jobs
that ask for more than their share are judged, by their control groups: processors by all but the
busiest twentieth of the minutes, memory by its peak, page cache included. The job itself loses no
GPU time: findings carry no GPU-seconds, those of the GPUs that stay free are booked as `stranded`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.causes.joined import GROUP, group_of
from analytics.detector import Detector
from analytics.evidence import CHOSEN
from analytics.less import Less, text
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

GIB = 1 << 30
OPEN = 15 * evidence.MINUTE
Row = Mapping[str, Any]


class OverprovisionedHostSettings(Settings):
    """Section `[overprovisioned_host]`."""

    after_min: Annotated[int, "minutes of a job's control group that a judgement needs"] = 60
    # Job Defense Shield tells jobs with over 18 cores per GPU where 12 are fair.
    fair_ratio: Annotated[float, "multiple of its share of the node that a job may ask for"] = 1.5
    # XDMoD calls a request right that the peak fills to 60-80 %.
    use_ratio: Annotated[float, "share of the request that its peak must reach"] = 0.6
    fill_ratio: Annotated[float, "share of the request that is advised that the peak fills"] = 0.7
    least_cpus: Annotated[int, "processors that any job may ask for"] = 8
    least_memory_gib: Annotated[int, "GiB of memory that any job may ask for"] = 32
    most_jobs: Annotated[int, "jobs judged in one tick, those that block most first"] = 500


@dataclass(frozen=True)
class _Excess:
    """One thing of a node (`words`): what was asked for, used at most, owned by the node, advised.

    All in the same unit, that of `words`.
    """

    cause: str
    words: str
    asked: float
    used: float
    owned: float
    advised: int


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job that blocks processors or memory of its nodes without use."""
    assert isinstance(settings, OverprovisionedHostSettings)
    asked = store.select(
        _ASKED_SQL,
        **evidence.parameters(span),
        fair=settings.fair_ratio,
        cpus=settings.least_cpus * 1000,
        mib=settings.least_memory_gib * 1024,
        most=settings.most_jobs,
    )
    if not asked:
        return
    used = _used(store, asked, span)
    for row in asked:
        use = used.get(row["job"])
        if use is None or use["minutes"] < settings.after_min:
            continue
        found = {**row, **use}
        excess = [e for e in (_cpus(found, settings), _memory(found, settings)) if e]
        if excess:
            found["open"] = int(row["running"] and span.until - use["until"] <= OPEN)
            yield _finding(found, excess, _stranded(store, found), span)


def _used(store: Store, asked: list[dict[str, Any]], span: Span) -> dict[str, dict[str, Any]]:
    """What the control groups of these jobs told, by job."""
    rows = store.select(
        _USED_SQL,
        since=span.since,
        until=span.until,
        began=min(r["started"] for r in asked),
        jobs=[r["job"] for r in asked],
    )
    return {r["job"]: r for r in rows}


def _cpus(row: Row, settings: OverprovisionedHostSettings) -> _Excess | None:
    return _excess(
        _Excess("cpu", "processors", row["cpus"], row["cores"], row["node_cpus"], 0),
        row["gpu_share"],
        settings.least_cpus,
        settings,
    )


def _memory(row: Row, settings: OverprovisionedHostSettings) -> _Excess | None:
    if row["memory"] is None or row["peak"] is None:
        return None
    asked, used, owned = (row[n] / GIB for n in ("memory", "peak", "node_memory"))
    least = settings.least_memory_gib
    told = _Excess("memory", "GiB of memory", asked, used, owned, 0)
    return _excess(told, row["gpu_share"], least, settings)


def _excess(
    told: _Excess, share: float, least: int, settings: OverprovisionedHostSettings
) -> _Excess | None:
    """What is asked for without need, with advice: room above the peak, and never below the share.

    A share blocks nobody, so that nobody need run close to its peak for the sake of others.
    """
    fair = share * told.owned
    if told.used is None or told.asked <= max(settings.fair_ratio * fair, least):
        return None
    advised = math.ceil(max(told.used / settings.fill_ratio, fair, least))
    if told.used > settings.use_ratio * told.asked or advised >= told.asked:
        return None
    return _Excess(told.cause, told.words, told.asked, told.used, told.owned, advised)


def _stranded(store: Store, row: Row) -> Row:
    """GPUs of the job's nodes that nobody could have for want of processors or memory."""
    (found,) = store.select(
        _STRANDED_SQL,
        cluster=row["cluster"],
        nodes=row["nodes"],
        since=row["since"],
        until=row["until"],
    )
    return found


def _finding(row: Row, excess: list[_Excess], stranded: Row, span: Span) -> Finding:
    advised = {e.cause: e.advised for e in excess}
    less = Less(cpus=advised.get("cpu"), memory_gib=advised.get("memory"))
    each = " on each node" if len(row["nodes"]) > 1 else ""
    return evidence.finding(
        "overprovisioned_host",
        {**row, "grade": "A"},
        span,
        gpu_seconds=0.0,
        capacity_value=None,
        cash_avoidable=None,
        owner=evidence.OWNER,
        cause="_".join(e.cause for e in excess),
        confidence_ratio=_CONFIDENCE,
        action=(
            f"Ask for {less.words}{each} the next time: the job keeps room above its peak, and the"
            " other GPUs there can be given to somebody."
        ),
        asks=text(less),
        summary=f"{_what(row, excess)}{_blocked(stranded)}",
        evidence=_rows(row),
    )


def _what(row: Row, excess: list[_Excess]) -> str:
    length = evidence.duration(row["until"] - row["since"])
    asks = " and ".join(
        f"{e.asked:,.0f} of {e.owned:,.0f} {e.words} ({e.asked / e.owned:.0%}; used at most"
        f" {e.used:,.1f} in {length})"
        for e in excess
    )
    each = "each of " if len(row["nodes"]) > 1 else ""
    return (
        f"{row['job_name'] or row['job']} holds {row['own_gpus']:g} of {row['node_gpus']} GPUs on"
        f" {each}{evidence.places(row['nodes'])}, but asks for {asks}"
    )


def _blocked(stranded: Row) -> str:
    if not stranded["gpus"]:
        return ""
    return (
        f"; meanwhile {evidence.counted(stranded['gpus'], 'GPU')} there stayed free for want of"
        f" processors or memory: {stranded['seconds'] / 3600:,.1f} GPU-hours stranded"
    )


def _rows(row: Row) -> str:
    """The query that shows what the job's control groups told by the minute."""
    nodes = ", ".join(evidence.quoted(n) for n in row["nodes"])
    return (
        "SELECT s.ts AS ts, s.node AS node, s.cpu_seconds_last AS cpu_seconds,"
        " s.memory_bytes_max AS memory_bytes_max, s.memory_limit_bytes AS memory_limit_bytes"
        f" FROM v_cgroup_samples_1m AS s WHERE s.cluster = {evidence.quoted(row['cluster'])}"
        f" AND s.node IN ({nodes}) AND {GROUP} = {group_of(evidence.quoted(row['job']))}"
        f" AND {evidence.during('s.ts', row['since'], row['until'])} ORDER BY ts, node"
    )


# Another run of the job may need more; what was measured is exact.
_CONFIDENCE = 0.8
_UNTIL = "{until:DateTime64(3, 'UTC')}"
_WITHIN = f"s.ts >= {{since:DateTime64(3, 'UTC')}} AND s.ts < {_UNTIL}"
_HELD = f"""
SELECT job_id, cluster, node, groupUniqArray(gpu_id) AS cards, sum(share_milli) / 1000 AS own
FROM (SELECT * FROM allocations FINAL
  WHERE valid_from < {_UNTIL} AND valid_to > {{since:DateTime64(3, 'UTC')}}
    AND {CHOSEN % "job_id"})
GROUP BY job_id, cluster, node"""
_NODES = """
SELECT g.cluster AS cluster, g.node AS node, g.pool AS pool, g.gpus AS gpus,
  n.cpu AS cpu, n.mib AS mib
FROM (SELECT cluster, node, any(pool) AS pool, count() AS gpus FROM assets FINAL
  GROUP BY cluster, node) AS g
INNER JOIN (SELECT cluster, node, argMax(cpu_milli, valid_from) AS cpu,
    argMax(ifNull(memory_mib, 0), valid_from) AS mib
  FROM node_states FINAL GROUP BY cluster, node) AS n
  ON n.cluster = g.cluster AND n.node = g.node"""
# By how much a job is above its share of each of its nodes; the worst of them speaks for all. A job
# that has a node to itself can be above its share of nothing.
_ASKED_SQL = f"""
SELECT p.job_id AS job, any(p.name) AS job_name, any(p.user) AS user, any(p.team) AS team,
  any(p.pool) AS pool, any(p.cluster) AS cluster, any(p.started) AS started,
  any(p.ended) > {_UNTIL} AS running, length(arrayDistinct(arrayFlatten(groupArray(p.cards))))
    AS gpus, arraySort(groupUniqArray(toString(p.node))) AS nodes,
  any(p.cpu_milli) / 1000 AS cpus, any(p.memory_mib) * 1048576 AS memory,
  argMax((p.own, p.gpus, p.cpu, p.mib), p.above) AS worst, worst.1 AS own_gpus,
  worst.2 AS node_gpus, worst.3 / 1000 AS node_cpus, worst.4 * 1048576 AS node_memory,
  least(1, own_gpus / node_gpus) AS gpu_share
FROM (
  SELECT j.job_id AS job_id, j.name AS name, j.user AS user, j.team AS team, n.pool AS pool,
    j.cluster AS cluster, j.started AS started, j.ended AS ended, j.cpu_milli AS cpu_milli,
    j.memory_mib AS memory_mib, h.node AS node, h.cards AS cards, h.own AS own,
    n.gpus AS gpus, n.cpu AS cpu,
    n.mib AS mib, least(1, h.own / n.gpus) AS share, greatest(
      if(j.cpu_milli > {{cpus:UInt64}} AND n.cpu > 0, j.cpu_milli / (share * n.cpu), 0),
      if(ifNull(j.memory_mib, 0) > {{mib:UInt64}} AND n.mib > 0,
        ifNull(j.memory_mib, 0) / (share * n.mib), 0)) AS above
  FROM ({_HELD}) AS h
  INNER JOIN (SELECT * FROM jobs FINAL
    WHERE NOT has(splitByChar(',', constraints), 'exclusive')) AS j
    ON j.job_id = h.job_id
  INNER JOIN ({_NODES}) AS n ON n.cluster = h.cluster AND n.node = h.node
  WHERE h.own > 0) AS p
GROUP BY job HAVING max(p.above) > {{fair:Float64}}
ORDER BY max(p.above) DESC, job LIMIT {{most:UInt32}}"""
_GROUPS = f"""
SELECT a.job_id AS job, {group_of("a.job_id")} AS key, a.cluster AS cluster, a.node AS node,
  min(a.valid_from) AS f, max(a.valid_to) AS t
FROM allocations AS a FINAL WHERE a.job_id IN {{jobs:Array(String)}}
GROUP BY job, cluster, node"""
_KEYS = f"s.node IN (SELECT node FROM ({_GROUPS})) AND {GROUP} IN (SELECT key FROM ({_GROUPS}))"
_MINUTES = f"""
SELECT cluster, node, key, ts, mib, if(dateDiff('minute', lagInFrame(ts) OVER before, ts) <= 5,
  (cpu - lagInFrame(cpu) OVER before) / dateDiff('second', lagInFrame(ts) OVER before, ts), NULL)
    / 1e6 AS cores
FROM (
  SELECT s.cluster AS cluster, s.node AS node, {GROUP} AS key, s.epoch AS epoch, s.ts AS ts,
    max(s.cpu_us_max) AS cpu, max(s.memory_mib_max) AS mib
  FROM cgroup_samples_1m AS s WHERE {_WITHIN} AND {_KEYS}
  GROUP BY cluster, node, key, epoch, ts)
WINDOW before AS (PARTITION BY cluster, node, key, epoch ORDER BY ts
  ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"""
# Hours before the span: what a job needed when it began counts as well.
_HOURS = f"""
SELECT s.cluster AS cluster, s.node AS node, {GROUP} AS key, s.ts AS ts,
  max(s.cpu_us_max - s.cpu_us_min) / 3600 / 1e6 AS cores, max(s.memory_mib_max) AS mib
FROM cgroup_samples_1h AS s
WHERE s.ts >= toStartOfHour({{began:DateTime64(3, 'UTC')}}) AND s.ts < {_UNTIL} AND {_KEYS}
GROUP BY cluster, node, key, ts"""


def _of_jobs(told: str, columns: str) -> str:
    """SELECT by job and node of buckets of control groups that began while it ran there."""
    return f"""
SELECT g.job AS job, g.node AS node, {columns} FROM ({told}) AS b
INNER JOIN ({_GROUPS}) AS g ON g.cluster = b.cluster AND g.node = b.node AND g.key = b.key
WHERE b.ts >= toStartOfHour(g.f) AND b.ts < g.t GROUP BY job, node"""


_LATELY = (
    "quantileExact(0.95)(b.cores) AS cores, max(b.mib) AS mib, uniqExact(b.ts) AS minutes,"
    " min(b.ts) AS since, max(b.ts) + INTERVAL 1 MINUTE AS until"
)
_USED_SQL = f"""
SELECT m.job AS job, max(greatest(m.cores, ifNull(h.cores, 0))) AS cores,
  max(greatest(m.mib, ifNull(h.mib, 0))) * 1048576 AS peak, max(m.minutes) AS minutes,
  min(m.since) AS since, max(m.until) AS until
FROM ({_of_jobs(_MINUTES, _LATELY)}) AS m
LEFT JOIN ({_of_jobs(_HOURS, "max(b.cores) AS cores, max(b.mib) AS mib")}) AS h
  ON h.job = m.job AND h.node = m.node
GROUP BY job"""
_STRANDED_SQL = f"""
SELECT uniqExact(gpu_id) AS gpus, sum(gpu_ms) / 1000 AS seconds FROM ledger_1m
WHERE {evidence.WITHIN} AND state = 'stranded' AND cause = 'cpu_ram' AND gpu_id IN (
  SELECT gpu_id FROM assets
  WHERE cluster = {{cluster:String}} AND has({{nodes:Array(String)}}, toString(node)))"""

detector = Detector(
    "Jobs that block processors or memory of their nodes without use",
    OverprovisionedHostSettings,
    find,
)
