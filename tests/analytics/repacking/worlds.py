"""Small fleets with everything that can bind a move, and the best plans found by trying all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from analytics.repacking.instance import Instance, Node, Pod, Target
from tests.analytics.repacking import proof

Place = tuple[str, str, tuple[int, ...]]
MODELS = ("A100", "H100")
SHARES = (150, 300, 500, 700)
# Units of a node's processors and memory per GPU.
CPU, MEMORY = 8000, 65536


def node(name: str = "n0", gpus: int = 4, model: str = "H100", **more: Any) -> Node:
    """A node with as much of the rest as its GPUs are used to have."""
    size = {"cpu_milli": CPU * max(gpus, 1), "memory_mib": MEMORY * max(gpus, 1)}
    told: dict[str, Any] = {"name": name, "model": model, "gpus": gpus, **size, **more}
    return Node(**told)


def pod(name: str, at: str, gpu_ids: tuple[int, ...], milli: int = 1000, **more: Any) -> Pod:
    """A task on these GPUs."""
    told = {"name": name, "node": at, "gpu_ids": gpu_ids, "num_gpu": len(gpu_ids)}
    size = {"cpu_milli": 1000, "memory_mib": 1024, "gpu_milli": milli if gpu_ids else 0}
    every: dict[str, Any] = {**told, **size, **more}
    return Pod(**every)


def target(
    gpus: int = 1, milli: int = 1000, cpu: int = 1000, spec: str = "", p: float = 1.0
) -> Target:
    """A kind of task that is expected."""
    return Target(cpu, gpus, milli, spec, p)


def world(seed: int, nodes: int = 4, *, tied: bool = True) -> Instance:
    """A random fleet; `tied` adds all that keeps tasks from moving or nodes from taking them."""
    rng = np.random.default_rng(seed)
    fleet = tuple(_node(rng, i, tied=tied) for i in range(nodes))
    yard = {n.name: proof.empty(n) for n in fleet}
    pods: list[Pod] = []
    for _ in range(int(rng.integers(2 * nodes, 5 * nodes))):
        found = _placed(rng, yard, len(pods), tied=tied)
        if found is not None:
            pods.append(found)
    wanted = [_request(rng) for _ in range(int(rng.integers(1, 6)))]
    expected = tuple(
        Target(cpu, gpus, milli, _spec(rng), float(rng.integers(1, 9)) / 8)
        for cpu, _, gpus, milli in wanted
    )
    if tied:
        # Of some nodes nobody told the processors or the memory: they bind nothing.
        untold = np.random.default_rng([seed, 1]).random((nodes, 2)) < 0.1
        fleet = tuple(_untold(n, *u) for n, u in zip(fleet, untold.tolist(), strict=True))
    return Instance(fleet, tuple(pods), expected)


def _untold(one: Node, cpu: bool, memory: bool) -> Node:
    told = {"cpu_milli": 0 if cpu else one.cpu_milli, "memory_mib": one.memory_mib * (not memory)}
    return msgspec.structs.replace(one, **told)


def _node(rng: np.random.Generator, i: int, *, tied: bool) -> Node:
    gpus = int(rng.choice([2, 4, 4, 8]))
    more: dict[str, Any] = {}
    if tied:
        more = {
            "island": str(rng.integers(2)),
            "closed": bool(rng.random() < 0.15),
            "pools": ("p",) if rng.random() < 0.2 else (),
            "labels": ("fast",) if rng.random() < 0.5 else (),
            "lost_gpus": (int(rng.integers(gpus)),) if rng.random() < 0.15 else (),
            "tainted": bool(rng.random() < 0.1),
        }
    short = float(rng.choice([0.5, 1.0, 1.0]))
    size = {"cpu_milli": int(CPU * gpus * short), "memory_mib": int(MEMORY * gpus * short)}
    return node(f"n{i}", gpus, str(rng.choice(MODELS)), **size, **more)


def _request(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Processors, memory, GPUs and thousandths of each."""
    gpus = int(rng.choice([0, 1, 1, 1, 1, 2, 4], p=[0.1, 0.2, 0.2, 0.15, 0.1, 0.15, 0.1]))
    milli = int(rng.choice(SHARES)) if gpus == 1 and rng.random() < 0.7 else 1000
    cpu = int(rng.choice([500, 2000, 6000])) * max(gpus, 1)
    return cpu, int(rng.choice([1024, 30000])), gpus, milli if gpus else 0


def _spec(rng: np.random.Generator) -> str:
    return str(rng.choice(["", "", "", *MODELS, "|".join(MODELS)]))


def _placed(
    rng: np.random.Generator, yard: dict[str, proof.Room], number: int, *, tied: bool
) -> Pod | None:
    cpu, memory, gpus, milli = _request(rng)
    room = yard[str(rng.choice(list(yard)))]
    good = [g for g, r in enumerate(room.free) if r >= max(milli, 1)]
    if room.cpu < cpu or room.memory < memory or len(good) < gpus:
        return None
    at = tuple(sorted(int(g) for g in rng.choice(good, gpus, replace=False))) if gpus else ()
    more: dict[str, Any] = {}
    if tied:
        more = {
            "movable": bool(rng.random() > 0.15),
            "cost_gpu_seconds": float(rng.integers(0, 4)) * 100.0,
            "gang": "g" if rng.random() < 0.1 else "",
            "pools": ("p",) if rng.random() < 0.1 else (),
            "words": ("fast",) if rng.random() < 0.1 else (),
            "off": (str(rng.choice(list(yard))),) if rng.random() < 0.1 else (),
        }
    size = {"cpu_milli": cpu, "memory_mib": memory, "gpu_milli": milli}
    found = pod(f"t{number}", room.node.name, at, **size, gpu_spec="", **more)
    room.holds(found, at)
    return found


def unshared(instance: Instance) -> Instance:
    """Without the tasks that share a GPU."""
    whole = tuple(p for p in instance.pods if p.num_gpu != 1 or p.gpu_milli == 1000)
    return msgspec.structs.replace(instance, pods=whole)


def twice(once: Instance) -> Instance:
    """A fleet and its mirror image: every node again, its GPUs in the other order."""
    last = {n.name: n.gpus - 1 for n in once.nodes}
    nodes = tuple(
        msgspec.structs.replace(
            n, name=f"m{n.name}", lost_gpus=tuple(last[n.name] - g for g in n.lost_gpus)
        )
        for n in once.nodes
    )
    pods = tuple(
        msgspec.structs.replace(
            p,
            name=f"m{p.name}",
            node=f"m{p.node}",
            gpu_ids=tuple(sorted(last[p.node] - g for g in p.gpu_ids)),
        )
        for p in once.pods
    )
    return msgspec.structs.replace(once, nodes=(*once.nodes, *nodes), pods=(*once.pods, *pods))


def single(instance: Instance, *, batch: bool = False) -> Iterator[Place]:
    """Every move that nothing forbids, those without room left out unless in a batch."""
    yard, words = proof.rooms(instance), proof.known_words(instance)
    for task in instance.pods:
        for to in yard:
            for gpus in combinations(range(yard[to].node.gpus), task.num_gpu):
                if any(proof.against(task, yard, to, gpus, words)):
                    continue
                if batch or has_room(yard[to], task, gpus):
                    yield task.name, to, gpus


def has_room(room: proof.Room, task: Pod, gpus: tuple[int, ...]) -> bool:
    """Whether it may start on these GPUs at once."""
    enough = all(room.free[g] >= task.gpu_milli for g in gpus)
    return enough and room.cpu >= task.cpu_milli and room.memory >= task.memory_mib


def best(
    instance: Instance, value: Callable[[Instance], float], most: int, *, batch: bool = False
) -> float:
    """The smallest value that at most so many moves (0 to 2) reach, by trying all of them."""
    found = value(instance)
    if not most:
        return found
    mode = "batch" if batch else "live"
    first = list(single(instance, batch=batch))
    for move in first:
        for plan in _followed(instance, move, first, most, batch=batch):
            try:
                end = proof.carry_out(instance, plan, mode, most)
            except proof.Impossible:
                continue
            found = min(found, value(end))
    return found


def _followed(
    instance: Instance, move: Place, first: list[Place], most: int, *, batch: bool
) -> Iterator[tuple[Place, ...]]:
    yield (move,)
    if most < 2:
        return
    if batch:
        later = [m for m in first if m[0] > move[0]]
    else:
        end = proof.carry_out(instance, (move,), "live", 1)
        later = [m for m in single(end) if m[0] != move[0]]
    for other in later:
        yield move, other
