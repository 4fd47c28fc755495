"""Jobs that hold GPUs and use none of them for long enough.

Only minutes in which every GPU of the job is idle count: a job that works on one of its GPUs works.
Minutes that nobody saw neither extend an episode nor end it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from analytics import circumstances, evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.evidence import Loss
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

LOSS = Loss(
    states=("alloc_idle",),
    lost="b.state = 'alloc_idle'",
    hit="cells > 0 AND others = 0",
    unknown="others = 0",
    told={"others": "countIf(b.state NOT IN ('alloc_idle', 'alloc_unknown'))"},
)
SERVING = "serving_warm"


class IdleSettings(Settings):
    """Section `[idle]`."""

    # Run:ai's dashboard calls a job idle after 5 minutes at 0 %; ours needs 5 covered minutes.
    after_min: Annotated[int, "minutes of idleness that make an episode"] = 5
    # A burst shorter than this does not end an episode: notebooks are touched now and then.
    gap_min: Annotated[int, "minutes of work that do not end an episode"] = 2
    # Video engines work without multiprocessors: such a job is idle by every counter of those.
    media_ratio: Annotated[float, "use of a video engine from which a job is not idle"] = 0.01


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and episode of whole idleness in the span."""
    assert isinstance(settings, IdleSettings)
    rows = evidence.episodes(
        store, span, LOSS, gap_min=settings.gap_min, after_min=settings.after_min
    )
    if not rows:
        return
    known = circumstances.known(store)
    media = _media(store, rows, settings.media_ratio)
    for row in rows:
        if any(row["since"] <= at < row["until"] for gpu in row["gpu_ids"] for at in media[gpu]):
            continue
        told = {"confidence_ratio": known.confidence(row), **_told(store, row)}
        yield _finding(row, span, told)


def _told(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    """Whom it concerns, why, and what to do."""
    if circumstances.is_peer_fault(row):
        nodes = circumstances.faulty_nodes(store, row["job"], row["since"], row["until"])
        return circumstances.billed_to_hardware(nodes)
    if SERVING in row["flags"]:
        return {"cause": SERVING, "owner": evidence.OWNER, "action": _SERVING_ACTION}
    held = "mem_held" in row["flags"]
    action = (_HELD_ACTION if held else _ACTION) if row["open"] else _OVER_ACTION
    return {
        "cause": "memory_held" if held else "",
        "owner": evidence.OWNER,
        "action": action,
    }


def _media(
    store: Store, rows: Sequence[Mapping[str, Any]], least_ratio: float
) -> defaultdict[int, list[datetime]]:
    """Minutes in which the video engines of each GPU were at work."""
    found = store.select(
        # As stored, hundredths weighed by time: the view would add up what nobody asks for.
        "SELECT gpu_id, ts FROM gpu_samples_1m"
        " WHERE node IN {nodes:Array(String)} AND gpu_id IN {gpus:Array(UInt64)}"
        " AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}"
        " AND greatest(encoder_pct_wsum, decoder_pct_wsum) >= {least:Float64} * 100 * weight_ms",
        nodes=sorted({n for r in rows for n in r["nodes"]}),
        gpus=circumstances.gpus_of(rows),
        since=min(r["since"] for r in rows),
        until=max(r["until"] for r in rows),
        least=least_ratio,
    )
    out: defaultdict[int, list[datetime]] = defaultdict(list)
    for r in found:
        out[r["gpu_id"]].append(r["ts"])
    return out


def _finding(row: Mapping[str, Any], span: Span, told: Mapping[str, Any]) -> Finding:
    them = "it" if row["gpus"] == 1 else "them"
    holds, unused = ("holds", "has not used") if row["open"] else ("held", "did not use")
    return evidence.finding(
        "idle",
        row,
        span,
        summary=(
            f"{row['job_name'] or row['job']} {holds} {evidence.counted(row['gpus'], 'GPU')}"
            f" on {evidence.places(row['nodes'])} and {unused} {them} for"
            f" {evidence.duration(row['until'] - row['since'])}{circumstances.after(told)}:"
            f" {row['gpu_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=evidence.book_rows(row["job"], row["since"], row["until"]),
        **told,
    )


_ACTION = "End the job if it has finished its work, or put it back to work."
_HELD_ACTION = (
    "It still holds GPU memory: save what is there and end the job, or put it back to work."
)
_OVER_ACTION = (
    "It is over: let such jobs end with their last step, and do what needs no GPU in a job without."
)
_SERVING_ACTION = (
    "Keep it up, but smaller: fewer replicas while it is quiet, scale to zero, or a MIG slice."
)

detector = Detector("Jobs that hold GPUs and use none of them", IdleSettings, find)
