"""Few moves make room for what waits, where that is worth it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from analytics.advisors.repack import RepackSettings, advisor, wanted
from analytics.repacking.instance import Instance, Pod
from gpuledger.catalogue import Recommendation
from gpuledger.store import Store
from tests.analytics.advice.fleets import EIGHT, node, pod
from tests.analytics.advice.sites import NOW, crumbs
from tests.analytics.advisors.outlooks import finding


def advise(store: Store, *findings: object, **changed: object) -> list[Recommendation]:
    settings = RepackSettings(**changed)  # type: ignore[arg-type] - settings of a test
    return list(advisor.advise(store, settings, findings, NOW))  # type: ignore[arg-type] - a test's


def test_a_move_makes_room_for_the_job_that_waits(store: Store) -> None:
    crumbs(store)
    (told,) = advise(store)
    assert told.title == "Move 1 task to make room for 1 more of 8 GPUs on one node"
    assert (told.subject, told.kind, told.status) == ("c", "repack", "proposed")
    assert "reaches the bound: no other 10 moves do better" in told.because
    assert 0 < told.gain_gpu_hours <= 8 * 24


def test_the_moves_are_commands_with_what_takes_them_back(store: Store) -> None:
    crumbs(store)
    (told,) = advise(store)
    assert told.command.splitlines()[0].startswith("# the job begins again")
    assert told.command.splitlines()[1] == "scontrol requeuehold 0 &&"
    assert "ReqNodeList=n1" in told.command
    assert told.undo.splitlines()[1] == "scontrol requeuehold 0 &&"


def test_the_gain_is_made_of_the_jobs_that_move_and_the_node_that_is_freed(store: Store) -> None:
    crumbs(store)
    (told,) = advise(store)
    made_of = json.loads(told.resources)
    assert set(made_of) == {"c/0", "node/c/n0"}
    assert sum(made_of.values()) == pytest.approx(told.gain_gpu_hours, abs=0.01)


def test_it_rests_on_the_finding_about_crumbs(store: Store) -> None:
    crumbs(store)
    about = finding("fragmentation", "c/big", NOW, 15)
    (told,) = advise(store, about, finding("fragmentation", "d/big", NOW, 99, finding_id=9))
    assert (told.finding_id, told.created) == (7, about.since)


def test_a_job_that_would_lose_its_work_moves_only_where_somebody_says_so(store: Store) -> None:
    crumbs(store, preemptible=0)
    assert advise(store) == []
    assert len(advise(store, any_task=True)) == 1


def test_waiting_is_better_where_the_room_comes_soon(store: Store) -> None:
    crumbs(store, ends_by=NOW + timedelta(minutes=6))
    assert advise(store) == []


def test_the_same_fleet_gives_the_same_recommendation(store: Store) -> None:
    crumbs(store)
    assert advise(store) == advise(store)


def test_an_empty_store_has_nothing_to_move(store: Store) -> None:
    assert advise(store) == []


def waiting(gpus: int, milli: int = 1000) -> Pod:
    """A task that is not placed."""
    return Pod(f"w{gpus}", "", (), 1000, 1024, gpus, milli)


def test_the_size_that_waits_most_and_has_no_room_is_wanted() -> None:
    fleet = Instance((node("n0"), node("n1")), (pod("a", "n0", 0), pod("b", "n1", 0)), (EIGHT,))
    queue = (waiting(8), waiting(4), waiting(16))
    assert wanted(Instance(fleet.nodes, fleet.pods, fleet.target, waiting=queue)) == "slots:8"
    fits = Instance(fleet.nodes, fleet.pods, fleet.target, waiting=(waiting(4),))
    assert (wanted(fits), wanted(fleet), wanted(Instance((), (), ()))) == ("", "", "")


def test_shares_wait_for_better_crumbs() -> None:
    shared = Instance((node("n0"),), (), (EIGHT,), waiting=(waiting(1, 500),))
    assert wanted(shared) == "fragmentation"
