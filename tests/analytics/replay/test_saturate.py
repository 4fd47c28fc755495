"""A cluster filled as FGD's authors did: their start value, their curves."""

from __future__ import annotations

import csv
from functools import cache

import numpy as np
import pytest

from analytics.replay.policy import popular
from analytics.replay.room import Room
from analytics.replay.saturate import Saturation, arrivals, saturate
from gpuledger.errors import ConfigError
from tests.analytics.replay.world import OPENB, node, published, task


@cache
def filled(policy: str) -> Saturation:
    return saturate(*published(), policy, seed=1)


@cache
def curves() -> dict[tuple[str, int], dict[str, str]]:
    with (OPENB / "published.csv").open() as lines:
        return {(r["policy"], int(r["asked_percent"])): r for r in csv.DictReader(lines)}


def test_the_empty_cluster_has_the_fragments_that_its_authors_published() -> None:
    nodes, tasks = published()
    room = Room(nodes)
    every = np.arange(len(nodes))
    with_gpus = popular(room, [t for t in tasks if t.gpus])
    told = [room.fragments(m, every).sum() / room.owned for m in (popular(room, tasks), with_gpus)]
    assert [round(100 * part, 2) for part in told] == [13.94, 0.42]


@pytest.mark.parametrize(
    ("policy", "theirs"), [("random", "Random"), ("best-fit", "BestFit"), ("fgd", "FGD")]
)
def test_allocation_at_130_percent_is_the_published_one(policy: str, theirs: str) -> None:
    mean = float(curves()[theirs, 130]["allocated_mean"])
    assert filled(policy).allocated[130] == pytest.approx(mean, abs=1.0)


@pytest.mark.parametrize(
    ("policy", "theirs"), [("random", "Random"), ("best-fit", "BestFit"), ("fgd", "FGD")]
)
@pytest.mark.parametrize("percent", [50, 90])
def test_fragments_follow_the_published_curve(policy: str, theirs: str, percent: int) -> None:
    mean = float(curves()[theirs, percent]["fragments_mean"])
    assert filled(policy).fragments[percent] == pytest.approx(mean, abs=0.4)


def test_a_seed_decides_everything() -> None:
    nodes = [node(f"n{i}", 4) for i in range(3)]
    tasks = [task("a"), task("b", share=300), task("c", 2)]
    first, again = (saturate(nodes, tasks, "random", seed=7) for _ in range(2))
    assert first == again
    assert first != saturate(nodes, tasks, "random", seed=8)


def test_tasks_are_drawn_again_until_they_ask_for_enough() -> None:
    drawn = arrivals([task("a"), task("b", 2)], gpus=10, demand=1.3, seed=0)
    assert 13 <= sum(t.gpus for t in drawn) < 15
    assert {t.name for t in drawn[:2]} == {"a", "b"}


@pytest.mark.parametrize(("gpus", "asked"), [(0, 1), (8, 0)])
def test_nothing_to_fill_is_an_error(gpus: int, asked: int) -> None:
    with pytest.raises(ConfigError, match="nodes with GPUs, and tasks that ask for some"):
        saturate([node(gpus=gpus)], [task("a", asked)], "best-fit")
