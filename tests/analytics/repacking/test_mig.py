"""How fragmented MIG cards are."""

from __future__ import annotations

import pytest

from analytics.repacking import mig

H100, A30 = "NVIDIA H100 80GB HBM3", "NVIDIA A30"


def test_two_stray_small_instances_keep_larger_ones_out() -> None:
    assert mig.fragmentation(H100, (1, 1), 0b0010_0010) == pytest.approx(1.8)


def test_an_empty_card_is_not_fragmented() -> None:
    assert mig.fragmentation(H100, (), 0) == 0


def test_a_well_packed_card_is_not_fragmented() -> None:
    assert mig.fragmentation(H100, (1, 1), 0b0110_0000) == 0
    assert mig.fragmentation(H100, (4, 3), 0b1111_1111) == 0


def test_weights_say_which_profiles_matter() -> None:
    only_small = {1: 1.0}
    assert mig.fragmentation(H100, (1, 1), 0b0010_0010, only_small) == 0
    assert mig.fragmentation(H100, (1, 1), 0b0010_0010, {4: 1.0}) == 4


def test_an_unknown_place_is_bounded_by_the_worst_one() -> None:
    assert mig.worst(H100, (1, 1)) == pytest.approx(1.8)
    assert mig.worst(H100, ()) == 0
    assert mig.worst(H100, (7,)) == 0


def test_instances_that_cannot_be_together_have_no_arrangement() -> None:
    assert mig.arrangements(mig.profiles(H100), (4, 4)) == set()
    assert mig.arrangements(mig.profiles(H100), (3, 3)) == {0b1111_1111}


def test_a_card_that_is_cut_in_four_has_other_profiles() -> None:
    assert mig.fitting(mig.profiles(A30), 0, 0) == {1: 4, 2: 2, 4: 1}
    assert mig.fragmentation(A30, (1, 1), 0b0101) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("milli", "compute"), [(143, 1), (286, 2), (430, 3), (571, 4), (1000, 7)])
def test_shares_are_told_as_the_nearest_profile(milli: int, compute: int) -> None:
    assert mig.nearest(milli, H100) == compute
