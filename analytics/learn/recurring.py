"""Recurring jobs that are not what they were: robust z-scores against their own history, no model.

A batch job recurs as its user, its size and the stem of its name: what is left without numbers,
dates and hashes. Its history are the latest of those runs that ended well before it began; those
of the very same name alone, where they are enough. z = 0.6745 (x - median) / MAD, the modified
z-score of Iglewicz and Hoaglin (1993), who take 3.5 for an outlier.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from statistics import median
from typing import Annotated, Any

from analytics.book import Span
from gpuledger.config import Settings
from gpuledger.states import ACTIVE, UNKNOWN, in_list
from gpuledger.store import Store

# Consistency of the MAD with the standard deviation of normal data.
NORMAL = 0.6745
# Stems that tell of a program or a scheduler's default, not of the work that was done.
NAMELESS = (
    *("", "python", "pt-main-thread", "torchrun", "bash", "sh", "zsh", "wrap", "srun", "sbatch"),
    *("interactive", "jupyter", "jupyterlab", "notebook", "test", "debug", "tmp"),
)
# Shares and means of a run that goes on count once it has had this part of its usual GPU-hours:
# starting up is not like the whole.
TOLD_PART = 0.5


class RecurringSettings(Settings):
    """How runs are compared; whoever asks has these in its own section."""

    history_d: Annotated[float, "days of earlier runs"] = 90.0
    least_runs: Annotated[int, "earlier runs that a comparison needs"] = 8
    most_runs: Annotated[int, "earlier runs that are compared with, the latest"] = 30
    least_gpu_hours: Annotated[float, "GPU-hours below which nobody asks"] = 1.0
    outlier_z: Annotated[float, "distance from the median that is unusual, in robust sigmas"] = 3.5


@dataclass(frozen=True)
class Measure:
    """A number of a job's run: what it is, SQL over its rows of the accounts, least spread.

    Runs that resemble each other more than `least` do not make the next one unusual. What rests on
    telemetry is `graded`: compared only with runs of the same evidence grade.
    """

    help: str
    sql: str
    least: float
    graded: bool = True


_SEEN = f"sumIf(gpu_seconds, state NOT IN {in_list(UNKNOWN)})"
_METERED = "sumIf(gpu_seconds, isNotNull(energy_joules))"
HOURS = "log_gpu_hours"
MEASURES: Mapping[str, Measure] = {
    HOURS: Measure(
        "GPU-hours (natural logarithm)", "log(sum(gpu_seconds) / 3600)", 0.05, graded=False
    ),
    "active_ratio": Measure(
        "share of time at work",
        f"sumIf(gpu_seconds, state IN {in_list(ACTIVE)}) / nullIf({_SEEN}, 0)",
        0.02,
    ),
    "power_watts": Measure(
        "mean power of a GPU", f"sum(energy_joules) / nullIf({_METERED}, 0)", 5.0, graded=False
    ),
}


@dataclass(frozen=True)
class Unusual:
    """A run that is far from its history in one measure: the value, the median and the z-score."""

    job: str
    user: str
    stem: str
    measure: str
    value: float
    usual: float
    z: float
    runs: int


def stem_sql(name: str) -> str:
    """SQL of the stem: `train-v12` and `train-v13` are one."""
    varying = "[0-9a-f]{7,}([^a-z0-9]|$)|[0-9]+"
    kept = f"replaceRegexpAll(lower({name}), '{varying}', '\\\\1')"
    return f"trim(BOTH '-' FROM replaceRegexpAll({kept}, '[^a-z]+', '-'))"


def score(history: Sequence[float], value: float, least: float) -> float:
    """Robust z-score of `value` against a history (at least one), with a least spread."""
    middle = median(history)
    spread = median(abs(x - middle) for x in history)
    return NORMAL * (value - middle) / max(spread, least)


def unusual(store: Store, settings: RecurringSettings, span: Span) -> list[Unusual]:
    """Runs of the span that are unusual for their job, the farthest first.

    A run that goes on can have had more GPU-hours than usual, but not yet fewer.
    """
    rows = store.select(
        _SQL,
        since=span.since,
        until=span.until,
        days=settings.history_d,
        only=list(span.only),
        most=settings.most_runs,
        hours=settings.least_gpu_hours,
    )
    found = [
        one
        for _, family in groupby(rows, itemgetter("family"))
        for one in _unlike(list(family), settings)
    ]
    return sorted(found, key=lambda u: (-abs(u.z), u.job, u.measure))


def _unlike(runs: Sequence[Mapping[str, Any]], settings: RecurringSettings) -> list[Unusual]:
    """Those of a family, which stand in the order of their ends."""
    past = [run for run in runs if run["is_well"]]
    ends = [run["ended"] for run in past]
    found = []
    for run in runs:
        if run["inside"] and run["hours"] >= settings.least_gpu_hours:
            until = bisect_right(ends, run["started"])
            earlier = past[max(0, until - settings.most_runs) : until]
            found += _compared(run, _alike(run, earlier, settings.least_runs), settings)
    return found


def _alike(
    run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], least: int
) -> Sequence[Mapping[str, Any]]:
    same = [one for one in earlier if one["name"] == run["name"]]
    return same if len(same) >= least else earlier


def _compared(
    run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], settings: RecurringSettings
) -> list[Unusual]:
    found = []
    for name, measure in MEASURES.items():
        like = [r for r in earlier if not measure.graded or r["grade"] == run["grade"]]
        history = [r[name] for r in like if r[name] is not None]
        value = run[name]
        if value is None or len(history) < settings.least_runs:
            continue
        z = score(history, value, measure.least)
        if abs(z) >= settings.outlier_z and _is_told(run, earlier, name, z):
            told = (run["job"], run["user"], run["stem"], name)
            found.append(Unusual(*told, value, median(history), z, len(history)))
    return found


def _is_told(
    run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], name: str, z: float
) -> bool:
    """Whether a run that goes on has gone on for long enough to say so."""
    if run["is_over"]:
        return True
    if name == HOURS:
        return z > 0
    return bool(run["hours"] >= TOLD_PART * median(r["hours"] for r in earlier))


_TIME = "DateTime64(3, 'UTC')"
_SINCE, _UNTIL = f"{{since:{_TIME}}}", f"{{until:{_TIME}}}"
_BEGAN = f"{_SINCE} - toIntervalSecond(toUInt64({{days:Float64}} * 86400))"
# Of families without a run in the span nothing is read but the names of their jobs; of the others
# what ended since then, and the latest before. In each family, those that ended last come first.
_RUNS = f"""
SELECT *, max(inside) OVER whole AS wanted,
  row_number() OVER (PARTITION BY family ORDER BY last DESC, job_id)
    - countIf(last > {_SINCE}) OVER whole AS rank
FROM (
  SELECT job_id, cluster, user, name, {stem_sql("name")} AS stem,
    toUInt32(nodes) * gpus_per_node * share_milli AS gpus,
    cityHash64(cluster, user, stem, gpus) AS family, started, least(ended, {_UNTIL}) AS last,
    ended <= {_UNTIL} AS is_over, is_over AND state = 'completed' AS is_well,
    ended > {_SINCE} AND (empty({{only:Array(String)}}) OR has({{only:Array(String)}}, job_id))
      AND gpus / 1000 * dateDiff('second', started, last) >= {{hours:Float64}} * 3600 AS inside
  FROM jobs FINAL
  WHERE gpus_per_node > 0 AND kind = 'batch' AND started < {_UNTIL} AND started >= {_BEGAN})
WHERE (inside OR is_well) AND stem NOT IN {in_list(NAMELESS)}
WINDOW whole AS (PARTITION BY family ORDER BY last DESC, job_id
  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
QUALIFY wanted AND (inside OR rank <= {{most:Int32}})"""
# What lies before the first day of the span is read from days: they are far fewer than hours.
_ACCOUNTS = f"""
SELECT job, state, grade, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules
FROM accounts_1d WHERE day >= toStartOfDay({_BEGAN}) AND day < toStartOfDay({_SINCE})
UNION ALL
SELECT job, state, grade, gpu_ms / 1000, energy_mj / 1000
FROM accounts_1h WHERE hour >= toStartOfDay({_SINCE}) AND hour < {_UNTIL}"""
_TOLD = ("cluster", "user", "name", "stem", "gpus", "started", "is_over", "is_well", "inside")
_SQL = f"""
SELECT a.job AS job, r.family AS family, any(r.last) AS ended,
  {", ".join(f"any(r.{name}) AS {name}" for name in _TOLD)},
  sum(gpu_seconds) / 3600 AS hours, maxIf(grade, state NOT IN {in_list(UNKNOWN)}) AS grade,
  {", ".join(f"{m.sql} AS {name}" for name, m in MEASURES.items())}
FROM ({_ACCOUNTS}) AS a INNER JOIN ({_RUNS}) AS r ON r.job_id = a.job
GROUP BY job, family HAVING hours > 0 ORDER BY family, ended, job
"""
