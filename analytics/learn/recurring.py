"""Recurring jobs that are not what they were: robust z-scores against their own history, no model.

A job recurs as its user and the stem of its name: what is left without numbers, dates and hashes.
Its history are earlier runs that ended before it began. z = 0.6745 (x - median) / MAD, the
modified z-score of Iglewicz and Hoaglin (1993), who take 3.5 for an outlier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any

from analytics.book import Span
from gpuledger.config import Settings
from gpuledger.states import ACTIVE, in_list
from gpuledger.store import Store

# Consistency of the MAD with the standard deviation of normal data.
NORMAL = 0.6745
_VARYING = re.compile(r"[0-9a-f]{7,}(?=[^a-z0-9]|$)|[0-9]+")
_JOINTS = re.compile(r"[^a-z]+")


class RecurringSettings(Settings):
    """How runs are compared; whoever asks has these in its own section."""

    history_d: Annotated[float, "days of earlier runs"] = 90.0
    least_runs: Annotated[int, "earlier runs that a comparison needs"] = 8
    outlier_z: Annotated[float, "distance from the median that is unusual, in robust sigmas"] = 3.5


@dataclass(frozen=True)
class Measure:
    """A number of a job's run: what it is, SQL over its rows of the accounts, least spread.

    Runs that resemble each other more than `least` do not make the next one unusual.
    """

    help: str
    sql: str
    least: float


_HOURS = "sum(gpu_seconds) / 3600"
MEASURES: Mapping[str, Measure] = {
    "log_gpu_hours": Measure("GPU-hours (natural logarithm)", f"log({_HOURS})", 0.05),
    "active_ratio": Measure(
        "share of time at work",
        f"sumIf(gpu_seconds, state IN {in_list(ACTIVE)}) / sum(gpu_seconds)",
        0.02,
    ),
    "power_watts": Measure("mean power of a GPU", "sum(energy_joules) / sum(gpu_seconds)", 5.0),
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


def stem(name: str) -> str:
    """The name without numbers, dates and hashes, so that `train-v12` and `train-v13` are one."""
    return _JOINTS.sub("-", _VARYING.sub("", name.lower())).strip("-")


def score(history: Sequence[float], value: float, least: float) -> float:
    """Robust z-score of `value` against a history (at least one), with a least spread."""
    middle = median(history)
    spread = median(abs(x - middle) for x in history)
    return NORMAL * (value - middle) / max(spread, least)


def unusual(store: Store, settings: RecurringSettings, span: Span) -> list[Unusual]:
    """Runs of the span that are unusual for their job, the farthest first.

    A run that goes on is not compared by its GPU-hours: it has not had all of them.
    """
    rows = store.select(
        _SQL,
        since=span.since,
        until=span.until,
        days=settings.history_d,
        only=list(span.only),
    )
    families: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault((row["cluster"], row["user"], stem(row["name"])), []).append(row)
    found = [
        one
        for family, runs in families.items()
        for run in runs
        if run["inside"]
        for one in _compared(run, runs, family, settings)
    ]
    return sorted(found, key=lambda u: (-abs(u.z), u.job, u.measure))


def _compared(
    run: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    family: tuple[str, str, str],
    settings: RecurringSettings,
) -> list[Unusual]:
    earlier = [r for r in runs if r["ended"] <= run["started"] and r["gpus"] == run["gpus"]]
    found = []
    for name, measure in MEASURES.items():
        value = run[name]
        history = [r[name] for r in earlier if r[name] is not None]
        open_ended = name == "log_gpu_hours" and not run["is_over"]
        if value is None or open_ended or len(history) < settings.least_runs:
            continue
        z = score(history, value, measure.least)
        if abs(z) >= settings.outlier_z:
            told = (run["job"], *family[1:], name, value, median(history), z, len(history))
            found.append(Unusual(*told))
    return found


_TIME = "DateTime64(3, 'UTC')"
_SINCE, _UNTIL = f"{{since:{_TIME}}}", f"{{until:{_TIME}}}"
# Families are few: only users with a run in the span are read, and names are told apart outside.
_SQL = f"""
WITH runs AS (
    SELECT job_id, cluster, user, name, nodes * gpus_per_node AS gpus, started,
      least(ended, {_UNTIL}) AS ended, j.ended <= {_UNTIL} AS is_over
    FROM (SELECT * FROM jobs FINAL) AS j
    WHERE gpus_per_node > 0 AND name != '' AND started < {_UNTIL}
      AND started >= {_SINCE} - toIntervalSecond(toUInt64({{days:Float64}} * 86400))),
  mine AS (
    SELECT *, ended > {_SINCE} AND (empty({{only:Array(String)}})
      OR has({{only:Array(String)}}, job_id)) AS inside FROM runs),
  families AS (SELECT DISTINCT cluster, user FROM mine WHERE inside),
  told AS (
    SELECT job, {", ".join(f"{m.sql} AS {name}" for name, m in MEASURES.items())}
    FROM (SELECT job, state, gpu_ms / 1000 AS gpu_seconds, energy_mj / 1000 AS energy_joules
      FROM accounts_1h WHERE hour < {_UNTIL}
        AND hour >= {_SINCE} - toIntervalSecond(toUInt64({{days:Float64}} * 86400))
        AND job IN (SELECT job_id FROM mine WHERE (cluster, user) IN families))
    GROUP BY job HAVING sum(gpu_seconds) > 0)
SELECT m.job_id AS job, m.cluster AS cluster, m.user AS user, m.name AS name, m.gpus AS gpus,
  m.started AS started, m.ended AS ended, m.is_over AS is_over, m.inside AS inside, t.* EXCEPT (job)
FROM mine AS m INNER JOIN told AS t ON t.job = m.job_id ORDER BY m.started, job
"""
