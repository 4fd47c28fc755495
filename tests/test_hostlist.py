"""Slurm's short form of names."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuledger.hostlist import expand, indices


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("n1", ["n1"]),
        ("n1,m2", ["n1", "m2"]),
        ("n[01-03]", ["n01", "n02", "n03"]),
        ("n[1,3-4],login", ["n1", "n3", "n4", "login"]),
        ("r[1-2]n[8-9]", ["r1n8", "r1n9", "r2n8", "r2n9"]),
        ("n[098-101]-ib", ["n098-ib", "n099-ib", "n100-ib", "n101-ib"]),
    ],
)
def test_names_come_in_order(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize("text", ["n[3-1]", "n[1-999999999]", "n[a-b]", "n[]"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expand(text)


def test_indices_of_a_range() -> None:
    assert indices("0-3,7") == [0, 1, 2, 3, 7]


@given(st.text(alphabet="n[]-,0123456789", max_size=20))
def test_any_text_gives_names_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(isinstance(name, str) for name in expand(text))


def test_two_ranges_that_make_too_many_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no range"):
        expand("n[0-99999]x[0-99999]")
