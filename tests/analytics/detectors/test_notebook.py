"""Sessions that hold memory."""

from __future__ import annotations

import pytest

from analytics.book import Span
from analytics.detectors.notebook import NotebookSettings, detector
from gpuledger.catalogue import Finding
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, process, running, state, told
from tests.analytics.world import at

UNTIL = 240
WHOLE = range(UNTIL)


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, NotebookSettings(), Span(at(since), at(until))))


def world(
    store: Store, *more: Row, kind: str = "interactive", name: str = "x", gib: int = 30
) -> None:
    """A session that idles for four hours and holds memory."""
    quiet = told(
        *(0, WHOLE),
        utilization_ratio=0.0,
        sm_active_ratio=0.0,
        active_seconds=0,
        memory_used_bytes=gib << 30,
    )
    rows = [*inventory(1), *running(slots=1, kind=kind, name=name), *quiet, *more]
    keep(store, rows, state("alloc_idle", WHOLE, range(1)), UNTIL)


def test_an_interactive_job_that_holds_memory_for_hours_is_found(store: Store) -> None:
    world(store)
    (found,) = find(store)
    assert (found.subject, found.cause, found.open) == ("c/1", "interactive", 1)
    assert "holds 38% of the memory" in found.summary
    assert found.gpu_seconds == UNTIL * 60


@pytest.mark.parametrize(("name", "count"), [("jupyter-lab", 1), ("train", 0)])
def test_a_batch_job_counts_by_its_name(store: Store, name: str, count: int) -> None:
    world(store, kind="batch", name=name)
    assert len(find(store)) == count


def test_a_batch_job_counts_by_what_runs_on_its_gpu(store: Store) -> None:
    world(store, process(0, 5, "ana", "ipykernel_launcher"), kind="batch")
    assert [f.cause for f in find(store)] == ["notebook"]


def test_little_memory_is_not_worth_a_word(store: Store) -> None:
    world(store, gib=7)
    assert find(store) == []


def test_three_hours_are_needed(store: Store) -> None:
    world(store)
    assert find(store, 0, 179) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store)
    assert find(store, 10, 10) == []


def test_the_finding_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store)
    (early,), (late,) = find(store, 0, 200), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == UNTIL
