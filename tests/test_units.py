"""Units are spelled once, and every spelling can be told from every other."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gpuledger import units
from gpuledger.units import SUFFIXES, Step, Unit

UNITS = {n: u for n, u in vars(units).items() if isinstance(u, Unit)}
STEPS = {n: s for n, s in vars(units).items() if isinstance(s, Step)}


@pytest.mark.parametrize("unit", UNITS.values(), ids=list(UNITS))
def test_a_unit_without_a_spelling_for_a_step_keeps_its_own(unit: Unit) -> None:
    for step in STEPS.values():
        assert unit.stored_suffix(step) == unit.stored.get(step.name, unit.suffix)
    assert unit.stored_suffix(units.ONE) == unit.suffix


def test_no_two_quantities_share_a_spelling() -> None:
    spellings = [s for u in UNITS.values() for s in (u.suffix, *u.stored.values()) if s]
    assert len(spellings) == len(set(spellings))


def test_suffixes_are_those_of_every_unit_that_has_one() -> None:
    assert {u.suffix for u in UNITS.values() if u.suffix} == SUFFIXES


def test_spellings_belong_to_steps_that_exist() -> None:
    names = {s.name for s in STEPS.values()}
    assert all(set(u.stored) <= names for u in UNITS.values())


def test_steps_are_exact() -> None:
    assert units.MILLI.factor * 1000 == units.MICRO.factor * 1_000_000 == Fraction(1)
    assert units.MEBI.factor == 1024 * 1024
    assert units.BASIS_POINT.factor * 100 == units.CENTI.factor
