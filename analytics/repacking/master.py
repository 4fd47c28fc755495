"""The linear program over patterns, and the same in whole numbers (HiGHS)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from analytics.repacking.state import Floats, Ints

INF = highspy.kHighsInf
SMALL = 1e-6
# Parts of a node so near to the whole are rounded together.
NEARLY = 0.9
# And of all that are in parts at least one in so many, or a dive takes too long.
AT_ONCE = 10


@dataclass(frozen=True)
class Limits:
    """At most so many moves, and so many GPU-seconds of lost work."""

    moves: int
    gpu_seconds: float = INF


@dataclass(frozen=True)
class Prices:
    """What the linear program would pay: rows' duals, 0 or less where a row is a limit."""

    of_bin: Floats
    of_class: Floats
    of_move: float
    of_cost: float


@dataclass(frozen=True)
class Columns:
    """Patterns as columns: what each saves, uses, and what leaves less what arrives.

    `flow` is sparse: `flow_at` has the column, `flow_class` the class and `flow` the tasks.
    """

    saving: Floats
    bin: Ints
    moves: Ints
    cost: Floats
    flow_at: Ints
    flow_class: Ints
    flow: Ints

    def __len__(self) -> int:
        return len(self.saving)


class Master:
    """Chooses patterns: at most as many of a bin as it has nodes, and nothing lost on the way."""

    def __init__(self, count: Ints, balance: Ints, limits: Limits, seed: int = 0) -> None:
        """`balance` is by how many of each class more must leave than arrive."""
        self._count = count
        self._classes = len(balance)
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call] # it is not annotated
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("random_seed", seed)
        bins = len(count)
        lower = np.concatenate([np.full(bins, -INF), balance, [-INF, -INF]])
        upper = np.concatenate([count, balance, [limits.moves, limits.gpu_seconds]])
        none = np.zeros(0, np.int32)
        rows = len(lower)
        starts = np.zeros(rows, np.int32)
        self._highs.addRows(rows, lower, upper.astype(float), 0, starts, none, np.zeros(0))

    def add(self, columns: Columns, place: Ints) -> None:
        """More patterns to choose from; `place` gives a bin its row here."""
        n = len(columns)
        bins, rows = len(self._count), len(self._count) + self._classes
        every = np.arange(n)
        costly = np.flatnonzero(columns.cost)
        moving = np.flatnonzero(columns.moves)
        at = np.concatenate([every, columns.flow_at, moving, costly])
        row = np.concatenate(
            [
                place[columns.bin],
                columns.flow_class + bins,
                np.full(len(moving), rows),
                np.full(len(costly), rows + 1),
            ]
        )
        value = np.concatenate(
            [np.ones(n), columns.flow, columns.moves[moving], columns.cost[costly]]
        )
        order = np.argsort(at, kind="stable")
        starts = np.searchsorted(at[order], every).astype(np.int32)
        upper = self._count[place[columns.bin]].astype(float)
        self._highs.addCols(
            n,
            -columns.saving,
            np.zeros(n),
            upper,
            len(at),
            starts,
            row[order].astype(np.int32),
            value[order].astype(float),
        )

    def relaxed(self) -> tuple[float, Prices]:
        """What is saved at most when patterns may be taken in parts, and prices."""
        self._highs.run()
        solution = self._highs.getSolution()
        dual = np.array(solution.row_dual)
        bins, rows = len(self._count), len(self._count) + self._classes
        prices = Prices(dual[:bins], dual[bins:rows], dual[rows], dual[rows + 1])
        return -self._highs.getObjectiveValue(), prices

    def dive(self, until_s: float, clock: Callable[[], float]) -> Floats:
        """A choice in whole numbers: what is nearest to one more node is fixed, and solved again.

        What then cannot be is ruled out instead. Nothing where time is up before all is whole.
        """
        most = np.array(self._highs.getLp().col_upper_)
        lower, upper = np.zeros(len(most)), most.copy()
        found, last = np.zeros(len(most)), np.zeros(0, np.int64)
        while clock() < until_s:
            self._bound(lower, upper)
            value = self._solved()
            if value is None:
                if not len(last):
                    break
                lower[last] -= 1
                upper[last[:1]] = lower[last[:1]]
                last = last[:0]
                continue
            part = value - np.floor(value + SMALL)
            if (part < SMALL).all():
                found = np.round(value)
                break
            order = np.argsort(-part, kind="stable")
            near = max(int((part > NEARLY).sum()), int((part > SMALL).sum()) // AT_ONCE, 1)
            last = order[:near]
            lower[last] = np.floor(value[last] + SMALL) + 1
        self._bound(np.zeros(len(most)), most)
        return found

    def _solved(self) -> Floats | None:
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self._highs.getSolution().col_value)

    def _bound(self, lower: Floats, upper: Floats) -> None:
        every = np.arange(len(lower), dtype=np.int32)
        self._highs.changeColsBounds(len(lower), every, lower, upper)

    def whole(self, columns: Ints, start: Floats, time_limit_s: float) -> Floats:
        """How often each column is taken, using only those given; `start` is a choice to beat."""
        n = self._highs.getNumCol()
        every = np.arange(n, dtype=np.int32)
        allowed = np.zeros(n)
        allowed[columns] = 1
        self._bound(np.zeros(n), np.array(self._highs.getLp().col_upper_) * allowed)
        kinds = np.full(n, int(highspy.HighsVarType.kInteger), np.uint8)
        self._highs.changeColsIntegrality(n, every, kinds)
        # Its clock goes on from run to run.
        limit_s = self._highs.getRunTime() + max(time_limit_s, 0.05)
        self._highs.setOptionValue("time_limit", limit_s)
        self._highs.setOptionValue("mip_rel_gap", 1e-6)
        solution = highspy.HighsSolution()
        solution.col_value = list(start)
        self._highs.setSolution(solution)
        self._highs.run()
        found = np.array(self._highs.getSolution().col_value)
        return np.round(found) if len(found) == n else start
