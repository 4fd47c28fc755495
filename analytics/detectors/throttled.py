"""GPUs that work, but slower than they could: heat, a power brake, or the hardware's own slowdown.

The book calls such minutes `throttled` (docs/ledger.md). Clocks that are held down to keep the
power limit are how a card is meant to work, and no finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import WITHIN, islands_sql
from gpuledger.catalogue import Finding, GpuSample
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE
from gpuledger.store import Store
from gpuledger.views import booked


class ThrottledSettings(Settings):
    """Section `[throttled]`."""

    after_min: Annotated[int, "minutes of lowered clocks that make an episode"] = 10
    gap_min: Annotated[int, "minutes at full clocks that do not end an episode"] = 10
    # Nobody measures what a lowered clock costs a job; half the clock is half the work at most.
    lost_ratio: Annotated[float, "share of throttled time that counts as lost"] = 0.25


_CAUSES = {
    "thermal": (
        GpuSample.thermal_throttle_seconds,
        "heat",
        "look at its cooling: fans, airflow, dust, inlet temperature",
    ),
    "power_brake": (
        GpuSample.brake_throttle_seconds,
        "an external power brake",
        "look at the node's power supplies and the rack's power budget",
    ),
}
_OTHER = (
    "hardware",
    "the hardware's own slowdown",
    "look at cooling and power of the node, then run the field diagnostics",
)


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per GPU and stretch of lowered clocks."""
    assert isinstance(settings, ThrottledSettings)
    rows = store.select(
        _SQL, since=span.since, until=span.until, gap=settings.gap_min, after=settings.after_min
    )
    for row in rows:
        subject = f"{row['cluster']}/{row['node']}/{row['slot']}"
        if not span.only or subject in span.only:
            yield _finding(row, subject, settings, span)


def _finding(
    row: Mapping[str, Any], subject: str, settings: ThrottledSettings, span: Span
) -> Finding:
    cause, words, action = _cause(row)
    seconds = row["lost_seconds"] * settings.lost_ratio
    value = row["capacity_value"]
    seen_after = (span.until - row["until"]) // evidence.MINUTE
    temperature = row["temperature"]
    hot = f" at {temperature:.0f} °C" if temperature is not None else ""
    return evidence.finding(
        "throttled",
        row,
        span,
        subject=subject,
        open=int(seen_after <= settings.gap_min),
        gpus=1,
        gpu_seconds=seconds,
        capacity_value=None if value is None else value * settings.lost_ratio,
        cash_avoidable=None if value is None else 0.0,
        owner=evidence.HARDWARE,
        cause=cause,
        action=f"{row['node']}, GPU {row['slot']}: {action}.",
        summary=(
            f"GPU {row['slot']} of {row['node']} is held down by {words}{hot} for"
            f" {evidence.duration(row['until'] - row['since'])} while"
            f" {evidence.counted(row['jobs'], 'job')} worked on it"
        ),
        evidence=(
            "SELECT ts, node, slot, sm_clock_hertz, temperature_celsius, power_watts,"
            " thermal_throttle_seconds_last - thermal_throttle_seconds_first AS thermal_seconds,"
            " brake_throttle_seconds_last - brake_throttle_seconds_first AS brake_seconds"
            f" FROM v_gpu_samples_1m WHERE node = {evidence.quoted(row['node'])}"
            f" AND gpu_id = {row['gpu_id']}"
            f" AND {evidence.during('ts', row['since'], row['until'])} ORDER BY ts"
        ),
    )


def _cause(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The cause that held it down longest, where the card tells which."""
    longest = max(_CAUSES, key=lambda name: row[name] or 0)
    if not row[longest]:
        return _OTHER
    _, words, action = _CAUSES[longest]
    return longest, words, action


def _held_down(name: str) -> str:
    counter = _CAUSES[name][0].fields[0].stored
    return f"max(s.{counter}_max) - min(s.{counter}_min) AS {name}"


_TEMPERATURE = GpuSample.temperature_celsius.fields[-1].stored
_CELLS = f"""(SELECT * FROM ledger_1m WHERE {WITHIN} AND state = 'throttled'
  AND gpu_id IN (SELECT gpu_id FROM ledger_1h
    WHERE hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
      AND hour < {{until:DateTime64(3, 'UTC')}} AND state = 'throttled'))"""
_MINUTES = f"""
SELECT gpu_id, minute AS at, true AS hit, false AS unknown FROM {_CELLS} GROUP BY gpu_id, at"""
_EPISODES = f"""
SELECT b.gpu_id AS gpu_id, e.since AS since, any(e.until) AS until, any(b.cluster) AS cluster,
  any(b.node) AS node, any(b.slot) AS slot, any(b.pool) AS pool,
  if(uniqExact(b.user) = 1, any(b.user), '') AS user,
  if(uniqExact(b.team) = 1, any(b.team), '') AS team, uniqExact(b.job) AS jobs,
  max(b.grade) AS grade, sum(b.gpu_seconds) AS lost_seconds, max(b.currency) AS currency,
  {CAPACITY_VALUE.sql} AS capacity_value
FROM ({booked(_CELLS, "minute")}) AS b
INNER JOIN ({islands_sql(_MINUTES, "gpu_id")}) AS e ON e.gpu_id = b.gpu_id
WHERE b.minute >= e.since AND b.minute < e.until GROUP BY gpu_id, since"""
_SQL = f"""
SELECT e.*, {", ".join(_held_down(name) for name in _CAUSES)},
  max(s.{_TEMPERATURE}) AS temperature
FROM ({_EPISODES}) AS e
LEFT JOIN (SELECT * FROM gpu_samples_1m WHERE ts >= {{since:DateTime64(3, 'UTC')}}
  AND ts < {{until:DateTime64(3, 'UTC')}} AND gpu_id IN (SELECT gpu_id FROM ({_EPISODES}))) AS s
  ON s.gpu_id = e.gpu_id
WHERE s.gpu_id = 0 OR s.ts >= e.since AND s.ts < e.until
GROUP BY ALL ORDER BY lost_seconds DESC, gpu_id, since"""

detector = Detector("GPUs whose clocks are held down by heat or power", ThrottledSettings, find)
