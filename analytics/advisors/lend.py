"""Lend between islands: spare GPUs of one pool to a neighbour whose jobs wait.

Only what the pool itself will not need: GPUs that were surplus there while jobs waited at the
neighbour, and no more than the forecast's upper band leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np

from analytics import commands, evidence
from analytics.advice import demand, outlook, prices
from analytics.advice.demand import DAY_H, HISTORY, Unmet
from analytics.advice.interval import Interval, of_days
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advisor import Advisor
from analytics.commands import SLURM, Command, named
from analytics.learn.methods import Values
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store

HORIZON = timedelta(days=outlook.WEEK_D)


class LendSettings(Settings):
    """Section `[lend]`."""

    min_gain_gpu_hours: Annotated[float, "smaller gains are not worth a message"] = 8.0


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per pair of pools of which one has what the other lacks."""
    assert isinstance(settings, LendSettings)
    islands = [f for f in findings if f.kind == "islands" and f.open]
    if not islands:
        return
    waited = demand.unmet(store, now)
    looks = {(o.cluster, o.pool): o for o in outlook.outlooks(store, outlook.WEEK_D, now)}
    for finding in islands:
        cluster, _, pair = finding.subject.partition("/")
        spare, _, starving = pair.partition(">")
        look = looks.get((cluster, spare))
        gpus = int(finding.gpus if look is None else min(finding.gpus, look.spare))
        if gpus < 1:
            continue
        surplus = _surplus(store, now, cluster, spare)
        gain = _used(gpus, surplus, waited, _where(cluster, starving))
        if gain.expected >= settings.min_gain_gpu_hours:
            known = {"spare": spare, "starving": starving, "cluster": cluster, "look": look}
            yield _proposal(store, finding, gpus, gain, now, **known)


def _where(cluster: str, starving: str) -> demand.Where:
    """Cluster and pool of who waits; another cluster's stands before its pool."""
    beyond, slash, pool = starving.partition("/")
    return (beyond, pool) if slash else (cluster, starving)


def _used(gpus: int, surplus: Values, waited: Unmet, where: demand.Where) -> Interval:
    """GPU-hours of a week in which both were there: spare ones here, and waiting jobs there."""
    both = np.minimum(np.minimum(surplus, gpus), waited.of(*where))
    return of_days(demand.means(both), 0.0, gpus).times(HORIZON / timedelta(hours=1))


def _surplus(store: Store, now: datetime, cluster: str, pool: str) -> Values:
    """GPUs that were surplus by the hour, [days, 24]."""
    out = np.zeros(HISTORY // timedelta(hours=1))
    since = demand.begin(now)
    for row in store.select(_SURPLUS_SQL, since=since, until=now, cluster=cluster, pool=pool):
        out[row["n"]] = row["gpus"]
    return out.reshape(-1, DAY_H)


def _proposal(
    store: Store, finding: Finding, gpus: int, gain: Interval, now: datetime, **known: Any
) -> Recommendation:
    cluster, spare, starving, look = (known[n] for n in ("cluster", "spare", "starving", "look"))
    price = prices.price(store, now, cluster, spare)
    kept = (
        f"at the upper edge of its forecast {spare} leaves {look.spare:,.0f} GPUs unused all week"
        if look
        else f"there is no forecast of {spare} yet"
    )
    things = evidence.counted(gpus, "GPU")
    command = _command(store, finding, gpus, now, **known)
    return proposal(
        "lend",
        str(finding.finding_id),
        now,
        Gain(HORIZON, gain, price.worth(gain.expected), None, price.currency),
        finding_id=finding.finding_id,
        subject=finding.subject,
        title=f"Let jobs of {starving} run on {things} of {spare} that nobody needs there",
        command=command.text,
        undo=command.undo_text,
        resources=resources([f"pool/{cluster}/{spare}"], gain.expected),
        confidence_ratio=finding.confidence_ratio,
        created=finding.since,
        because=(
            f"{finding.summary}; in the two weeks before, jobs waited at {starving} while {spare}"
            f" had GPUs to spare: {gain.words('GPU-hours')} a week; {kept}"
        ),
    )


def _command(store: Store, finding: Finding, gpus: int, now: datetime, **known: Any) -> Command:
    """Empty nodes for a partition of Slurm; else why no command does it."""
    cluster, spare, starving = (known[n] for n in ("cluster", "spare", "starving"))
    if finding.cause in _OTHER_WALLS:
        return commands.nothing(_OTHER_WALLS[finding.cause])
    (pool,) = store.select(_POOL_SQL, cluster=cluster, pool=starving) or [{"scheduler": ""}]
    if pool["scheduler"] != SLURM or not pool["nodes"]:
        return commands.nothing(
            f"{named(starving)} is no partition of Slurm of which the nodes are known: labels and"
            " taints of nodes, or the cohort of its queue, say who may start there"
        )
    nodes = pool["nodes"].split(",")
    lent, room = [], gpus
    for row in store.select(_EMPTY_SQL, cluster=cluster, pool=spare, now=now):
        if row["node"] not in nodes and row["gpus"] <= room:
            room -= row["gpus"]
            lent.append(row["node"])
    if not lent:
        return commands.nothing(
            f"no node of {named(spare)} with at most {evidence.counted(gpus, 'GPU')} stands empty"
            " now, and a partition of Slurm has whole nodes"
        )
    return commands.lend(SLURM, starving, nodes, lent)


_OTHER_WALLS = {
    "cluster": "they are in another cluster, and no command of a scheduler reaches both",
    "gpu_model": "they are of another model, and only who waits can say whether that would do",
}
_TIME = "DateTime64(3, 'UTC')"
_SURPLUS_SQL = f"""
SELECT {demand.NUMBER % "hour"} AS n, sum(gpu_ms) / 3.6e6 AS gpus
FROM accounts_1h
WHERE hour >= {{since:{_TIME}}} AND hour < {{until:{_TIME}}} AND state = 'free_surplus'
  AND cluster = {{cluster:String}} AND pool = {{pool:String}}
  AND NOT has(splitByChar(',', toString(flags)), 'powered_down')
GROUP BY n ORDER BY n"""

_POOL_SQL = """
SELECT toString(scheduler) AS scheduler, nodes FROM pools FINAL
WHERE cluster = {cluster:String} AND pool = {pool:String}"""
_EMPTY_SQL = f"""
SELECT toString(a.node) AS node, count() AS gpus
FROM (SELECT * FROM assets FINAL WHERE cluster = {{cluster:String}} AND pool = {{pool:String}}
  AND valid_to > {{now:{_TIME}}}) AS a
INNER JOIN (SELECT cluster, node, argMax(state, valid_from) AS state FROM node_states FINAL
  WHERE scheduler = 'slurm' GROUP BY cluster, node HAVING state = 'up') AS n
  ON n.cluster = a.cluster AND n.node = a.node
LEFT JOIN (SELECT gpu_id, count() AS held FROM allocations FINAL
  WHERE valid_from <= {{now:{_TIME}}} AND valid_to > {{now:{_TIME}}} GROUP BY gpu_id) AS h
  ON h.gpu_id = a.gpu_id
GROUP BY node HAVING sum(h.held) = 0 ORDER BY gpus DESC, node"""

advisor = Advisor(
    "Lend GPUs that a pool does not need to one whose jobs wait",
    LendSettings,
    advise,
    every_min=30,
)
