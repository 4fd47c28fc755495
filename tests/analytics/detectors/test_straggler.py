"""GPUs out of step with their job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from analytics.book import Span
from analytics.detectors.straggler import StragglerSettings, detector
from gpuledger.catalogue import Finding
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, running, state, told
from tests.analytics.world import at, price, write

UNTIL = 120


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, StragglerSettings(), Span(at(since), at(until))))


def world(
    store: Store,
    use: Sequence[float],
    odd: Mapping[str, float] | None = None,
    minutes: range = range(60, UNTIL),
) -> None:
    """Eight ranks with these shares of use; the last is otherwise for some minutes."""
    rows = []
    for slot, sm in enumerate(use):
        apart = odd if odd and slot == len(use) - 1 else {}
        within = [m for m in range(UNTIL) if m in minutes]
        rest = [m for m in range(UNTIL) if m not in minutes]
        rows += told(slot, rest, sm_active_ratio=sm)
        rows += told(slot, within, **{"sm_active_ratio": sm, **apart})
    booked = state("productive", range(UNTIL), range(len(use)))
    keep(store, [*inventory(), *running(slots=len(use)), *rows], booked, UNTIL)


LEVEL = [0.5] * 8


@pytest.mark.parametrize(
    ("odd", "cause", "owner"),
    [
        ({"sm_active_ratio": 0.8}, "slow_rank", "job owner"),
        (
            {"sm_active_ratio": 0.8, "sm_clock_hertz": 1_200_000_000},
            "slow_gpu",
            "hardware operations",
        ),
        ({"sm_active_ratio": 0.2}, "imbalance", "job owner"),
    ],
)
def test_one_rank_out_of_step_is_found_with_its_cause(
    store: Store, odd: Mapping[str, float], cause: str, owner: str
) -> None:
    world(store, LEVEL, odd)
    (found,) = find(store)
    assert (found.cause, found.owner, found.since) == (cause, owner, at(60))
    assert "GPU 7 of n0" in found.summary


def test_ranks_that_wait_are_what_is_lost(store: Store) -> None:
    world(store, LEVEL, {"sm_active_ratio": 0.8})
    write(store, [price()])
    (found,) = find(store)
    assert found.gpu_seconds == pytest.approx(3600 * 7 * (1 - 0.5 / 0.8), rel=0.01)
    assert found.capacity_value == pytest.approx(3.0 * found.gpu_seconds / 3600)


def test_a_job_that_is_uneven_by_design_has_no_straggler(store: Store) -> None:
    world(store, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert find(store) == []


def test_two_halves_have_no_straggler(store: Store) -> None:
    world(store, [0.8] * 4 + [0.4] * 4)
    assert find(store) == []


def test_a_quarter_of_an_hour_is_needed(store: Store) -> None:
    world(store, LEVEL, {"sm_active_ratio": 0.8}, range(100, 114))
    assert find(store) == []


def test_a_rank_that_does_nothing_at_all_is_no_straggler(store: Store) -> None:
    world(store, LEVEL, {"sm_active_ratio": 0.0})
    assert find(store) == []


def test_three_gpus_have_no_median_worth_the_name(store: Store) -> None:
    world(store, [0.5] * 3, {"sm_active_ratio": 0.9})
    assert find(store) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store, LEVEL, {"sm_active_ratio": 0.8})
    assert find(store, 80, 80) == []


def test_the_finding_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store, LEVEL, {"sm_active_ratio": 0.8})
    (early,), (late,) = find(store, 0, 100), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == 8 * 60
