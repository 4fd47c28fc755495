"""Switch spare nodes off: those that stood empty and that the forecast's upper band never needs.

Nothing is freed by it: the gain is the energy of their GPUs (that of the rest of a node is not
known), and what a replay says of waits without them. A node is spare when all its GPUs were surplus
for hours; as many of them go as fewest usable GPUs exceed the upper edge of demand in the week.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import commands, evidence
from analytics.advice import outlook, prices, replayed
from analytics.advice.interval import Interval
from analytics.advice.outlook import Outlook
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advice.replayed import Wait
from analytics.advisor import Advisor
from analytics.replay import Trace, without_nodes
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store

HORIZON = timedelta(days=outlook.WEEK_D)
Row = Mapping[str, Any]


class PowerDownSettings(Settings):
    """Section `[power_down]`."""

    empty_h: Annotated[int, "hours for which all GPUs of a node must have been surplus"] = 24
    keep_nodes: Annotated[int, "spare nodes of each pool that stay on"] = 1
    least_kwh: Annotated[float, "smaller savings are not worth a message"] = 50.0
    most_wait_s: Annotated[float, "seconds by which the mean wait may grow in a replay"] = 60.0
    most_jobs: Annotated[int, "newest jobs that a replay has at most"] = 5_000


def advise(
    store: Store,
    settings: Settings,
    findings: Sequence[Finding],  # noqa: ARG001 - the same for every advisor
    now: datetime,
) -> Iterator[Recommendation]:
    """One proposal per pool that has more nodes than the week will need."""
    assert isinstance(settings, PowerDownSettings)
    found = outlook.finest(outlook.outlooks(store, outlook.WEEK_D, now))
    spare = [o for o in found if o.spare > 0]
    if not spare:
        return
    empty = _empty(store, settings, now)
    for look in spare:
        chosen = _chosen(look, empty, settings.keep_nodes)
        kwh = sum(r["watts"] for r in chosen) / 1000 * (HORIZON / timedelta(hours=1))
        if chosen and kwh >= settings.least_kwh:
            told = _proposal(store, settings, look, chosen, now)
            if told:
                yield told


def _empty(store: Store, settings: PowerDownSettings, now: datetime) -> list[dict[str, Any]]:
    """Nodes that nobody used for long, with what their GPUs draw, most power first."""
    since = now - timedelta(hours=settings.empty_h)
    return store.select(_EMPTY_SQL, since=since, until=now, least=0.9 * settings.empty_h * 3600)


def _chosen(look: Outlook, empty: Sequence[Row], keep: int) -> list[Row]:
    here = [r for r in empty if r["cluster"] == look.cluster and look.pool in {"", r["pool"]}]
    room, chosen = look.spare, []
    for row in here[: max(0, len(here) - keep)]:
        if row["gpus"] <= room:
            room -= row["gpus"]
            chosen.append(row)
    return chosen


def _proposal(
    store: Store,
    settings: PowerDownSettings,
    look: Outlook,
    chosen: Sequence[Row],
    now: datetime,
) -> Recommendation | None:
    wait = _wait(store, settings, chosen, now)
    if wait and wait.expected < -settings.most_wait_s:
        return None
    nodes = sorted(r["node"] for r in chosen)
    hours = HORIZON / timedelta(hours=1)
    kwh = Interval(*(sum(r[n] for r in chosen) * hours / 1000 for n in ("watts", "low", "high")))
    price = prices.price(store, now, look.cluster, look.pool)
    gain = Gain(
        HORIZON,
        cash_avoidable=price.energy(kwh.expected),
        currency=price.currency,
        wait_s=wait,
    )
    ordered = commands.joined([commands.power_down(r["node"], r["scheduler"]) for r in chosen])
    where = look.pool or look.cluster
    return proposal(
        "power_down",
        f"{look.cluster}/{look.pool}/{','.join(nodes)}",
        now,
        gain,
        subject=f"{look.cluster}/{look.pool}",
        title=f"Switch off {evidence.counted(len(nodes), 'spare node')} of {where}:"
        f" {evidence.places(nodes)}",
        command=ordered.text,
        undo=ordered.undo_text,
        resources=resources((f"node/{look.cluster}/{n}" for n in nodes), 0.0),
        confidence_ratio=look.cover_ratio,
        because=_because(look, chosen, kwh, settings, wait),
    )


def _because(
    look: Outlook,
    chosen: Sequence[Row],
    kwh: Interval,
    settings: PowerDownSettings,
    wait: Wait | None,
) -> str:
    gpus = sum(r["gpus"] for r in chosen)
    return (
        f"their {evidence.counted(gpus, 'GPU')} stood empty for {settings.empty_h} h, and at the"
        f" upper edge of the forecast {look.spare:,.0f} GPUs stay unused in the next"
        f" {outlook.WEEK_D} days; saves {kwh.words('kWh')} of the GPUs alone;"
        f" {replayed.words(wait)}"
    )


def _wait(
    store: Store, settings: PowerDownSettings, chosen: Sequence[Row], now: datetime
) -> Wait | None:
    """What it would have done to waits."""
    nodes = replayed.nodes(store, now, chosen[0]["cluster"])
    told: Trace | None = replayed.trace(store, nodes, now, settings.most_jobs)
    if told is None:
        return None
    gone = {f"{r['cluster']}/{r['node']}" for r in chosen}
    return replayed.waits(told, after_trace=without_nodes(told, gone))


_TIME = "DateTime64(3, 'UTC')"
_WITHIN = f"hour >= toStartOfHour({{since:{_TIME}}}) AND hour < {{until:{_TIME}}}"
# The hour that has just begun may be booked in part: seconds, not hours, tell how long it was seen.
_EMPTY_SQL = f"""
SELECT h.cluster AS cluster, h.node AS node, any(h.pool) AS pool, any(g.gpus) AS gpus,
  any(n.scheduler) AS scheduler, sum(h.energy) / sum(h.held) AS watts_of_one,
  watts_of_one * gpus AS watts, quantileExact(0.1)(h.energy / h.held) * gpus AS low,
  quantileExact(0.9)(h.energy / h.held) * gpus AS high
FROM (
  SELECT cluster, node, pool, hour, sum(gpu_ms) / 1000 AS held,
    sum(energy_mj) / 1000 AS energy, sumIf(gpu_ms, state = 'free_surplus'
      AND NOT has(splitByChar(',', toString(flags)), 'powered_down')
      AND cause != 'too_few') / 1000 AS surplus
  FROM accounts_1h WHERE {_WITHIN} AND node != '' GROUP BY cluster, node, pool, hour) AS h
INNER JOIN (SELECT cluster, node, count() AS gpus FROM assets FINAL
  WHERE valid_to > {{until:{_TIME}}} GROUP BY cluster, node) AS g
  ON g.cluster = h.cluster AND g.node = h.node
LEFT JOIN (SELECT cluster, node, argMax(scheduler, valid_from) AS scheduler FROM node_states FINAL
  GROUP BY cluster, node) AS n ON n.cluster = h.cluster AND n.node = h.node
GROUP BY cluster, node
HAVING sum(h.surplus) = sum(h.held) AND sum(h.held) >= {{least:Float64}} * gpus AND watts > 0
ORDER BY watts DESC, cluster, node"""

advisor = Advisor(
    "Switch off nodes that nobody will need in the next week",
    PowerDownSettings,
    advise,
    every_min=60,
)
