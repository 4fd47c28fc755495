"""Processes that no scheduler knows."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.book import Span
from analytics.detectors.rogue import RogueSettings, detector
from gpuledger.catalogue import Cell, Finding
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, process
from tests.analytics.world import at, cells

UNTIL = 60


def find(store: Store, since: int = 0, until: int = UNTIL) -> list[Finding]:
    return list(detector.find(store, RogueSettings(), Span(at(since), at(until))))


def world(store: Store, told: Sequence[Cell], *more: Row) -> None:
    keep(store, [*inventory(4), *more], told, UNTIL)


def used(minutes: range, slot: int = 0) -> list[Cell]:
    return cells("rogue", minutes, slot)


def test_user_and_executable_are_named(store: Store) -> None:
    world(store, used(range(20, UNTIL)), process(0, 30, "mallory", "xmrig"))
    (found,) = find(store)
    assert (found.subject, found.user, found.owner) == ("c/n0", "mallory", "security")
    assert (found.since, found.open, found.gpu_seconds) == (at(20), 1, 40 * 60)
    assert found.summary.startswith("xmrig of mallory uses 1 GPU of n0")


def test_the_gpus_of_one_node_are_one_finding(store: Store) -> None:
    told = [*used(range(UNTIL)), *used(range(5, UNTIL), 1)]
    world(store, told, process(0, 30, "mallory", "xmrig"), process(1, 30, "bob", "python3"))
    (found,) = find(store)
    assert found.summary.startswith("xmrig of mallory, python3 of bob uses 2 GPUs of n0")
    assert (found.gpus, found.gpu_seconds) == (2, (60 + 55) * 60)


def test_a_process_that_nobody_can_name_is_found_too(store: Store) -> None:
    world(store, used(range(UNTIL)))
    (found,) = find(store)
    assert (found.subject, found.user) == ("c/n0", "")


def test_minutes_with_a_stale_scheduler_do_not_end_it(store: Store) -> None:
    stale = cells("unattributed", range(20, 40), 0)
    world(store, [*used(range(20)), *stale, *used(range(40, UNTIL))])
    (found,) = find(store)
    assert (found.since, found.until, found.gpu_seconds) == (at(0), at(UNTIL), 40 * 60)


def test_a_few_minutes_are_not_enough(store: Store) -> None:
    world(store, used(range(4)))
    assert find(store) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store, used(range(UNTIL)))
    assert find(store, 10, 10) == []


def test_the_finding_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store, used(range(10, UNTIL)))
    (early,), (late,) = find(store, 0, 30), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == 50
