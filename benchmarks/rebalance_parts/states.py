"""Fleets in use, built from the openb lists: some of their nodes, filled with their tasks."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

from analytics.repacking.instance import Instance, Node, Pod
from analytics.repacking.measure import demand_target

LISTS = Path(__file__).parent.parent / "openb"
WHOLE = 1000


def nodes() -> tuple[Node, ...]:
    """The GPU nodes."""
    with (LISTS / "openb_node_list_gpu_node.csv").open() as lines:
        return tuple(
            Node(r["sn"], r["model"], int(r["cpu_milli"]), int(r["memory_mib"]), int(r["gpu"]))
            for r in csv.DictReader(lines)
        )


def tasks(name: str = "default") -> tuple[Pod, ...]:
    """The tasks of a list, placed nowhere."""
    with gzip.open(LISTS / f"openb_pod_list_{name}.csv.gz", "rt") as lines:
        return tuple(
            Pod(
                *(r["name"], "", (), int(r["cpu_milli"]), int(r["memory_mib"])),
                *(int(r["num_gpu"]), int(r["gpu_milli"]), r.get("gpu_spec") or ""),
            )
            for r in csv.DictReader(lines)
        )


def fill(
    fleet: tuple[Node, ...],
    pool: tuple[Pod, ...],
    share: float,
    policy: str,
    rng: np.random.Generator,
) -> Instance:
    """A fleet with tasks drawn from the pool until that share of its GPUs is held."""
    free = [np.full(n.gpus, WHOLE) for n in fleet]
    cpu = np.array([n.cpu_milli for n in fleet])
    memory = np.array([n.memory_mib for n in fleet])
    wanted = share * sum(n.gpus for n in fleet) * WHOLE
    placed: list[Pod] = []
    held, failures = 0, 0
    while held < wanted and failures < 400:
        task = pool[int(rng.integers(len(pool)))]
        fits = [
            i
            for i, n in enumerate(fleet)
            if cpu[i] >= task.cpu_milli
            and memory[i] >= task.memory_mib
            and (free[i] >= max(task.gpu_milli, 1)).sum() >= task.num_gpu
            and (not task.gpu_spec or n.model in task.gpu_spec.split("|"))
        ]
        if not fits:
            failures += 1
            continue
        i = _choose(policy, fits, free, rng)
        gpus = _gpus(policy, free[i], task, rng)
        free[i][gpus] -= task.gpu_milli
        cpu[i] -= task.cpu_milli
        memory[i] -= task.memory_mib
        held += task.num_gpu * task.gpu_milli
        placed.append(_at(task, len(placed), fleet[i].name, gpus))
    return Instance(fleet, tuple(placed), demand_target(pool))


def _choose(
    policy: str, fits: list[int], free: list[np.ndarray], rng: np.random.Generator
) -> int:
    if policy == "random":
        return int(rng.choice(fits))
    left = [int(free[i].sum()) for i in fits]
    return fits[int(np.argmax(left) if policy == "spread" else np.argmin(left))]


def _gpus(policy: str, free: np.ndarray, task: Pod, rng: np.random.Generator) -> list[int]:
    fits = np.flatnonzero(free >= max(task.gpu_milli, 1))
    order = free[fits] if policy == "bestfit" else -free[fits]
    if policy == "random":
        order = rng.random(len(fits))
    return [int(g) for g in sorted(fits[np.argsort(order, kind="stable")][: task.num_gpu])]


def _at(task: Pod, number: int, node: str, gpus: list[int]) -> Pod:
    return Pod(
        *(f"task-{number}", node, tuple(gpus), task.cpu_milli, task.memory_mib),
        *(task.num_gpu, task.gpu_milli, task.gpu_spec),
    )


def state(
    count: int, whole: bool, share: float, policy: str, seed: int, name: str = "multigpu30"
) -> Instance:
    """So many random nodes, filled with shared tasks or with whole-GPU tasks only."""
    rng = np.random.default_rng(seed)
    everything = nodes()
    fleet = tuple(
        everything[int(i)]
        for i in sorted(rng.choice(len(everything), min(count, len(everything)), replace=False))
    )
    pool = tasks(name if whole else "default")
    pool = tuple(p for p in pool if p.num_gpu and (not whole or p.gpu_milli == WHOLE))
    return fill(fleet, pool, share, policy, rng)
