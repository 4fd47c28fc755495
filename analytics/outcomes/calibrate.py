"""Past predictions of each kind of advice against what was measured, and the next ones by that.

The ratio measured / predicted is shrunk towards 1 by a prior that counts as much as some outcomes
(`PRIOR`): one lucky or unlucky week decides little. Every outcome with an estimate counts, also
one that may be chance: to drop those would keep the lucky ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpuledger.catalogue import Recommendation
from gpuledger.rows import changed
from gpuledger.service import Reader

# Design: outcomes that the prior belief in our own predictions is worth.
PRIOR = 5.0
# Beyond these it would be advice of another kind; and of nothing no later outcome could be told.
LEAST, MOST = 0.1, 3.0
GAINS = (
    *("gain_gpu_hours", "gain_capacity_value", "gain_cash_avoidable"),
    *("gain_low_gpu_hours", "gain_high_gpu_hours"),
)


@dataclass(frozen=True)
class Precision:
    """One kind of advice: outcomes with an estimate, and what they say of the next prediction."""

    kind: str
    outcomes: int
    unmeasured: int
    predicted_gpu_hours: float
    measured_gpu_hours: float
    within: int
    ratio: float


def precision(reader: Reader) -> list[Precision]:
    """Every kind of advice that was applied, by name. StoreError."""
    return [_precision(row) for row in reader.select(_SQL)]


def ratios(reader: Reader) -> dict[str, Precision]:
    """Kinds with outcomes that calibrate the next predictions."""
    return {p.kind: p for p in precision(reader) if p.outcomes}


def shrunk(measured: float, predicted: float, outcomes: int) -> float:
    """Measured over predicted of all outcomes together, shrunk towards 1, within limits."""
    if predicted <= 0:
        return 1.0
    raw = measured / predicted
    return min(MOST, max(LEAST, (outcomes * raw + PRIOR) / (outcomes + PRIOR)))


def calibrated(proposal: Recommendation, known: Mapping[str, Precision]) -> Recommendation:
    """The proposal with gains as past ones of its kind came true, and a word on that."""
    past = known.get(proposal.kind)
    if past is None:
        return proposal
    gains = {
        name: None if (gain := proposal.__dict__[name]) is None else gain * past.ratio
        for name in GAINS
    }
    outcomes = "outcome" if past.outcomes == 1 else "outcomes"
    because = (
        f"{proposal.because}; counted at {100 * past.ratio:.0f} %, as {past.outcomes} {outcomes}"
        f" of such advice came true (with a prior of {PRIOR:.0f} at 100 %)"
    )
    return changed(proposal, because=because, calibration_ratio=past.ratio, **gains)


def _precision(row: Mapping[str, Any]) -> Precision:
    return Precision(
        row["kind"],
        row["outcomes"],
        row["unmeasured"],
        row["predicted"],
        row["measured"],
        row["within"],
        shrunk(row["measured"], row["raw"], row["outcomes"]),
    )


# `raw`: what the advisor said before past outcomes were counted in.
_SQL = """
SELECT toString(kind) AS kind, countIf(told) AS outcomes, countIf(NOT told) AS unmeasured,
  sumIf(ifNull(predicted_gpu_hours, 0), told) AS predicted,
  sumIf(ifNull(measured_gpu_hours, 0), told) AS measured,
  sumIf(ifNull(predicted_gpu_hours, 0) / ifNull(nullIf(calibration_ratio, 0), 1), told) AS raw,
  countIf(told AND ifNull(predicted_gpu_hours >= low_gpu_hours
    AND predicted_gpu_hours <= high_gpu_hours, false)) AS within
FROM (SELECT *, isNotNull(measured_gpu_hours) AND isNotNull(predicted_gpu_hours) AS told
  FROM v_outcomes)
GROUP BY kind ORDER BY kind
"""
