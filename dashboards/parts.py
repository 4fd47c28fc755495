"""Pieces that several boards ask in the same words: states over time, findings, what waits."""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.ask import accounts, point
from dashboards.panel import Panel, table
from dashboards.words import Column, Text
from gpuledger.states import State
from gpuledger.units import CURRENCY, RATIO

# As the command line prints it, and takes it.
SHORT_ID = "left(leftPad(lower(hex(recommendation_id)), 16, '0'), 8)"
# Where a price was known; several currencies are told as they are.
CURRENCY_SQL = "arrayStringConcat(arraySort(groupUniqArrayIf(currency, currency != '')), ', ')"
FOREVER = "toDateTime64('2106-01-01', 3, 'UTC')"
# What was booked last before the end of the board's range: until when, and its minute.
BOOKED_UNTIL = "(SELECT max(booked_until) FROM v_booked_hours WHERE hour <= $__toTime)"
LAST_MINUTE = f"({BOOKED_UNTIL} - INTERVAL 1 MINUTE)"
OPEN = "open = 1"
# Episodes that touch the board's range.
TOUCHED = "since <= $__toTime AND until >= $__fromTime"
_CHOSEN = "$__conditionalAll({name} IN (${{{name}:singlequote}}), ${name})"

# An hour may be booked in part, so that the width of a bucket is what was booked of it.
BUCKETS = (
    f"SELECT {point('hour')} AS time, sum(dateDiff('second', hour, booked_until)) AS"
    " seconds\n  FROM v_booked_hours WHERE $__timeFilter(hour) GROUP BY time HAVING seconds > 0"
)


def mean_gpus(states: Iterable[State], names: tuple[str, ...]) -> str:
    """Mean GPUs over time, a column for each state; `names` are the choices that filter."""
    columns = ",\n  ".join(
        f"sumIf(c.gpu_seconds, c.state = '{s.name}') / any(b.seconds) AS {s.name}" for s in states
    )
    return (
        f"SELECT c.time AS time,\n  {columns}\nFROM ({_seconds('state', names)}) AS c\n"
        f"INNER JOIN ({BUCKETS}) AS b ON b.time = c.time\nGROUP BY time ORDER BY time"
    )


def mean_gpus_by(by: str, label: str, names: tuple[str, ...], where: str) -> str:
    """Mean GPUs over time, a series for each value of `by`, which is called `label`.

    Every series has every point: 0 where nothing was in it, so that they can be stacked.
    """
    cells = (
        f"SELECT time, replaceAll(toString({by}), '_', ' ') AS said, gpu_seconds"
        f" FROM ({_seconds(by, names, where)})"
    )
    return (
        f"SELECT b.time AS time, k.said AS {label}, sum(c.gpu_seconds) / any(b.seconds) AS gpus\n"
        f"FROM ({BUCKETS}) AS b\nCROSS JOIN (SELECT DISTINCT said FROM ({cells})) AS k\n"
        f"LEFT JOIN ({cells}) AS c ON c.time = b.time AND c.said = k.said\n"
        f"GROUP BY time, {label} ORDER BY time, {label}"
    )


def _seconds(by: str, names: tuple[str, ...], where: str = "true") -> str:
    return (
        f"SELECT {point('at')} AS time, {by}, sum(gpu_seconds) AS gpu_seconds\n"
        f"{accounts(names)} AND {where} GROUP BY time, {by}"
    )


def findings(*kinds: str, where: str = TOUCHED, names: tuple[str, ...] = ()) -> str:
    """FROM and WHERE over findings of some kinds; `subject` begins with the cluster."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    chosen_too = "".join(f" AND {_CHOSEN.format(name=name)}" for name in names)
    inner = "SELECT *, splitByChar('/', subject)[1] AS cluster FROM v_findings"
    return f"FROM ({inner})\nWHERE kind IN ({listed}) AND {where}{chosen_too}"


# A subject is a job, or begins with the cluster and, where it is about a pool, with that.
_OF_POOLS = (
    "$__conditionalAll((splitByChar('/', subject)[2] IN (${pool:singlequote}) OR finding_id IN"
    " (SELECT finding_id FROM v_findings WHERE pool IN (${pool:singlequote}))), $pool)"
)
_OF_CLUSTERS = (
    "$__conditionalAll(splitByChar('/', subject)[1] IN (${cluster:singlequote}), $cluster)"
)
_OF_JOBS = "$__conditionalAll(subject IN (${job:singlequote}), $job)"


def proposals(
    text: Text, *kinds: str, more: tuple[str, ...] = (), most: int = 20, height: int = 8
) -> Panel:
    """Open recommendations of some kinds, or of all, the largest gain first, with its interval.

    `more` are the choices that filter beside cluster, pool and team: user or job.
    """
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    of_kinds = f" AND kind IN ({listed})" if kinds else ""
    conditions = (_OF_JOBS if n == "job" else _CHOSEN.format(name=n) for n in ("team", *more))
    chosen_too = "".join(f" AND {condition}" for condition in conditions)
    return table(
        text,
        f"SELECT {SHORT_ID} AS id, title, kind, team, gain_gpu_hours, gain_low_gpu_hours,"
        " gain_high_gpu_hours, gain_capacity_value, currency, confidence_ratio, command\n"
        "FROM v_recommendations\n"
        f"WHERE status = 'proposed'{of_kinds} AND {_OF_CLUSTERS} AND {_OF_POOLS}{chosen_too}\n"
        f"ORDER BY gain_gpu_hours DESC, recommendation_id LIMIT {most}",
        Column("gain_gpu_hours", "GPU-hours"),
        Column("gain_low_gpu_hours", "low"),
        Column("gain_high_gpu_hours", "high"),
        Column("gain_capacity_value", "worth", CURRENCY),
        Column("confidence_ratio", "confidence", RATIO),
        width=24,
        height=height,
    )


def on_chosen_pools(job: str) -> str:
    """Condition that a job had GPUs of the chosen pools within the board's range.

    Schedulers speak of partitions, the asset list of pools of hardware: only the book knows both.
    """
    had = (
        "SELECT job FROM v_book_1h WHERE pool IN (${pool:singlequote})"
        " AND hour >= toStartOfHour($__fromTime) AND hour <= $__toTime AND job != ''"
    )
    return f"$__conditionalAll({job} IN ({had}), $pool)"


def for_chosen_pools(partition: str) -> str:
    """Condition that jobs of this partition ran on the chosen pools within the board's range."""
    had = (
        "SELECT pool FROM v_jobs WHERE job_id IN (SELECT job FROM v_book_1h"
        " WHERE pool IN (${pool:singlequote}) AND hour >= toStartOfHour($__fromTime)"
        " AND hour <= $__toTime AND job != '')"
    )
    return f"$__conditionalAll({partition} IN ({had}), $pool)"
