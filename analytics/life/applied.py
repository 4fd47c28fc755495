"""Whether advice that was accepted was carried out, as allocations, nodes and quotas tell.

Each kind of advice has its own sign, looked for from the moment of acceptance on. A kind without a
sign here is applied when a person says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from analytics.life.events import shares
from gpuledger.store import Store

NODE, TEAM, POOL = "node/", "team/", "pool/"
# Design: a plan that was carried out for this part was carried out.
MOVED_PART = 0.5

Row = Mapping[str, Any]
Sign = Callable[[Store, Row, datetime, datetime], str]


def sign(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """What shows that the recommendation was carried out in the span; empty = nothing yet.

    `row` is one of `v_recommendations`. StoreError.
    """
    look = SIGNS.get(row["kind"])
    return look(store, row, since, until) if look else ""


def jobs_of(row: Row) -> list[str]:
    """The jobs that a recommendation is about."""
    return [r for r in (shares(row["resources"]) or (row["subject"],)) if not _is_place(r)]


def places_of(row: Row, what: str) -> list[str]:
    """The nodes, teams or pools that it is about, without the word for it."""
    told = {row["subject"], *shares(row["resources"])}
    return sorted(r.removeprefix(what) for r in told if r.startswith(what))


def _is_place(resource: str) -> bool:
    return resource.startswith((NODE, TEAM, POOL))


def _ended_early(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """The job ended before its time limit did."""
    rows = store.select(_ENDED, job=row["subject"], since=since, until=until)
    return "".join(f"the job ended at {r['ended']:%Y-%m-%d %H:%M} UTC" for r in rows)


def _asks_less(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """The next job of that name and user asked for less than the one that the advice is about."""
    rows = store.select(_ASKS_LESS, job=row["subject"], since=since, until=until)
    return "".join(f"{r['job_id']} asked for {r['what']}" for r in rows)


def _moved(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """At least half of the tasks run on nodes that they were not on."""
    jobs = jobs_of(row)
    rows = store.select(_MOVED, jobs=jobs, since=since, until=until)
    if not rows or len(rows) < MOVED_PART * len(jobs):
        return ""
    return f"{len(rows)} of {len(jobs)} tasks run on other nodes"


def _powered_down(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """Every node is out of service, or its places are powered down."""
    nodes = places_of(row, NODE)
    rows = store.select(_DOWN, nodes=nodes, since=since, until=until)
    gone = {r["name"] for r in rows}
    return f"out of service: {', '.join(sorted(gone))}" if nodes and gone >= set(nodes) else ""


def _quota_changed(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """A quota of one of the teams, or of the pools' nodes, is another one."""
    names = [*places_of(row, TEAM), *(p.partition("/")[2] for p in places_of(row, POOL))]
    rows = store.select(_CHANGED, names=names, since=since, until=until)
    return "".join(f"{r['subject']}: {r['before']} → {r['after']}" for r in rows)


def _grown(store: Store, row: Row, since: datetime, until: datetime) -> str:
    """The pool has more places than it had."""
    rows = store.select(_GROWN, pools=places_of(row, POOL), since=since, until=until)
    return "".join(f"{r['gpus']} GPUs more are owned" for r in rows if r["gpus"])


SIGNS: Mapping[str, Sign] = {
    "reclaim": _ended_early,
    "rightsize": _asks_less,
    "repack": _moved,
    "power_down": _powered_down,
    "quota": _quota_changed,
    "lend": _quota_changed,
    "buy": _grown,
}

_IN = "{0} > {{since:DateTime64(3, 'UTC')}} AND {0} <= {{until:DateTime64(3, 'UTC')}}"
_ENDED = f"""
SELECT ended FROM jobs FINAL
WHERE job_id = {{job:String}} AND {_IN.format("ended")} AND ended < ends_by AND state != 'timeout'
"""
# The latest word on jobs of the same names and users since; first their ids, which are few.
_SAME = "(toString(cluster), toString(user), name)"
_SINCE = f"""
SELECT * FROM jobs FINAL WHERE job_id IN (SELECT job_id FROM jobs
  WHERE {_IN.format("submitted").replace("{", "{{").replace("}", "}}")} AND {_SAME} IN (
    SELECT {_SAME} FROM jobs WHERE {{asked}} AND name != ''))"""
_LIKE_IT = _SINCE.format(asked="job_id = {job:String}")
_LIKE_THEM = _SINCE.format(asked="job_id IN {jobs:Array(String)}")
# A job of one share of one GPU asks for less than a whole one; shares travel in thousandths.
_GPUS = "{0}.nodes * {0}.gpus_per_node * {0}.share_milli / 1000"
_ASKS_LESS = f"""
SELECT n.job_id AS job_id, multiIf(
  {_GPUS.format("n")} < {_GPUS.format("o")},
    concat(toString({_GPUS.format("n")}), ' GPUs in place of ', toString({_GPUS.format("o")})),
  n.gpu_model != o.gpu_model AND n.gpu_model != '', concat('a ', toString(n.gpu_model)),
  n.cpu_milli > 0 AND n.cpu_milli < o.cpu_milli,
    concat(toString(n.cpu_milli / 1000), ' CPUs in place of ', toString(o.cpu_milli / 1000)),
  ifNull(n.memory_mib, 0) > 0 AND n.memory_mib < o.memory_mib, 'less memory', '') AS what
FROM (SELECT * FROM jobs FINAL WHERE job_id = {{job:String}}) AS o
INNER JOIN ({_LIKE_IT}) AS n
  ON n.name = o.name AND n.user = o.user AND n.cluster = o.cluster
WHERE what != '' ORDER BY n.submitted, job_id LIMIT 1
"""
# Of Kubernetes the task that runs elsewhere is another job: that of the same name and user.
_MOVED = f"""
WITH before AS (SELECT l.job_id AS job_id, groupUniqArray(toString(l.node)) AS nodes
    FROM (SELECT job_id, node FROM allocations FINAL
      WHERE job_id IN {{jobs:Array(String)}} AND valid_from <= {{since:DateTime64(3, 'UTC')}}) AS l
    GROUP BY job_id),
  named AS (SELECT job_id, {_SAME} AS who FROM jobs FINAL WHERE job_id IN {{jobs:Array(String)}}),
  later AS (SELECT job_id, {_SAME} AS who
    FROM ({_LIKE_THEM})),
  same AS (SELECT job_id AS was, job_id AS job_id FROM before
    UNION DISTINCT
    SELECT n.job_id AS was, l.job_id AS job_id FROM named AS n
    INNER JOIN later AS l ON l.who = n.who)
SELECT DISTINCT b.job_id AS job_id
FROM before AS b INNER JOIN same AS s ON s.was = b.job_id
INNER JOIN (SELECT job_id, toString(node) AS node FROM allocations FINAL
  WHERE {_IN.format("valid_from")} AND job_id IN (SELECT job_id FROM same)) AS n
  ON n.job_id = s.job_id
WHERE NOT has(b.nodes, n.node)
"""
_DOWN = f"""
SELECT concat(toString(cluster), '/', toString(node)) AS name FROM node_states FINAL
WHERE name IN {{nodes:Array(String)}} AND state != 'up' AND {_IN.format("valid_from")}
UNION DISTINCT
SELECT concat(toString(a.cluster), '/', toString(a.node)) AS name
FROM (SELECT gpu_id FROM asset_states FINAL
  WHERE state = 'powered_down' AND {_IN.format("valid_from")}) AS s
INNER JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = s.gpu_id
WHERE name IN {{nodes:Array(String)}}
"""
_CHANGED = f"""
SELECT subject, before, after FROM changes
WHERE kind IN ('quota', 'nodes') AND before != '' AND {_IN.format("ts")}
  AND hasAny(splitByChar('/', subject), {{names:Array(String)}})
ORDER BY ts, subject LIMIT 1
"""
_GROWN = f"""
SELECT count() AS gpus FROM assets FINAL
WHERE {_IN.format("valid_from")}
  AND concat(toString(cluster), '/', toString(pool)) IN {{pools:Array(String)}}
"""
