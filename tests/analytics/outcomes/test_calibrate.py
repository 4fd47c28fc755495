"""What past outcomes say of the next predictions."""

from __future__ import annotations

import pytest

from analytics.outcomes.calibrate import LEAST, MOST, calibrated, precision, ratios, shrunk
from gpuledger.store import Store
from tests.analytics.life.test_settle import outcome
from tests.analytics.life.world import proposal
from tests.analytics.world import write


@pytest.mark.parametrize(
    ("measured", "predicted", "outcomes", "ratio"),
    [
        (0.0, 10.0, 5, 0.5),
        (10.0, 10.0, 100, 1.0),
        (50.0, 100.0, 995, 0.5025),
        (-1e6, 1.0, 50, LEAST),
        (1e6, 1.0, 50, MOST),
        (5.0, 0.0, 3, 1.0),
    ],
)
def test_a_ratio_is_shrunk_towards_one(
    measured: float, predicted: float, outcomes: int, ratio: float
) -> None:
    assert shrunk(measured, predicted, outcomes) == pytest.approx(ratio)


def test_precision_counts_promises_within_the_interval_and_what_was_not_measured(
    store: Store,
) -> None:
    write(
        store,
        [
            outcome(1, 8.0, low_gpu_hours=5.0, high_gpu_hours=11.0),
            outcome(2, 2.0, low_gpu_hours=1.0, high_gpu_hours=3.0),
            outcome(3, None, status="not_measurable"),
            outcome(4, None, status="not_measurable", kind="buy"),
        ],
    )
    buy, reclaim = precision(store)
    assert (buy.kind, buy.outcomes, buy.unmeasured) == ("buy", 0, 1)
    assert (reclaim.outcomes, reclaim.unmeasured, reclaim.within) == (2, 1, 1)
    assert (reclaim.predicted_gpu_hours, reclaim.measured_gpu_hours) == (20, 10)
    assert reclaim.ratio == pytest.approx((2 * 0.5 + 5) / 7)
    assert list(ratios(store)) == ["reclaim"]


def test_a_promise_that_was_calibrated_is_judged_by_what_the_advisor_said(store: Store) -> None:
    write(store, [outcome(i, 10.0, calibration_ratio=0.5) for i in range(20)])
    (found,) = precision(store)
    assert found.ratio == pytest.approx((20 * 0.5 + 5) / 25)


def test_a_kind_without_outcomes_is_promised_as_it_is() -> None:
    assert calibrated(proposal(), {}) == proposal()
