"""How fragmented MIG cards are: instances that would fit if the live ones sat elsewhere.

A card has eight memory slices and seven compute slices (a small one four of each); each profile
takes a run of memory slices that may begin at some places only. From NVIDIA's MIG user guide
("MIG profiles", "placements"). Of a card with the memory slices `mask` taken

    F = sum over profiles of  weight * compute slices * (most that could still fit - that do fit),

where the first is after putting the live instances where they leave most room: 0 on an empty and
on a well packed card (measure as in arXiv 2511.18906).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gpuledger.accelerators import SLICES, slices


@dataclass(frozen=True)
class Profile:
    """Compute slices, memory slices, and where the first of these may be."""

    compute: int
    memory: int
    starts: tuple[int, ...]

    def masks(self) -> tuple[int, ...]:
        """The memory slices of each placement, as bits."""
        return tuple(((1 << self.memory) - 1) << start for start in self.starts)


LARGE: Mapping[int, Profile] = {
    1: Profile(1, 1, (0, 1, 2, 3, 4, 5, 6)),
    2: Profile(2, 2, (0, 2, 4)),
    3: Profile(3, 4, (0, 4)),
    4: Profile(4, 4, (0,)),
    7: Profile(7, 8, (0,)),
}
SMALL: Mapping[int, Profile] = {
    1: Profile(1, 1, (0, 1, 2, 3)),
    2: Profile(2, 2, (0, 2)),
    4: Profile(4, 4, (0,)),
}


def profiles(model: str) -> Mapping[int, Profile]:
    """The profiles of a card of that model by their compute slices."""
    return LARGE if slices(model) == SLICES else SMALL


def nearest(share_milli: int, model: str) -> int:
    """Compute slices of the profile that has about that share of a card, in thousandths."""
    whole = slices(model)
    return min(profiles(model), key=lambda c: (abs(c * 1000 / whole - share_milli), c))


def fitting(table: Mapping[int, Profile], mask: int, used: int) -> dict[int, int]:
    """Of each profile how many more fit beside what is taken; `used` are compute slices."""
    total = max(table)
    return {
        name: min(sum(not m & mask for m in p.masks()), (total - used) // p.compute)
        for name, p in table.items()
    }


def arrangements(table: Mapping[int, Profile], live: tuple[int, ...]) -> set[int]:
    """Every mask that instances of these profiles can have together; empty = they do not fit."""
    return set(_masks(table, tuple(sorted(live, reverse=True)), 0))


def _masks(table: Mapping[int, Profile], live: tuple[int, ...], mask: int) -> Iterator[int]:
    if not live:
        yield mask
        return
    for placed in table[live[0]].masks():
        if not placed & mask:
            yield from _masks(table, live[1:], mask | placed)


def fragmentation(
    model: str, live: tuple[int, ...], mask: int, weights: Mapping[int, float] | None = None
) -> float:
    """F of a card with these live profiles on these memory slices, in compute slices.

    `weights` by profile add up to 1; without any, all profiles weigh the same.
    """
    table, used = profiles(model), sum(live)
    best = _best(slices(model), tuple(sorted(live)))
    now = fitting(table, mask, used)
    even = 1 / len(table)
    return sum(
        (even if weights is None else weights.get(c, 0.0)) * c * (best[c] - now[c]) for c in table
    )


@lru_cache(maxsize=1 << 10)
def _best(whole: int, live: tuple[int, ...]) -> dict[int, int]:
    table = LARGE if whole == SLICES else SMALL
    counts = [fitting(table, mask, sum(live)) for mask in arrangements(table, live)]
    return {c: max((found[c] for found in counts), default=0) for c in table}


def worst(model: str, live: tuple[int, ...], weights: Mapping[int, float] | None = None) -> float:
    """The most that F can be where nobody tells on which memory slices the instances are."""
    masks = arrangements(profiles(model), live)
    return max((fragmentation(model, live, mask, weights) for mask in masks), default=0.0)
