"""Quantities of the Kubernetes API, as its documentation writes them."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.quantities import BINARY, DECIMAL, amounts, quantity
from gpuledger.accelerators import milli, whole


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("0", 0),
        ("8", 8),
        (8, 8),
        (1.5, Fraction(3, 2)),
        ("500m", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("+4", 4),
        ("16Gi", 16 << 30),
        ("1.5Ki", 1536),
        ("128974848", 128974848),
        ("129e6", 129_000_000),
        ("129M", 129_000_000),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("12e-1", Fraction(6, 5)),
        ("1u", Fraction(1, 10**6)),
        ("1n", Fraction(1, 10**9)),
        ("2k", 2000),
    ],
)
def test_a_quantity_is_exact(told: str | float, number: Fraction) -> None:
    assert quantity(told) == number


@pytest.mark.parametrize(
    "told",
    [
        *("", "-1", "1K", "Gi", "1 Gi", "1GiB", "0x10", "1e", "1e999", "1e31", "inf", "nan"),
        *("1_000", "٣", "1\n", ".", "9" * 65, float("inf"), float("nan"), -2, True),
    ],
)
def test_what_is_no_quantity_is_refused(told: str | float) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(told)


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert quantity(text) >= 0


@given(st.integers(0, 10**15), st.sampled_from(sorted({*BINARY, *DECIMAL})))
def test_suffixes_scale(number: int, suffix: str) -> None:
    factor = 1 << BINARY[suffix] if suffix in BINARY else Fraction(10) ** DECIMAL[suffix]
    assert quantity(f"{number}{suffix}") == number * factor


def test_thousandths_and_whole_things_are_rounded_up_and_bounded() -> None:
    assert milli(quantity("100u")) == 1
    assert milli(quantity("2500m")) == 2500
    assert milli(None) == 0
    assert milli(quantity("1E")) == (1 << 32) - 1
    assert whole(quantity("7500m")) == 8
    assert whole(None) == 0
    assert whole(quantity("1M")) == 65535


def test_a_list_of_resources() -> None:
    assert amounts({"cpu": "1500m", "nvidia.com/gpu": 8}) == {
        "cpu": Fraction(3, 2),
        "nvidia.com/gpu": 8,
    }
    assert amounts(None) == {}
