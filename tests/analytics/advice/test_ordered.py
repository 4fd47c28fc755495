"""The commands of a plan for the fleet."""

from __future__ import annotations

import pytest

from analytics.advice.ordered import job_of, ordered
from analytics.repacking.instance import Instance
from analytics.repacking.plan import Move, Plan, Summary
from gpuledger.store import Store
from tests.analytics.advice.fleets import node, pod
from tests.analytics.advice.sites import crumbs

NONE = Summary(0.0, {})
FLEET = Instance(
    (node("c/n0"), node("c/n1")), (pod("c/0", "c/n0", 0), pod("c/1 c/n1", "c/n1", 0)), ()
)
SWAP = (Move("c/0", "c/n1", (0,)), Move("c/1 c/n1", "c/n0", (0,)))


@pytest.mark.parametrize(
    ("mode", "verbs"),
    [
        ("live", ["requeuehold", "update", "release"] * 2),
        ("batch", ["requeuehold"] * 2 + ["update"] * 2 + ["release"] * 2),
    ],
)
def test_moves_are_told_to_the_scheduler_of_their_node(
    store: Store, mode: str, verbs: list[str]
) -> None:
    crumbs(store)
    command = ordered(store, FLEET, Plan(SWAP, mode, NONE, NONE, NONE))
    assert [line.split()[1] for line in command.do] == verbs
    assert any("JobId=1 ReqNodeList=n0" in line for line in command.do)


def test_without_a_scheduler_there_is_no_command_and_a_reason(store: Store) -> None:
    command = ordered(store, FLEET, Plan(SWAP, "live", NONE, NONE, NONE))
    assert command.do == ()
    assert "no scheduler is known" in command.text


def test_a_task_on_one_of_several_nodes_is_named_by_its_job() -> None:
    assert (job_of("c/1 n0"), job_of("c/1")) == ("c/1", "c/1")
