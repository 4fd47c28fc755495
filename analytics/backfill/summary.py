"""What a backfill came to, in words and figures for people; and the baseline for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from analytics.backfill.run import Done, Wanted
from analytics.book import Span
from analytics.report import weekly
from analytics.report.book import Book
from analytics.report.metrics import Case, success_metrics
from gpuledger.service import Reader

WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# Shorter silences are missed scrapes; Prometheus itself holds a series for five minutes.
LONG = timedelta(minutes=10)
NOT_COMPARED = "the baseline is what later weeks are compared with"
SHOWN_GAPS, SHOWN_DOUBTS, SHOWN_NODES = 5, 5, 3

Line = tuple[str, str]


@dataclass(frozen=True)
class Gap:
    """A time of which some nodes told nothing."""

    since: datetime
    until: datetime
    nodes: tuple[str, ...]

    @property
    def node_hours(self) -> float:
        """How much is missing."""
        return len(self.nodes) * ((self.until - self.since) / HOUR)

    def __str__(self) -> str:
        names = ", ".join(self.nodes[:SHOWN_NODES])
        more = len(self.nodes) - SHOWN_NODES
        who = f"{names} and {more} more" if more > 0 else names
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC: {who}"


def lines(reader: Reader, wanted: Wanted, done: Done) -> list[Line]:
    """What was read, what was missing and what was booked: a word and what is to be said of it."""
    told = history(reader, wanted)
    return [
        *_read(done),
        *_accounting(done),
        *_history(wanted, told),
        *_gaps(gaps(reader, wanted)),
        *_booked(reader, told),
        *(("hint", hint) for hint in done.hints),
    ]


def history(reader: Reader, wanted: Wanted) -> Span | None:
    """From the first minute to the last of which some GPU told something."""
    (found,) = reader.select(_HISTORY_SQL, **_period(wanted))
    if not found["minutes"]:
        return None
    return Span(found["first"], found["last"] + MINUTE)


def gaps(reader: Reader, wanted: Wanted) -> list[Gap]:
    """Silences of nodes between their first word and their last, longest first."""
    rows = reader.select(_GAPS_SQL, least_ms=round(LONG / MINUTE) * 60_000, **_period(wanted))
    found = [Gap(r["since"], r["until"], tuple(r["nodes"])) for r in rows]
    return sorted(found, key=lambda g: (-g.node_hours, g.since))


def baseline(reader: Reader, span: Span) -> list[dict[str, Any]]:
    """The success metrics of each whole week before any agent was there, newest first.

    Each has `since`, `until`, `booked_hours`, `expected_hours`, `gpu_hours`, `unknown_ratio`,
    `grade` and `metrics` (see the weekly report).
    """
    out = []
    since, until = weekly.last_seven_days(span.until)
    while until > span.since:
        figures = Book(reader, since, until).figures()
        if figures.booked_hours:
            week = Case(reader, Span(since, until), figures, None, None, NOT_COMPARED)
            out.append(
                {
                    "since": since.isoformat(),
                    "until": until.isoformat(),
                    "booked_hours": figures.booked_hours,
                    "expected_hours": ceil((until - since) / HOUR),
                    "gpu_hours": figures.owned_gpu_hours,
                    "unknown_ratio": figures.unknown,
                    "grade": figures.grade,
                    "metrics": [asdict(metric) for metric in success_metrics(week)],
                }
            )
        since, until = since - WEEK, since
    return out


def _read(done: Done) -> Iterator[Line]:
    for name, read in done.reads.items():
        again = f"; {hours(read.skipped)} were there already" if read.skipped else ""
        yield name, f"{read.samples:,} samples read, {read.rows:,} rows stored{again}"
        worst = sorted(read.doubts.items(), key=lambda d: -d[1])[:SHOWN_DOUBTS]
        for said, count in worst:
            yield "left out", f"{said} ({count:,} times)"
    if done.kube:
        yield "kube-state", f"{done.kube.samples:,} samples read, {done.kube.rows:,} facts stored"


def _accounting(done: Done) -> Iterator[Line]:
    listing, booked = done.listing, done.booked
    if listing is None or booked is None:
        return
    yield (
        "sacct",
        (
            f"{booked.jobs:,} GPU jobs in this time of {listing.lines:,} lines;"
            f" {listing.without_gpus:,} runs without GPUs were left out"
        ),
    )
    if listing.odd:
        yield "left out", f"{listing.odd:,} lines of sacct; the first is {listing.first_odd}"
    if booked.gpu_hours:
        assumed = 1 - booked.told_gpu_hours / booked.gpu_hours
        yield (
            "allocations",
            (
                f"{booked.gpu_hours:,.1f} GPU-hours; which GPU of its node it was is assumed for"
                f" {assumed:.1%} of them"
            ),
        )
    if booked.unknown_nodes:
        names = ", ".join(booked.unknown_nodes[:SHOWN_NODES])
        yield "left out", f"jobs on {len(booked.unknown_nodes)} nodes with unknown GPUs ({names})"
    if booked.too_many:
        yield "left out", f"{booked.too_many} GPUs of jobs beyond what their nodes had free"


def _history(wanted: Wanted, told: Span | None) -> Iterator[Line]:
    if told is None:
        yield "history", "no exporter told of a GPU in this time"
        return
    late = told.since - wanted.since > HOUR
    why = f"; nothing is kept from before, since {wanted.since:%Y-%m-%d %H:%M}" if late else ""
    yield "history", f"{told.since:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC{why}"


def _gaps(found: list[Gap]) -> Iterator[Line]:
    if not found:
        yield "gaps", "none longer than 10 minutes"
        return
    total = sum(g.node_hours for g in found)
    yield "gaps", f"{len(found)} longer than 10 minutes, {total:,.1f} node-hours in all; longest:"
    for gap in found[:SHOWN_GAPS]:
        yield "", str(gap)


def _booked(reader: Reader, told: Span | None) -> Iterator[Line]:
    if told is None:
        yield "booked", "nothing"
        return
    figures = Book(reader, told.since.replace(minute=0), told.until).figures()
    count = f"{figures.booked_hours:,} hour{'s' * (figures.booked_hours != 1)}"
    yield "booked", f"{figures.booked_gpu_hours:,.1f} GPU-hours in {count}"
    if figures.unknown is not None:
        yield "unknown", f"{figures.unknown:.1%} of them"
    yield "grade", figures.grade or "none"


def hours(ms: int) -> str:
    """A length of time."""
    return f"{ms / 3_600_000:,.1f} hours"


def table(told: Iterable[Line]) -> str:
    """The lines with their words in a column."""
    return "\n".join(f"{word:<15} {said}" for word, said in told)


def _period(wanted: Wanted) -> dict[str, Any]:
    return {"cluster": wanted.cluster, "since": wanted.since, "until": wanted.until}


_WITHIN = """
FROM gpu_samples_1m WHERE cluster = {cluster:String}
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
"""

_HISTORY_SQL = f"SELECT min(ts) AS first, max(ts) AS last, count() AS minutes {_WITHIN}"

_GAPS_SQL = f"""
SELECT before + INTERVAL 1 MINUTE AS since, ts AS until, arraySort(groupArray(node)) AS nodes
FROM (
  SELECT node, ts, lagInFrame(ts, 1, ts) OVER (
    PARTITION BY node ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
  FROM (SELECT DISTINCT node, ts {_WITHIN}))
WHERE dateDiff('millisecond', before, ts) > {{least_ms:UInt32}} + 60000
GROUP BY since, until
"""
