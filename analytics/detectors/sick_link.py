"""Network ports that are down, flap or make errors: one finding per port.

GPUd's rule for a port that is down is four minutes; symbol errors and recoveries are counted by the
port itself, and a healthy one has next to none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from gpuledger.catalogue import Finding, NetworkSample
from gpuledger.config import Settings
from gpuledger.rollups import mean
from gpuledger.schema import Counter
from gpuledger.store import Store


class LinkSettings(Settings):
    """Section `[sick_link]`."""

    down_min: Annotated[int, "minutes without link after which a port is down"] = 4
    flaps: Annotated[int, "times that a link goes down in the span before it flaps"] = 3
    errors: Annotated[int, "symbol and integrity errors in the span that are too many"] = 100
    open_min: Annotated[int, "minutes without a sign after which a finding ends"] = 60


_CAUSES = {
    "down": ("is down", "check cable, transceiver and the switch's port"),
    "flapping": ("loses its link again and again", "replace the cable or its transceiver"),
    "errors": ("makes transfer errors", "clean or replace the cable or its transceiver"),
}


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per port with a sign in the span."""
    assert isinstance(settings, LinkSettings)
    rows = store.select(
        _SQL,
        since=span.since,
        until=span.until,
        down=settings.down_min,
        flaps=settings.flaps,
        errors=settings.errors,
    )
    for row in rows:
        subject = f"{row['cluster']}/{row['node']}/{row['device']}"
        if not span.only or subject in span.only:
            yield _finding(row, subject, settings, span)


def _cause(row: Mapping[str, Any], settings: LinkSettings) -> str:
    if row["down_minutes"] >= settings.down_min:
        return "down"
    return "flapping" if row["downs"] >= settings.flaps else "errors"


def _finding(row: Mapping[str, Any], subject: str, settings: LinkSettings, span: Span) -> Finding:
    cause = _cause(row, settings)
    words, action = _CAUSES[cause]
    told = {
        "down": f"{evidence.counted(row['down_minutes'], 'minute')} without link",
        "flapping": f"{row['downs']} times",
        "errors": f"{row['errors']} errors",
    }
    age = span.until - row["until"]
    return evidence.finding(
        "sick_link",
        {**row, "grade": "A"},
        span,
        subject=subject,
        open=int(age <= timedelta(minutes=settings.open_min)),
        gpus=row["gpus"],
        # What a slow or missing link costs shows where the jobs wait for it, and is counted there.
        gpu_seconds=0.0,
        capacity_value=None,
        cash_avoidable=None,
        owner=evidence.HARDWARE,
        cause=cause,
        confidence_ratio=0.95 if cause == "down" else 0.85,
        action=f"{row['node']}, {row['device']}: {action}.",
        summary=(
            f"{row['kind']} port {row['device']} of {row['node']} {words}: {told[cause]};"
            f" the node has {evidence.counted(row['gpus'], 'GPU')}"
        ),
        evidence=(
            "SELECT ts, up_ratio, link_downs_last - link_downs_first AS downs,"
            " symbol_errors_last - symbol_errors_first AS symbol_errors,"
            " link_recoveries_last - link_recoveries_first AS recoveries"
            f" FROM v_network_samples_1m WHERE node = {evidence.quoted(row['node'])}"
            f" AND device = {evidence.quoted(row['device'])}"
            f" AND {evidence.during('ts', row['since'], row['until'])} ORDER BY ts"
        ),
    )


def _grown(*counters: Counter) -> str:
    names = [c.fields[0].stored for c in counters]
    return " + ".join(f"ifNull(max(s.{n}_max) - min(s.{n}_min), 0)" for n in names)


_UP = mean(NetworkSample.up_ratio.fields[0], NetworkSample.table)
_DOWNS = _grown(NetworkSample.link_downs, NetworkSample.carrier_changes)
_ERRORS = _grown(
    NetworkSample.symbol_errors, NetworkSample.link_integrity_errors, NetworkSample.link_recoveries
)
# A port that never had a link in the span is not in use, not broken.
_SQL = f"""
SELECT *, ifNull(g.gpus, 0) AS gpus FROM (
  SELECT cluster, node, device, any(kind) AS kind, countIf(up < 50) AS down_minutes,
    countIf(up >= 50) AS up_minutes, sum(gone) AS downs, sum(wrong) AS errors,
    minIf(at, sign) AS since, maxIf(at, sign) + INTERVAL 1 MINUTE AS until
  FROM (
    SELECT s.cluster AS cluster, s.node AS node, s.device AS device, s.ts AS at,
      any(s.kind) AS kind, ifNull({_UP}, 100) AS up, {_DOWNS} AS gone, {_ERRORS} AS wrong,
      up < 50 OR gone > 0 OR wrong > 0 AS sign
    FROM network_samples_1m AS s
    WHERE s.ts >= {{since:DateTime64(3, 'UTC')}} AND s.ts < {{until:DateTime64(3, 'UTC')}}
    GROUP BY cluster, node, device, s.epoch, at)
  GROUP BY cluster, node, device
  HAVING up_minutes > 0 AND (down_minutes >= {{down:UInt32}} OR downs >= {{flaps:UInt32}}
    OR errors >= {{errors:UInt32}})) AS p
LEFT JOIN (SELECT cluster, node, count() AS gpus FROM assets FINAL GROUP BY cluster, node) AS g
  USING (cluster, node)
ORDER BY cluster, node, device
"""

detector = Detector("Network ports that are down, flap or make errors", LinkSettings, find)
