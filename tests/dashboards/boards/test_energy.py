"""The board of energy and cost, over the small world: 0.7 kWh, of which 0.2 idle."""

from __future__ import annotations

import pytest

from dashboards.boards.energy import board
from gpuledger.catalogue import Rate
from gpuledger.store import Store
from tests.dashboards.machines import Asked
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK, SINCE


@pytest.fixture
def asked(machines: Store) -> Asked:
    return Asked(board, machines)


def rate_with_carbon(pool: str) -> Rate:
    return Rate(
        cluster=CLUSTER,
        node="n1",
        pool=pool,
        model="H100",
        capacity_value=4.0,
        energy_price=0.5,
        pue=1.5,
        carbon_per_kwh=0.4,
        cash_rate=None,
        avoidable_rate=None,
        currency="EUR",
        valid_from=SINCE,
        version=1,
    )


def test_an_empty_store_shows_nothing(store: Store) -> None:
    assert [p.title for p in board.panels if Asked(board, store).all(p.title)] == []


def test_energy_in_all_idle_and_for_what_was_done(asked: Asked) -> None:
    drawn = asked.one("Energy")
    assert (drawn["energy_kwh"], drawn["idle_kwh"]) == (pytest.approx(0.7), pytest.approx(0.2))
    assert drawn["kwh_per_productive_gpu_hour"] == pytest.approx(1.4)
    by_state = {r["what"]: r["energy_kwh"] for r in asked.all("Energy by what the GPUs did")}
    assert by_state == {"productive": pytest.approx(0.5), "alloc idle": pytest.approx(0.2)}


def test_energy_and_power_over_time(asked: Asked) -> None:
    point = asked.one("Energy over time")
    assert (point["time"], point["idle_kwh"]) == (HOUR, pytest.approx(0.2))
    assert point["at_work_kwh"] == pytest.approx(0.5)
    each = asked.one("Energy for each productive GPU-hour")
    assert each["kwh_per_productive_gpu_hour"] == pytest.approx(1.4)
    power = asked.one("Power of all GPUs")
    assert (power["drawn_watts"], power["limit_watts"]) == (1400.0, 2800.0)


def test_money_is_told_in_columns_that_nobody_adds_up(asked: Asked) -> None:
    money = asked.one("Money")
    assert (money["capacity_value"], money["loose_value"]) == (8.0, 4.0)
    assert (money["cash_avoidable"], money["energy_cost"]) == (0.1, pytest.approx(0.35))
    assert (money["cash_billed"], money["currency"]) == (None, "EUR")


def test_by_team_and_by_pool(asked: Asked) -> None:
    speech, vision = asked.all("By team")
    assert (speech["team"], speech["idle_kwh"], speech["cash_avoidable"]) == ("speech", 0.2, 0.1)
    assert (vision["team"], vision["idle_kwh"], vision["cash_avoidable"]) == ("vision", 0.0, 0.0)
    assert (vision["capacity_value"], vision["kwh_per_productive_gpu_hour"]) == (2.0, 1.0)
    big, small = asked.all("By pool")
    assert (big["pool"], big["energy_kwh"]) == ("big", pytest.approx(0.7))
    assert (small["pool"], small["capacity_value"], small["energy_kwh"]) == ("small", 4.0, 0.0)
    assert asked.one("By team", team=["vision"])["gpu_hours"] == 0.5


def test_only_jobs_that_drew_while_idle_are_listed(asked: Asked) -> None:
    job = asked.one("Jobs that drew most while idle")
    assert (job["job"], job["idle_kwh"], job["gpu_hours"]) == (NOTEBOOK, 0.2, 0.5)


def test_carbon_is_shown_where_a_factor_is_told_and_nowhere_else(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    assert asked.all("CO2") == []
    own_machines.insert_rows([rate_with_carbon("big")])
    found = asked.one("CO2")
    # 0.7 kWh, half as much again for the site, 0.4 kg each.
    assert (found["carbon_kg"], found["factor"]) == (pytest.approx(0.42), 0.4)
    assert asked.one("Energy", pool=["big"])["site_energy_kwh"] == pytest.approx(1.05)


def test_prices_are_those_that_hold(asked: Asked) -> None:
    price = asked.one("Prices and factors")
    assert (price["model"], price["capacity_value"], price["energy_price"]) == ("H100", 4.0, 0.5)
