"""A recommendation from what every advisor tells of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.advice.interval import NOTHING, Estimate, Interval
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Recommendation
from gpuledger.identity import hash64

DIGITS = 3


@dataclass(frozen=True)
class Gain:
    """What a recommendation gives within its horizon; money is None without a price.

    `wait_s`: seconds by which the mean job waits less, of a replay; None = not replayed.
    """

    horizon: timedelta
    gpu_hours: Estimate = NOTHING
    capacity_value: float | None = None
    cash_avoidable: float | None = None
    currency: str = ""
    wait_s: Interval | None = None


def proposal(kind: str, key: str, now: datetime, gain: Gain, **told: Any) -> Recommendation:
    """The recommendation of a kind; `key` names it among those, `told` is what people read."""
    wait = gain.wait_s
    return Recommendation(
        recommendation_id=hash64(f"{kind}/{key}"),
        kind=kind,
        status="proposed",
        gain_gpu_hours=gain.gpu_hours.expected,
        gain_low_gpu_hours=gain.gpu_hours.low,
        gain_high_gpu_hours=gain.gpu_hours.high,
        gain_capacity_value=gain.capacity_value,
        gain_cash_avoidable=gain.cash_avoidable,
        currency=gain.currency,
        gain_wait_seconds=wait.expected if wait else None,
        gain_wait_low_seconds=wait.low if wait else None,
        gain_wait_high_seconds=wait.high if wait else None,
        horizon_seconds=gain.horizon.total_seconds(),
        version=to_milliseconds(now),
        **{"finding_id": 0, "created": now, "confidence_ratio": None, **told},
    )


def resources(names: Iterable[str], gpu_hours: float) -> str:
    """What a gain is made of, in equal parts, so that none is counted twice: JSON."""
    made_of = sorted(set(names))
    return json.dumps({name: round(gpu_hours / len(made_of), DIGITS) for name in made_of})
