"""Nodes that nobody will need are switched off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advisors.power_down import PowerDownSettings, advisor
from gpuledger.catalogue import CellHour, Recommendation
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.advisors.outlooks import Band, forecast
from tests.analytics.world import ENERGY_PRICE, START, asset, gpu, node_state, price, write

NOW = START + timedelta(hours=24)
WATTS = 90.0
USABLE = (16.0, 16.0, 16.0)


def hours(node: str, state: str = "free_surplus", count: int = 24, **told: str) -> list[Row]:
    """Booked hours of the four GPUs of a node."""
    return [
        CellHour(
            cluster="c",
            node=node,
            gpu_id=gpu(slot, node),
            hour=START + timedelta(hours=h),
            alloc_id=0,
            state=state,
            grade="A",
            gpu_seconds=3600,
            energy_joules=3600 * WATTS,
            **told,
        )
        for slot in range(4)
        for h in range(count)
    ]


def advise(
    store: Store, demand: Band, nodes: list[list[Row]], **changed: float
) -> list[Recommendation]:
    rows = [r for told in nodes for r in told]
    names = [f"n{i}" for i in range(4)]
    write(store, [asset(slot, n) for n in names for slot in range(4)])
    write(store, [*(node_state(n) for n in names), *rows, price()])
    write(store, forecast(START, demand, USABLE, 7))
    settings = PowerDownSettings(**changed)  # type: ignore[arg-type] - ints and floats of a test
    return list(advisor.advise(store, settings, [], NOW))


EMPTY = [hours(f"n{i}") for i in range(4)]


def test_as_many_empty_nodes_go_as_the_upper_band_never_needs(store: Store) -> None:
    (told,) = advise(store, (0.0, 2.0, 7.0), EMPTY)
    assert told.title == "Switch off 2 spare nodes of c: n0, n1"
    assert told.subject == "c/"
    assert "at the upper edge of the forecast 9 GPUs stay unused" in told.because


def test_the_gain_is_energy_and_frees_no_gpu(store: Store) -> None:
    (told,) = advise(store, (0.0, 2.0, 7.0), EMPTY)
    kwh = 2 * 4 * WATTS * 168 / 1000
    assert told.gain_gpu_hours == 0
    assert told.gain_cash_avoidable == pytest.approx(kwh * ENERGY_PRICE, rel=1e-3)
    assert f"saves {kwh:.0f} kWh" in told.because


def test_some_nodes_stay_on_however_little_is_needed(store: Store) -> None:
    (told,) = advise(store, (0.0, 0.0, 0.0), EMPTY, keep_nodes=3)
    assert told.title.startswith("Switch off 1 spare node of c")


def test_each_node_has_its_command_and_what_takes_it_back(store: Store) -> None:
    (told,) = advise(store, (0.0, 2.0, 7.0), EMPTY)
    assert told.command.count("POWER_DOWN") == 2
    assert told.undo.count("POWER_UP") == 2


def test_each_node_takes_nothing_new_before_it_is_switched_off(store: Store) -> None:
    (told,) = advise(store, (0.0, 2.0, 7.0), EMPTY)
    states = [line.split("State=")[1].split()[0] for line in told.command.splitlines()[1:]]
    assert states == ["DRAIN", "POWER_DOWN_ASAP"] * 2
    assert [line.split("State=")[1].split()[0] for line in told.undo.splitlines()[1:]] == [
        "POWER_UP",
        "RESUME",
    ] * 2


@pytest.mark.parametrize(
    "nodes",
    [
        [hours(f"n{i}", "productive") for i in range(4)],
        [hours(f"n{i}", flags="powered_down") for i in range(4)],
        [hours(f"n{i}", cause="too_few") for i in range(4)],
        [hours(f"n{i}", count=20) for i in range(4)],
    ],
)
def test_what_is_used_off_already_wanted_or_too_young_is_not_spare(
    store: Store, nodes: list[list[Row]]
) -> None:
    assert advise(store, (0.0, 0.0, 0.0), nodes) == []


def test_where_the_upper_band_needs_all_nothing_is_switched_off(store: Store) -> None:
    assert advise(store, (0.0, 0.0, 13.0), EMPTY) == []


def test_a_small_saving_is_not_worth_a_message(store: Store) -> None:
    assert advise(store, (0.0, 2.0, 7.0), EMPTY, least_kwh=122.0) == []


def test_an_empty_store_has_no_spare_node(store: Store) -> None:
    assert list(advisor.advise(store, PowerDownSettings(), [], NOW)) == []
