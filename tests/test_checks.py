"""Checks: foreign packages, clocks, and errors that become lines."""

from __future__ import annotations

from collections.abc import Iterator

from gpuledger.checks import Check, Verdict, asked, clock, foreign_packages
from gpuledger.errors import StoreError


def test_a_foreign_owner_of_one_of_our_names_is_found() -> None:
    (check,) = foreign_packages(lambda: {"analytics": ["segment", "gpuledger"], "alerts": []})
    assert check.verdict is Verdict.WRONG
    assert "analytics from segment" in check.found
    assert "pipx" in check.advice


def test_our_own_packages_are_no_foreigners() -> None:
    (check,) = foreign_packages(lambda: {"analytics": ["gpuledger"], "collector": ["gpuledger"]})
    assert check.verdict is Verdict.OK


def test_clocks_a_second_apart_are_wrong() -> None:
    assert clock("c", 0.9).verdict is Verdict.OK
    assert clock("c", -3.0).verdict is Verdict.WRONG
    assert "-3.0 s" in clock("c", -3.0).found


def test_an_error_of_ours_becomes_a_check_that_went_wrong() -> None:
    def question() -> Iterator[Check]:
        yield clock("c", 0.0)
        raise StoreError("nobody there")

    first, second = asked("store", question, "start it")
    assert first.verdict is Verdict.OK
    assert (second.name, second.verdict, second.found) == ("store", Verdict.WRONG, "nobody there")
