"""What room on a node is worth at given prices: GPU by GPU, whatever arrives or stays free.

Prices are those of moving and receiving tasks, which the linear program over patterns found.
Processors are priced too, at several prices: what a node gains is at most the least over these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Group
from analytics.repacking.master import Prices
from analytics.repacking.measure import Measure
from analytics.repacking.objective import Objective
from analytics.repacking.patterns import Space
from analytics.repacking.state import UNKNOWN, Floats, Ints

# So little that nobody chooses it, and that sums with it stay exact.
NEVER = -1e5
# Prices of processors, as shares of a GPU over what a node has of them per GPU.
CPU_PRICES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
Leaving = tuple[Group, int]  # the task of that number in its group


@dataclass(frozen=True)
class Room:
    """Room on nodes of a kind. Arrays are [prices of processors, levels of processors, ...]."""

    space: Space
    measure: Measure
    objective: Objective
    prices: Prices
    kind: int
    gpus: int
    cpu: int
    memory: int
    moves: int

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Prices of processors, and levels."""
        return len(self.cpu_prices), len(self.levels)

    @cached_property
    def weight(self) -> float:
        """Of a fragment in the objective."""
        return self.space.per_gpu

    @cached_property
    def cpu_prices(self) -> Floats:
        """Per milli-CPU."""
        per_gpu = (self.cpu or WHOLE) / max(self.gpus, 1)
        return np.array(CPU_PRICES) / per_gpu * self.weight

    @cached_property
    def levels(self) -> Ints:
        """The fewest processors of each level."""
        return np.concatenate([[0], self.measure.levels[self.kind]])

    @cached_property
    def price(self) -> Floats:
        """Of an arrival of each class: [prices of processors, classes]; infinite where refused."""
        classes = self.space.classes
        out = self.prices.of_class + self.cpu_prices[:, None] * classes.cpu
        here = np.isin(np.arange(len(classes)), self.space.group_class)
        here &= classes.accepted[:, self.kind]
        here &= (classes.cpu <= (self.cpu or UNKNOWN)) & (
            classes.memory <= (self.memory or UNKNOWN)
        )
        return np.where(here, out, np.inf)

    @cached_property
    def step(self) -> int:
        """Thousandths of which all sizes are multiples."""
        return int(np.gcd.reduce(np.append(self.space.classes.milli, [WHOLE])))

    @cached_property
    def filled(self) -> Floats:
        """The most that a GPU with r / step free is worth, when a full one does not stay so."""
        classes, step = self.space.classes, self.step
        parts = self.measure.parts[self.kind][:, ::step] * self.weight
        left = parts - np.arange(0, WHOLE + 1, step) / WHOLE * self.weight
        sizes = np.unique(classes.milli[(classes.gpus == 1)])
        cheapest = np.array(
            [self.price[:, (classes.gpus == 1) & (classes.milli == s)].min(axis=1) for s in sizes]
        ).reshape(len(sizes), len(self.cpu_prices))
        out = np.broadcast_to(left, (len(self.cpu_prices), *left.shape)).copy()
        out[:, :, -1] = NEVER
        for r in range(1, out.shape[2]):
            fits = sizes // step <= r
            if fits.any():
                rest = out[:, :, r - sizes[fits] // step] - cheapest[fits].T[:, None, :]
                out[:, :, r] = np.maximum(out[:, :, r], rest.max(axis=2))
        return out

    @cached_property
    def left_full(self) -> Floats:
        """What so many GPUs that stay full are worth: [levels, GPUs + 1]."""
        blocks = self.measure.blocks[self.kind][:, : self.gpus + 1] * self.weight
        count = np.arange(self.gpus + 1)
        each = (self.measure.parts[self.kind][:, -1] - 1.0) * self.weight
        return np.asarray(blocks + self.objective.bonus(count) + each[:, None] * count)

    @cached_property
    def opened(self) -> Floats:
        """What so many GPUs without tasks are worth, left full or given to tasks of several.

        [prices of processors, levels, GPUs + 1]
        """
        several = self._several()
        out = np.full((*self.shape, self.gpus + 1), NEVER)
        for n in range(self.gpus + 1):
            given = self.left_full[None, :, n::-1] - several[:, None, : n + 1]
            out[:, :, n] = given.max(axis=2)
        return out

    def _several(self) -> Floats:
        """The lowest price of tasks of several GPUs that take so many: [prices, GPUs + 1]."""
        gpus = self.space.classes.gpus
        out = np.full((len(self.cpu_prices), self.gpus + 1), np.inf)
        out[:, 0] = 0.0
        sizes = [k for k in np.unique(gpus).tolist() if 1 < k <= self.gpus]
        price = {k: self.price[:, gpus == k].min(axis=1) for k in sizes}
        for n in range(1, self.gpus + 1):
            for k in sizes:
                if k <= n:
                    out[:, n] = np.minimum(out[:, n], out[:, n - k] + price[k])
        return out

    @cached_property
    def without_gpu(self) -> Floats:
        """The most that arrivals without GPU bring: [prices of processors]."""
        classes = self.space.classes
        supply = np.bincount(self.space.classes.of, minlength=len(classes))
        gain = np.where((classes.gpus == 0) & np.isfinite(self.price), -self.price, 0.0)
        return np.asarray((np.maximum(gain, 0.0) * supply).sum(axis=1))

    def left(self, group: Group, i: int) -> Floats:
        """What a task pays for leaving: [prices of processors]."""
        return np.asarray(self.paid(group, i) + self.cpu_prices * self.processors(group))

    def paid(self, group: Group, i: int) -> float:
        """The same beside its processors."""
        prices = self.prices
        moved = float(prices.of_class[group.task_class]) + prices.of_move
        return moved + prices.of_cost * group.lost[i]

    def processors(self, group: Group) -> int:
        """Milli-CPUs that a task gives back."""
        return int(self.space.classes.cpu[group.task_class])
