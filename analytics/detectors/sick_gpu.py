"""Cards that hardware operations should look at: one finding per card, its gravest sign first.

What it cost is what the book lost to it: the card's own time in `fault`, and the time of jobs that
its fault held up (`peer_fault`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from analytics import evidence, signs
from analytics.book import Span
from analytics.detector import Detector
from analytics.signs import BY_NAME, SignSettings
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE
from gpuledger.store import Store
from gpuledger.views import booked

Row = Mapping[str, Any]
_RANK = {name: i for i, name in enumerate(BY_NAME)}
# Grade of what the device itself says when the book has lost nothing to it yet.
TOLD_BY_DEVICE = "A"


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per card with a sign in the span."""
    assert isinstance(settings, SignSettings)
    told: dict[int, list[Row]] = {}
    for row in store.select(signs.sql(settings), since=span.since, until=span.until):
        told.setdefault(row["gpu_id"], []).append(row)
    if not told:
        return
    places = {r["gpu_id"]: r for r in store.select(_PLACES_SQL, gpus=sorted(told))}
    losses = _losses(store, span, sorted(told))
    for gpu, found in told.items():
        if gpu in places and _is_asked(span, _subject(places[gpu])):
            yield _finding(places[gpu], found, losses.get(gpu, {}), settings, span)


def _is_asked(span: Span, subject: str) -> bool:
    return not span.only or subject in span.only


def _subject(place: Row) -> str:
    return f"{place['cluster']}/{place['node']}/{place['slot']}"


def _losses(store: Store, span: Span, gpus: Sequence[int]) -> dict[int, Row]:
    """What the book lost to each card, in seconds and money."""
    rows = store.select(_LOSSES_SQL, gpus=gpus, since=span.since, until=span.until)
    return {r["gpu_id"]: r for r in rows}


def _finding(
    place: Row, found: Sequence[Row], loss: Row, settings: SignSettings, span: Span
) -> Finding:
    ordered = sorted(found, key=lambda r: _RANK[r["sign"]])
    gravest = BY_NAME[ordered[0]["sign"]]
    until = min(max(r["last"] for r in ordered), span.until)
    age = span.until - until
    return evidence.finding(
        "sick_gpu",
        {"grade": loss.get("grade") or TOLD_BY_DEVICE},
        span,
        subject=_subject(place),
        pool=place["pool"],
        since=max(min(r["first"] for r in ordered), span.since),
        until=until,
        open=int(age <= timedelta(hours=settings.events_h)),
        gpus=1,
        gpu_seconds=loss.get("lost_seconds", 0.0),
        capacity_value=loss.get("capacity_value"),
        cash_avoidable=loss.get("cash_avoidable"),
        currency=loss.get("currency", ""),
        owner=evidence.HARDWARE,
        cause=gravest.name,
        confidence_ratio=gravest.confidence,
        action=f"{place['node']}, GPU {place['slot']}: {gravest.action}.",
        summary=_summary(place, ordered, loss),
        evidence=_evidence(place, ordered),
    )


def _summary(place: Row, ordered: Sequence[Row], loss: Row) -> str:
    said = "; ".join(_words(r) for r in ordered)
    hours = loss.get("lost_seconds", 0.0) / 3600
    cost = f": {hours:,.1f} GPU-hours lost" if hours else ""
    jobs = loss.get("jobs", 0)
    held_up = f", {evidence.counted(jobs, 'job')} held up" if jobs else ""
    return f"GPU {place['slot']} of {place['node']} ({place['model']}) {said}{cost}{held_up}"


def _words(row: Row) -> str:
    detail = f" ({row['sign']} {row['detail']})" if row["detail"] else ""
    return f"{BY_NAME[row['sign']].text}{detail}"


def _evidence(place: Row, ordered: Sequence[Row]) -> str:
    since, until = min(r["first"] for r in ordered), max(r["last"] for r in ordered)
    where = f"node = {evidence.quoted(place['node'])} AND gpu_id = {place['gpu_id']}"
    when = evidence.during("ts", since, until + timedelta(seconds=1))
    return (
        "SELECT * FROM (SELECT ts, kind AS sign, toString(code) AS value, detail"
        f" FROM v_gpu_events WHERE {where} AND {when} UNION ALL SELECT ts, 'health' AS sign,"
        " toString((remap_pending, remap_failed, recovery_action, nvlinks_up, pcie_width))"
        " AS value,"
        " 'remap pending, remap failed, recovery action, NVLinks up, PCIe lanes' AS detail"
        f" FROM v_gpu_health_samples_1m WHERE {where} AND {when}) ORDER BY ts, sign"
    )


_PLACES_SQL = """
SELECT gpu_id, cluster, node, slot, model, pool FROM assets FINAL
WHERE gpu_id IN {gpus:Array(UInt64)}
"""

# A job that several sick cards hold up is counted with the first of them.
_HELD_UP = """
SELECT job_id, min(gpu_id) AS sick FROM allocations FINAL
WHERE gpu_id IN {gpus:Array(UInt64)} AND valid_from < {until:DateTime64(3, 'UTC')}
  AND valid_to > {since:DateTime64(3, 'UTC')} GROUP BY job_id
"""
_PEER_FAULT = "cause = 'peer_fault' OR has(splitByChar(',', toString(flags)), 'peer_fault')"
_FAULTY = f"""(SELECT * FROM ledger_1m WHERE {evidence.WITHIN} AND state = 'fault'
  AND gpu_id IN {{gpus:Array(UInt64)}})"""
_LOSSES_SQL = f"""
SELECT sick AS gpu_id, sum(b.gpu_seconds) AS lost_seconds, max(b.grade) AS grade,
  uniqExactIf(b.job, b.job != '') AS jobs, max(b.currency) AS currency,
  {CAPACITY_VALUE.sql} AS capacity_value, {CASH_AVOIDABLE.sql} AS cash_avoidable
FROM (
  SELECT *, gpu_id AS sick FROM ({booked(_FAULTY, "minute")})
  UNION ALL
  SELECT p.*, h.sick AS sick FROM (
    {evidence.cells_sql(f"SELECT job_id FROM ({_HELD_UP})", _PEER_FAULT)}
  ) AS p INNER JOIN ({_HELD_UP}) AS h ON h.job_id = p.job) AS b
GROUP BY gpu_id
"""

detector = Detector("Cards that hardware operations should look at", SignSettings, find)
