"""A world with everything derived from it that rows need: timelines, cover, noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from collector.simulation.model import Flags, Floats, Ints, Trouble, World
from collector.simulation.timeline import POWER, Timelines, timelines
from gpuledger.batch import to_milliseconds
from gpuledger.errors import ConfigError

MINUTE_S = 60
NOISE_STREAM = 8
NOISE_BITS = 17
POWER_NOISE = 0.008


@dataclass(frozen=True)
class Window:
    """Whole minutes of the world, counted from its start, cut into rows of `interval_s`."""

    first: int
    last: int
    interval_s: int = MINUTE_S

    @property
    def parts(self) -> int:
        """Rows for each minute."""
        return MINUTE_S // self.interval_s

    @property
    def edges(self) -> Floats:
        """Borders of the rows, in seconds since the world's start."""
        return np.arange(
            self.first * MINUTE_S, self.last * MINUTE_S + 1, self.interval_s, dtype=np.float64
        )

    def chunks(self, rows_per_minute: int, rows: int) -> Iterator[Window]:
        """Consecutive windows of at most about that many rows."""
        step = max(1, rows // max(1, rows_per_minute * self.parts))
        for first in range(self.first, self.last, step):
            yield Window(first, min(first + step, self.last), self.interval_s)


class Scene:
    """Derived data of one world, made when first asked for."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def minutes(self) -> int:
        """Whole minutes of the world."""
        return self.world.span_s // MINUTE_S

    def window(self, since: datetime, until: datetime, interval_s: int = MINUTE_S) -> Window:
        """The part of [since, until) inside the world. ConfigError for anything but minutes."""
        if not 0 < interval_s <= MINUTE_S or MINUTE_S % interval_s:
            raise ConfigError(f"interval_s = {interval_s}: rows must divide a minute")
        first, last = (self.world.seconds(at) for at in (since, until))
        if first % MINUTE_S or last % MINUTE_S:
            raise ConfigError("a window of the simulation must begin and end with a minute")
        first = min(max(first // MINUTE_S, 0), self.minutes)
        return Window(first, max(first, min(last // MINUTE_S, self.minutes)), interval_s)

    def stamps(self, window: Window) -> Ints:
        """End of each row, milliseconds since 1970."""
        start_ms = to_milliseconds(self.world.start)
        return start_ms + np.rint(window.edges[1:] * 1_000).astype(np.int64)

    @cached_property
    def timelines(self) -> Timelines:
        """By node and slot."""
        return timelines(self.world)

    @cached_property
    def powered(self) -> Flags:
        """Whether a node has power: (nodes, minutes)."""
        return ~self._troubled(self.world.down)

    @cached_property
    def alive(self) -> Flags:
        """Whether a node's agent speaks: (nodes, minutes)."""
        return self.powered & ~self._troubled(self.world.silent)

    def _troubled(self, troubles: Iterable[Trouble]) -> Flags:
        out = np.zeros((self.world.nodes, self.minutes), dtype=np.bool_)
        for trouble in troubles:
            out[trouble.node, _minutes(trouble)] = True
        return out

    def lost(self, node: int, slot: int) -> Flags:
        """Whether a GPU is off the bus: (minutes)."""
        out = np.zeros(self.minutes, dtype=np.bool_)
        for trouble in self.world.lost:
            if (trouble.node, trouble.slot) == (node, slot):
                out[_minutes(trouble)] = True
        return out

    @cached_property
    def _noise(self) -> Floats:
        rng = np.random.default_rng([self.world.seed, NOISE_STREAM])
        return rng.standard_normal(1 << NOISE_BITS)

    def noise(self, key: int, first: int, count: int) -> Floats:
        """Standard normal noise of cells first to first + count; the same cell reads the same."""
        cells = np.arange(first + key * 40_503, first + key * 40_503 + count)
        return np.asarray(self._noise[cells & ((1 << NOISE_BITS) - 1)], dtype=np.float64)

    def gpu_key(self, node: int, slot: int) -> int:
        """Where a GPU's noise begins; each GPU has eight kinds of it."""
        return 8 * (node * self.world.gpus_per_node + slot)

    def minute_noise(self, node: int, slot: int, first: int, last: int) -> Floats:
        """Relative noise of the power draw in each minute; energy includes it."""
        return POWER_NOISE * self.noise(self.gpu_key(node, slot), first, last - first)

    def energy_before(self, node: int, slot: int, minute: int) -> float:
        """Joules drawn up to the start of a minute."""
        timeline = self.timelines[node][slot]
        edges = np.arange(minute + 1, dtype=np.float64) * MINUTE_S
        joules = np.diff(timeline.integral(edges, POWER))
        joules *= 1 + self.minute_noise(node, slot, 0, minute)
        drawing = self.powered[node, :minute] & ~self.lost(node, slot)[:minute]
        return timeline.card.energy_joules + float(np.sum(joules[drawing]))


def _minutes(trouble: Trouble) -> slice:
    """Troubles keep to whole minutes, but their end may lie beyond the world's."""
    until_s = int(min(trouble.until_s, 10 * 366 * 86_400))
    return slice(max(0, trouble.since_s // MINUTE_S), until_s // MINUTE_S)
