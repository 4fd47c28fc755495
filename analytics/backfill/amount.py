"""How much there is to read, from a few probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.backfill.progress import Stretch
from analytics.backfill.prometheus import Prometheus

PROBES, PROBE_MS = 5, 600_000
HOUR_MS = 3_600_000
ASKED = 3
USUAL_PER_HOUR = 120.0


@dataclass(frozen=True)
class Amount:
    """Metrics, their samples in the busiest hour probed, and samples of the whole time."""

    names: Sequence[str]
    per_hour: float
    samples: float


NOTHING = Amount((), 0.0, 0.0)


def amount(prometheus: Prometheus, names: Sequence[str], whole: Stretch) -> Amount:
    """What these metrics amount to, as probes spread over the time say."""
    if not names:
        return NOTHING
    length = whole.until_ms - whole.since_ms
    ends = [whole.since_ms + length * (i + 1) // PROBES for i in range(PROBES)]
    rates = [_per_hour(prometheus, names, at, min(PROBE_MS, length)) for at in ends]
    return Amount(names, max(rates), sum(rates) / PROBES * length / HOUR_MS)


def _per_hour(prometheus: Prometheus, names: Sequence[str], at_ms: int, probe_ms: int) -> float:
    series = prometheus.series_at("|".join(names), at_ms)
    if not series:
        return 0.0
    each = max(prometheus.samples_of_one(name, at_ms, probe_ms) for name in names[:ASKED])
    return series * (each * HOUR_MS / probe_ms or USUAL_PER_HOUR)
