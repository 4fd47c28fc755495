"""The board of one node, over a world in which n2 is sick and n1 runs two jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboards.boards.node import board
from gpuledger.catalogue import Change
from gpuledger.store import Store
from tests.dashboards.machines import GIB, Asked
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK, TRAIN


@pytest.fixture
def asked(machines: Store) -> Asked:
    return Asked(board, machines)


def test_an_empty_store_shows_nothing(store: Store) -> None:
    assert [p.title for p in board.panels if Asked(board, store).all(p.title)] == []


def test_without_a_choice_the_node_that_lost_most_is_shown(asked: Asked) -> None:
    node = asked.one("The node")
    assert (node["node"], node["state"], node["why"]) == ("n2", "drained", "XID 79")
    assert (node["driver"], node["rack"], node["gpus"]) == ("570.1", "r7", 2)
    assert asked.one("The node", pool=["big"])["node"] == "n1"


def test_chosen_nodes_are_shown_together(asked: Asked) -> None:
    rows = asked.all("The node", node=["n1", "n2"])
    assert [(row["node"], row["state"]) for row in rows] == [("n1", "not told"), ("n2", "drained")]


def test_what_it_gave(asked: Asked) -> None:
    gave = asked.one("What it gave")
    assert (gave["gpu_hours"], gave["availability_ratio"], gave["fault_gpu_hours"]) == (1, 0.5, 0.5)
    busy = asked.one("What it gave", node=["n1"])
    assert (busy["allocation_ratio"], busy["activity_ratio"]) == (1.0, 0.5)


def test_strips_of_its_gpus(asked: Asked) -> None:
    rows = asked.all("What its GPUs did")
    assert {row["gpu"]: row["state"] for row in rows if row["time"] == HOUR} == {
        "n2 GPU 0": "free_demand",
        "n2 GPU 1": "fault",
    }
    assert {row["time"] for row in rows if row["state"] is None} == {HOUR + timedelta(minutes=2)}


@pytest.mark.parametrize(
    ("title", "name", "values"),
    [
        ("Temperature", "temperature_celsius_max", (60.0, 61.0)),
        ("Power", "power_watts", (300.0, 400.0)),
        ("Activity", "sm_active_ratio", (0.5, 0.1)),
    ],
)
def test_a_line_for_each_gpu(
    asked: Asked, title: str, name: str, values: tuple[float, float]
) -> None:
    rows = [row for row in asked.all(title) if row["time"] == HOUR]
    assert [row["gpu"] for row in rows] == ["n2 GPU 0", "n2 GPU 1"]
    assert [row[name] for row in rows] == [pytest.approx(v) for v in values]


def test_host_traffic_and_file_systems(asked: Asked) -> None:
    host = asked.all("Host")[0]
    assert (host["busy"], host["memory"]) == (0.25, pytest.approx(0.4))
    traffic = {r["series"]: r["rate"] for r in asked.all("Network and storage")}
    assert (traffic["mlx5_0/1 received"], traffic["nvme0n1 read"]) == (1000.0, 100.0)
    disk = asked.one("File systems")
    assert (disk["mount"], disk["size_bytes"], disk["used"]) == ("/scratch", 100 * GIB, 0.75)
    assert disk["inodes_used"] == pytest.approx(0.1)


def test_links(asked: Asked) -> None:
    port, nvlink = asked.all("Links")
    assert (port["link"], port["up"], port["errors"]) == ("infiniband mlx5_0/1", 0.5, 21.0)
    assert (nvlink["link"], nvlink["up"]) == ("GPU 1 NVLink", pytest.approx(17 / 18))


def test_who_was_on_it(asked: Asked) -> None:
    rows = asked.all("Who was on it", node=["n1"])
    assert {(row["job"], row["user"], row["gpus"]) for row in rows} == {
        (TRAIN, "ana", 1),
        (NOTEBOOK, "ben", 1),
    }
    assert {row["until"] for row in rows} == {None}


def test_what_happened_to_it_newest_first(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    own_machines.insert_rows(
        [
            Change(
                cluster=CLUSTER,
                node="n2",
                kind="driver",
                ts=HOUR + timedelta(minutes=5),
                before="550",
                after="570",
            )
        ]
    )
    rows = asked.all("What happened to it")
    assert [row["what"] for row in rows] == ["driver", "xid", "scheduler: drained"]
    assert (rows[0]["text"].strip(), rows[1]["text"]) == (
        "550 → 570",
        "code 79: fell off the bus",
    )
