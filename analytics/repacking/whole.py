"""What a node without shared GPUs could gain at given prices, at most: by its GPUs and processors.

With whole GPUs only, a node is worth what its full GPUs are at the processors that are left, so
that one table by free GPUs and free processors tells what room is worth, whoever leaves it. Memory
is priced, at several prices, and processors of arrivals are rounded down: the answer is never too
small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Group
from analytics.repacking.room import Room
from analytics.repacking.state import Floats, Ints

BUCKETS = 400
# Prices of memory, as shares of a GPU over what a node has of it per GPU.
MEMORY_PRICES = (0.0, 0.1, 0.25, 0.5, 1.0)
MOST_CHOICES = 4096


@dataclass(frozen=True)
class WholeRoom:
    """Room on nodes of a kind, in steps of so many milli-CPUs, at one price of memory."""

    room: Room
    memory_price: float = 0.0  # per MiB

    @cached_property
    def others(self) -> list[WholeRoom]:
        """The same at every price of memory."""
        room = self.room
        each = room.weight * max(room.gpus, 1) / room.memory if room.memory else 0.0
        return [WholeRoom(room, p * each) for p in (MEMORY_PRICES if each else (0.0,))]

    @cached_property
    def step(self) -> int:
        """Milli-CPUs of a bucket."""
        return max(1, self.room.cpu // BUCKETS)

    @cached_property
    def given(self) -> Floats:
        """What arrivals pay for so many GPUs and buckets of processors: [GPUs + 1, buckets]."""
        room = self.room
        last = np.full((room.gpus + 1, room.cpu // self.step + 1), -np.inf)
        last[0] = 0.0
        best = last
        for _ in range(min(room.moves, room.gpus)):
            last = self._one_more(last)
            best = np.maximum(best, last)
        return best

    def _one_more(self, before: Floats) -> Floats:
        """The same with one more arrival."""
        classes = self.room.space.classes
        paid = -self.room.price[0] - self.memory_price * classes.memory
        out = np.full(before.shape, -np.inf)
        for c in np.flatnonzero(np.isfinite(paid) & (classes.gpus > 0)).tolist():
            k, b = int(classes.gpus[c]), int(classes.cpu[c]) // self.step
            if k < len(before) and b < before.shape[1]:
                more = before[: len(before) - k, : before.shape[1] - b] + paid[c]
                out[k:, b:] = np.maximum(out[k:, b:], more)
        return out

    @cached_property
    def worth(self) -> Floats:
        """What so many free GPUs and buckets of processors are worth: [GPUs + 1, buckets]."""
        room, buckets = self.room, self.given.shape[1]
        first = room.levels // self.step
        out = np.full((room.gpus + 1, buckets), -np.inf)
        for level, bucket in enumerate(first.tolist()):
            if bucket < buckets:
                reached = self._at(level)
                out[:, bucket:] = np.maximum(out[:, bucket:], reached[:, : buckets - bucket])
        return np.asarray(out + room.without_gpu[0])

    def _at(self, level: int) -> Floats:
        """The same when that level of processors must be left, which are not counted here."""
        out = np.full(self.given.shape, -np.inf)
        for free in range(self.room.gpus + 1):
            for taken in range(free + 1):
                out[free] = np.maximum(
                    out[free], self.given[taken] + self.room.left_full[level, free - taken]
                )
        return out

    def gain(self, free: Ints, cpu: int, memory: int, groups: list[Group]) -> float | None:
        """What a node could be worth; None where there is too much to try."""
        found = self.departures(groups)
        if found is None:
            return None
        paid, freed = found
        gpus = int((free == WHOLE).sum()) + freed[0]
        bucket = np.minimum((cpu + freed[1]) // self.step, self.given.shape[1] - 1)
        return min(
            float((paid + o.memory_price * (memory + freed[2]) + o.worth[gpus, bucket]).max())
            for o in self.others
        )

    def departures(self, groups: list[Group]) -> tuple[Floats, Ints] | None:
        """What each choice of leaving tasks pays, and its GPUs, milli-CPUs and MiB."""
        classes = self.room.space.classes
        paid: Floats = np.zeros(1)
        freed: Ints = np.zeros((1, 4), np.int64)
        for group in groups:
            c = group.task_class
            each = [0.0, *(float(self.room.left(group, i)[0]) for i in range(len(group.tasks)))]
            one = np.array([classes.gpus[c], classes.cpu[c], classes.memory[c], 1])
            some = np.arange(len(each))[:, None] * one
            paid = np.add.outer(paid, np.cumsum(each)).ravel()
            freed = np.concatenate([freed + more for more in some], axis=1).reshape(-1, 4)
            if len(paid) > MOST_CHOICES:
                return None
        few = freed[:, 3] <= self.room.moves
        return paid[few], freed[few].T
