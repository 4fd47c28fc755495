"""docs/causes.md says what the rules do."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.causes.rules import CAUSES, Cause

PAGE = (Path(__file__).parents[3] / "docs" / "causes.md").read_text()


def table(cause: Cause) -> list[str]:
    """Lines of a cause's signals, as the page must have them."""
    return [
        f"| `{s.feature}` | {s.nothing:g} | {s.full:g} | {_part(g.needed, g.refutes)} |"
        for g in cause.groups
        for s in g.signals
    ]


def _part(needed: bool, refutes: bool) -> str:
    if needed:
        return "must hold"
    return "rules it out" if refutes else "adds"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda c: c.name)
def test_the_page_has_every_signal_with_its_thresholds(cause: Cause) -> None:
    section = PAGE.partition(f"## `{cause.name}`")[2].partition("\n## ")[0]
    told = [line for line in section.splitlines() if line.startswith("| `")]
    assert told == table(cause)
