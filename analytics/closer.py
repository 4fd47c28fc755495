"""One job, one node: what the book, the scheduler and the devices say of it, in one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics import book, changes, goodput, signs
from analytics.book import Span
from analytics.signs import BY_NAME, SignSettings
from gpuledger.batch import EPOCH
from gpuledger.errors import ConfigError, Unknown, nearest
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE, ENERGY_KWH, GPU_HOURS, GRADE, select
from gpuledger.schema import FOREVER
from gpuledger.service import Reader

Answer = dict[str, Any]
DAY, WEEK = timedelta(days=1), timedelta(days=7)
MOST_NAMES = 2000
_OF_PROGRESS = (
    *("goodput_ratio", "data_wait_ratio", "checkpoint_ratio"),
    *("ranks", "steps", "last_step", "last_checkpoint"),
)


def job(reader: Reader, name: str) -> Answer:
    """What a job asked for, got and did with it, and what would make it better.

    Keys of `jobs` with `gpus`, `on` (nodes), `wait_seconds`, `gpu_hours`, `energy_kwh`, money,
    `sm_active_ratio`, `work`, `framework`, `states` (as `gpuledger ledger`), `findings`, and
    `progress` by its training hook (None without one).
    ConfigError where no job, or more than one, is named so.
    """
    found = _job(reader, name)
    held = reader.select(_HELD, job=found["job_id"])[0]
    used = reader.select(_USED, job=found["job_id"])[0]
    span = Span(held["since"], min(held["until"], held["booked"] or held["since"]))
    states = _states(reader, span, "job", found["job_id"]) if held["gpus"] else []
    return {
        **found,
        "gpus": held["gpus"],
        "on": held["nodes"],
        "wait_seconds": _wait(found, held["booked"]),
        **_totals(states),
        **used,
        "states": states,
        "findings": _findings(reader, [found["job_id"]]),
        "progress": _progress(reader, found["job_id"], held["booked"] or datetime.now(UTC)),
    }


def node(reader: Reader, name: str) -> Answer:
    """A node now and over the last booked day.

    `cluster`, `node`, `state` and `reason` by its scheduler, `gpus` (slot, model, state, job,
    user, use), `states`, `signs` of sickness, `findings` about it, and `changes` of the week.
    ConfigError where there is no such node, or several clusters have it.
    """
    places = reader.select(_NODES, node=name)
    if len(places) != 1:
        error = ConfigError if places else Unknown
        raise error(_no_node(reader, name, places))
    until = book.last_booked(reader)
    if until is None:
        return {**places[0], "gpus": [], "states": [], "signs": [], "findings": [], "changes": []}
    day = Span(until - DAY, until)
    gpus = reader.select(_GPUS, node=places[0]["node"], cluster=places[0]["cluster"], at=until)
    jobs = sorted({g["job"] for g in gpus if g["job"]})
    return {
        **places[0],
        "gpus": gpus,
        "states": _states(reader, day, "node", places[0]["node"]),
        "signs": _signs(reader, day, gpus),
        "findings": _findings(reader, jobs, f"{places[0]['cluster']}/{places[0]['node']}/"),
        "changes": changes.between(reader, Span(until - WEEK, until + DAY), node=places[0]["node"]),
    }


def _job(reader: Reader, name: str) -> Answer:
    rows = reader.select(_JOBS, job=name)
    if len(rows) == 1:
        return {k: _plain(v) for k, v in rows[0].items()}
    if rows:
        raise ConfigError(f"several jobs are named {name}: {', '.join(r['job_id'] for r in rows)}")
    known = reader.select(_RECENT_JOBS, most=MOST_NAMES)
    raise Unknown(f"there is no job {name}{nearest(name, [r['name'] for r in known])}")


def _progress(reader: Reader, job: str, now: datetime) -> Answer | None:
    """What its code tells of its steps."""
    for told in goodput.of_jobs(reader, [job], now):
        return {
            **{n: getattr(told, n) for n in _OF_PROGRESS},
            "lost_gpu_seconds": told.lost_gpu_seconds,
        }
    return None


def _no_node(reader: Reader, name: str, places: Sequence[Mapping[str, Any]]) -> str:
    if places:
        clusters = ", ".join(p["cluster"] for p in places)
        return f"several clusters have a node {name}: {clusters}; name it as cluster/{name}"
    known = reader.select("SELECT DISTINCT toString(node) AS node FROM assets FINAL")
    return f"there is no node {name}{nearest(name, [r['node'] for r in known])}"


def _plain(value: Any) -> Any:
    return None if value in {"", FOREVER, EPOCH} else value


def _wait(job: Answer, booked: datetime | None) -> float | None:
    """Seconds from eligible to started, or until now."""
    if job["eligible"] is None:
        return None
    until = job["started"] or booked
    return max(0.0, (until - job["eligible"]).total_seconds()) if until else None


def _states(reader: Reader, span: Span, column: str, value: str) -> list[Answer]:
    if span.since >= span.until:
        return []
    return reader.select(
        f"SELECT state, {select(GPU_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE, ENERGY_KWH, GRADE)},"
        " max(currency) AS currency"
        f" FROM v_book_1m AS b WHERE b.{column} = {{value:String}}"
        f" AND {signs.SPAN.format('b.minute')}"
        " GROUP BY state ORDER BY gpu_hours DESC, state",
        since=span.since,
        until=span.until,
        value=value,
    )


def _totals(states: Sequence[Answer]) -> Answer:
    """GPU-hours, energy and money of all states together; absent where one is."""
    names = ("gpu_hours", "energy_kwh", "capacity_value", "cash_avoidable")
    totals = {name: _sum([s[name] for s in states]) for name in names}
    return {**totals, "currency": max((s["currency"] for s in states), default="") or None}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known and len(known) == len(values) else None


def _findings(reader: Reader, subjects: Sequence[str], beginning: str = "") -> list[Answer]:
    return reader.select(
        "SELECT kind, subject, cause, since, until, CAST(open, 'Bool') AS open, gpu_seconds,"
        " grade, summary, action FROM v_findings WHERE has({subjects:Array(String)}, subject)"
        " OR {beginning:String} != '' AND startsWith(subject, {beginning:String}) AND open = 1"
        " ORDER BY open DESC, gpu_seconds DESC, finding_id",
        subjects=list(subjects),
        beginning=beginning,
    )


def _signs(reader: Reader, day: Span, gpus: Sequence[Mapping[str, Any]]) -> list[Answer]:
    slots = {g["gpu_id"]: g["slot"] for g in gpus}
    rows = reader.select(signs.sql(SignSettings()), since=day.since, until=day.until)
    return [
        {
            "slot": slots[r["gpu_id"]],
            "sign": r["sign"],
            "what": BY_NAME[r["sign"]].text,
            "detail": r["detail"] or None,
            "first": r["first"],
            "last": r["last"],
        }
        for r in rows
        if r["gpu_id"] in slots
    ]


_JOBS = """
SELECT job_id, cluster, name, user, team, pool, kind, state, reason, nodes, gpus_per_node,
  submitted, eligible, started, ended, ends_by
FROM v_jobs WHERE job_id = {job:String} OR splitByChar('/', job_id)[-1] = {job:String}
ORDER BY job_id LIMIT 9
"""
_RECENT_JOBS = """
SELECT arrayJoin([job_id, splitByChar('/', job_id)[-1]]) AS name
FROM (SELECT job_id FROM jobs FINAL ORDER BY submitted DESC LIMIT {most:UInt32})
"""
_HELD = """
SELECT uniqExact(gpu_id) AS gpus, arraySort(groupUniqArray(toString(node))) AS nodes,
  min(valid_from) AS since, max(valid_to) AS until,
  (SELECT max(booked_until) FROM booked_hours FINAL HAVING count() > 0) AS booked
FROM allocations FINAL WHERE job_id = {job:String}
"""
_USED = """
SELECT
  (SELECT avg(sm_active_ratio) FROM v_job_stats WHERE job_id = {job:String}) AS busiest_sm_ratio,
  (SELECT sum(intensity_bp * gpu_ms) / nullIf(sumIf(gpu_ms, intensity_bp IS NOT NULL), 0) / 1e4
    FROM ledger_1m WHERE (gpu_id, alloc_id) IN (SELECT gpu_id, alloc_id FROM allocations FINAL
      WHERE job_id = {job:String})) AS sm_active_ratio,
  (SELECT any(toString(work)) FROM job_classes FINAL WHERE job_id = {job:String}) AS work,
  (SELECT any(toString(framework)) FROM job_classes FINAL WHERE job_id = {job:String}) AS framework
"""
_NODES = """
SELECT a.cluster AS cluster, a.node AS node, s.scheduler AS scheduler, s.state AS state,
  s.reason AS reason, s.pools AS pools
FROM (SELECT DISTINCT toString(cluster) AS cluster, toString(node) AS node FROM assets FINAL
  WHERE node = {node:String} OR concat(cluster, '/', node) = {node:String}) AS a
LEFT JOIN (SELECT toString(cluster) AS cluster, toString(node) AS node,
    argMax(toString(scheduler), valid_from) AS scheduler, argMax(toString(state), valid_from)
    AS state, argMax(reason, valid_from) AS reason, argMax(pools, valid_from) AS pools
  FROM node_states FINAL GROUP BY cluster, node) AS s
  ON s.cluster = a.cluster AND s.node = a.node
ORDER BY cluster
"""
_LAST = (
    "minute >= {at:DateTime64(3, 'UTC')} - INTERVAL 1 MINUTE AND minute < {at:DateTime64(3, 'UTC')}"
)
_GPUS = f"""
SELECT a.gpu_id AS gpu_id, a.slot AS slot, a.model AS model, b.state AS state, b.flags AS flags,
  b.job AS job, b.user AS user, b.grade AS grade, u.use AS utilization_ratio,
  u.sm AS sm_active_ratio, u.watts AS power_watts, u.celsius AS temperature_celsius
FROM (SELECT * FROM assets FINAL WHERE node = {{node:String}} AND cluster = {{cluster:String}}) AS a
LEFT JOIN (SELECT gpu_id, argMax(toString(state), gpu_seconds) AS state,
    argMax(toString(flags), gpu_seconds) AS flags, argMax(job, gpu_seconds) AS job,
    argMax(toString(user), gpu_seconds) AS user, argMax(toString(grade), gpu_seconds) AS grade
  FROM v_book_1m WHERE {_LAST} AND node = {{node:String}} GROUP BY gpu_id) AS b
  ON b.gpu_id = a.gpu_id
LEFT JOIN (SELECT gpu_id, avg(utilization_ratio) AS use, avg(sm_active_ratio) AS sm,
    avg(power_watts) AS watts, max(temperature_celsius) AS celsius
  FROM v_gpu_samples_1m WHERE ts >= {{at:DateTime64(3, 'UTC')}} - INTERVAL 5 MINUTE
    AND ts < {{at:DateTime64(3, 'UTC')}} AND node = {{node:String}} GROUP BY gpu_id) AS u
  ON u.gpu_id = a.gpu_id
ORDER BY slot
"""
