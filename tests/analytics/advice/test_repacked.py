"""A plan for the fleet that changes nothing of what it is for says so."""

from __future__ import annotations

import pytest

from analytics.advice.repacked import Ask, weighed
from analytics.repacking.instance import Instance, Target
from gpuledger.store import Store
from tests.analytics.advice.fleets import NOW, node, pod

# Six GPUs of each node are taken, so that three free ones are fragments, and eight are nowhere.
THREE = Target(cpu_milli=1000, num_gpu=3, gpu_milli=1000, gpu_spec="", p=1.0)
FULL = Instance(
    (node("c/n0"), node("c/n1")),
    tuple(
        made
        for n in (0, 1)
        for made in (
            pod(f"c/a{n}", f"c/n{n}", 0, preemptible=True),
            pod(f"c/b{n}", f"c/n{n}", 1, 2, 3, 4, 5, movable=False),
        )
    ),
    (THREE,),
)


@pytest.mark.parametrize(
    ("objective", "why"),
    [
        ("slots:8", "the moves make no room for more of 8 GPUs: all that they change is fragments"),
        ("drain", "the moves empty no node: all that they change is fragments"),
    ],
)
def test_moves_that_only_change_fragments_are_not_offered_and_say_so(
    store: Store, objective: str, why: str
) -> None:
    found = weighed(store, FULL, Ask(objective, time_limit_s=1.0), NOW)
    assert found.plan.moves
    assert (found.offer.offered, found.offer.why) == (False, why)


def test_where_nothing_may_move_no_move_helps(store: Store) -> None:
    fixed = Instance(FULL.nodes, FULL.pods[1::2], FULL.target)
    found = weighed(store, fixed, Ask("slots:8", time_limit_s=1.0), NOW)
    assert (found.plan.moves, found.offer.why) == ((), "no move helps")
