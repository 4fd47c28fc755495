"""The last two weeks played again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advice import replayed
from analytics.advice.replayed import Wait
from analytics.replay import Scenario, add_nodes
from gpuledger.store import Store
from tests.analytics.advice.sites import EARLIER_H, NOW, crumbs
from tests.analytics.advice.test_demand import hour
from tests.analytics.world import write


def test_nothing_is_replayed_without_jobs_or_with_too_many_in_a_day(store: Store) -> None:
    assert replayed.trace(store, [], NOW, 10) is None
    crumbs(store)
    nodes = replayed.nodes(store, NOW, "c")
    assert [n.name for n in nodes] == ["c/n0", "c/n1"]
    assert replayed.trace(store, nodes, NOW, 2) is None
    assert replayed.trace(store, nodes, NOW, 3) is not None
    assert replayed.waits(None) is None
    assert replayed.policy(None) is None


def test_the_same_way_to_place_saves_no_wait_and_strands_no_less(store: Store) -> None:
    crumbs(store)
    told = replayed.trace(store, replayed.nodes(store, NOW, "c"), NOW, 10)
    assert told is not None
    assert replayed.waits(told) == Wait(0, 0, 0, pytest.approx(EARLIER_H / 24 + 4 / 24))
    other = replayed.policy(told)
    assert other is not None
    assert other.gpus == 0


def test_of_many_jobs_the_newest_days_are_replayed(store: Store) -> None:
    crumbs(store)
    nodes = replayed.nodes(store, NOW, "c")
    later = NOW + timedelta(days=3)
    write(store, [hour(later - timedelta(hours=1))])
    told = replayed.trace(store, nodes, later, 2)
    assert told is not None
    assert (told.until_s - told.since_s) / 3600 == 3 * 24 + 4


def test_more_nodes_save_the_wait_of_who_had_none(store: Store) -> None:
    crumbs(store)
    told = replayed.trace(store, replayed.nodes(store, NOW, "c"), NOW, 10)
    assert told is not None
    wait = replayed.waits(told, Scenario(), add_nodes(told, 1, "NVIDIA H100", 8))
    assert wait is not None
    assert wait.expected >= 0


def test_waits_are_told_as_shorter_or_longer() -> None:
    assert replayed.words(Wait(0, 0, 0, 7)).endswith("last 7 days the mean wait is the same")
    assert replayed.words(Wait(60, 30, 90)).endswith("60 (30 to 90) s shorter")
    assert replayed.words(Wait(-60, -90, -30)).endswith("60 (30 to 90) s longer")
    assert replayed.words(None, "no job ran") == "queue waits were not replayed (no job ran)"
