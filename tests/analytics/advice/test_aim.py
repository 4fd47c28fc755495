"""What a plan is for, as a number."""

from __future__ import annotations

import pytest

from analytics.advice import aim
from analytics.repacking.instance import Instance
from analytics.repacking.plan import Move
from gpuledger.errors import ConfigError
from tests.analytics.advice.fleets import EIGHT, node, pod, two_nodes


@pytest.mark.parametrize("text", ["fragmentation", "drain", "slots:1", "slots:64"])
def test_an_objective_is_taken_as_it_is(text: str) -> None:
    assert aim.check(text) == text


@pytest.mark.parametrize(
    "text", ["", "slots", "slots:", "slots:0", "slots:65", "slots:-1", "slots:8x", "slots:٣", "F"]
)
def test_what_is_no_objective_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match="write fragmentation, drain, or slots:"):
        aim.check(text)


def test_what_is_reached_grows_by_the_gpus_that_a_move_makes_usable() -> None:
    before = two_nodes()
    after = aim.moved(before, [Move("a", "n1", (1,))])
    assert {p.name: (p.node, p.gpu_ids) for p in after.pods} == {
        "a": ("n1", (1,)),
        "b": ("n1", (0,)),
    }
    for objective in ("fragmentation", "slots:8", "drain"):
        assert (aim.reached(before, objective), aim.reached(after, objective)) == (0, 8)


def test_nothing_is_reached_on_a_closed_node() -> None:
    closed = Instance((node("n0", closed=True),), (), (EIGHT,))
    assert (aim.reached(closed, "slots:8"), aim.reached(closed, "fragmentation")) == (0, 0)


def test_slots_are_counted_in_gpus() -> None:
    fleet = Instance((node("n0"),), (pod("a", "n0", 0),), (EIGHT,))
    assert aim.reached(fleet, "slots:2") == 6
