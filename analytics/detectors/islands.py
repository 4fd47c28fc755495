"""Spare capacity that cannot reach a starving neighbour: pools, clusters, and quotas of teams.

In the same hours GPUs of one pool are surplus, or fit nothing that runs there, and jobs wait for
GPUs of another. What lies between is the cluster, the partition, the model, or a quota.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence, hours
from analytics.book import Span
from analytics.detector import Detector
from analytics.placing.words import QUOTA_SQL
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE
from gpuledger.states import in_list
from gpuledger.store import Store

OWNER = "scheduler admin"
# Causes of `stranded` that say: something else could use it.
ELSEWHERE = ("gpu_type", "taint_partition", "data_locality")
GAP = timedelta(hours=1)
Row = Mapping[str, Any]


class IslandsSettings(Settings):
    """Section `[islands]`."""

    least_gpus: Annotated[
        float, "GPUs that are spare here and lacking there in an hour's mean, at least"
    ] = 2.0
    after_h: Annotated[int, "hours for which that must hold"] = 4


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """Of each starving pool the neighbour that could lend most; then pools that a quota closes."""
    assert isinstance(settings, IslandsSettings)
    if span.since >= span.until:
        return
    asked = {"since": span.since, "until": span.until, "least": settings.least_gpus}
    runs = list(_long(store.select(_PAIRS_SQL, **asked), settings))
    best: dict[tuple[Any, ...], list[Row]] = {}
    for run in sorted(runs, key=_rank):
        best.setdefault((run[0]["to_cluster"], run[0]["to_pool"]), run)
    closed = list(_long(store.select(_CLOSED_SQL, **asked), settings))
    teams = _refused(store, span) if closed else {}
    for run in (*best.values(), *closed):
        finding = _finding(run, teams.get(run[0]["cluster"], []), span)
        if not span.only or finding.subject in span.only:
            yield finding


def _long(rows: Sequence[Row], settings: IslandsSettings) -> Iterator[list[Row]]:
    for run in hours.consecutive(rows, _pair, GAP):
        if len(run) >= settings.after_h:
            yield run


def _pair(row: Row) -> tuple[str, ...]:
    return (row["to_cluster"], row["to_pool"], row["cluster"], row["pool"])


def _rank(run: list[Row]) -> tuple[Any, ...]:
    return (-sum(row["lent_seconds"] for row in run), *_pair(run[0]))


def _finding(run: list[Row], teams: Sequence[str], span: Span) -> Finding:
    last, wall = run[-1], _wall(run[-1])
    seconds = sum(row["lent_seconds"] for row in run)
    covered = sum((row["until"] - row["hour"]).total_seconds() for row in run)
    row = {
        "since": run[0]["hour"],
        "until": last["until"],
        "open": int(last["until"] >= span.until),
        "gpus": max(1, round(seconds / covered)),
        "gpu_seconds": seconds,
        "capacity_value": hours.known_sum(run, "capacity_value"),
        "cash_avoidable": None,
        "currency": last["currency"],
        "grade": max(r["grade"] for r in run),
    }
    return evidence.finding(
        "islands",
        row,
        span,
        subject=_subject(last, wall),
        team=teams[0] if wall == "quota" and len(teams) == 1 else "",
        pool=last["to_pool"],
        owner=OWNER,
        cause=wall,
        confidence_ratio=0.8,
        action=_ACTIONS[wall].format(
            spare=last["pool"], starving=last["to_pool"], teams=evidence.places(teams) or "they"
        ),
        summary=_summary(run, wall, row["gpus"], teams),
        evidence=_shown(last, run),
    )


def _wall(row: Row) -> str:
    """What lies between the two."""
    if row["cluster"] != row["to_cluster"]:
        return "cluster"
    if row["pool"] == row["to_pool"]:
        return "quota"
    return "partition" if row["model"] == row["to_model"] else "gpu_model"


def _subject(row: Row, wall: str) -> str:
    spare = f"{row['cluster']}/{row['pool']}"
    if wall == "quota":
        return f"{spare}>quota"
    beyond = f"{row['to_cluster']}/" if wall == "cluster" else ""
    return f"{spare}>{beyond}{row['to_pool']}"


def _summary(run: list[Row], wall: str, gpus: int, teams: Sequence[str]) -> str:
    last = run[-1]
    things = evidence.counted(gpus, "GPU")
    lasted = f"for {evidence.counted(len(run), 'hour')}"
    if wall == "quota":
        who = evidence.places(teams) or "jobs"
        return f"{things} of {last['pool']} stay free {lasted}, for which a quota refuses {who}"
    between = {
        "cluster": f"in cluster {last['cluster']}",
        "partition": "in another partition",
        "gpu_model": f"of another model ({last['model']})",
    }[wall]
    return (
        f"jobs wait for {things} of {last['to_pool']} {lasted}, while as many of {last['pool']},"
        f" {between}, are spare"
    )


def _refused(store: Store, span: Span) -> dict[str, list[str]]:
    """Teams that a quota refuses at the end of the span, by cluster."""
    out: dict[str, list[str]] = {}
    for r in store.select(_REFUSED_SQL, until=span.until):
        out.setdefault(r["cluster"], []).append(r["team"])
    return out


def _shown(last: Row, run: list[Row]) -> str:
    """The query that shows what was free in one pool; what was waited for is in `demand_1m`."""
    during = evidence.during("hour", run[0]["hour"], last["until"])
    return (
        "SELECT hour, state, cause, flags, sum(gpu_seconds) / 3600 AS gpu_hours FROM v_book_1h"
        f" WHERE cluster = {evidence.quoted(last['cluster'])}"
        f" AND pool = {evidence.quoted(last['pool'])} AND {during}"
        " AND state IN ('free_surplus', 'free_demand', 'stranded')"
        " GROUP BY hour, state, cause, flags ORDER BY hour, state, cause, flags"
    )


_ACTIONS = {
    "cluster": "Let jobs of {starving} run in {spare}: submit them to both clusters, or move nodes"
    " from one to the other.",
    "partition": "Let the queue of {starving} use {spare}: one partition over both, or a lower"
    " priority tier there that may be preempted.",
    "gpu_model": "Ask who waits for {starving} whether {spare} would do: a request that names no"
    " model, or both, starts on either.",
    "quota": "Let {teams} borrow what nobody uses of {spare}: a higher limit whose jobs may be"
    " preempted.",
}
_WINDOW = """hour >= toStartOfHour({since:DateTime64(3, 'UTC')})
  AND hour < {until:DateTime64(3, 'UTC')}"""
_HELD = "has(splitByChar(',', toString(flags)), 'quota_held')"
_OFF = "has(splitByChar(',', toString(flags)), 'powered_down')"


def _free(where: str) -> str:
    """What is free of each pool in each hour."""
    return f"""
SELECT b.cluster AS cluster, b.pool AS pool, any(b.model) AS model, b.hour AS hour,
  sum(b.gpu_seconds) AS seconds, {CAPACITY_VALUE.sql} AS value, max(b.currency) AS currency,
  max(b.grade) AS grade
FROM (SELECT * FROM v_book_1h WHERE {_WINDOW} AND {where}) AS b GROUP BY cluster, pool, hour"""


def _lacking(column: str) -> str:
    """What jobs of each pool waited for in each hour."""
    return f"""
SELECT cluster, pool, toStartOfHour(minute) AS hour, sum({column}) AS seconds FROM v_demand_1m
WHERE minute >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
  AND minute < {{until:DateTime64(3, 'UTC')}} AND pool != ''
GROUP BY cluster, pool, hour HAVING seconds > 0"""


def _pairs(free: str, lacking: str, on: str) -> str:
    return f"""
SELECT s.cluster AS cluster, s.pool AS pool, s.model AS model, d.cluster AS to_cluster,
  d.pool AS to_pool, m.model AS to_model, s.hour AS hour, s.grade AS grade,
  s.currency AS currency, least(hour + INTERVAL 1 HOUR, {{until:DateTime64(3, 'UTC')}}) AS until,
  least(s.seconds, d.seconds) AS lent_seconds, s.value * lent_seconds / s.seconds AS capacity_value
FROM ({free}) AS s
INNER JOIN ({lacking}) AS d ON d.hour = s.hour
LEFT JOIN (SELECT cluster, pool, any(model) AS model FROM assets FINAL GROUP BY cluster, pool) AS m
  ON m.cluster = d.cluster AND m.pool = d.pool
WHERE {on} AND lent_seconds >= {{least:Float64}} * dateDiff('second', hour, until)
ORDER BY to_cluster, to_pool, cluster, pool, hour"""


_SPARE = (
    f"(state = 'free_surplus' AND NOT {_HELD} AND NOT {_OFF}"
    f" OR state = 'stranded' AND cause IN {in_list(ELSEWHERE)})"
)
_PAIRS_SQL = _pairs(
    _free(_SPARE), _lacking("unmet_seconds"), "(s.cluster, s.pool) != (d.cluster, d.pool)"
)
_CLOSED_SQL = _pairs(
    _free(_HELD), _lacking("refused_seconds"), "(s.cluster, s.pool) = (d.cluster, d.pool)"
)
_REFUSED_SQL = f"""
SELECT cluster, team FROM jobs FINAL
WHERE state = 'pending' AND gpus_per_node > 0 AND submitted < {{until:DateTime64(3, 'UTC')}}
  AND ended > {{until:DateTime64(3, 'UTC')}} AND {QUOTA_SQL}
GROUP BY cluster, team ORDER BY sum(nodes * gpus_per_node * share_milli) DESC, team
"""

detector = Detector(
    "Spare GPUs that cannot reach the jobs that wait for such",
    IslandsSettings,
    find,
)
