"""The most that a node of whole GPUs could gain, no more arriving than there is elsewhere.

Prices alone let each node take as many tasks of a class as it has room for. A plan has but those
that run on other nodes: of one that ends as well with the fewest moves, no task comes to a node
that another of its class leaves, since that one could as well stay, nor does one move within it.
For the same reason those that leave a node and those that come are together no more than there
are moves. One table per node is dear, and made where nodes are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.repacking.bins import Group
from analytics.repacking.state import UNKNOWN, Floats, Ints
from analytics.repacking.whole import WholeRoom

# Steps in which processors and memory of a node are counted; what arrives is rounded down to them.
CPU_STEPS, MEMORY_STEPS = 96, 48


@dataclass(frozen=True)
class Limited:
    """Room on nodes of a kind, and how many tasks of each class may move in all."""

    whole: WholeRoom
    supply: Ints

    def gain(
        self,
        free_gpus: int,
        cpu: int,
        memory: int,
        groups: list[Group],
        *,
        from_elsewhere: bool = True,
    ) -> float | None:
        """What a node could be worth; None where there is too much to try.

        Quicker, and at times too much, where a node's own tasks count among those that may come.
        """
        found = self.whole.departures(groups)
        if found is None:
            return None
        paid, freed = found
        given = self._from_elsewhere(groups) if from_elsewhere else self._given_to_all
        left = _Left(
            free_gpus + freed[0],
            np.minimum((cpu + freed[1]) // self._cpu_step, given.shape[2] - 1),
            np.minimum((memory + freed[2]) // self._memory_step, given.shape[3] - 1),
            self.whole.room.moves - freed[3],
        )
        return float((paid + self._worth(given, left)).max())

    @cached_property
    def _given_to_all(self) -> Floats:
        return self._given(self.supply)

    def _from_elsewhere(self, groups: list[Group]) -> Floats:
        own = np.zeros(len(self.supply), np.int64)
        for group in groups:
            own[group.task_class] += len(group.tasks)
        return self._given(self.supply - own)

    @property
    def _cpu_step(self) -> int:
        return max(1, self.whole.room.cpu // CPU_STEPS)

    @property
    def _memory_step(self) -> int:
        """Where nobody told the memory, of which all is one step."""
        return max(1, self.whole.room.memory // MEMORY_STEPS) if self.whole.room.memory else UNKNOWN

    def _given(self, supply: Ints) -> Floats:
        """What at most so many arrivals pay: [arrivals, their GPUs, processors, memory]."""
        room = self.whole.room
        classes, gpus, most = room.space.classes, room.gpus, min(room.moves, room.gpus)
        steps = room.cpu // self._cpu_step + 1, room.memory // self._memory_step + 1
        out = np.full((most + 1, gpus + 1, *steps), -np.inf)
        out[0, 0] = 0.0
        paid = -room.price[0]
        for c in np.flatnonzero(np.isfinite(paid) & (classes.gpus > 0) & (supply > 0)).tolist():
            k, cpu = int(classes.gpus[c]), int(classes.cpu[c]) // self._cpu_step
            memory = int(classes.memory[c]) // self._memory_step
            for _ in range(min(int(supply[c]), most, gpus // k)):
                here = out[:-1, : gpus + 1 - k, : steps[0] - cpu, : steps[1] - memory] + paid[c]
                then = out[1:, k:, cpu:, memory:]
                np.maximum(then, here, out=then)
        return np.asarray(np.maximum.accumulate(out, axis=0))

    def _worth(self, given: Floats, left: _Left) -> Floats:
        """The most that each choice of tasks that left is worth with what then comes."""
        room = self.whole.room
        most = np.minimum(left.moves, len(given) - 1)[:, None, None]
        taken, levels = np.arange(given.shape[1]), np.arange(len(room.levels))[:, None]
        stay = left.gpus[:, None, None] - taken
        cpu = (left.cpu[:, None] - room.levels // self._cpu_step)[:, :, None]
        found = given[most, taken, np.maximum(cpu, 0), left.memory[:, None, None]]
        found = found + room.left_full[levels, np.maximum(stay, 0)]
        found = np.where((stay >= 0) & (cpu >= 0), found, -np.inf)
        return np.asarray(found.max(axis=(1, 2)) + room.without_gpu[0])


@dataclass(frozen=True)
class _Left:
    """Of each choice of tasks that leave: GPUs, steps of processors and memory, and moves."""

    gpus: Ints
    cpu: Ints
    memory: Ints
    moves: Ints
