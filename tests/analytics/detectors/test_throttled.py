"""GPUs whose clocks are held down."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.throttled import ThrottledSettings, detector
from gpuledger.catalogue import Cell, Finding
from gpuledger.store import Store
from tests.analytics.world import (
    asset,
    at,
    booked,
    cells,
    given,
    job,
    price,
    samples,
    write,
)

UNTIL = 60
WHOLE = Span(at(0), at(UNTIL))


def find(store: Store, told: list[Cell], **throttled: Any) -> list[Finding]:
    """Job 1 on GPU 0, with these cells and counters that run through minutes 10 to 40."""
    rows = samples(0, 0, UNTIL)
    for i, row in enumerate(rows):
        row.temperature_celsius = 91
        for name, per_minute in throttled.items():
            setattr(row, name, per_minute * min(max(i - 10, 0), 30))
    write(store, [asset(0), price(), job(started=at(0)), given("1", 0), *rows])
    write(store, booked(told, at(UNTIL)))
    return list(detector.find(store, ThrottledSettings(), WHOLE))


def mixed(throttled: range) -> list[Cell]:
    others = [m for m in range(UNTIL) if m not in throttled]
    return [*cells("throttled", throttled, native="1"), *cells("productive", others, native="1")]


@pytest.mark.parametrize(
    ("counter", "cause"),
    [
        ({"thermal_throttle_seconds": 50.0}, "thermal"),
        ({"brake_throttle_seconds": 50.0, "thermal_throttle_seconds": 5.0}, "power_brake"),
        ({}, "hardware"),
    ],
)
def test_the_cause_is_what_held_the_clocks_longest(
    store: Store, counter: dict[str, float], cause: str
) -> None:
    (found,) = find(store, mixed(range(10, 40)), **counter)
    assert (found.cause, found.owner) == (cause, "hardware operations")
    assert (found.subject, found.user, found.team) == ("c/n0/0", "ana", "vision")
    assert (found.since, found.until, found.open) == (at(10), at(40), 0)
    assert found.gpu_seconds == 30 * 60 * 0.25
    assert found.capacity_value == pytest.approx(0.5 * 3 * 0.25)
    assert " at 91 °C for 30 min while 1 job worked on it" in found.summary
    assert len(store.select(found.evidence)) == 30


def test_a_short_stretch_is_no_finding(store: Store) -> None:
    assert find(store, mixed(range(10, 19))) == []


def test_it_goes_on_while_clocks_are_down(store: Store) -> None:
    (found,) = find(store, mixed(range(10, UNTIL)))
    assert found.open == 1


def test_it_finds_the_same_again_and_nothing_in_an_empty_span(store: Store) -> None:
    first = find(store, mixed(range(10, 40)))
    again = detector.find(store, ThrottledSettings(), WHOLE)
    assert [f.values() for f in first] == [f.values() for f in again]
    assert list(detector.find(store, ThrottledSettings(), Span(at(100), at(160)))) == []
