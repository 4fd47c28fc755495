"""The bound on what fits after a full repack, against trying everything."""

from __future__ import annotations

from collections import Counter
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.repacking.packing import bins_needed, most_slots

FIXED = settings(max_examples=150, derandomize=True, database=None, deadline=None)


@cache
def packs(items: tuple[int, ...], bins: tuple[int, ...]) -> bool:
    """Whether the items fit, by trying every place for each."""
    if not items or sum(items) > sum(bins):
        return not items
    first, rest = items[0], items[1:]
    for i in {bins.index(b) for b in set(bins) if b >= first}:
        if packs(rest, tuple(sorted([*bins[:i], bins[i] - first, *bins[i + 1 :]]))):
            return True
    return False


def fits(items: list[int], capacities: list[int]) -> bool:
    """The same, largest first."""
    return packs(tuple(sorted(items, reverse=True)), tuple(sorted(capacities)))


def truly(capacities: list[int], held: list[int], size: int) -> int:
    """The most new items that fit in truth."""
    most = 0
    while fits([*held, *[size] * (most + 1)], capacities):
        most += 1
    return most


@FIXED
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.lists(st.integers(1, 6), max_size=4),
    st.integers(1, 8),
)
def test_no_repack_makes_room_for_more_than_the_bound(
    capacities: list[int], held: list[int], size: int
) -> None:
    if fits(held, capacities):
        assert most_slots(capacities, Counter(held), size) >= truly(capacities, held, size)


def test_tasks_of_powers_of_two_are_bounded_exactly() -> None:
    assert most_slots([8] * 3, {4: 2, 1: 3}, 8) == 1
    assert most_slots([8] * 3, {4: 2, 1: 3}, 4) == 3
    assert most_slots([8] * 3, {4: 2, 1: 3}, 1) == 13


def test_large_tasks_need_a_node_each() -> None:
    assert bins_needed({6: 3}, 8) == 3
    assert most_slots([8] * 3, {6: 2, 4: 1}, 8) == 0


def test_a_lost_gpu_makes_no_whole_node() -> None:
    assert most_slots([8, 7], {}, 8) == 1


def test_nothing_fits_into_nothing() -> None:
    assert most_slots([], {}, 1) == 0
    assert bins_needed({}, 8) == 0
