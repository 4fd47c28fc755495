"""What plans make small."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.repacking.instance import Instance
from analytics.repacking.measure import measure_of
from analytics.repacking.objective import Objective, objective_of
from analytics.repacking.state import state_of
from gpuledger.errors import ConfigError
from tests.analytics.repacking import proof
from tests.analytics.repacking.worlds import node, pod, world


def total(instance: Instance, what: Objective) -> float:
    state = state_of(instance)
    measure = measure_of(instance.target, state.kinds, state.free.shape[1])
    rows = np.arange(len(state.cpu))
    return float(what.value(state, measure)(rows, state.cpu, state.free).sum())


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("fragmentation", "fragmentation", 0),
        ("drain", "drain", 0),
        ("slots:8", "slots", 8),
        ("slots:16", "slots", 16),
    ],
)
def test_objectives_are_read(text: str, name: str, size: int) -> None:
    assert (objective_of(text).name, objective_of(text).size) == (name, size)


@pytest.mark.parametrize(
    "text", ["", "Drain", "slots", "slots:", "slots:0", "slots:1.5", "slots:-2"]
)
def test_others_are_refused_with_those_that_exist(text: str) -> None:
    with pytest.raises(ConfigError, match=r"fragmentation, slots:N or drain"):
        objective_of(text)


@pytest.mark.parametrize("seed", range(6))
def test_fragmentation_is_the_measure(seed: int) -> None:
    instance = world(seed)
    assert total(instance, objective_of("fragmentation")) == pytest.approx(proof.plain(instance))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_a_slot_is_worth_more_than_all_fragments(seed: int, size: int) -> None:
    instance = world(seed)
    value = total(instance, objective_of(f"slots:{size}"))
    assert -proof.room_for(instance, size) <= value < -proof.room_for(instance, size) + 1


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_node_is_worth_more_than_all_fragments(seed: int) -> None:
    instance = world(seed)
    value = total(instance, objective_of("drain"))
    assert -proof.emptied(instance) <= value < -proof.emptied(instance) + 1


def test_a_node_with_a_task_without_gpus_is_not_empty() -> None:
    held = Instance((node(),), (pod("t", "n0", ()),), ())
    assert total(held, objective_of("drain")) > -0.5
    assert total(Instance((node(),), (), ()), objective_of("drain")) < -0.5


@pytest.mark.parametrize("text", ["fragmentation", "slots:2", "drain"])
def test_a_free_gpu_less_never_costs_more_than_is_said(text: str) -> None:
    # Taking a whole GPU lowers the value by at most `per_gpu`: what is free cannot be a fragment.
    what = objective_of(text)
    instance = Instance((node("n0", 4),), (), world(3).target)
    state = state_of(instance)
    measure = measure_of(instance.target, state.kinds, 4)
    value = what.value(state, measure)
    one = np.array([0])
    taken = state.free.copy()
    taken[0, 0] = 0
    fall = value(one, state.cpu, state.free) - value(one, state.cpu, taken)
    assert fall[0] <= what.per_gpu(state) + 1e-9
