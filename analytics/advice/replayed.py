"""The past played again, as it was and with a change: waits, and what was stranded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.advice.interval import Interval
from analytics.advice.offer import Policy
from analytics.repacking.instance import Node
from analytics.repacking.snapshot import snapshot
from analytics.replay import Scenario, Trace, compare, history
from gpuledger.service import Reader

HISTORY, DAY = timedelta(days=14), timedelta(days=1)
# The scheduler that a site runs is not known: both sides of a comparison place by best fit.
AS_IT_IS = Scenario(policy="best-fit")
OTHER = Scenario(policy="fgd-demand")
WHY_NOT = "no jobs to replay, or too many in a day"


@dataclass(frozen=True)
class Wait(Interval):
    """Seconds by which the mean job waits less, in a replay of so many days."""

    days: float = 14.0


def nodes(reader: Reader, now: datetime, cluster: str) -> tuple[Node, ...]:
    """The nodes of a cluster, as they are now."""
    return snapshot(reader, now, cluster=cluster).nodes


def trace(reader: Reader, nodes: Sequence[Node], now: datetime, most_jobs: int) -> Trace | None:
    """What ran on these nodes in the last two weeks, or in as many days as so many jobs make.

    None where nothing did, or where a single day has more.
    """
    span = {"since": now - HISTORY, "until": now, "most": most_jobs}
    since = max((now - HISTORY, *(r["submitted"] for r in reader.select(_TOO_MANY_SQL, **span))))
    if not nodes or now - since < DAY:
        return None
    told = history(reader, nodes, since, now)
    return told if told.tasks else None


def policy(told: Trace | None) -> Policy | None:
    """What placing by expected demand would have kept from being stranded."""
    if told is None:
        return None
    found = compare(told, AS_IT_IS, OTHER)
    hours = (told.until_s - told.since_s) / 3600
    less = found.before.stranded_gpu_hours - found.after.stranded_gpu_hours
    return Policy("fragmentation (FGD)", less / hours, hours / 24) if hours else None


def waits(
    told: Trace | None, after: Scenario = AS_IT_IS, after_trace: Trace | None = None
) -> Wait | None:
    """By how much less the mean job would have waited; None where nothing was replayed."""
    if told is None:
        return None
    found = compare(told, AS_IT_IS, after, after_trace=after_trace).wait_saved_s
    days = (told.until_s - told.since_s) / DAY.total_seconds()
    return Wait(found.mean, found.low, found.high, days) if found.jobs else None


def words(wait: Wait | None, why_not: str = WHY_NOT) -> str:
    """What it does to waits, in a clause."""
    if wait is None:
        return f"queue waits were not replayed ({why_not})"
    replay = f"in a replay of the last {wait.days:.3g} days the mean wait is"
    if not (wait.expected or wait.low or wait.high):
        return f"{replay} the same"
    shorter = "shorter" if wait.expected >= 0 else "longer"
    told = wait if wait.expected >= 0 else wait.times(-1)
    return f"{replay} {told.words('s')} {shorter}"


_TIME = "DateTime64(3, 'UTC')"
_TOO_MANY_SQL = f"""
SELECT submitted FROM jobs FINAL
WHERE gpus_per_node > 0 AND submitted >= {{since:{_TIME}}} AND submitted < {{until:{_TIME}}}
ORDER BY submitted DESC LIMIT 1 OFFSET {{most:UInt64}}"""
