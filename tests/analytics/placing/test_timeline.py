"""What holds of each free GPU while a window is played."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analytics.placing.facts import Event, Lost, Member, Outage, Reserved
from analytics.placing.judge import Verdict
from analytics.placing.queue import Waiting
from analytics.placing.shapes import Node, Shape
from tests.analytics.placing.test_serve import obvious
from tests.analytics.placing.world import (
    FEW,
    HOUR,
    MINUTE,
    Told,
    during,
    jobs,
    node,
    nodes,
    played,
    run,
    waiting,
    waits,
)

DEMAND = "free_demand"


def spans(told: Told, state: str = DEMAND) -> set[tuple[int, int, int]]:
    """(GPU, first minute, last minute) of a state."""
    return {(g, f // MINUTE, t // MINUTE) for f, t, g, v in told if v.state == state}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Node], list[Event]]:
    """Nodes; jobs that run, wait and end; losses, outages and reservations, all over an hour."""
    found = draw(nodes())
    events: list[Event] = []
    for job in draw(jobs()):
        f, t = sorted(draw(st.tuples(times(), times())))
        if f < t:
            events += waits(job, f, t)
    for number, place in enumerate(found):
        for gpu in sorted(place.free):
            f, t = sorted(draw(st.tuples(times(), times())))
            if f < t:
                what = draw(st.sampled_from(("run", "run", "lost", "none")))
                kept = run(f"r{gpu}", number, gpu % 100, ends_by=draw(times()), cpu=1)
                events += during(f, t, kept, number) if what == "run" else []
                events += during(f, t, Lost(gpu), number) if what == "lost" else []
        f, t = sorted(draw(st.tuples(times(), times())))
        what_else = draw(st.sampled_from((None, None, Outage(), Reserved())))
        if what_else and f < t:
            events += during(f, t, what_else, number)
    return found, [e for e in events if e.at < HOUR.hi]


def times() -> st.SearchStrategy[int]:
    """Milliseconds of the hour; whole minutes are frequent."""
    return st.one_of(st.integers(0, HOUR.hi), st.integers(0, 60).map(lambda m: m * MINUTE))


def instants(events: list[Event]) -> list[int]:
    """Where something changes, and just before."""
    return sorted({0, *(e.at for e in events), *(e.at - 1 for e in events if e.at)})


def holding(events: list[Event], at: int) -> list[Event]:
    """What has begun and not ended."""
    counts: Counter[tuple[str, object]] = Counter()
    for event in events:
        if event.at <= at:
            counts[event.place, event.what] += event.step
    return [Event(at, +1, place, what) for (place, what), n in counts.items() if n > 0]  # type: ignore[arg-type]


def left(found: list[Node], events: list[Event], at: int) -> dict[str, Node]:
    """What the nodes have left at an instant."""
    now = {n.name: n.copy() for n in found}
    for event in holding(events, at):
        place = now.get(event.place)
        if place is None:
            continue
        match event.what:
            case Lost(gpu):
                place.free.discard(gpu)
            case Outage():
                place.down += 1
            case Reserved():
                place.reserved += 1
            case _:
                place.free -= {g for g, _, _ in event.what.gpus}  # type: ignore[union-attr]
                place.cpu_used += event.what.cpu_milli  # type: ignore[union-attr]
    return now


def verdicts(told: Told, at: int) -> dict[int, Verdict]:
    return {gpu: v for f, t, gpu, v in told if f <= at < t}


@FEW
@given(worlds())
def test_no_gpu_is_in_two_states_and_none_that_is_not_free_has_one(
    world: tuple[list[Node], list[Event]],
) -> None:
    told = played(*world)
    for (f, t, gpu, _), (f2, _, gpu2, _) in pairwise(told):
        assert f < t
        assert gpu != gpu2 or t <= f2
    for at in instants(world[1]):
        free = {g for n in left(*world, at).values() if not n.down for g in n.free}
        assert verdicts(told, at).keys() <= free


@FEW
@given(worlds())
def test_demand_is_what_the_obvious_way_places_at_every_instant(
    world: tuple[list[Node], list[Event]],
) -> None:
    told = played(*world, planned_jobs=0)
    for at in instants(world[1]):
        queue = [e.what for e in holding(world[1], at) if isinstance(e.what, Waiting)]
        wanted = {g: v.job_id for g, v in verdicts(told, at).items() if v.state == DEMAND}
        assert wanted == obvious(queue, list(left(*world, at).values()))


@FEW
@given(worlds())
def test_with_gpus_kept_for_planned_jobs_each_job_still_gets_all_it_asked_for(
    world: tuple[list[Node], list[Event]],
) -> None:
    told = played(*world)
    for at in instants(world[1]):
        shapes = {
            e.what.job_id: e.what.shape
            for e in holding(world[1], at)
            if isinstance(e.what, Waiting)
        }
        got = Counter(v.job_id for v in verdicts(told, at).values() if v.state == DEMAND)
        assert all(count == shapes[name].total for name, count in got.items())


@FEW
@given(worlds(), st.randoms(use_true_random=False))
def test_what_is_told_does_not_depend_on_the_order_of_the_facts(
    world: tuple[list[Node], list[Event]], random: object
) -> None:
    found, events = world
    shuffled = sorted(events, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert played(list(reversed(found)), shuffled) == played(found, events)


def test_a_job_wants_gpus_for_as_long_as_it_waits() -> None:
    told = played([node(0, 2)], waits(waiting("a", Shape(1)), 10 * MINUTE, 25 * MINUTE))
    assert spans(told) == {(0, 10, 25)}


def test_free_gpus_of_a_reservation_are_held_and_no_place() -> None:
    events = [
        *during(10 * MINUTE, 20 * MINUTE, Reserved(), 0),
        *waits(waiting("a", Shape(1))),
    ]
    told = played([node(0, 2)], events)
    assert spans(told, "held") == {(0, 10, 20), (1, 10, 20)}
    assert spans(told) == {(0, 0, 10), (0, 20, 60)}
    assert {v.cause for *_, v in told if v.state == "held"} == {"reservation"}


def test_members_that_complete_a_gang_hold_their_gpus_for_it() -> None:
    events = [
        *during(0, HOUR.hi - 1, Member("g")),
        *waits(waiting("a", Shape(1), gang="g")),
        *waits(waiting("b", Shape(9), gang="g")),
    ]
    told = played([node(0, 2)], events)
    (kept,) = {v for *_, v in told if v.state == "held"}
    assert (kept.cause, kept.job_id) == ("gang", "a")


def planning(number: int, free: int, of: int) -> Node:
    place = node(number, free, of=of)
    place.plans = True
    return place


def large() -> list[Event]:
    """A node with two of four GPUs free, and a job for all four that can have them in a while."""
    return [
        Event(0, +1, "c/n0", run("r", 0, 2, 3, ends_by=2 * HOUR.hi)),
        *waits(waiting("large", Shape(4), priority=9)),
        *waits(waiting("small", Shape(1))),
    ]


def test_gpus_where_a_large_job_is_planned_are_kept_from_smaller_ones() -> None:
    told = played([planning(0, 4, 4)], large())
    assert spans(told, "held") == {(0, 0, 60), (1, 0, 60)}
    assert {(v.cause, v.job_id) for *_, v in told} == {("backfill", "large")}


def test_a_scheduler_that_plans_nothing_keeps_nothing() -> None:
    assert spans(played([node(0, 4)], large())) == {(0, 0, 60)}


def test_what_is_planned_too_far_ahead_keeps_nothing() -> None:
    told = played([planning(0, 4, 4)], large(), plan_h=1.0)
    assert spans(told) == {(0, 0, 60)}


def test_a_plan_ends_with_the_wait_of_its_job() -> None:
    events = [
        Event(0, +1, "c/n0", run("r", 0, 2, 3, ends_by=HOUR.hi)),
        *waits(waiting("large", Shape(4), priority=9), 0, 30 * MINUTE + 1),
        *waits(waiting("small", Shape(1))),
    ]
    told = played([planning(0, 4, 4)], events)
    assert {(g, t) for _, t, g, v in told if v.state == "held"} == {
        (0, 30 * MINUTE + 1),
        (1, 30 * MINUTE + 1),
    }
    assert {(g, f) for f, _, g, v in told if v.state == DEMAND} == {(0, 30 * MINUTE + 1)}


def test_gpus_that_a_job_could_use_only_after_a_repack_are_stranded() -> None:
    told = played([node(0, 1, of=2), node(1, 1, of=2)], waits(waiting("a", Shape(2))))
    assert spans(told, "stranded") == {(0, 0, 60), (100, 0, 60)}
    assert {v.cause for *_, v in told} == {"gpu_count_on_node"}


def test_no_more_is_stranded_than_the_jobs_that_wait_could_use() -> None:
    fleet = [node(i, 1, of=2) for i in range(5)]
    assert len(spans(played(fleet, waits(waiting("a", Shape(2)))), "stranded")) == 2


def test_gpus_are_too_few_while_what_waits_is_larger_than_all_of_them() -> None:
    told = played([node(0, 1, of=4), node(1, 1, of=4)], waits(waiting("a", Shape(4))))
    assert {(v.state, v.cause) for *_, v in told} == {("free_surplus", "too_few")}
    assert len(told) == 2


def test_a_job_that_fits_no_node_even_when_empty_strands_nothing() -> None:
    assert played([node(0, 2)], waits(waiting("a", Shape(9)))) == []


def test_gpus_without_processors_beside_them_are_stranded_whoever_waits() -> None:
    hog = run("r", 0, 0, cpu=8000)
    told = played([node(0, 2, cpu_milli=8000)], [Event(0, +1, "c/n0", hog)])
    assert {(g, v.state, v.cause) for _, _, g, v in told} == {(1, "stranded", "cpu_ram")}


def test_why_a_gpu_stays_free_is_judged_at_whole_minutes() -> None:
    wait = waits(waiting("a", Shape(2)), 90_000, 30 * MINUTE)
    told = played([node(0, 1, of=2), node(1, 1, of=2)], wait)
    assert {f for f, *_ in told} == {2 * MINUTE}
