"""GPUs that a job holds and does not use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from analytics.book import Span
from analytics.detectors.idle import IdleSettings, detector
from analytics.evidence import CONFIDENCE
from gpuledger.catalogue import Cell, Finding, GpuEvent
from gpuledger.catalogue.learned import PowerFloor
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import state, told
from tests.analytics.world import (
    ENERGY_PRICE,
    HOSTILE,
    PRICE,
    asset,
    at,
    booked,
    cells,
    given,
    gpu,
    job,
    price,
    write,
)

UNTIL = 60
WHOLE = Span(at(0), at(UNTIL))


def world(
    store: Store, rows: Sequence[Cell], *, ended: datetime = FOREVER, name: str = "notebook"
) -> None:
    """Job 1 on eight GPUs, with these cells."""
    write(
        store,
        [
            *(asset(slot) for slot in range(8)),
            *(given("1", slot) for slot in range(8)),
            job("1", gpus=8, name=name, started=at(0), ended=ended),
            *summed(rows),
        ],
    )


def summed(rows: Sequence[Cell]) -> list[Row]:
    """The cells and their hours."""
    return booked(rows, at(UNTIL)) if rows else []


def idle(minutes: range, slots: range = range(1), grade: str = "A") -> list[Cell]:
    return [c for s in slots for c in cells("alloc_idle", minutes, s, native="1", grade=grade)]


def busy(minutes: range, slots: range = range(1)) -> list[Cell]:
    return [c for s in slots for c in cells("productive", minutes, s, native="1")]


def find(store: Store, span: Span = WHOLE, **changed: int) -> list[Finding]:
    return list(detector.find(store, IdleSettings(**changed), span))


def test_a_job_that_idles_to_the_end_is_found_with_extent_owner_and_loss(store: Store) -> None:
    world(store, [*busy(range(30), range(8)), *idle(range(30, UNTIL), range(8))])
    (found,) = find(store)
    assert (found.subject, found.user, found.team) == ("c/1", "ana", "vision")
    assert (found.since, found.until, found.open) == (at(30), at(60), 1)
    assert (found.gpus, found.gpu_seconds) == (8, 8 * 30 * 60)
    assert found.summary == (
        "notebook holds 8 GPUs on n0 and has not used them for 30 min: 4.0 GPU-hours"
    )


@pytest.mark.parametrize(("minutes", "count"), [(4, 0), (5, 1)])
def test_idleness_is_found_from_five_minutes_on(store: Store, minutes: int, count: int) -> None:
    world(store, idle(range(UNTIL - minutes, UNTIL)))
    assert len(find(store)) == count


def test_a_busy_job_is_never_found(store: Store) -> None:
    world(store, busy(range(UNTIL), range(8)))
    assert find(store) == []


def test_an_empty_span_and_an_empty_store_have_no_findings(store: Store) -> None:
    assert find(store) == []
    world(store, idle(range(UNTIL)))
    assert find(store, Span(at(10), at(10))) == []


def test_the_same_book_gives_the_same_findings(store: Store) -> None:
    world(store, idle(range(20, UNTIL), range(8)))
    assert find(store) == find(store)


def test_a_job_that_works_on_one_of_its_gpus_is_not_idle(store: Store) -> None:
    world(store, [*busy(range(UNTIL), range(1)), *idle(range(UNTIL), range(1, 8))])
    assert find(store) == []


def test_gpus_that_take_turns_are_not_idle(store: Store) -> None:
    first, second = range(UNTIL // 2), range(UNTIL // 2, UNTIL)
    booked = [*idle(first, range(1)), *busy(second, range(1))]
    world(store, [*booked, *busy(first, range(1, 2)), *idle(second, range(1, 2))])
    assert find(store) == []


def unseen(minutes: range) -> list[Cell]:
    return cells("alloc_unknown", minutes, 0, native="1", grade="D")


def test_minutes_that_nobody_saw_do_not_split_an_episode(store: Store) -> None:
    world(store, [*idle(range(20)), *unseen(range(20, 30)), *idle(range(30, UNTIL))])
    (found,) = find(store)
    assert (found.since, found.until, found.gpu_seconds) == (at(0), at(UNTIL), 50 * 60)
    assert found.grade == "A"


def test_minutes_that_nobody_saw_do_not_end_an_episode_either(store: Store) -> None:
    world(store, [*idle(range(40)), *unseen(range(40, UNTIL))])
    (found,) = find(store)
    assert (found.until, found.open) == (at(40), 1)


@pytest.mark.parametrize(("work", "episodes"), [(2, 1), (3, 2)])
def test_a_short_burst_of_work_does_not_end_an_episode(
    store: Store, work: int, episodes: int
) -> None:
    last = range(20 + work, UNTIL)
    world(store, [*idle(range(20)), *busy(range(20, 20 + work)), *idle(last)])
    found = find(store)
    assert len(found) == episodes
    assert sum(f.gpu_seconds for f in found) == 60 * (20 + len(last))


@pytest.mark.parametrize(("work", "is_open"), [(1, 1), (2, 1), (3, 0)])
def test_an_episode_is_over_once_work_outlasts_a_burst(
    store: Store, work: int, is_open: int
) -> None:
    world(store, [*idle(range(UNTIL - work)), *busy(range(UNTIL - work, UNTIL))])
    assert [f.open for f in find(store)] == [is_open]


def test_a_job_that_has_ended_holds_nothing_any_more(store: Store) -> None:
    world(store, idle(range(UNTIL)), ended=at(UNTIL))
    assert [f.open for f in find(store)] == [0]


def test_an_episode_that_goes_on_keeps_its_id_in_a_longer_span(store: Store) -> None:
    world(store, idle(range(20, UNTIL)))
    (early,) = find(store, Span(at(0), at(40)))
    (late,) = find(store, Span(at(10), at(UNTIL)))
    assert early.finding_id == late.finding_id
    assert early.gpu_seconds < late.gpu_seconds


def test_the_confidence_is_that_of_the_lowest_evidence(store: Store) -> None:
    world(store, [*idle(range(30)), *idle(range(30, UNTIL), grade="C")])
    (found,) = find(store)
    assert (found.grade, found.confidence_ratio) == ("C", CONFIDENCE["C"])


def test_money_is_absent_without_a_price_and_counted_with_one(store: Store) -> None:
    world(store, idle(range(UNTIL)))
    (without,) = find(store)
    assert (without.capacity_value, without.cash_avoidable) == (None, None)
    write(store, [price()])
    (found,) = find(store)
    assert found.capacity_value == pytest.approx(PRICE)
    assert found.cash_avoidable == pytest.approx(0.360 * ENERGY_PRICE)
    assert found.currency == "EUR"


def test_the_evidence_is_a_query_for_the_rows_behind_it(store: Store) -> None:
    world(store, [*busy(range(30)), *idle(range(30, UNTIL))])
    (found,) = find(store)
    rows = store.select(found.evidence)
    assert sum(r["gpu_seconds"] for r in rows) == found.gpu_seconds


def test_a_hostile_job_name_is_told_as_it_is(store: Store) -> None:
    world(store, idle(range(UNTIL)), name=HOSTILE)
    (found,) = find(store)
    assert HOSTILE in found.summary


def test_a_hostile_job_id_does_not_break_out_of_the_evidence(store: Store) -> None:
    native = "1' OR 1=1 -- \\"
    mine = cells("alloc_idle", range(UNTIL), native=native)
    write(store, [asset(0), given(native, 0), job(native, started=at(0)), *summed(mine)])
    other = cells("alloc_idle", range(UNTIL), 1, native="2")
    write(store, [asset(1), given("2", 1), job("2", started=at(0)), *summed(other)])
    hostile = next(f for f in find(store) if f.subject == f"c/{native}")
    assert {r["gpu_id"] for r in store.select(hostile.evidence)} == {mine[0].gpu_id}


def flagged(**changed: str) -> list[Cell]:
    """An hour of idleness with flags or cause as the book tells them."""
    return state("alloc_idle", range(UNTIL), range(1), **changed)


def test_idleness_after_a_peers_fault_is_billed_to_hardware(store: Store) -> None:
    world(store, flagged(flags="mem_held,peer_fault"))
    lost = GpuEvent(ts=at(-5), cluster="c", node="n0", slot=7, kind="lost", recovery="")
    write(store, [lost])
    (found,) = find(store)
    assert (found.cause, found.owner) == ("peer_fault", "hardware operations")
    assert (found.user, found.team) == ("", "")
    assert found.action == (
        "Repair the fault on n0, then start the job again from its last checkpoint."
    )


def test_a_fault_that_came_into_hours_of_idleness_did_not_cause_them(store: Store) -> None:
    told = flagged()
    for cell in told[20:]:
        cell.cause = cell.flags = "peer_fault"
    world(store, told)
    (found,) = find(store)
    assert (found.cause, found.owner) == ("", "job owner")


def test_what_is_over_is_told_in_the_past(store: Store) -> None:
    world(store, idle(range(30)), ended=at(30))
    (found,) = find(store)
    assert found.summary.startswith("notebook held 1 GPU on n0 and did not use it for 30 min")
    assert found.action.startswith("It is over")


def test_a_warm_service_is_never_told_to_end(store: Store) -> None:
    world(store, flagged(flags="serving_warm"))
    (found,) = find(store)
    assert found.cause == "serving_warm"
    assert found.action.startswith("Keep it up")


def test_held_memory_changes_the_advice(store: Store) -> None:
    world(store, flagged(flags="mem_held"))
    (found,) = find(store)
    assert (found.cause, "memory" in found.action) == ("memory_held", True)


def test_a_job_that_decodes_video_is_not_idle(store: Store) -> None:
    world(store, idle(range(UNTIL)))
    write(store, told(0, range(UNTIL), sm_active_ratio=0.0, decoder_ratio=0.4))
    assert find(store) == []


def test_a_learned_floor_makes_it_sure(store: Store) -> None:
    world(store, idle(range(UNTIL)))
    write(
        store,
        [
            PowerFloor(
                gpu_id=gpu(0),
                bare_watts=60.0,
                context_watts=110.0,
                learned=at(0),
                version=1,
            )
        ],
    )
    (found,) = find(store)
    assert found.confidence_ratio == CONFIDENCE["A"]


def test_work_that_comes_again_and_again_is_no_idleness(store: Store) -> None:
    works = [m for m in range(UNTIL) if m % 6 == 0]
    rests = [m for m in range(UNTIL) if m % 6]
    told_ = [*state("productive", works, range(1)), *state("alloc_idle", rests, range(1))]
    world(store, told_)
    assert find(store) == []


def test_a_span_about_other_subjects_is_silent(store: Store) -> None:
    world(store, idle(range(UNTIL)))
    assert find(store, Span(at(0), at(UNTIL), ("c/2",))) == []
    assert len(find(store, Span(at(0), at(UNTIL), ("c/1",)))) == 1
