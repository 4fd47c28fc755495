"""What each GPU does from one moment to the next: the phases of its jobs as levels over time.

Signals are constant within a segment, so means over any grid are exact differences of integrals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collector.simulation.model import (
    ACTIVE,
    MEMORY,
    PROCESS,
    SIGNALS,
    SM,
    TENSOR,
    UTILIZATION,
    Floats,
    Ints,
    World,
)

# Columns after those of a phase.
POWER, CLOCK = SIGNALS, SIGNALS + 1
LEVELS = SIGNALS + 2

# H100 SXM5: limits and idle levels as NVML shows them; 81,559 MiB is what it calls total.
MEMORY_BYTES = 81_559 * (1 << 20)
POWER_LIMIT_WATTS = 700.0
FULL_POWER_WATTS = 695.0
CLOCK_HERTZ, IDLE_CLOCK_HERTZ, MEMORY_CLOCK_HERTZ = 1_980e6, 345e6, 2_619e6
FIRMWARE_RATIO = 0.006
GPU_STREAM = 7
NOBODY = -1


@dataclass(frozen=True)
class Card:
    """How this one GPU differs from the others."""

    bare_watts: float
    context_watts: float
    efficiency: float
    energy_joules: float
    ambient_celsius: float


@dataclass(frozen=True)
class Timeline:
    """Segments of one GPU: `starts` (n) in seconds, `levels` (n, LEVELS), `holders` (n).

    A holder is an index into the world's jobs, after them the strays, or NOBODY. `totals` is
    the integral of the levels up to each start.
    """

    card: Card
    starts: Floats
    levels: Floats
    holders: Ints
    totals: Floats

    def at(self, seconds: Floats) -> Ints:
        """The segment of each instant."""
        found = np.searchsorted(self.starts, seconds, side="right") - 1
        return np.asarray(found, dtype=np.int64)

    def means(self, edges: Floats) -> Floats:
        """Mean levels between neighbouring edges: (LEVELS, len(edges) - 1)."""
        i = self.at(edges)
        integral = self.totals[i] + self.levels[i] * (edges - self.starts[i])[:, None]
        return np.asarray(np.diff(integral, axis=0).T / np.diff(edges), dtype=np.float64)

    def integral(self, edges: Floats, column: int) -> Floats:
        """Integral of one level from the world's start to each edge."""
        i = self.at(edges)
        total = self.totals[i, column] + self.levels[i, column] * (edges - self.starts[i])
        return np.asarray(total, dtype=np.float64)

    def active_seconds(self, edges: Floats) -> Floats:
        """Whole seconds with activity between neighbouring edges, as samples at 1 Hz count."""
        return np.asarray(np.diff(np.rint(self.integral(edges, ACTIVE))), dtype=np.float64)

    def peaks(self, edges: Floats, column: int) -> Floats:
        """Largest level of a column between neighbouring edges."""
        i = self.at(edges)
        padded = np.append(self.levels[:, column], 0.0)
        pairs = np.stack([i[:-1], np.maximum(i[1:], i[:-1] + 1)], axis=1).ravel()
        return np.asarray(np.maximum.reduceat(padded, pairs)[::2], dtype=np.float64)


Timelines = list[list[Timeline]]


def timelines(world: World) -> Timelines:
    """The timeline of each GPU, by node and slot."""
    rng = np.random.default_rng([world.seed, GPU_STREAM])
    held: dict[tuple[int, int], list[int]] = {}
    for index, job in sorted(enumerate(world.jobs), key=lambda pair: pair[1].start_s):
        for place in job.places:
            held.setdefault(place, []).append(index)
    return [
        [
            _timeline(world, _card(rng), (node, slot), held.get((node, slot), []))
            for slot in range(world.gpus_per_node)
        ]
        for node in range(world.nodes)
    ]


def _card(rng: np.random.Generator) -> Card:
    return Card(
        bare_watts=float(rng.uniform(66, 78)),
        context_watts=float(rng.uniform(98, 112)),
        efficiency=float(rng.uniform(0.97, 1.03)),
        energy_joules=float(round(rng.uniform(1e9, 6e9))),
        ambient_celsius=float(rng.uniform(24, 29)),
    )


def _timeline(world: World, card: Card, place: tuple[int, int], jobs: list[int]) -> Timeline:
    """Jobs and strays in order of time, with nothing between them."""
    pieces = [_empty(-np.inf)]
    for index in jobs:
        job = world.jobs[index]
        if job.phases is not None:
            starts = job.start_s + job.phases.starts
            holders = np.full(len(starts), index, dtype=np.int64)
            pieces += [(starts, job.phases.signals, holders), _empty(job.end_s)]
    for i, stray in enumerate(world.strays):
        if (stray.node, stray.slot) == place:
            work = np.array([[0.35, 0.9, 0.1, 0.2, 1.0, 0.3, 1.0]])
            holders = np.array([len(world.jobs) + i], dtype=np.int64)
            pieces += [(np.array([float(stray.since_s)]), work, holders), _empty(stray.until_s)]
    pieces.sort(key=lambda piece: float(piece[0][0]))
    return _joined(card, pieces)


Piece = tuple[Floats, Floats, Ints]


def _empty(since_s: float) -> Piece:
    return np.array([since_s]), np.zeros((1, SIGNALS)), np.array([NOBODY], dtype=np.int64)


def _joined(card: Card, pieces: list[Piece]) -> Timeline:
    """Pieces as one; what lies before the world's start is folded into its first instant."""
    starts = np.concatenate([piece[0] for piece in pieces])
    first = int(np.searchsorted(starts, 0.0, side="right")) - 1
    starts = np.maximum(starts[first:], 0.0)
    levels = _levels(card, np.concatenate([piece[1] for piece in pieces])[first:])
    lengths = np.append(np.diff(starts), 0.0)[:-1, None]
    totals = np.concatenate([np.zeros((1, LEVELS)), np.cumsum(levels[:-1] * lengths, axis=0)])
    return Timeline(card, starts, levels, np.concatenate([p[2] for p in pieces])[first:], totals)


def _levels(card: Card, signals: Floats) -> Floats:
    """Signals with the power and clock that follow from them.

    Power: a context keeps the card from its deepest sleep; above that floor it grows with
    running kernels, resident multiprocessors and, most of all, tensor pipes.
    """
    levels = np.concatenate([signals, np.zeros((len(signals), 2))], axis=1)
    used = signals[:, PROCESS] > 0
    share = 0.2 * signals[:, ACTIVE] + 0.45 * signals[:, SM] + 0.8 * signals[:, TENSOR]
    above = np.minimum(1.0, share * card.efficiency) * (FULL_POWER_WATTS - card.context_watts)
    floor = np.where(used, card.context_watts, card.bare_watts)
    levels[:, POWER] = floor + above
    droop = 300e6 * np.clip((levels[:, POWER] - 560) / 140, 0, 1)
    levels[:, CLOCK] = np.where(used, CLOCK_HERTZ - droop, IDLE_CLOCK_HERTZ)
    levels[:, SM] *= np.where(signals[:, UTILIZATION] > 0, card.efficiency, 1.0)
    levels[:, MEMORY] += FIRMWARE_RATIO
    return levels
