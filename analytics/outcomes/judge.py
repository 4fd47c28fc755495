"""The outcome of advice that was carried out: what it won, or why nobody can tell.

Each kind of advice is measured against its like that was left alone: jobs of other users in the
same pools, other pools, other idle jobs. An outcome comes once, when as much time has passed as
the gain was counted over, and is kept for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.life.applied import NODE, places_of
from analytics.outcomes import observe
from analytics.outcomes.differences import Effect, effect, interval, too_few
from analytics.outcomes.observe import Window
from analytics.success import Days, drawn, mean
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Outcome
from gpuledger.schema import FOREVER
from gpuledger.store import Store

MEASURED, UNMEASURED = "measured", "not_measurable"
# Shorter spans have too few days for an interval.
SHORTEST = timedelta(days=7)
LOST_BY_JOBS = ("alloc_idle", "stalled", "underused")
LOST_BY_POOLS = {
    "repack": ("stranded", "free_demand"),
    "quota": ("free_demand", "held", "stranded"),
    "lend": ("free_demand", "held", "stranded", "free_surplus"),
    "power_down": ("free_surplus",),
    # Where processors and memory are to be given back: GPUs beside them that nobody could use.
    "rightsize": ("stranded",),
}
NO_TWIN = "nothing tells what the fleet would have done without it"


@dataclass(frozen=True)
class Verdict:
    """GPU-hours won, how that was found, and observations: of it, and of its like."""

    won: Effect
    method: str
    n: tuple[int, int, int, int] = (0, 0, 0, 0)


Row = Mapping[str, Any]


def outcome(store: Store, row: Row, now: datetime) -> Outcome | None:
    """The outcome of a recommendation that was applied at `row['at']`; None while it is too early.

    `row` is one of `v_recommendations` with the times `accepted` and `at`. StoreError.
    """
    if now < row["at"] + _window(row):
        return None
    return _told(row, _VERDICTS.get(row["kind"], _nobody)(store, row), now)


def _window(row: Row) -> timedelta:
    """How long the time after must be: the horizon of the gain, and no less than a week."""
    return max(timedelta(seconds=row["horizon_seconds"]), SHORTEST)


def _told(row: Row, verdict: Verdict, now: datetime) -> Outcome:
    won = verdict.won
    reason = won.reason
    if won.low is not None and won.high is not None and won.low <= 0 <= won.high:
        reason = f"may be chance: 95 % interval from {won.low:+,.4g} to {won.high:+,.4g} GPU-hours"
    treated_before, treated_after, matched_before, matched_after = verdict.n
    return Outcome(
        recommendation_id=row["recommendation_id"],
        kind=row["kind"],
        subject=row["subject"],
        team=row["team"],
        status=UNMEASURED if reason else MEASURED,
        reason=reason,
        method=verdict.method,
        predicted_gpu_hours=row["gain_gpu_hours"],
        predicted_low_gpu_hours=row["gain_low_gpu_hours"],
        predicted_high_gpu_hours=row["gain_high_gpu_hours"],
        calibration_ratio=row["calibration_ratio"],
        measured_gpu_hours=won.value,
        low_gpu_hours=won.low,
        high_gpu_hours=won.high,
        treated_before=treated_before,
        treated_after=treated_after,
        matched_before=matched_before,
        matched_after=matched_after,
        accepted=row["accepted"],
        applied=row["at"],
        measured=now,
        version=to_milliseconds(now),
    )


def _nobody(_store: Store, _row: Row) -> Verdict:
    return Verdict(Effect(reason=NO_TWIN), "")


def _jobs(store: Store, row: Row) -> Verdict:
    """Jobs of that name and user against jobs of others that lost as much before."""
    if places_of(row, NODE):
        return _pools(store, row)
    window = _around(row)
    sides = observe.jobs(store, row["subject"], window, LOST_BY_JOBS)
    method = (
        "difference in differences of the share of GPU-time lost by its jobs"
        f" ({', '.join(LOST_BY_JOBS)}) and by jobs of others in the same pools that lost as much"
    )
    found = effect(sides)
    return _verdict(found, sides.treated_after, sides.all(), row, method)


def _pools(store: Store, row: Row) -> Verdict:
    """The pools of what was moved, lent or switched off against other pools."""
    window, lost = _around(row), LOST_BY_POOLS[row["kind"]]
    sides = observe.pools(store, row, window, lost)
    method = (
        "difference in differences of the share of owned GPU-time lost by its pools"
        f" ({', '.join(lost)}) and by the pools most like them"
    )
    found = effect(sides)
    return _verdict(found, sides.treated_after, sides.all(), row, method)


def _idle(store: Store, row: Row) -> Verdict:
    """How much longer the job was idle against jobs that had been idle as long and were left."""
    window = _around(row)
    own, alike = observe.idle(store, row, window)
    method = (
        "hours of idleness after acceptance, of jobs of the same pool that had been idle as long"
        " and were left alone, less those of the job"
    )
    n = (0, 1, 0, alike.count)
    if own is None:
        return Verdict(Effect(reason="its own idleness is not known any more"), method)
    if reason := too_few((alike,), ("like it",)):
        return Verdict(Effect(reason=reason), method, n)
    left = mean(alike.values, alike.weights[None, :])[0] - own.hours
    found = interval(left * own.gpus, (drawn(alike, mean, 0) - own.hours) * own.gpus)
    return Verdict(found, method, n)


def _around(row: Row) -> Window:
    """As long before acceptance as after it was carried out."""
    length = _window(row)
    accepted = row["accepted"] if row["accepted"] < FOREVER else row["at"]
    return Window(accepted - length, accepted, row["at"], row["at"] + length)


def _verdict(
    found: Effect, after: Days, sides: tuple[Days, Days, Days, Days], row: Row, method: str
) -> Verdict:
    """Shares as GPU-hours over the horizon of the gain: what was not lost was won."""
    n = (sides[0].count, sides[1].count, sides[2].count, sides[3].count)
    if found.value is None or found.low is None or found.high is None:
        return Verdict(found, method, n)
    part = row["horizon_seconds"] / _window(row).total_seconds()
    hours = float(after.weights.sum()) / 3600 * part
    won = Effect(-found.value * hours, -found.high * hours, -found.low * hours)
    return Verdict(won, method, n)


_VERDICTS: Mapping[str, Callable[[Store, Row], Verdict]] = {
    **dict.fromkeys(LOST_BY_POOLS, _pools),
    "reclaim": _idle,
    "rightsize": _jobs,
}
