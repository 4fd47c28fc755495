"""Serving the queue, against placing it the slow and obvious way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.placing.queue import Waiting
from analytics.placing.serve import serve
from analytics.placing.shapes import Node, Shape, Wish, fits, take
from tests.analytics.placing.world import FIXED, fleet, jobs, node, nodes, queue, waiting


def placed(jobs_: list[Waiting], *nodes_: Node) -> dict[int, str]:
    """GPU to waiting job."""
    return {g: o.job_id for g, o in serve(queue(*jobs_), fleet(*nodes_)).wanted.items()}


def obvious(waiting_: list[Waiting], nodes_: list[Node]) -> dict[int, str]:
    """The same by trying each job, or gang, on copies of all nodes."""
    units: dict[str, list[Waiting]] = {}
    for job in sorted(waiting_):
        units.setdefault(job.gang or job.job_id, []).append(job)
    now = [n.copy() for n in nodes_]
    out: dict[int, str] = {}
    for members in units.values():
        trial, found = [n.copy() for n in now], {}
        for job in members:
            fitting = sorted(
                (n for n in trial if fits(n, job.shape)), key=lambda n: (len(n.free), n.name)
            )[: job.shape.nodes]
            if len(fitting) < job.shape.nodes:
                break
            found |= {g: job.job_id for n in fitting for g in take(n, job.shape)}
        else:
            now, out = trial, out | found
    return out


@FIXED
@given(jobs(), nodes())
def test_the_queue_is_placed_as_the_obvious_way_places_it(
    waiting_: list[Waiting], nodes_: list[Node]
) -> None:
    assert placed(waiting_, *nodes_) == obvious(waiting_, nodes_)


@FIXED
@given(jobs(), nodes(), st.randoms(use_true_random=False))
def test_placing_does_not_depend_on_the_order_it_is_told_in(
    waiting_: list[Waiting], nodes_: list[Node], random: object
) -> None:
    shuffled = sorted(waiting_, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert placed(shuffled, *reversed(nodes_)) == placed(waiting_, *nodes_)


@FIXED
@given(jobs(), nodes())
def test_placing_changes_no_node(waiting_: list[Waiting], nodes_: list[Node]) -> None:
    found = fleet(*nodes_)
    before = [n.copy() for n in nodes_]
    serve(queue(*waiting_), found)
    assert list(found.nodes.values()) == before


def test_the_fullest_node_that_fits_is_chosen_so_that_big_holes_stay() -> None:
    found = placed([waiting("a", Shape(3))], node(0, 8), node(1, 3), node(2, 2))
    assert set(found) == {100, 101, 102}


def test_a_request_for_several_nodes_is_placed_whole_or_not_at_all() -> None:
    two = (node(0), node(1))
    assert placed([waiting("gang", Shape(4, nodes=3))], *two) == {}
    assert len(placed([waiting("gang", Shape(4, nodes=2))], *two)) == 8


def test_jobs_of_a_gang_are_placed_together_or_not_at_all() -> None:
    gang = [waiting(name, Shape(2), gang="g") for name in "abc"]
    assert placed(gang, node(0, 4)) == {}
    assert len(placed(gang, node(0, 6))) == 6


def test_of_a_gang_that_is_half_assembled_each_member_is_placed() -> None:
    found = queue(waiting("a", Shape(4), gang="g"), waiting("b", Shape(2), gang="g"))
    found.member("g", +1)
    wanted = serve(found, fleet(node(0, 3))).wanted
    assert {o.job_id for o in wanted.values()} == {"b"}
    assert all(o.half for o in wanted.values())


def test_a_job_that_fits_nowhere_lets_a_smaller_one_through() -> None:
    found = placed([waiting("big", Shape(8), priority=9), waiting("small", Shape(1))], node())
    assert set(found.values()) == {"small"}


def test_a_job_stays_in_its_own_cluster() -> None:
    assert placed([waiting("a", Shape(1, wish=Wish(cluster="d")))], node()) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (waiting("z", Shape(4), priority=2), waiting("a", Shape(4), priority=1)),
        (waiting("z", Shape(4), eligible=1), waiting("a", Shape(4), eligible=2)),
        (waiting("a", Shape(4)), waiting("b", Shape(4))),
    ],
    ids=["priority", "eligible time", "job id"],
)
def test_the_queue_is_served_by_priority_then_eligible_time_then_job_id(
    first: Waiting, second: Waiting
) -> None:
    assert set(placed([second, first], node()).values()) == {first.job_id}


def islands(*names: str) -> list[Node]:
    """A node in each of these islands."""
    found = [node(i, 4) for i in range(len(names))]
    for place, name in zip(found, names, strict=True):
        place.island = name
    return found


def test_what_must_stay_together_is_placed_in_one_island() -> None:
    gang = Shape(4, nodes=2, together=True)
    assert placed([waiting("a", gang)], *islands("x", "y", "z")) == {}
    found = placed([waiting("a", gang)], *islands("x", "x", "x", "y", "y"))
    assert {gpu // 100 for gpu in found} == {3, 4}
