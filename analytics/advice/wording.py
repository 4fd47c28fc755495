"""A plan in words: how far it gets."""

from __future__ import annotations

from analytics.repacking.plan import Plan


def reach(plan: Plan, max_moves: int) -> str:
    """`reaches 97 % of what any 5 moves could`; empty where there are no moves."""
    if not plan.moves:
        return ""
    moves = "any single move" if max_moves == 1 else f"any {max_moves} moves"
    # 99.7 % is not all: only what meets its bound is.
    percent = 100 if plan.reached >= 1 else min(99, round(100 * plan.reached))
    return f"reaches {percent} % of what {moves} could"
