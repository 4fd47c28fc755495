"""The page about the book says what the code does."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from analytics.booking.conditions import reach_ms
from analytics.booking.occupancy import MINUTE_MS
from gpuledger.states import (
    BY_POOL,
    CLOSES_WITHIN,
    FAULTS,
    FLAGS,
    MIG_SHAPE,
    PEER_FAULT,
    STATES,
    LedgerSettings,
)

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
SETTINGS = {name: getattr(LedgerSettings(), name) for name in LedgerSettings.__struct_fields__}
DEFAULTS = {name: value for name, value in SETTINGS.items() if isinstance(value, int | float)}
WRITTEN = re.findall(r"`(\w+) = ([\d.]+)`", PAGE)


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    lines = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    table = itertools.takewhile(
        lambda x: x[:1] == "|", itertools.dropwhile(lambda x: x[:1] != "|", lines)
    )
    return [[c.strip() for c in line.strip("|").split("|")] for line in table][2:]


def test_every_state_is_explained_in_order_of_precedence() -> None:
    found = [(name, group, meaning, who) for name, group, meaning, _, who in table("States")]
    assert found == [(f"`{s.name}`", s.group, s.help, s.who) for s in STATES]


def test_every_state_has_a_signal() -> None:
    assert all(signal for _, _, _, signal, _ in table("States"))


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_threshold_is_named_with_its_default(name: str) -> None:
    assert {float(value) for key, value in WRITTEN if key == name} == {DEFAULTS[name]}


def test_every_key_on_the_page_is_a_setting() -> None:
    assert {key for key, _ in WRITTEN} == set(DEFAULTS)


def test_the_neighbourhood_of_an_hour_is_the_reach() -> None:
    assert f"within {reach_ms(LedgerSettings()) // MINUTE_MS} minutes of it" in PAGE


def test_the_tolerance_is_the_promised_one() -> None:
    assert f"more than\n{CLOSES_WITHIN:.2%}".replace("%", " %") in PAGE


def test_every_flag_and_cause_is_explained() -> None:
    told = " ".join(cell for row in table("States") for cell in row)
    page = f"{told} {PAGE}"
    assert all(f"`{word}`" in page for word in (*FLAGS, *FAULTS, PEER_FAULT, MIG_SHAPE))


def test_what_a_pool_cannot_set_is_named() -> None:
    every = PAGE.split("thresholds of its own, all\nbut ", 1)[1].split("```", 1)[0]
    named = set(re.findall(r"`(\w+)`", every)) | {"unnamed_s", "provisional_h", "pools"}
    assert named == set(SETTINGS) - set(BY_POOL)
