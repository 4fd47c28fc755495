"""Small clusters and tasks to replay."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from analytics.placing.shapes import WHOLE, Shape, Wish
from analytics.repacking.instance import Node
from analytics.replay import Task, Trace, openb
from analytics.replay.task import trace_of

OPENB = Path(__file__).parents[3] / "benchmarks" / "openb"


@cache
def published() -> tuple[tuple[Node, ...], tuple[Task, ...]]:
    """The openb lists."""
    nodes = openb.nodes(OPENB / "openb_node_list_gpu_node.csv")
    return nodes, openb.tasks(OPENB / "openb_pod_list_default.csv.gz")


def node(name: str = "n0", gpus: int = 8, model: str = "H100", **more: object) -> Node:
    told = {"cpu_milli": 64_000, "memory_mib": 1 << 20, **more}
    return Node(name=name, model=model, gpus=gpus, **told)  # type: ignore[arg-type] # any of its keys


def task(
    name: str,
    gpus: int = 1,
    *,
    at: float = 0,
    runs: float = 100,
    share: int = WHOLE,
    cpu: int = 0,
    hosts: int = 1,
    model: str = "",
    priority: int = 0,
    team: str = "",
    gang: str = "",
) -> Task:
    wish = Wish(models=frozenset({model} if model else ()))
    shape = Shape(gpus=gpus, nodes=hosts, cpu_milli=cpu, share_milli=share, wish=wish)
    return Task(name, shape, at, runs, priority=priority, team=team, gang=gang)


def trace(nodes: list[Node], *tasks: Task) -> Trace:
    return trace_of(nodes, tasks)
