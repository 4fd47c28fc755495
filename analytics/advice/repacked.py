"""A plan for the fleet as it is, and whether its moves beat waiting and another policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.advice import aim, demand, honest, offer, replayed, waiting
from analytics.advice.interval import Expected, Interval
from analytics.advice.offer import Case, Offer
from analytics.repacking.instance import Instance
from analytics.repacking.plan import ANY, Plan, plan
from analytics.replay import Trace
from gpuledger.service import Reader


@dataclass(frozen=True)
class Ask:
    """What is wanted of a plan, and how far it looks."""

    objective: str
    max_moves: int = honest.MOST_MOVES
    time_limit_s: float = 5.0
    seed: int = 0
    any_task: bool = False
    horizon: timedelta = timedelta(hours=24)
    most_jobs: int = 20_000
    mode: str = ANY
    budget_gpu_hours: float | None = None  # of work that the moves may lose

    @property
    def budget_gpu_seconds(self) -> float | None:
        """The same in seconds."""
        return None if self.budget_gpu_hours is None else 3600 * self.budget_gpu_hours


@dataclass(frozen=True)
class Weighed:
    """The plan, the instance that it is for, GPUs that it gives, and the verdict.

    `trace` is what the replay played; None = nothing was replayed.
    """

    instance: Instance
    plan: Plan
    gpus: float
    offer: Offer
    trace: Trace | None


def weighed(reader: Reader, found: Instance, ask: Ask, at: datetime, cluster: str = "") -> Weighed:
    """Plan with tasks that move cheaply, and weigh it; `cluster` limits whose demand counts."""
    instance = honest.cheap(found, any_task=ask.any_task)
    made = plan(
        instance,
        ask.objective,
        max_moves=ask.max_moves,
        time_limit_s=ask.time_limit_s,
        seed=ask.seed,
        mode=ask.mode,
        budget_gpu_seconds=ask.budget_gpu_seconds,
    )
    before = aim.reached(instance, ask.objective)
    after = aim.reached(aim.moved(instance, made.moves), ask.objective)
    if after - before <= aim.TOLERANCE:
        why = f"the moves {_nothing(ask.objective)}" if made.moves else "no move helps"
        return Weighed(instance, made, 0.0, offer.keep(why), None)
    told = replayed.trace(reader, instance.nodes, at, ask.most_jobs)
    drain = ask.objective == aim.DRAIN
    case = Case(
        after - before,
        at,
        ask.horizon,
        honest.lost_gpu_hours(instance, (m.pod for m in made.moves)),
        waiting.by_itself(instance, ask.objective, after, at),
        None if drain else replayed.policy(told),
        not_replayed="it empties no nodes" if drain else replayed.WHY_NOT,
        use="would be free" if drain else Case.use,
    )
    return Weighed(instance, made, case.gpus, _weigh(reader, case, ask, instance, cluster), told)


def _nothing(objective: str) -> str:
    """What moves do that change nothing of what a plan is for."""
    if objective == aim.FRAGMENTATION:
        return "give no more GPUs that the expected tasks can use"
    size = objective.removeprefix(aim.SLOTS)
    wanted = "empty no node" if objective == aim.DRAIN else f"make no room for more of {size} GPUs"
    return f"{wanted}: all that they change is fragments"


def _weigh(reader: Reader, case: Case, ask: Ask, instance: Instance, cluster: str) -> Offer:
    """Who wants nodes emptied has a use for them; else what waits tells what would be used.

    How long emptied nodes stay empty nobody has seen: their gain has no interval.
    """
    if ask.objective == aim.DRAIN:
        return offer.weigh(case, Expected(case.gpus * case.hours))
    unmet, wanted = demand.unmet(reader, case.at), honest.gpus(instance.waiting)

    def used(gpus: float) -> Interval:
        return unmet.used(max(0.0, gpus), case.hours, cluster, wanted)

    other = used(case.policy.gpus).expected if case.policy else 0.0
    return offer.weigh(replace(case, by_policy_gpu_hours=other), used(case.gpus))
