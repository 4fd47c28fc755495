"""Processes on GPUs that no scheduler gave out.

The book calls such minutes `rogue` (docs/ledger.md): the scheduler's word is fresh, and it knows of
no allocation. Who it is and what runs there comes from the agent's list of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import WITHIN, islands_sql
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE
from gpuledger.store import Store
from gpuledger.views import booked

Row = dict[str, Any]


class RogueSettings(Settings):
    """Section `[rogue]`."""

    after_min: Annotated[int, "minutes of use without an allocation that make an episode"] = 5
    gap_min: Annotated[int, "minutes without it that do not end an episode"] = 5


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per node and stretch of use that nobody allowed."""
    assert isinstance(settings, RogueSettings)
    rows = store.select(
        _SQL, **evidence.parameters(span), gap=settings.gap_min, after=settings.after_min
    )
    for row in _by_node(rows, _processes(store, rows)):
        if span.only and row["subject"] not in span.only:
            continue
        seen_after = (span.until - row["until"]) // evidence.MINUTE - row["unknown_after"]
        row["open"] = int(seen_after <= settings.gap_min)
        yield _finding(row, span)


def _processes(
    store: Store, rows: Sequence[Mapping[str, Any]]
) -> dict[int, list[Mapping[str, Any]]]:
    """Processes on these GPUs while they were used, those with most memory first."""
    if not rows:
        return {}
    found = store.select(
        _PROCESSES_SQL,
        nodes=sorted({r["node"] for r in rows}),
        gpus=sorted({r["gpu_id"] for r in rows}),
        since=min(r["since"] for r in rows),
        until=max(r["until"] for r in rows),
    )
    out: dict[int, list[Mapping[str, Any]]] = {}
    for r in found:
        out.setdefault(r["gpu_id"], []).append(r)
    return out


def _by_node(
    rows: Sequence[Mapping[str, Any]], processes: Mapping[int, Sequence[Mapping[str, Any]]]
) -> Iterator[Row]:
    """Overlapping episodes of the GPUs of one node as one; rows are in order of their start."""
    whole: dict[str, Row] = {}
    for row in rows:
        subject = f"{row['cluster']}/{row['node']}"
        there = [
            (p["user"], p["executable"])
            for p in processes.get(row["gpu_id"], ())
            if p["first"] <= row["until"] and p["last"] > row["since"]
        ]
        old = whole.get(subject)
        if old and row["since"] <= old["until"]:
            _join(old, row, there)
            continue
        if old:
            yield old
        whole[subject] = {
            **row,
            "subject": subject,
            "processes": dict.fromkeys(there),
            "gpus": 1,
            "gpu_ids": [row["gpu_id"]],
            "gpu_seconds": row["lost_seconds"],
        }
    yield from whole.values()


def _join(whole: Row, part: Mapping[str, Any], there: Sequence[tuple[str, str]]) -> None:
    whole["until"] = max(whole["until"], part["until"])
    whole["processes"] |= dict.fromkeys(there)
    whole["gpu_ids"] = sorted({*whole["gpu_ids"], part["gpu_id"]})
    whole["gpus"] = len(whole["gpu_ids"])
    whole["gpu_seconds"] += part["lost_seconds"]
    whole["grade"] = max(whole["grade"], part["grade"])
    whole["unknown_after"] = min(whole["unknown_after"], part["unknown_after"])
    for money in ("capacity_value", "cash_avoidable"):
        whole[money] = evidence.added(whole[money], part[money])


def _words(processes: Sequence[tuple[str, str]]) -> str:
    """`python3 of ana, xmrig of bob`; what cannot be known is left out."""
    named = [f"{run or 'a process'}{f' of {user}' if user else ''}" for user, run in processes]
    words = ", ".join(named) or "a process"
    return words[0].upper() + words[1:] if words.startswith("a process") else words


def _finding(row: Mapping[str, Any], span: Span) -> Finding:
    user = next((user for user, _ in row["processes"] if user), "")
    gpus = ", ".join(map(str, row["gpu_ids"]))
    return evidence.finding(
        "rogue",
        row,
        span,
        subject=row["subject"],
        user=user,
        team="",
        owner="security",
        cause="no_allocation",
        action=(
            f"Ask {user or 'whoever may log in'} to go through the scheduler, and let nobody"
            f" reach the GPUs of {row['node']} around it (device cgroups, pam_slurm_adopt)."
        ),
        # The grade is about use; that a process is there and no allocation, both were read.
        confidence_ratio=0.95 if user else 0.85,
        summary=(
            f"{_words(list(row['processes']))} uses {evidence.counted(row['gpus'], 'GPU')} of"
            f" {row['node']} that no scheduler gave out, for"
            f" {evidence.duration(row['until'] - row['since'])}:"
            f" {row['gpu_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=(
            "SELECT minute, gpu_id, state, grade, gpu_seconds FROM v_book_1m"
            f" WHERE gpu_id IN ({gpus}) AND state = 'rogue'"
            f" AND {evidence.during('minute', row['since'], row['until'])} ORDER BY minute, gpu_id"
        ),
    )


_GPUS = f"SELECT gpu_id FROM ledger_1m WHERE {WITHIN} AND state = 'rogue'"
_MINUTES_SQL = f"""
SELECT gpu_id, minute AS at, countIf(state = 'rogue') > 0 AS hit, NOT hit AS unknown
FROM ledger_1m WHERE {WITHIN} AND state IN ('rogue', 'unattributed', 'unalloc_unknown')
  AND gpu_id IN ({_GPUS})
GROUP BY gpu_id, at"""
_CELLS = f"(SELECT * FROM ledger_1m WHERE {WITHIN} AND state = 'rogue')"
_SQL = f"""
SELECT b.gpu_id AS gpu_id, any(b.cluster) AS cluster, any(b.node) AS node, any(b.pool) AS pool,
  e.since AS since, any(e.until) AS until, any(e.unknown_after) AS unknown_after,
  max(b.grade) AS grade, max(b.currency) AS currency, sum(b.gpu_seconds) AS lost_seconds,
  {CAPACITY_VALUE.sql} AS capacity_value, {CASH_AVOIDABLE.sql} AS cash_avoidable
FROM ({booked(_CELLS, "minute", "false")}) AS b
INNER JOIN ({islands_sql(_MINUTES_SQL, "gpu_id")}) AS e ON e.gpu_id = b.gpu_id
WHERE b.minute >= e.since AND b.minute < e.until
GROUP BY gpu_id, since ORDER BY since, gpu_id"""
_PROCESSES_SQL = """
SELECT gpu_id, user, executable, min(ts) AS first, max(ts) AS last, max(memory_used_mib) AS memory
FROM process_samples
WHERE node IN {nodes:Array(String)} AND gpu_id IN {gpus:Array(UInt64)}
  AND ts > {since:DateTime64(3, 'UTC')} AND ts <= {until:DateTime64(3, 'UTC')}
GROUP BY gpu_id, user, executable ORDER BY gpu_id, memory DESC, user, executable"""

detector = Detector("Processes on GPUs that no scheduler gave out", RogueSettings, find)
