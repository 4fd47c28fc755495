"""Some GPUs of a job idle while the others work."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analytics.book import Span
from analytics.detectors.partial_idle import PartialIdleSettings, detector
from gpuledger.catalogue import Cell, Finding
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, running, state
from tests.analytics.world import at, gpu

UNTIL = 120


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, PartialIdleSettings(), Span(at(since), at(until))))


def world(store: Store, told: Sequence[Cell]) -> None:
    keep(store, [*inventory(), *running()], told, UNTIL)


def half(idle: range = range(UNTIL), slots: range = range(4, 8)) -> list[Cell]:
    """The other GPUs work all the time; these idle for some of it."""
    rest = [s for s in range(8) if s not in slots]
    work = [m for m in range(UNTIL) if m not in idle]
    return [
        *state("productive", range(UNTIL), rest),
        *state("alloc_idle", idle, slots),
        *state("productive", work, slots),
    ]


def test_gpus_that_a_job_never_takes_up_are_one_finding(store: Store) -> None:
    world(store, half())
    (found,) = find(store)
    assert (found.subject, found.gpus, found.open) == ("c/1", 4, 1)
    assert (found.cause, found.owner) == ("never_used", "job owner")
    assert found.gpu_seconds == 4 * UNTIL * 60
    assert found.action.startswith("Ask for 4 GPUs next time")


def test_gpus_that_were_used_before_went_quiet(store: Store) -> None:
    world(store, half(range(60, UNTIL)))
    (found,) = find(store)
    assert (found.cause, found.since) == ("went_quiet", at(60))


def test_half_an_hour_is_needed(store: Store) -> None:
    world(store, half(range(91, UNTIL)))
    assert find(store) == []


def test_gpus_that_take_turns_are_not_found(store: Store) -> None:
    even, odd = range(0, UNTIL, 2), range(1, UNTIL, 2)
    booked = [
        *state("productive", even, range(4)),
        *state("alloc_idle", odd, range(4)),
        *state("productive", odd, range(4, 8)),
        *state("alloc_idle", even, range(4, 8)),
    ]
    world(store, booked)
    assert find(store) == []


def test_a_job_that_idles_as_a_whole_is_not_partial(store: Store) -> None:
    world(store, state("alloc_idle", range(UNTIL), range(8)))
    assert find(store) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store, half())
    assert find(store, 10, 10) == []


def test_an_episode_that_goes_on_keeps_its_id(store: Store) -> None:
    world(store, half(range(30, UNTIL)))
    (early,), (late,) = find(store, 0, 90), find(store, 0, UNTIL)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)


def test_the_evidence_shows_the_idle_cells(store: Store) -> None:
    world(store, half(slots=range(7, 8)))
    (found,) = find(store)
    rows = store.select(found.evidence)
    assert {r["gpu_id"] for r in rows} == {gpu(7)}
    assert sum(r["gpu_seconds"] for r in rows) == pytest.approx(found.gpu_seconds)


def test_gpus_that_a_fault_on_another_node_held_up_are_billed_to_hardware(store: Store) -> None:
    told = half()
    for cell in told:
        if cell.state == "alloc_idle":
            cell.flags = cell.cause = "peer_fault"
    world(store, told)
    (found,) = find(store)
    assert (found.cause, found.owner) == ("peer_fault", "hardware operations")
    assert (found.user, found.team) == ("", "")
