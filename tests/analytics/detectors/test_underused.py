"""Jobs that use little of their GPUs, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.underused import UnderusedSettings, detector
from gpuledger.catalogue import Finding, JobClass
from gpuledger.store import Store
from tests.analytics.causes.work import (
    CARD,
    CPU_BOUND,
    GIGA,
    INPUT_BOUND,
    MEMORY,
    MINUTES,
    SMALL_BATCH,
    Told,
    starved,
    working,
)
from tests.analytics.world import HOSTILE, at, write

WHOLE = Span(at(0), at(MINUTES))
QUIET: dict[str, Any] = {
    "host": {"cpu_busy_ratio": 0.1, "cpu_iowait_ratio": 0.0},
    "group": {"cpu_seconds": 1.0, "cpu_pressure_seconds": 0.0, "io_pressure_seconds": 0.0},
}
PAUSES = [0.0 if m % 4 < 2 else 0.8 for m in range(MINUTES)]
CAUSES: dict[str, Told] = {
    "input_bound": starved(**INPUT_BOUND),
    "cpu_bound": starved(**CPU_BOUND),
    "small_batch": Told(card=SMALL_BATCH, **QUIET),
    "memory_hoarding": starved(card={**CARD, "memory_used_bytes": 0.95 * MEMORY}, **QUIET),
    "communication_bound": Told(rates={"nvlink_receive_bytes": 200 * GIGA}, **QUIET),
    "host_device_copies": Told(rates={"pcie_receive_bytes": 20 * GIGA}, **QUIET),
    "checkpoint_bound": Told(sms=PAUSES, writes=[0 if sm else 60 * GIGA for sm in PAUSES], **QUIET),
}


def find(store: Store, span: Span = WHOLE, **changed: Any) -> list[Finding]:
    return list(detector.find(store, UnderusedSettings(**changed), span))


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_low_use_is_found(store: Store, cause: str) -> None:
    working(store, CAUSES[cause])
    (found,) = find(store)
    assert (found.kind, found.subject, found.cause) == ("underused", "c/1", cause)


def test_a_finding_has_owner_extent_and_loss(store: Store) -> None:
    working(store, starved(**INPUT_BOUND), slots=range(4))
    (found,) = find(store)
    assert (found.user, found.team, found.pool, found.owner) == (
        "ana",
        "vision",
        "big",
        "job owner",
    )
    assert (found.since, found.until, found.open) == (at(0), at(MINUTES), 1)
    assert (found.gpus, found.gpu_seconds) == (4, 4 * MINUTES * 60)


def test_the_words_name_the_numbers_and_the_fix(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    (found,) = find(store)
    assert found.summary.startswith("train on 1 GPU of n0 for 40 min, 0.7 GPU-hours: SM activity")
    assert "I/O wait 22 %" in found.summary
    assert "its nodes read 2.9 GB/s" in found.summary
    assert found.action.startswith("Read ahead with more loader workers")


def test_low_use_without_a_clear_cause_is_found_without_one(store: Store) -> None:
    working(store, starved())
    (found,) = find(store)
    assert found.cause == ""
    assert found.summary.endswith("no clear cause")


def test_a_cause_that_few_signals_tell_of_is_less_sure(store: Store) -> None:
    working(store, starved(**CPU_BOUND))
    whole = Span(at(0), at(MINUTES))
    (few,) = find(store, whole)
    store.command("TRUNCATE TABLE host_samples_1m")
    store.command("TRUNCATE TABLE cgroup_samples_1m")
    working(store, starved(group={"cpu_seconds": 7.8}))
    (less,) = find(store, whole)
    assert (few.cause, less.cause) == ("cpu_bound", "cpu_bound")
    assert (few.confidence_ratio or 0) > (less.confidence_ratio or 0)


@pytest.mark.parametrize(("minutes", "count"), [(29, 0), (30, 1)])
def test_low_use_is_found_from_half_an_hour_on(store: Store, minutes: int, count: int) -> None:
    working(store, starved(**INPUT_BOUND))
    assert len(find(store, Span(at(0), at(minutes)))) == count


def test_a_service_is_left_to_its_own_detector(store: Store) -> None:
    working(store, starved(**INPUT_BOUND), kind="service")
    assert find(store) == []


def test_a_busy_job_is_not_found(store: Store) -> None:
    card = {**CARD, "sm_active_ratio": 0.9, "tensor_active_ratio": 0.5}
    working(store, Told(card=card, **QUIET), "productive")
    assert find(store, work_after_h=1) == []


def test_productive_work_without_tensor_cores_is_told_and_costs_nothing(store: Store) -> None:
    card = {**CARD, "sm_active_ratio": 0.7, "tensor_active_ratio": 0.0, "fp32_active_ratio": 0.5}
    working(store, Told(card=card, **QUIET), "productive")
    (found,) = find(store, work_after_h=1)
    assert (found.cause, found.gpu_seconds, found.capacity_value) == ("no_tensor", 0, None)
    assert "mixed precision" in found.action


@pytest.mark.parametrize(
    ("framework", "switch"),
    [
        ("", "torch.autocast"),
        ("pytorch", "torch.autocast"),
        ("tensorflow", "tf.keras.mixed_precision"),
        ("jax", "jnp.bfloat16"),
    ],
)
def test_what_to_do_is_said_in_the_words_of_the_framework(
    store: Store, framework: str, switch: str
) -> None:
    card = {**CARD, "sm_active_ratio": 0.7, "tensor_active_ratio": 0.0, "fp32_active_ratio": 0.5}
    working(store, Told(card=card, **QUIET), "productive")
    judged = JobClass(
        job_id="c/1",
        work="training",
        confidence_ratio=0.9,
        framework=framework,
        model="",
        minutes=60,
        version=1,
    )
    write(store, [judged])
    (found,) = find(store, work_after_h=1)
    assert switch in found.action


def test_slow_but_productive_work_is_told_only_with_a_cause(store: Store) -> None:
    card = {**CARD, "sm_active_ratio": 0.4, "utilization_ratio": 0.5}
    told = Told(card=card, active_s=30.0)
    working(store, told, "productive")
    assert find(store, work_after_h=1) == []


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    working(store, starved(**INPUT_BOUND))
    assert find(store, Span(at(10), at(10))) == []


def test_the_same_telemetry_gives_the_same_findings(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    assert find(store) == find(store)


def test_an_episode_that_goes_on_keeps_its_id(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    (early,) = find(store, Span(at(0), at(35)))
    (late,) = find(store, Span(at(0) - timedelta(hours=1), at(MINUTES)))
    assert early.finding_id == late.finding_id


def test_findings_are_limited_to_the_subjects_that_are_asked_for(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    assert find(store, Span(at(0), at(MINUTES), only=("c/2",))) == []


def test_the_evidence_is_a_query_for_cards_and_their_machine(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    (found,) = find(store)
    rows = store.select(found.evidence)
    assert len(rows) == MINUTES
    assert rows[0]["cpu_iowait_ratio"] == pytest.approx(0.22)


def test_hostile_names_and_ids_are_told_as_they_are(store: Store) -> None:
    working(store, starved(**INPUT_BOUND), native="1' OR 1=1 -- \\", name=HOSTILE)
    (found,) = find(store)
    assert HOSTILE in found.summary
    assert len(store.select(found.evidence)) == MINUTES
