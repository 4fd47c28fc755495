"""Move a few tasks so that waiting work fits: an ordered list, where it beats waiting.

Looked for only while jobs wait for capacity beside free GPUs. Tasks move that may be taken off or
have a checkpoint, ten at most; offered is what, net of lost work, beats both waiting for known ends
and another placement policy in a replay of the last two weeks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from analytics import evidence
from analytics.advice import aim, honest, prices, repacked, replayed, wording
from analytics.advice.ordered import job_of, ordered
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advice.repacked import Ask, Weighed
from analytics.advice.replayed import Wait
from analytics.advice.standing import standings
from analytics.advisor import Advisor
from analytics.placing.shapes import WHOLE
from analytics.repacking.instance import Instance
from analytics.repacking.measure import full, slots
from analytics.repacking.snapshot import snapshot
from analytics.repacking.state import state_of
from analytics.replay import Scenario
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store

EVERY_H = 24.0
MINUTE = timedelta(minutes=1)


class RepackSettings(Settings):
    """Section `[repack]`."""

    max_moves: Annotated[int, "tasks that one plan may move"] = honest.MOST_MOVES
    any_task: Annotated[bool, "whether tasks move that lose all their work"] = False
    time_limit_s: Annotated[float, "seconds that the search for a plan may take"] = 2.0
    seed: Annotated[int, "seed of the search"] = 0
    horizon_h: Annotated[float, "hours ahead over which a gain is counted at most"] = 24.0
    min_gain_gpu_hours: Annotated[float, "smaller net gains are not worth a message"] = 4.0
    most_jobs: Annotated[int, "newest jobs that a replay has at most"] = 5_000


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal at most for each cluster in which jobs wait beside free GPUs."""
    assert isinstance(settings, RepackSettings)
    clusters = [r["cluster"] for r in store.select(_WAITING_SQL, since=now - MINUTE, until=now)]
    if not clusters:
        return
    for cluster in clusters:
        instance = snapshot(store, now, cluster=cluster)
        objective = wanted(instance)
        if not objective:
            continue
        ask = _ask(settings, objective)
        found = repacked.weighed(store, instance, ask, now, cluster)
        net = found.offer.net_gpu_hours.expected
        if found.offer.offered and net >= settings.min_gain_gpu_hours:
            told = _proposal(store, found, ask, cluster, now)
            yield _with_commands(store, told, found, _cause(findings, cluster))


def wanted(instance: Instance) -> str:
    """What a plan should reach: room for the size that waits most and has none; empty = nothing."""
    if not instance.nodes:
        return ""
    state = state_of(instance)
    waits: Counter[int] = Counter()
    for task in instance.waiting:
        if task.gpu_milli == WHOLE:
            waits[task.num_gpu] += task.num_gpu
    free = int(full(state.free).sum())
    lacking = {k: n for k, n in waits.items() if 1 < k <= free and not slots(state.free, k)}
    if lacking:
        return f"{aim.SLOTS}{max(lacking, key=lambda k: (lacking[k], k))}"
    # What waits and would fit needs no move; shares wait for the right crumbs.
    shared = any(0 < task.gpu_milli < WHOLE for task in instance.waiting)
    return aim.FRAGMENTATION if shared and state.free.any() else ""


def _ask(settings: RepackSettings, objective: str) -> Ask:
    return Ask(
        objective,
        settings.max_moves,
        settings.time_limit_s,
        settings.seed,
        settings.any_task,
        timedelta(hours=settings.horizon_h),
        settings.most_jobs,
    )


def _proposal(
    store: Store, found: Weighed, ask: Ask, cluster: str, now: datetime
) -> Recommendation:
    net, moves = found.offer.net_gpu_hours, found.plan.moves
    price = prices.price(store, now, cluster)
    after = Scenario(replayed.AS_IT_IS.policy, moves=ask.max_moves, every_h=EVERY_H)
    wait: Wait | None = replayed.waits(found.trace, after)
    gain = Gain(
        timedelta(hours=found.offer.hours),
        net,
        price.worth(net.expected),
        None,
        price.currency,
        wait,
    )
    listed = "; ".join(f"{m.pod} to {m.to}" for m in moves)
    of = standings(found.instance, found.plan, ask.objective, ask.max_moves)
    reach = wording.reach(found.plan, ask.max_moves, at_bound=of.at_bound)
    return proposal(
        "repack",
        f"{cluster}/{ask.objective}/{listed}",
        now,
        gain,
        subject=cluster,
        title=f"Move {evidence.counted(len(moves), 'task')} {_so_that(found, ask)}",
        resources=resources(_made_of(found), net.expected),
        because=(
            f"{found.offer.why}; {reach + '; ' if reach else ''}in this order"
            f" ({found.plan.mode}): {listed}; {replayed.words(wait)}"
        ),
    )


def _so_that(found: Weighed, ask: Ask) -> str:
    if not ask.objective.startswith(aim.SLOTS):
        return f"so that {found.gpus:.3g} more of the free GPUs can be used"
    size = int(ask.objective.removeprefix(aim.SLOTS))
    return f"to make room for {round(found.gpus / size)} more of {size} GPUs on one node"


def _made_of(found: Weighed) -> list[str]:
    """The jobs that move, and the nodes on which more whole GPUs are free then."""
    moves = found.plan.moves
    before = full(state_of(found.instance).free)
    after = full(state_of(aim.moved(found.instance, moves)).free)
    nodes = [n.name for n, b, a in zip(found.instance.nodes, before, after, strict=True) if a > b]
    return [*(job_of(m.pod) for m in moves), *(f"node/{name}" for name in nodes)]


def _with_commands(
    store: Store, told: Recommendation, found: Weighed, cause: Finding | None
) -> Recommendation:
    command = ordered(store, found.instance, found.plan)
    told.command, told.undo = command.text, command.undo_text
    if cause:
        told.finding_id, told.created = cause.finding_id, cause.since
    return told


def _cause(findings: Sequence[Finding], cluster: str) -> Finding | None:
    """The open finding about crumbs in that cluster with most GPUs."""
    known = [
        f
        for f in findings
        if f.kind == "fragmentation" and f.open and f.subject.partition("/")[0] == cluster
    ]
    return max(known, key=lambda f: (f.gpus, f.finding_id), default=None)


_TIME = "DateTime64(3, 'UTC')"
_WAITING_SQL = f"""
SELECT DISTINCT toString(cluster) AS cluster FROM demand_1m
WHERE minute >= {{since:{_TIME}}} AND minute < {{until:{_TIME}}} AND unmet_ms > 0
ORDER BY cluster"""
advisor = Advisor(
    "Move tasks so that waiting work fits, where it beats waiting",
    RepackSettings,
    advise,
    every_min=15,
)
