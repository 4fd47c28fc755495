"""What a plan makes small: a value of each node's state, which add up over the fleet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.measure import Measure
from analytics.repacking.state import UNKNOWN, Floats, Ints, State, empty
from gpuledger.errors import ConfigError

# Rows of nodes, and of each a state: free processors and free thousandths of each GPU.
Value = Callable[[Ints, Ints, Ints], Floats]
# Among plans that free as many slots or nodes the least fragmented one is taken; what all free GPUs
# weigh together for that stays below one slot.
TIE = 0.25


@dataclass(frozen=True)
class Objective:
    """`fragmentation` in GPUs, `slots` of a size, or nodes without any task (`drain`)."""

    name: str
    size: int = 0
    slack: float = TIE  # what the value says beside slots or nodes

    def per_gpu(self, state: State) -> float:
        """By how much the value falls at most when one free GPU is taken."""
        return 1.0 if self.name == "fragmentation" else TIE * WHOLE / max(state.free.sum(), WHOLE)

    def bonus(self, full: Ints) -> Floats:
        """What so many full GPUs on a node are worth beside what they are to the target."""
        return np.asarray(full // self.size if self.name == "slots" else full * 0, np.float64)

    def best(self, gpus: Ints) -> Floats:
        """Below which the value of a node with so many GPUs never is."""
        if self.name == "drain":
            return np.full(len(gpus), -1.0)
        return -self.bonus(gpus)

    def value(self, state: State, measure: Measure) -> Value:
        """The value of states of nodes; smaller is better."""
        tie = self.per_gpu(state)

        def fragments(row: Ints, cpu: Ints, free: Ints) -> Floats:
            return measure.of_nodes(state.kind[row], cpu, free)

        def slots(row: Ints, cpu: Ints, free: Ints) -> Floats:
            found = (free == WHOLE).sum(axis=1) // self.size
            return np.asarray(tie * fragments(row, cpu, free) - found)

        def drain(row: Ints, cpu: Ints, free: Ints) -> Floats:
            emptied = (free.sum(axis=1) == room[row]) & (cpu >= cpu_room[row])
            return np.asarray(tie * fragments(row, cpu, free) - emptied)

        if self.name != "drain":
            return {"fragmentation": fragments, "slots": slots}[self.name]
        room = empty(state.instance.nodes).sum(axis=1)
        cpu_room = np.array([n.cpu_milli or UNKNOWN for n in state.instance.nodes], np.int64)
        return drain


def objective_of(text: str) -> Objective:
    """`fragmentation`, `slots:8` or `drain`; ConfigError for anything else."""
    found = re.fullmatch(r"slots:([1-9]\d?)", text)
    if found:
        return Objective("slots", int(found[1]))
    if text not in {"fragmentation", "drain"}:
        raise ConfigError(f"objective {text}: it is fragmentation, slots:N or drain")
    return Objective(text)
