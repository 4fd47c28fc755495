"""Inference services with more GPU than their requests need, judged by their peaks of two weeks.

Never advice to stop one: what is proposed keeps the replicas that the peak needs, and no service is
told to go below what was agreed for it. Replicas are servers as their own metrics name them; which
GPUs they hold is known where one service's job, or the pod that the server names, is on their node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.causes.services import advice_rows
from analytics.causes.worth import worth
from analytics.detector import Detector
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store

HISTORY = timedelta(days=14)


class ServingSettings(Settings):
    """Section `[serving]`."""

    zero_after_h: Annotated[float, "hours without a request before scaling to zero is advised"] = 4
    history_h: Annotated[float, "hours that must be known before anything is advised"] = 3
    headroom: Annotated[float, "share of a replica that peaks may fill"] = 0.8
    slice_kv_ratio: Annotated[float, "peak use of the cache below which a slice would do"] = 0.35
    slice_sm_ratio: Annotated[float, "peak SM activity below which a slice would do"] = 0.4
    batch_requests: Annotated[float, "requests at once up to which there is no batching"] = 1.5
    batch_per_s: Annotated[float, "requests a second that a replica must answer all the same"] = 0.5
    full_kv_ratio: Annotated[float, "peak use of the cache from which on it is full"] = 0.95
    dram_ratio: Annotated[float, "memory bandwidth in use that a smaller model would spare"] = 0.5


@dataclass(frozen=True)
class Advice:
    """One kind of advice: when it holds of a service, what share of its GPUs it frees, in words."""

    name: str
    holds: Callable[[Mapping[str, Any], ServingSettings], bool]
    freed: Callable[[Mapping[str, Any], ServingSettings], float]
    because: str
    action: str


def needed(row: Mapping[str, Any], settings: ServingSettings) -> int:
    """Replicas that the peak of two weeks needs, with headroom; at least those agreed upon, or 1.

    A service that let requests wait at its peak needs what it has.
    """
    least, now = max(1, int(row["least_replicas"])), int(row["replicas"])
    if row["waiting_peak"]:
        return max(least, now)
    loads: list[float] = [v for v in (row["kv_peak"], row["sm_peak"]) if v is not None]
    if row["kv_peak"] is None and row["running_peak_ratio"] is not None:
        # Nobody knows how many requests a replica could take: no more than it did.
        loads.append(row["running_peak_ratio"])
    if not loads:
        return max(least, now)
    return max(least, math.ceil(max(loads) / settings.headroom))


def _quiet(row: Mapping[str, Any], settings: ServingSettings) -> bool:
    long = row["quiet_hours"] >= settings.zero_after_h
    return bool(long and row["least_replicas"] < row["replicas"])


def _too_many(row: Mapping[str, Any], settings: ServingSettings) -> bool:
    return needed(row, settings) < int(row["replicas"])


def _fits_slice(row: Mapping[str, Any], settings: ServingSettings) -> bool:
    kv, sm = row["kv_one"], row["sm_one"]
    known = kv is not None and sm is not None
    return bool(
        known
        and kv <= settings.slice_kv_ratio
        and sm <= settings.slice_sm_ratio
        and not row["waiting_peak"]
    )


def _unbatched(row: Mapping[str, Any], settings: ServingSettings) -> bool:
    running, rate, sm = row["running"], row["rate_one"], row["sm_mean"]
    if running is None or rate is None or not row["waiting_peak"]:
        return False
    return bool(
        running <= settings.batch_requests and rate >= settings.batch_per_s and (sm or 0) < 0.5
    )


def _full(row: Mapping[str, Any], settings: ServingSettings) -> bool:
    kv, dram = row["kv_one"], row["dram_mean"]
    return bool(
        kv is not None
        and kv >= settings.full_kv_ratio
        and row["preemptions"]
        and (dram is None or dram >= settings.dram_ratio)
    )


ADVICE: tuple[Advice, ...] = (
    Advice(
        "scale_to_zero",
        _quiet,
        lambda row, _: 1 - row["least_replicas"] / row["replicas"],
        "no request for {quiet_hours:.0f} h",
        "Let {name} scale to {least_replicas} replicas between requests (KEDA, Knative, Run:ai"
        " scale to zero), and warm up on the first.",
    ),
    Advice(
        "quantize",
        _full,
        lambda _row, _settings: 0.0,
        "its cache is full ({kv_percent:.0f} %) and put back {preemptions:,.0f} requests",
        "Quantize {name} (FP8 or INT8 weights, FP8 key-value cache): it is bound by memory.",
    ),
    Advice(
        "batch",
        _unbatched,
        lambda _row, _settings: 0.0,
        "{rate_one:.1f} requests/s one by one ({running:.1f} at once) while others wait",
        "Let {name} batch (raise max_num_seqs or dynamic batching's limits): the GPU has room.",
    ),
    Advice(
        "fewer_replicas",
        _too_many,
        lambda row, settings: 1 - needed(row, settings) / row["replicas"],
        "the peak of {history_hours:.0f} h needs {needed} of its {replicas} replicas",
        "Run {needed} replicas of {name} instead of {replicas}, or scale with its requests.",
    ),
    Advice(
        "smaller_slice",
        _fits_slice,
        lambda row, settings: 1 - max(row["kv_one"], row["sm_one"]) / settings.headroom,
        "at its peak it uses {kv_percent:.0f} % of its cache and {sm_percent:.0f} % of the SM",
        "Give each replica of {name} a MIG slice or a smaller GPU; all of its replicas stay.",
    ),
)


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per service: the first advice that holds of it."""
    assert isinstance(settings, ServingSettings)
    if span.since >= span.until:
        return
    for row in advice_rows(store, span.until, HISTORY):
        row["needed"] = needed(row, settings)
        if row["history_hours"] < settings.history_h or not row["replicas"]:
            continue
        advice = next((a for a in ADVICE if a.holds(row, settings)), None)
        if advice:
            yield _finding(store, row, advice, settings, span)


def _finding(
    store: Store,
    row: dict[str, Any],
    advice: Advice,
    settings: ServingSettings,
    span: Span,
) -> Finding:
    since = row["last_busy"] if advice.name == "scale_to_zero" else row["first"]
    share = max(0.0, advice.freed(row, settings))
    seconds = share * row["gpus"] * (span.until - since).total_seconds()
    percents = {"kv_percent": 100 * (row["kv_one"] or 0), "sm_percent": 100 * (row["sm_one"] or 0)}
    told = {**row, **percents}
    known = row["sm_one"] is not None
    return evidence.finding(
        "serving",
        {**row, "since": since, "until": span.until, "open": 1, "grade": "A" if known else "D"},
        span,
        subject=f"{row['cluster']}/service/{row['name']}",
        gpus=math.ceil(share * row["gpus"]),
        gpu_seconds=seconds,
        **worth(store, row["jobs"], since, seconds),
        confidence_ratio=0.85 if known else 0.6,
        owner=evidence.OWNER,
        cause=advice.name,
        action=advice.action.format(**told),
        summary=f"Service {row['name']} on {_gpus(row)}: {advice.because.format(**told)}",
        evidence=_rows(row, span),
    )


def _gpus(row: Mapping[str, Any]) -> str:
    replicas = evidence.counted(row["replicas"], "replica")
    return f"{evidence.counted(row['gpus'], 'GPU')} in {replicas}" if row["gpus"] else replicas


def _rows(row: Mapping[str, Any], span: Span) -> str:
    """The query that shows what its servers told by the hour."""
    names = ", ".join(evidence.quoted(i) for i in row["instances"])
    return (
        "SELECT ts, node, service, model, instance, requests_first, requests_last,"
        " running_requests, running_requests_max, waiting_requests_max, kv_cache_ratio_max"
        f" FROM v_serving_samples_1h WHERE cluster = {evidence.quoted(row['cluster'])}"
        f" AND instance IN ({names})"
        f" AND {evidence.during('ts', span.until - HISTORY, span.until)}"
        " ORDER BY ts, node, instance"
    )


detector = Detector(
    "Inference services with more GPU than their requests need", ServingSettings, find
)
