"""Plans carried out and measured by the definitions alone, without a line of the planner's code.

`carry_out` refuses what no cluster could do. The measures follow the reference's formulas: `plain`
in loops, `fragments` class by class over arrays for large fleets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from analytics.repacking.instance import Instance, Node, Pod, Target

UNTOLD = 1 << 40


class Impossible(AssertionError):
    """What the plan says cannot be done, or not as it says."""


@dataclass
class Room:
    """What is left of a node; `free` thousandths of each GPU, 0 of those that are lost."""

    node: Node
    free: list[int]
    cpu: int
    memory: int

    def holds(self, pod: Pod, gpus: Sequence[int]) -> None:
        """Start a task here."""
        self._change(pod, gpus, -1)
        if self.cpu < 0 or self.memory < 0 or any(self.free[g] < 0 for g in gpus):
            raise Impossible(f"{pod.name} does not fit on {self.node.name} {tuple(gpus)}: {self}")

    def ends(self, pod: Pod, gpus: Sequence[int]) -> None:
        """End it."""
        self._change(pod, gpus, 1)

    def _change(self, pod: Pod, gpus: Sequence[int], sign: int) -> None:
        self.cpu += sign * pod.cpu_milli
        self.memory += sign * pod.memory_mib
        for g in gpus:
            self.free[g] += sign * pod.gpu_milli


def rooms(instance: Instance) -> dict[str, Room]:
    """Every node with its tasks."""
    out = {n.name: empty(n) for n in instance.nodes}
    for pod in instance.pods:
        out[pod.node].holds(pod, pod.gpu_ids)
    return out


def empty(node: Node) -> Room:
    """A node without tasks."""
    free = [0 if g in node.lost_gpus else 1000 for g in range(node.gpus)]
    return Room(node, free, node.cpu_milli or UNTOLD, node.memory_mib or UNTOLD)


def carry_out(
    instance: Instance,
    moves: Sequence[tuple[str, str, tuple[int, ...]]],
    mode: str,
    most: int,
    gpu_seconds: float = float("inf"),
) -> Instance:
    """The fleet after the moves; Impossible where they cannot be made one by one, or in a batch."""
    pods = {p.name: p for p in instance.pods}
    yard, words = rooms(instance), known_words(instance)
    names = Counter(name for name, _, _ in moves)
    if len(moves) > most or any(n > 1 for n in names.values()) or not names.keys() <= pods.keys():
        raise Impossible(f"{len(moves)} moves of {len(names)} tasks, at most {most}")
    if sum(pods[name].cost_gpu_seconds for name in names) > gpu_seconds * (1 + 1e-9):
        raise Impossible("more work is lost than may be")
    if mode == "batch":
        for name in names:
            yard[pods[name].node].ends(pods[name], pods[name].gpu_ids)
    for name, to, gpus in moves:
        pod = pods[name]
        for why in against(pod, yard, to, gpus, words):
            raise Impossible(f"{name} to {to} {gpus}: {why}")
        yard[to].holds(pod, gpus)
        if mode != "batch":
            yard[pod.node].ends(pod, pod.gpu_ids)
        pods[name] = msgspec.structs.replace(pod, node=to, gpu_ids=gpus)
    return msgspec.structs.replace(instance, pods=tuple(pods.values()))


def against(
    pod: Pod, yard: dict[str, Room], to: str, gpus: Sequence[int], words: dict[str, set[str]]
) -> Iterator[str]:
    """What forbids a move, whatever room there is."""
    if to not in yard:
        yield "no such node"
        return
    node, source = yard[to].node, yard[pod.node].node
    if not pod.movable or node.closed:
        yield "it may not move, or nothing may come"
    if len(set(gpus)) != pod.num_gpu or len(gpus) != pod.num_gpu:
        yield "not as many GPUs as it needs"
    if any(not 0 <= g < node.gpus or g in node.lost_gpus for g in gpus):
        yield "GPUs that are not there"
    if not accepts(pod, node, words):
        yield "a node that it does not accept"
    if pod.gang and node.island != source.island:
        yield "out of the island of its gang"


def known_words(instance: Instance) -> dict[str, set[str]]:
    """Labels that some node of a cluster has."""
    out: dict[str, set[str]] = {}
    for node in instance.nodes:
        out.setdefault(node.cluster, set()).update(node.labels)
    return out


def accepts(pod: Pod, node: Node, words: dict[str, set[str]]) -> bool:
    """Whether a task may run on a node at all."""
    pools = not pod.pools or not node.pools or bool({*pod.pools} & {*node.pools})
    named = (not pod.on or node.name in pod.on) and node.name not in pod.off
    cluster = not pod.cluster or not node.cluster or pod.cluster == node.cluster
    labels = {*pod.words} & words[node.cluster] <= {*node.labels}
    return all((pools, named, cluster, labels, not node.tainted, is_model(pod, node)))


def is_model(task: Pod | Target, node: Node) -> bool:
    """Whether the node's model is one that the task names, or it names none."""
    return not task.gpu_spec or node.model in task.gpu_spec.split("|")


def plain(instance: Instance) -> float:
    """F in GPUs: each node's free GPUs of which an expected task could use nothing."""
    return sum(of_room(room, instance.target) for room in rooms(instance).values())


def of_room(room: Room, target: Sequence[Target]) -> float:
    """The same of one node."""
    total = sum(t.p for t in target)
    if not total:
        return sum(room.free) / 1000
    return sum(t.p / total * not_for(room, t) for t in target) / 1000


def not_for(room: Room, t: Target) -> int:
    """Thousandths of free GPUs that are nothing for one class of tasks."""
    good = [r for r in room.free if r >= t.gpu_milli]
    runs = is_model(t, room.node) and not room.node.tainted
    if not t.num_gpu or not runs or room.cpu < t.cpu_milli or len(good) < t.num_gpu:
        return sum(room.free)
    return sum(room.free) - sum(good)


def fragments(instance: Instance) -> float:
    """F as `plain` has it, over arrays."""
    yard = list(rooms(instance).values())
    most = max((len(r.free) for r in yard), default=0)
    free = np.array([r.free + [0] * (most - len(r.free)) for r in yard], float)
    cpu = np.array([r.cpu for r in yard])
    runs = {
        spec: np.array([is_model(t, r.node) and not r.node.tainted for r in yard])
        for t in instance.target
        for spec in (t.gpu_spec,)
    }
    room = free.sum(axis=1)
    total = sum(t.p for t in instance.target)
    if not total:
        return float(room.sum() / 1000)
    out = 0.0
    for t in instance.target:
        good = free >= max(t.gpu_milli, 1)
        host = runs[t.gpu_spec] & (cpu >= t.cpu_milli) & (good.sum(axis=1) >= t.num_gpu)
        used = (free * good).sum(axis=1) * host if t.num_gpu else 0.0 * room
        out += t.p / total * (room - used).sum()
    return float(out / 1000)


def room_for(instance: Instance, size: int) -> int:
    """How many more tasks of so many whole GPUs fit."""
    return sum(r.free.count(1000) // size for r in rooms(instance).values())


def emptied(instance: Instance) -> int:
    """Nodes without tasks."""
    return len(instance.nodes) - len({p.node for p in instance.pods})
