"""Jobs that would fit less."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.overprovisioned import OverprovisionedSettings, detector
from gpuledger.catalogue import Asset, Finding
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, running, state, told
from tests.analytics.world import asset, at, card

UNTIL = 120


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, OverprovisionedSettings(), Span(at(since), at(until))))


def world(store: Store, slots: int, *more: Row, model: str = "NVIDIA H100", **used: Any) -> None:
    """A job on so many GPUs of a model, all minutes of which use the same."""
    owned = inventory(slots)
    for row in owned:
        if isinstance(row, Asset):
            row.model = model
    samples = [s for slot in range(slots) for s in told(slot, range(UNTIL), **used)]
    low = state("underused", range(UNTIL), range(slots))
    keep(store, [*owned, *more, *running(slots=slots), *samples], low, UNTIL)


LITTLE = {"sm_active_ratio": 0.08, "memory_used_bytes": 6 << 30}


def test_a_job_that_fits_a_seventh_of_a_card_is_told_so(store: Store) -> None:
    world(store, 1, **LITTLE)
    (found,) = find(store)
    assert (found.cause, found.subject, found.open) == ("slice", "c/1", 1)
    assert found.action == "Ask for one 1g slice the next time: what it did has room there."
    assert found.gpu_seconds == pytest.approx(UNTIL * 60 * 6 / 7)


def test_several_gpus_with_little_work_fit_fewer(store: Store) -> None:
    world(store, 8, model="V100", sm_active_ratio=0.15, memory_used_bytes=6 << 30)
    (found,) = find(store)
    assert (found.cause, found.gpus) == ("fewer_gpus", 8)
    assert "Ask for 2 GPUs" in found.action


def test_a_card_that_cannot_be_cut_is_replaced_by_a_smaller_one(store: Store) -> None:
    small = card(0, "n9", model="T4")
    small.memory_bytes = 16 << 30
    world(store, 1, asset(0, "n9", model="T4"), small, model="V100", **LITTLE)
    (found,) = find(store)
    assert (found.cause, "T4" in found.action) == ("smaller_gpu", True)


def test_memory_that_fits_nothing_smaller_keeps_the_card(store: Store) -> None:
    world(store, 1, sm_active_ratio=0.08, memory_used_bytes=60 << 30)
    assert find(store) == []


def test_where_nothing_smaller_is_owned_nothing_is_said(store: Store) -> None:
    world(store, 1, model="V100", **LITTLE)
    assert find(store) == []


def test_an_hour_of_telemetry_is_needed(store: Store) -> None:
    world(store, 1, **LITTLE)
    assert find(store, 0, 59) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store, 1, **LITTLE)
    assert find(store, 30, 30) == []


def test_the_finding_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store, 1, **LITTLE)
    (early,), (late,) = find(store, 0, 90), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == UNTIL
