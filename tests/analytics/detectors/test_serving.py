"""Inference services with more GPU than their requests need."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.serving import ServingSettings, detector
from gpuledger.catalogue import Finding, GpuSample, ServingSample
from gpuledger.catalogue.people import Service
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, given, gpu, job, write

HOURS = 8
WHOLE = Span(at(0), at(HOURS * 60))
STEP = 5
BUSY: dict[str, Any] = {"rate": 2.0, "running": 6.0, "kv": 0.7}


def replica(
    node: int,
    *,
    rate: float = 0.0,
    running: float = 0.0,
    kv: float = 0.02,
    waiting: float = 0.0,
    preemptions: float = 0.0,
    until: int = HOURS * 60,
    sm: float = 0.5,
) -> list[Row]:
    """One server with its job on a GPU of its own; requests come until a minute."""
    native, name = f"{10 + node}", f"n{node}"
    served = job(native, name=f"chat-{node}", started=at(0))
    served.kind = "service"
    rows: list[Row] = [asset(0, name), given(native, 0, name), served]
    for minute in range(STEP, HOURS * 60 + 1, STEP):
        seen = min(minute, until)
        busy = minute <= until
        rows.append(_told(name, minute, rate * 60 * seen, running * busy, kv, waiting, preemptions))
        rows.append(_card(name, minute, sm))
    return rows


def _told(
    node: str,
    minute: int,
    requests: float,
    running: float,
    kv: float,
    waiting: float,
    preemptions: float,
) -> ServingSample:
    return ServingSample.known(
        ts=at(minute),
        interval_seconds=60 * STEP,
        cluster=CLUSTER,
        node=node,
        service="vllm",
        model="llama",
        instance=f"{node}:8000",
        requests=requests,
        running_requests=running,
        waiting_requests=waiting,
        kv_cache_ratio=kv,
        preemptions=preemptions * minute,
    )


def _card(node: str, minute: int, sm: float) -> GpuSample:
    return GpuSample.known(
        ts=at(minute),
        interval_seconds=60 * STEP,
        cluster=CLUSTER,
        node=node,
        slot=0,
        gpu_id=gpu(0, node),
        uuid=f"GPU-{node}",
        sm_active_ratio=sm,
        dram_active_ratio=0.7,
    )


def agreed(least: int) -> Service:
    """What was agreed for the service."""
    return Service(
        cluster=CLUSTER,
        service="chat",
        jobs="chat-",
        least_replicas=least,
        valid_from=at(-60),
        version=1,
    )


def find(store: Store, span: Span = WHOLE, **changed: Any) -> list[Finding]:
    return list(detector.find(store, ServingSettings(**changed), span))


def test_a_service_without_requests_for_hours_should_scale_to_zero(store: Store) -> None:
    write(store, replica(0, rate=1.0, running=2.0, until=60))
    (found,) = find(store)
    assert (found.cause, found.subject, found.gpus) == ("scale_to_zero", "c/service/llama", 1)
    assert (found.since, found.gpu_seconds) == (at(60), 7 * 3600)
    assert "no request for 7 h" in found.summary


def test_it_keeps_the_replicas_that_were_agreed_upon(store: Store) -> None:
    write(store, [agreed(1), *replica(0, until=60), *replica(1, until=60)])
    (found,) = find(store)
    assert (found.cause, found.subject, found.gpus) == ("scale_to_zero", "c/service/chat", 1)
    assert "Let chat scale to 1 replicas" in found.action


def test_nothing_is_said_where_as_many_were_agreed_upon(store: Store) -> None:
    write(store, [agreed(1), *replica(0, until=60, sm=0.7)])
    assert find(store) == []


def test_a_full_cache_that_puts_requests_back_asks_for_smaller_weights(store: Store) -> None:
    write(store, replica(0, rate=2.0, running=30.0, kv=0.99, preemptions=3, waiting=4))
    (found,) = find(store)
    assert (found.cause, found.gpu_seconds) == ("quantize", 0)
    assert "Quantize llama" in found.action


def test_requests_one_by_one_while_others_wait_ask_for_batches(store: Store) -> None:
    write(store, replica(0, rate=3.0, running=1.0, kv=0.1, waiting=5, sm=0.3))
    (found,) = find(store)
    assert found.cause == "batch"


def test_replicas_beyond_the_peak_are_told(store: Store) -> None:
    write(store, [r for n in range(4) for r in replica(n, rate=1.0, running=1.0, kv=0.15, sm=0.15)])
    (found,) = find(store)
    assert (found.cause, found.gpus) == ("fewer_replicas", 3)
    assert "needs 1 of its 4 replicas" in found.summary


def test_replicas_that_the_peak_needs_stay(store: Store) -> None:
    busy = {**BUSY, "sm": 0.75}
    write(store, [r for n in range(2) for r in replica(n, **busy)])
    assert find(store) == []


def test_a_replica_that_uses_little_at_its_peak_would_fit_a_slice(store: Store) -> None:
    write(store, replica(0, rate=1.0, running=1.0, kv=0.2, sm=0.2))
    (found,) = find(store)
    assert (found.cause, found.grade) == ("smaller_slice", "A")
    assert found.gpu_seconds == pytest.approx(0.75 * HOURS * 3600)
    assert "all of its replicas stay" in found.action


def test_no_advice_says_to_stop_a_service(store: Store) -> None:
    write(store, [r for n in range(2) for r in replica(n, until=60)])
    told = [f"{f.action} {f.summary}".lower() for f in find(store)]
    assert told
    assert not any(word in text for text in told for word in ("stop", "end ", "cancel", "delete"))


def test_hours_of_history_come_first(store: Store) -> None:
    write(store, replica(0, until=1))
    assert find(store, Span(at(0), at(90)), zero_after_h=1) == []


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    write(store, replica(0, until=60))
    assert find(store, Span(at(10), at(10))) == []


def test_the_same_telemetry_gives_the_same_findings(store: Store) -> None:
    write(store, [r for n in range(4) for r in replica(n, rate=1.0, running=1.0, kv=0.15, sm=0.15)])
    assert find(store) == find(store)


def test_quiet_that_goes_on_keeps_its_id(store: Store) -> None:
    write(store, replica(0, rate=1.0, running=2.0, until=60))
    (early,) = find(store, Span(at(0), at(6 * 60)))
    (late,) = find(store)
    assert early.finding_id == late.finding_id


def test_the_evidence_is_a_query_for_what_its_servers_told(store: Store) -> None:
    write(store, replica(0, rate=1.0, running=2.0, until=60))
    (found,) = find(store)
    assert len(store.select(found.evidence)) >= HOURS
