"""The commands of a plan for the fleet: printed, never run."""

from __future__ import annotations

from analytics import commands
from analytics.commands import Command, Move
from analytics.repacking.instance import Instance
from analytics.repacking.plan import BATCH, Plan
from gpuledger.service import Reader


def ordered(reader: Reader, instance: Instance, plan: Plan) -> Command:
    """Its moves in order, or all stops before all starts where tasks change places at once."""
    schedulers = {r["place"]: r["scheduler"] for r in reader.select(_SCHEDULERS_SQL)}
    at = {pod.name: pod.node for pod in instance.pods}
    moves = [
        Move(job_of(m.pod), schedulers.get(m.to, ""), _bare(at[m.pod]), _bare(m.to))
        for m in plan.moves
    ]
    if plan.mode == BATCH:
        return commands.together(moves)
    return commands.joined([commands.move(m) for m in moves])


def job_of(pod: str) -> str:
    """The job of a task; of one on several nodes, the name has the node behind it."""
    return pod.partition(" ")[0]


def _bare(place: str) -> str:
    """The node of `<cluster>/<node>`."""
    return place.partition("/")[2]


_SCHEDULERS_SQL = """
SELECT concat(cluster, '/', node) AS place, argMax(scheduler, valid_from) AS scheduler
FROM node_states FINAL GROUP BY place"""
