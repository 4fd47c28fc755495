"""The board of health and fabric, over a world in which n2 is sick."""

from __future__ import annotations

import pytest

from dashboards.boards.health import board
from gpuledger.store import Store
from tests.dashboards.machines import Asked
from tests.dashboards.world import HOUR


@pytest.fixture
def asked(machines: Store) -> Asked:
    return Asked(board, machines)


def test_an_empty_store_shows_nothing(store: Store) -> None:
    assert [p.title for p in board.panels if Asked(board, store).all(p.title)] == []


def test_what_hardware_cost_and_why(asked: Asked) -> None:
    # One of four GPUs was broken for the half hour that is booked, at 4 EUR an hour.
    cost = asked.one("What hardware cost")
    assert (cost["availability_ratio"], cost["fault_gpu_hours"]) == (0.75, 0.5)
    assert (cost["lost_value"], cost["maintenance_gpu_hours"]) == (2.0, 0.0)
    assert asked.one("GPU-hours lost by cause") == {"why": "fault", "lost_gpu_hours": 0.5}
    # Of an hour that is booked in part, the part counts.
    assert asked.one("GPUs out of service") == {"time": HOUR, "why": "fault", "gpus": 1.0}


def test_the_pool_that_is_well_has_lost_nothing(asked: Asked) -> None:
    assert asked.one("What hardware cost", pool=["big"])["fault_gpu_hours"] == 0.0
    for title in ("GPU-hours lost by cause", "Memory that wears out", "What the detectors found"):
        assert asked.all(title, pool=["big"]) == []
    assert asked.all("Errors that GPUs told, by class", pool=["big"]) == []


def test_nodes_that_cost_most_say_how_often_they_told_of_errors(asked: Asked) -> None:
    node = asked.one("Nodes that cost most")
    assert (node["node"], node["lost_gpu_hours"], node["lost_value"]) == ("n2", 0.5, 2.0)
    assert (node["events"], node["why"]) == (4, "fault")


def test_findings_and_errors_say_what_to_do(asked: Asked) -> None:
    found = asked.one("What the detectors found")
    assert (found["summary"], found["found_gpu_hours"]) == ("sick_gpu of alpha/n2/1", 0.5)
    told = asked.one("Errors that GPUs told, by class")
    assert (told["code"], told["class"], told["recovery"]) == (79, "hardware", "reset")
    assert (told["events"], told["cards"], told["nodes"]) == (4, 1, 1)


def test_only_cards_and_links_with_trouble_are_listed(asked: Asked) -> None:
    worn = asked.one("Memory that wears out")
    # Counted since the first reading: 3, 6, 9, 12.
    assert (worn["node"], worn["gpu"], worn["ecc_uncorrected_errors"]) == ("n2", 1, 9.0)
    assert (worn["remap_pending"], worn["remap_failed"]) == (1.0, None)
    link = asked.one("NVLink and PCIe that are not as they should be")
    assert (link["node"], link["nvlinks_down"], link["lanes_missing"]) == ("n2", 1.0, None)
    port = asked.one("InfiniBand and other ports with trouble")
    assert (port["device"], port["down_seconds"], port["symbol_errors"]) == ("mlx5_0/1", 120, 21)


def test_latency_is_time_by_operation(asked: Asked) -> None:
    rows = asked.all("How long storage takes to answer")
    assert {row["storage"]: row["latency_seconds"] for row in rows} == {
        "local disks": pytest.approx(0.002),
        "nfs /home": pytest.approx(0.05),
    }


def test_heat_and_what_it_slows_down(asked: Asked) -> None:
    heat = asked.one("Temperature of the GPUs")
    assert (heat["hottest"], heat["median"]) == (61.0, 60.5)
    slowed = asked.one("Time that GPUs were slowed down")
    # 18 s between the first and the last of four minutes.
    assert slowed == {"time": HOUR, "reason": "heat", "slowed_ratio": pytest.approx(18 / 240)}
