"""Fleets in use, built from the openb lists: some of their nodes, filled with their tasks."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.repacking.instance import Instance, Node, Pod
from analytics.repacking.measure import demand_target

Ints = npt.NDArray[np.int64]

LISTS = Path(__file__).parent.parent / "openb"
WHOLE = 1000
# Tasks in a row that fit nowhere, after which a fleet is as full as it gets.
IN_VAIN = 400


@cache
def nodes() -> tuple[Node, ...]:
    """The GPU nodes."""
    with (LISTS / "openb_node_list_gpu_node.csv").open() as lines:
        return tuple(
            Node(r["sn"], r["model"], int(r["cpu_milli"]), int(r["memory_mib"]), int(r["gpu"]))
            for r in csv.DictReader(lines)
        )


@cache
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


class Yard:
    """What is left of each node while tasks are placed."""

    def __init__(self, fleet: tuple[Node, ...]) -> None:
        gpus = np.array([n.gpus for n in fleet], np.int64)
        self.free = np.where(np.arange(gpus.max()) < gpus[:, None], WHOLE, 0)
        self.cpu = np.array([n.cpu_milli for n in fleet], np.int64)
        self.memory = np.array([n.memory_mib for n in fleet], np.int64)
        self._models = np.array([n.model for n in fleet])
        self._accepts: dict[str, npt.NDArray[np.bool_]] = {
            "": np.ones(len(fleet), bool),
        }

    def fits(self, task: Pod) -> Ints:
        """Nodes with room for a task."""
        spec = task.gpu_spec
        if spec not in self._accepts:
            self._accepts[spec] = np.isin(self._models, spec.split("|"))
        good = (self.cpu >= task.cpu_milli) & (self.memory >= task.memory_mib)
        good &= self._accepts[spec]
        good &= (self.free >= max(task.gpu_milli, 1)).sum(axis=1) >= task.num_gpu
        return np.flatnonzero(good)

    def place(self, task: Pod, i: int, gpus: list[int]) -> None:
        """Take the room."""
        self.free[i, gpus] -= task.gpu_milli
        self.cpu[i] -= task.cpu_milli
        self.memory[i] -= task.memory_mib


def fill(
    fleet: tuple[Node, ...],
    pool: tuple[Pod, ...],
    share: float,
    policy: str,
    rng: np.random.Generator,
) -> Instance:
    """A fleet with tasks drawn from the pool until that share of its GPUs is held."""
    yard = Yard(fleet)
    wanted = share * sum(n.gpus for n in fleet) * WHOLE
    placed: list[Pod] = []
    held, failures = 0, 0
    while held < wanted and failures < IN_VAIN:
        task = pool[int(rng.integers(len(pool)))]
        fits = yard.fits(task)
        if not len(fits):
            failures += 1
            continue
        i = _choose(policy, fits, yard.free, rng)
        gpus = _gpus(policy, yard.free[i], task, rng)
        yard.place(task, i, gpus)
        held += task.num_gpu * task.gpu_milli
        placed.append(_at(task, len(placed), fleet[i].name, gpus))
    return Instance(fleet, tuple(placed), demand_target(pool))


def _choose(policy: str, fits: Ints, free: Ints, rng: np.random.Generator) -> int:
    if policy == "random":
        return int(rng.choice(fits))
    left = free[fits].sum(axis=1)
    return int(fits[np.argmax(left) if policy == "spread" else np.argmin(left)])


def _gpus(policy: str, free: Ints, task: Pod, rng: np.random.Generator) -> list[int]:
    fits = np.flatnonzero(free >= max(task.gpu_milli, 1))
    if policy == "random":
        order = np.argsort(rng.random(len(fits)), kind="stable")
    else:
        left = free[fits]
        order = np.argsort(left if policy == "bestfit" else -left, kind="stable")
    return [int(g) for g in sorted(fits[order][: task.num_gpu])]


def _at(task: Pod, number: int, node: str, gpus: list[int]) -> Pod:
    return Pod(
        *(f"task-{number}", node, tuple(gpus), task.cpu_milli, task.memory_mib),
        *(task.num_gpu, task.gpu_milli, task.gpu_spec),
    )


def state(
    count: int,
    whole: bool,
    share: float,
    policy: str,
    seed: int,
    name: str = "multigpu30",
    *,
    without_gpu: bool = False,
) -> Instance:
    """So many random nodes, filled with shared tasks or with whole-GPU tasks only.

    `without_gpu` also draws the tasks of the list that ask for processors and memory alone.
    """
    rng = np.random.default_rng(seed)
    everything = nodes()
    fleet = tuple(
        everything[int(i)]
        for i in sorted(rng.choice(len(everything), min(count, len(everything)), replace=False))
    )
    pool = tasks(name if whole else "default")
    pool = tuple(
        p
        for p in pool
        if (p.num_gpu or without_gpu) and (not whole or p.gpu_milli == WHOLE or not p.num_gpu)
    )
    return fill(fleet, pool, share, policy, rng)


def copies(base: Instance, count: int, seed: int) -> Instance:
    """So many nodes drawn from a fleet, each with its tasks."""
    held: dict[str, list[Pod]] = {}
    for pod in base.pods:
        held.setdefault(pod.node, []).append(pod)
    fleet: list[Node] = []
    pods: list[Pod] = []
    for i in np.random.default_rng(seed).integers(len(base.nodes), size=count).tolist():
        node = base.nodes[i]
        name = f"node-{len(fleet)}"
        fleet.append(msgspec.structs.replace(node, name=name))
        for pod in held.get(node.name, ()):
            pods.append(msgspec.structs.replace(pod, name=f"task-{len(pods)}", node=name))
    return Instance(tuple(fleet), tuple(pods), base.target)
