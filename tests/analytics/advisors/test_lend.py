"""Spare GPUs of a pool go to a neighbour whose jobs wait."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from analytics.advisors.lend import LendSettings, advisor
from gpuledger.catalogue import CellHour, Pool, Recommendation
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.advice.test_demand import hour, lacked
from tests.analytics.advisors.outlooks import finding, forecast
from tests.analytics.world import START, asset, at, given, gpu, node_state, write

NOW = START + timedelta(days=4)
ISLANDS = finding("islands", "c/big>small", NOW, 3, summary="big has GPUs, small waits")


def site(store: Store, waited: float) -> None:
    """Four days in which two GPUs of `big` were surplus while jobs lacked some at `small`."""
    hours = [START + timedelta(hours=h) for h in range(96)]
    write(store, [asset(0), asset(1), *map(hour, hours)])
    write(store, [lacked(h, waited, "small") for h in hours])
    write(store, [surplus(slot, h) for slot in (0, 1) for h in hours])


def surplus(slot: int, at: object) -> CellHour:
    """A GPU's hour that nobody needed."""
    return CellHour(
        cluster="c",
        node="n0",
        gpu_id=gpu(slot),
        hour=at,
        alloc_id=0,
        state="free_surplus",
        grade="A",
        gpu_seconds=3600,
        energy_joules=None,
    )


def advise(store: Store, *findings: object) -> list[Recommendation]:
    return list(advisor.advise(store, LendSettings(), findings, NOW))  # type: ignore[arg-type] - a test's


def test_the_gain_is_what_was_spare_here_while_jobs_waited_there(store: Store) -> None:
    site(store, waited=1.5)
    (told,) = advise(store, ISLANDS)
    assert told.gain_gpu_hours == told.gain_low_gpu_hours == pytest.approx(1.5 * 168)
    assert told.title == "Let jobs of small run on 3 GPUs of big that nobody needs there"
    assert json.loads(told.resources) == {"pool/c/big": pytest.approx(252)}
    assert "there is no forecast of big yet" in told.because


def test_no_more_is_lent_than_the_forecast_leaves(store: Store) -> None:
    site(store, waited=5.0)
    write(store, forecast(START + timedelta(days=3), (0, 1, 7), (8, 8, 8), 7, pool="big"))
    (told,) = advise(store, ISLANDS)
    assert "1 GPU of big" in told.title
    assert told.gain_gpu_hours == pytest.approx(168)


def test_a_pool_that_will_need_its_gpus_lends_none(store: Store) -> None:
    site(store, waited=5.0)
    write(store, forecast(START + timedelta(days=3), (0, 8, 9), (8, 8, 8), 7, pool="big"))
    assert advise(store, ISLANDS) == []


def test_where_nobody_waited_nothing_is_lent(store: Store) -> None:
    site(store, waited=0.0)
    assert advise(store, ISLANDS) == []


def test_a_finding_that_is_over_or_about_something_else_says_nothing(store: Store) -> None:
    site(store, waited=5.0)
    over = finding("islands", "c/big>small", NOW, 3, open=0)
    assert advise(store, over, finding("idle", "c/1", NOW, 3)) == []


def partition(nodes: str = "m0,m1") -> Pool:
    """The partition whose jobs wait."""
    return Pool(
        cluster="c",
        pool="small",
        scheduler="slurm",
        state="up",
        nodes=nodes,
        longest_seconds=None,
        seen_at=START,
        version=1,
    )


def lent(store: Store, *rows: Row, cause: str = "partition") -> Recommendation:
    """What is proposed while two GPUs of `big`, both on n0, are spare."""
    site(store, waited=5.0)
    write(store, [node_state(), *rows])
    (told,) = advise(store, finding("islands", "c/big>small", NOW, 3, cause=cause))
    return told


def test_a_partition_gets_the_empty_nodes_and_gives_them_back(store: Store) -> None:
    told = lent(store, partition())
    assert told.command.splitlines()[-1] == ("scontrol update PartitionName=small Nodes=m0,m1,n0")
    assert told.undo.splitlines()[-1] == "scontrol update PartitionName=small Nodes=m0,m1"


@pytest.mark.parametrize(
    ("rows", "cause", "why"),
    [
        ([], "partition", "small is no partition of Slurm"),
        ([partition("")], "partition", "small is no partition of Slurm"),
        ([partition("m0,n0")], "partition", "no node of big with at most 3 GPUs stands empty"),
        ([partition(), given("1", 0)], "partition", "stands empty"),
        ([partition(), node_state(state="drained", since=at(1))], "partition", "stands empty"),
        ([partition()], "gpu_model", "they are of another model"),
    ],
)
def test_where_no_command_lends_it_says_why(
    store: Store, rows: list[Row], cause: str, why: str
) -> None:
    told = lent(store, *rows, cause=cause)
    assert told.command.startswith("# no command: ")
    assert why in told.command
    assert told.undo == ""


def test_another_cluster_is_lent_to_by_no_command(store: Store) -> None:
    site(store, waited=0.0)
    hours = [START + timedelta(hours=h) for h in range(96)]
    other = [lacked(h, 2.0, "small") for h in hours]
    for row in other:
        row.cluster = "d"
    write(store, other)
    (told,) = advise(store, finding("islands", "c/big>d/small", NOW, 3, cause="cluster"))
    assert told.command.startswith("# no command: they are in another cluster")


def test_an_empty_store_lends_nothing(store: Store) -> None:
    assert advise(store, ISLANDS) == []
