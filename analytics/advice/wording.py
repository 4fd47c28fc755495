"""A plan in words: how far it gets, and why it has no moves."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.repacking.plan import Plan

# A bound that leaves more than this to be saved says little: it may as well be far off itself.
SHARP = 0.7
NO_PROOF = "the bound is not sharp here"


@dataclass(frozen=True)
class Movable:
    """Tasks that a plan may move, of how many, and how many more `--any-task` would let move."""

    tasks: int
    of: int
    more: int = 0

    @property
    def words(self) -> str:
        """`2 of 8 tasks may move; --any-task would let 3 more of them`."""
        told = f"{self.tasks} of {self.of} tasks may move"
        return f"{told}; --any-task would let {self.more} more of them" if self.more else told

    @property
    def none(self) -> str:
        """Where none may: `no task may move: 0 of 8; --any-task would let them`."""
        told = f"no task may move: 0 of {self.of}"
        whom = "them" if self.more == self.of else f"{self.more} of them"
        return f"{told}; --any-task would let {whom}" if self.more else told

    def document(self) -> dict[str, int]:
        """As JSON."""
        return {"may_move": self.tasks, "of": self.of, "more_with_any_task": self.more}


def reach(plan: Plan, max_moves: int, *, at_bound: bool = False) -> str:
    """`reaches 97 % of what any 5 moves could`; empty where there are no moves.

    `at_bound` says that it is at the bound in what it is for (`standing.Standings.at_bound`).
    """
    if not plan.moves:
        return ""
    single = max_moves == 1
    if at_bound:
        other = "single move does" if single else f"{max_moves} moves do"
        return f"reaches the bound: no other {other} better"
    moves = "any single move" if single else f"any {max_moves} moves"
    # 99.7 % is not all: only what meets its bound is.
    percent = 100 if plan.reached >= 1 else min(99, round(100 * plan.reached))
    if plan.reached < SHARP:
        return f"reaches at least {percent} % of what {moves} could: {NO_PROOF}"
    return f"reaches {percent} % of what {moves} could"


def no_moves(plan: Plan, max_moves: int, movable: Movable) -> str:
    """Why a plan without moves has none."""
    if not movable.tasks:
        return movable.none
    if not max_moves:
        return f"no move was allowed: 0 moves at most; {movable.words}"
    if plan.reached < 1:
        return f"no move was found that helps, and {NO_PROOF}: {movable.words}"
    return f"no move helps: {movable.words}"
