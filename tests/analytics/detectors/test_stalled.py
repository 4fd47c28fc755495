"""Jobs that hang."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.book import Span
from analytics.detectors.stalled import StalledSettings, detector
from gpuledger.catalogue import Cell, Finding, GpuEvent
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, running, state
from tests.analytics.world import CLUSTER, at, write

UNTIL = 60


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, StalledSettings(), Span(at(since), at(until))))


def world(store: Store, told: Sequence[Cell]) -> None:
    keep(store, [*inventory(4), *running(slots=4)], told, UNTIL)


def hang(first: int = 30, **changed: str) -> list[Cell]:
    """Four GPUs that work and then hang."""
    work = state("productive", range(first), range(4))
    return [*work, *state("stalled", range(first, UNTIL), range(4), **changed)]


def test_a_job_that_hangs_is_found_with_what_it_holds(store: Store) -> None:
    world(store, hang())
    (found,) = find(store)
    assert (found.since, found.gpus, found.open) == (at(30), 4, 1)
    assert (found.gpu_seconds, found.owner, found.cause) == (4 * 30 * 60, "job owner", "hang")
    assert found.team == "vision"


def test_survivors_that_idle_belong_to_the_hang(store: Store) -> None:
    spinning = state("stalled", range(30, UNTIL), range(3))
    waiting = state("alloc_idle", range(30, UNTIL), range(3, 4))
    world(store, [*state("productive", range(30), range(4)), *spinning, *waiting])
    (found,) = find(store)
    assert found.gpus == 4


def test_a_job_most_of_which_works_does_not_hang(store: Store) -> None:
    stuck = state("stalled", range(UNTIL), range(1))
    world(store, [*state("productive", range(UNTIL), range(1, 4)), *stuck])
    assert find(store) == []


def test_a_hang_that_the_book_blames_on_a_peer_is_billed_to_hardware(store: Store) -> None:
    world(store, hang(cause="peer_fault"))
    (found,) = find(store)
    assert (found.cause, found.owner) == ("peer_fault", "hardware operations")
    assert (found.user, found.team) == ("", "")


def test_a_fault_shortly_before_names_the_node(store: Store) -> None:
    world(store, hang())
    lost = GpuEvent(
        ts=at(25), cluster=CLUSTER, node="n0", slot=3, kind="lost", cause="hardware", recovery=""
    )
    write(store, [lost])
    (found,) = find(store)
    assert (found.cause, "n0" in found.action) == ("peer_fault", True)


def test_ten_minutes_are_needed(store: Store) -> None:
    world(store, hang(51))
    assert find(store) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store, hang())
    assert find(store, 40, 40) == []


def test_the_hang_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store, hang())
    (early,), (late,) = find(store, 0, 45), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == 4 * 30
