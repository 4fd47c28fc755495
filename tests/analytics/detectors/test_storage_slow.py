"""Network filesystems that answer slowly and starve GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.storage_slow import StorageSlowSettings, detector
from gpuledger.catalogue import Finding, GpuSample, NetfsSample
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, booked, cells, given, gpu, job, price, write

HOURS = 5
BEGAN, ENDED = 4 * 60, 4 * 60 + 30
WHOLE = Span(at(3 * 60), at(HOURS * 60))
USUAL_S, SLOW_S = 0.002, 0.040
OPERATIONS = 600


def reads(slow: float = SLOW_S, nodes: int = 2) -> Iterator[NetfsSample]:
    """Reads of every node by the minute; slow from BEGAN to ENDED."""
    for node in range(nodes):
        waited = 0.0
        for minute in range(HOURS * 60):
            waited += OPERATIONS * (slow if BEGAN <= minute < ENDED else USUAL_S)
            yield NetfsSample.known(
                ts=at(minute + 1),
                interval_seconds=60,
                cluster=CLUSTER,
                node=f"n{node}",
                kind="nfs",
                mount="/data",
                device="filer1:/data",
                operation="READ",
                operations=OPERATIONS * (minute + 1),
                server_seconds=waited,
            )


def works(slot: int, starved: float = 0.3, usual: float = 0.9, node: str = "n0") -> list[Row]:
    """A GPU at work that does less while storage is slow."""
    return [
        GpuSample.known(
            ts=at(m + 1),
            interval_seconds=60,
            cluster=CLUSTER,
            node=node,
            slot=slot,
            gpu_id=gpu(slot, node),
            uuid=f"GPU-{node}-{slot}",
            sm_active_ratio=starved if BEGAN <= m < ENDED else usual,
        )
        for m in range(2 * 60, HOURS * 60)
    ]


def world(store: Store, gpus: list[Row], *, slow: float = SLOW_S) -> None:
    """Job 1 on four GPUs of n0, its storage and what its GPUs do."""
    write(
        store,
        [
            *(asset(s) for s in range(4)),
            *(given("1", s) for s in range(4)),
            job("1", gpus=4, started=at(0)),
            *reads(slow),
            *gpus,
        ],
    )


def all_starve() -> list[Row]:
    return [row for s in range(4) for row in works(s)]


def find(store: Store, span: Span = WHOLE, **changed: Any) -> list[Finding]:
    return list(detector.find(store, StorageSlowSettings(**changed), span))


def test_slow_answers_that_starve_gpus_are_found_with_who_they_hit(store: Store) -> None:
    world(store, all_starve())
    (found,) = find(store)
    assert (found.subject, found.owner, found.cause) == ("c/filer1:/data", "platform", "READ")
    assert (found.since, found.until, found.open) == (at(BEGAN), at(ENDED), 0)
    assert found.gpus == 4
    assert found.gpu_seconds == pytest.approx(4 * 1800 * (1 - 0.3 / 0.9), rel=0.01)


def test_the_words_name_latency_norm_and_jobs(store: Store) -> None:
    world(store, all_starve())
    (found,) = find(store)
    assert "answers READ in 40 ms (p95), usually 2.0 ms, for 30 min" in found.summary
    assert "4 of 4 GPUs starve in 1 job (c/1)" in found.summary


def test_slow_answers_that_starve_nobody_are_no_finding(store: Store) -> None:
    world(store, [row for s in range(4) for row in works(s, starved=0.9)])
    assert find(store) == []


def test_gpus_that_did_little_before_do_not_starve(store: Store) -> None:
    world(store, [row for s in range(4) for row in works(s, usual=0.31)])
    assert find(store) == []


def test_a_tenth_of_the_gpus_must_starve(store: Store) -> None:
    world(store, [*works(0), *(row for s in range(1, 4) for row in works(s, starved=0.9))])
    assert len(find(store)) == 1
    assert find(store, starved_ratio=0.3) == []


def test_twice_the_norm_is_not_slow(store: Store) -> None:
    world(store, all_starve(), slow=0.004)
    assert find(store, least_latency_s=0.001) == []


def test_a_fast_filesystem_is_never_slow(store: Store) -> None:
    world(store, all_starve())
    assert find(store, least_latency_s=0.05) == []


def test_slowness_that_goes_on_is_open(store: Store) -> None:
    world(store, all_starve())
    (found,) = find(store, Span(at(3 * 60), at(BEGAN + 20)))
    assert (found.since, found.open) == (at(BEGAN), 1)


def test_an_episode_keeps_its_id(store: Store) -> None:
    world(store, all_starve())
    (early,) = find(store, Span(at(3 * 60), at(BEGAN + 20)))
    (late,) = find(store)
    assert early.finding_id == late.finding_id


def test_worth_is_that_of_the_hours_lost(store: Store) -> None:
    world(store, all_starve())
    minutes = range(BEGAN, ENDED)
    book = [c for s in range(4) for c in cells("productive", minutes, s, native="1")]
    write(store, [price(), *booked(book, at(ENDED))])
    (found,) = find(store)
    assert found.capacity_value == pytest.approx(3.0 * found.gpu_seconds / 3600)
    assert found.currency == "EUR"


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    world(store, all_starve())
    assert find(store, Span(at(10), at(10))) == []


def test_the_same_telemetry_gives_the_same_findings(store: Store) -> None:
    world(store, all_starve())
    assert find(store) == find(store)


def test_the_evidence_is_a_query_for_the_answers_behind_it(store: Store) -> None:
    world(store, all_starve())
    (found,) = find(store)
    assert len(store.select(found.evidence)) == 2 * 30
