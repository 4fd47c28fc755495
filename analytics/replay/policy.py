"""Placement policies: which node a request gets, and which of its GPUs.

A score depends on nothing but the node and the request, so that it is computed anew only for nodes
that changed since the last request of that shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE, Shape
from analytics.repacking.instance import Target
from analytics.repacking.measure import Measure, demand_target, measure_of, popularity_target
from analytics.repacking.state import Floats, Ints
from analytics.replay.room import Gpus, Room
from analytics.replay.task import Task, pod_of
from gpuledger.errors import ConfigError, nearest

FIRST = -1  # the lowest GPUs that fit
NO = -np.inf
# Of two equal decreases of fragments, the fuller node: far below the smallest real difference.
TIE = 1e-7
BEST_SCORE = 100  # Kubernetes' MaxNodeScore


class Policy(ABC):
    """Scores of nodes for one node's share of a request; the highest wins, then the first name."""

    @abstractmethod
    def scores(self, room: Room, shape: Shape, rows: Ints) -> tuple[Floats, Ints]:
        """(score, GPU or FIRST) of each of these nodes, which the request fits."""

    def pick(self, room: Room, shape: Shape, scores: Floats, gpus: Ints) -> tuple[int, Gpus]:
        """The row with the best score, and its GPUs."""
        row = int(scores.argmax())
        gpu = int(gpus[row])
        return row, room.first_gpus(row, shape) if gpu == FIRST else (gpu,)


class BestFit(Policy):
    """What leaves least of processors and GPUs; a share goes to the fullest GPU that has room."""

    def scores(self, room: Room, shape: Shape, rows: Ints) -> tuple[Floats, Ints]:
        """Less is left, more is scored."""
        return -room.left(shape, rows), _shared(room, shape, rows, -1)


class Spread(Policy):
    """What leaves most of them; a share goes to the emptiest GPU."""

    def scores(self, room: Room, shape: Shape, rows: Ints) -> tuple[Floats, Ints]:
        """More is left, more is scored."""
        return room.left(shape, rows), _shared(room, shape, rows, 1)


def _shared(room: Room, shape: Shape, rows: Ints, sign: int) -> Ints:
    """The GPU of each node for a share: the emptiest (+1) or the fullest that has room (-1)."""
    if not shape.gpus or shape.share_milli == WHOLE or shape.gpus > 1:
        return np.full(len(rows), FIRST)
    free = room.free[rows]
    return np.asarray(np.where(free >= shape.share_milli, sign * free, -2 * WHOLE).argmax(axis=1))


class Random(Policy):
    """Any node that it fits, and any of its GPUs."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def scores(self, room: Room, shape: Shape, rows: Ints) -> tuple[Floats, Ints]:  # noqa: ARG002 - all alike
        """All alike."""
        return np.zeros(len(rows)), np.full(len(rows), FIRST)

    def pick(self, room: Room, shape: Shape, scores: Floats, gpus: Ints) -> tuple[int, Gpus]:  # noqa: ARG002 - any GPU
        """Any of the nodes, and any GPUs of it that it fits."""
        row = int(self._rng.choice(np.flatnonzero(scores == 0)))
        if shape.exclusive or not shape.gpus:
            return row, room.first_gpus(row, shape)
        found = np.flatnonzero(room.free[row] >= shape.share_milli)
        return row, tuple(int(g) for g in self._rng.choice(found, shape.gpus, replace=False))


class Fgd(Policy):
    """What adds least to the fragments (Weng et al., USENIX ATC 2023).

    `coarse` is the rule as its authors released it: a sigmoid of the decrease in GPUs, cut to whole
    points out of 100; ties go to the first name and the first GPU. Else the decrease itself, ties
    to the fuller node.
    """

    def __init__(self, measure: Measure, *, coarse: bool) -> None:
        self._measure = measure
        self._coarse = coarse

    def scores(self, room: Room, shape: Shape, rows: Ints) -> tuple[Floats, Ints]:
        """The decrease of fragments; of a share, on the GPU where it is largest."""
        before = room.fragments(self._measure, rows)
        if shape.gpus == 1 and shape.share_milli < WHOLE:
            return self._of_shares(room, shape, rows, before)
        free, wanted = room.free[rows], shape.gpus
        suits = free >= shape.share_milli
        taken = suits if shape.exclusive else suits & (suits.cumsum(axis=1) <= wanted)
        after = self._after(room, shape, rows, free - shape.share_milli * taken)
        return self._told(before - after, room, shape, rows), np.full(len(rows), FIRST)

    def _of_shares(
        self, room: Room, shape: Shape, rows: Ints, before: Floats
    ) -> tuple[Floats, Ints]:
        free = room.free[rows]
        at, gpu = np.nonzero(_distinct(free) & (free >= shape.share_milli))
        tried = free[at]
        tried[np.arange(len(at)), gpu] -= shape.share_milli
        less = before[at] - self._after(room, shape, rows[at], tried)
        scores = np.full(free.shape, NO)
        scores[at, gpu] = self._told(less, room, shape, rows[at])
        best = scores.argmax(axis=1)
        return scores[np.arange(len(rows)), best], best

    def _after(self, room: Room, shape: Shape, rows: Ints, free: Ints) -> Floats:
        cpu = room.cpu[rows] - shape.cpu_milli
        return self._measure.of_nodes(room.kind[rows], cpu, free)

    def _told(self, less: Floats, room: Room, shape: Shape, rows: Ints) -> Floats:
        if self._coarse:
            return np.floor(BEST_SCORE / (1 + np.exp(-less)))
        return np.round(less, 6) - TIE * room.left(shape, rows)


def _distinct(free: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """The first GPU of those of a node with as much left."""
    same = free[:, :, None] == free[:, None, :]
    return np.asarray(same.argmax(axis=2) == np.arange(free.shape[1]))


Maker = Callable[[Room, Iterable[Task], int], Policy]
POLICIES: Mapping[str, Maker] = {
    "best-fit": lambda *_: BestFit(),
    "spread": lambda *_: Spread(),
    "random": lambda _room, _tasks, seed: Random(seed),
    "fgd": lambda room, tasks, _: Fgd(popular(room, tasks), coarse=True),
    "fgd-demand": lambda room, tasks, _: Fgd(demanded(room, tasks), coarse=False),
}


def policy_of(name: str, room: Room, tasks: Iterable[Task], seed: int) -> Policy:
    """The policy of that name. ConfigError where there is none."""
    maker = POLICIES.get(name)
    if maker is None:
        known = ", ".join(POLICIES)
        raise ConfigError(f"there is no policy '{name}'{nearest(name, POLICIES)} ({known})")
    return maker(room, tasks, seed)


def popular(room: Room, tasks: Iterable[Task]) -> Measure:
    """The measure for what FGD's authors expect: tasks by number, those without GPU included."""
    target = popularity_target(pod_of(task) for task in tasks)
    return measure_of(target, room.kinds, room.free.shape[1])


def demanded(room: Room, tasks: Iterable[Task]) -> Measure:
    """The measure for tasks with GPUs, by the GPUs that they ask for."""
    return measure_of(wanted(tasks), room.kinds, room.free.shape[1])


def wanted(tasks: Iterable[Task]) -> tuple[Target, ...]:
    """Tasks with GPUs, by the GPUs that they ask for; each part of a task is one."""
    return demand_target(pod_of(t, part=i) for t in tasks for i in range(t.shape.nodes))


@dataclass
class _View:
    """Scores of all nodes for one shape, as of the first `seen` changes."""

    shape: Shape
    scores: Floats
    gpus: Ints
    seen: int


class Chooser:
    """Chooses nodes in a room by a policy, and remembers what did not change."""

    def __init__(self, room: Room, policy: Policy) -> None:
        self.room = room
        self._policy = policy
        self._views: dict[Shape, _View] = {}

    def place(self, shape: Shape) -> list[tuple[int, Gpus]]:
        """Take nodes for all parts of a request, each on its own; none where it does not fit."""
        taken: list[tuple[int, Gpus]] = []
        for _ in range(shape.nodes):
            found = self._choose(shape, [row for row, _ in taken])
            if found is None:
                for row, gpus in taken:
                    self.room.give(row, shape, gpus)
                return []
            self.room.take(found[0], shape, found[1])
            taken.append(found)
        return taken

    def _choose(self, shape: Shape, without: Collection[int]) -> tuple[int, Gpus] | None:
        view = self._view(shape)
        scores = view.scores
        if without:
            scores = scores.copy()
            scores[list(without)] = NO
        if not len(scores) or scores.max() == NO:
            return None
        return self._policy.pick(self.room, shape, scores, view.gpus)

    def _view(self, shape: Shape) -> _View:
        view, count = self._views.get(shape), len(self.room.nodes)
        if view is None:
            scores, gpus = np.full(count, NO), np.full(count, FIRST)
            view = self._views[shape] = _View(shape, scores, gpus, 0)
            rows = np.flatnonzero(self.room.accepted(shape.wish))
        else:
            rows = np.unique(np.array(self.room.changed[view.seen :], np.int64))
        if len(rows):
            self._look(view, rows)
        view.seen = len(self.room.changed)
        return view

    def _look(self, view: _View, rows: Ints) -> None:
        fits = self.room.fits(view.shape, rows)
        view.scores[rows[~fits]] = NO
        good = rows[fits]
        if len(good):
            view.scores[good], view.gpus[good] = self._policy.scores(self.room, view.shape, good)
