"""Jobs that hang: busy by the counters, while nothing is computed and nothing moves.

A GPU's minutes are called `stalled` by the book (docs/ledger.md). A job hangs while at least half
of the GPUs that were seen do so and the rest idle; what works keeps the job from hanging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from analytics import circumstances, evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import Loss
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

LOSS = Loss(
    states=("stalled",),
    lost="b.state IN ('stalled', 'alloc_idle')",
    hit="stuck > 0 AND stuck * 2 >= seen AND working * 10 < seen",
    unknown="seen = 0",
    part=0.5,
    told={
        "stuck": "uniqExactIf(b.gpu_id, b.state = 'stalled')",
        "seen": "uniqExactIf(b.gpu_id, b.state NOT IN ('alloc_unknown', 'fault'))",
        "working": "uniqExactIf(b.gpu_id, b.state IN ('productive', 'throttled'))",
    },
)


class StalledSettings(Settings):
    """Section `[stalled]`."""

    # NVIDIA Recovery and Google's goodput library call a job hung after 10 minutes.
    after_min: Annotated[int, "minutes of hanging that make an episode"] = 10
    gap_min: Annotated[int, "other minutes that do not end an episode"] = 5


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and hang in the span."""
    assert isinstance(settings, StalledSettings)
    rows = evidence.episodes(
        store, span, LOSS, gap_min=settings.gap_min, after_min=settings.after_min
    )
    known = circumstances.known(store) if rows else None
    for row in rows:
        assert known
        yield _finding(store, row, span, known.confidence(row))


def _finding(store: Store, row: Mapping[str, Any], span: Span, confidence: float) -> Finding:
    told = {
        "owner": evidence.OWNER,
        "cause": "hang",
        "action": _ACTION if row["open"] else _OVER_ACTION,
    }
    nodes = circumstances.faulty_nodes(store, row["job"], row["since"], row["since"])
    if nodes or circumstances.is_peer_fault(row):
        told = circumstances.billed_to_hardware(nodes)
    after = f" after a fault on {evidence.places(nodes)}" if nodes else ""
    hung = "has hung" if row["open"] else "hung"
    return evidence.finding(
        "stalled",
        row,
        span,
        confidence_ratio=confidence,
        summary=(
            f"{row['job_name'] or row['job']} {hung} on {evidence.counted(row['gpus'], 'GPU')}"
            f" of {evidence.places(row['nodes'])} for"
            f" {evidence.duration(row['until'] - row['since'])}{after}:"
            f" {row['gpu_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=evidence.book_rows(row["job"], row["since"], row["until"]),
        **told,
    )


_ACTION = (
    "Look where its processes wait (py-spy dump, NCCL's flight recorder);"
    " if they wait for each other, start again from the last checkpoint."
)
_OVER_ACTION = (
    "It is over: look in its log for what it waited for, and let the next run time out sooner"
    " (NCCL's watchdog, TORCH_NCCL_ASYNC_ERROR_HANDLING)."
)

detector = Detector("Jobs that hang on their GPUs", StalledSettings, find)
