"""Spare GPUs that cannot reach the jobs that wait for such."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.islands import IslandsSettings, detector
from gpuledger.catalogue import DemandMinute, Finding
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.test_fragmentation import hour, wanted
from tests.analytics.world import MODEL, asset, at, job, price, write

DAY = Span(at(0), at(600))


def starving(model: str = MODEL) -> list[Row]:
    """A GPU of the pool that jobs wait for."""
    made = asset(0, "m0", model=model)
    made.pool = "small"
    return [made, price()]


def spare(hours: range, gpus: float = 8, lacking: float = 5, **told: Any) -> list[Row]:
    out: list[Row] = []
    for h in hours:
        out += [
            hour(h, told.pop("state", "free_surplus"), gpus, **told),
            wanted(h, lacking, "small"),
        ]
    return out


def find(store: Store, span: Span = DAY, **changed: Any) -> list[Finding]:
    return list(detector.find(store, IslandsSettings(**changed), span))


@pytest.mark.parametrize(
    ("model", "wall", "words"),
    [
        (MODEL, "partition", "in another partition"),
        ("A100", "gpu_model", f"of another model ({MODEL})"),
    ],
)
def test_a_spare_pool_beside_a_starving_one_is_found(
    store: Store, model: str, wall: str, words: str
) -> None:
    write(store, [*starving(model), *spare(range(1, 6))])
    (found,) = find(store)
    assert (found.subject, found.cause, found.pool) == ("c/big>small", wall, "small")
    assert (found.gpus, found.gpu_seconds, found.open) == (5, 5 * 5 * 3600, 0)
    assert found.capacity_value == pytest.approx(75)
    assert found.summary == (
        f"jobs wait for 5 GPUs of small for 5 hours, while as many of big, {words}, are spare"
    )


def test_another_cluster_is_an_island_too(store: Store) -> None:
    rows = [*starving(), *spare(range(1, 6))]
    for row in rows:
        if isinstance(row, DemandMinute):
            row.cluster = "d"
    write(store, rows)
    (found,) = find(store)
    assert (found.subject, found.cause) == ("c/big>d/small", "cluster")


def test_gpus_that_no_job_of_their_pool_could_use_are_spare(store: Store) -> None:
    rows = [hour(h, "stranded", 8, "gpu_type") for h in range(1, 6)]
    write(store, [*starving(), *rows, *(wanted(h, 5, "small") for h in range(1, 6))])
    assert len(find(store)) == 1


def test_what_is_powered_down_is_not_spare(store: Store) -> None:
    write(store, [*starving(), *spare(range(1, 6), flags="powered_down")])
    assert find(store) == []


def test_a_pool_is_no_island_to_itself(store: Store) -> None:
    rows = [hour(h, "free_surplus", 8) for h in range(1, 6)]
    write(store, [*starving(), *rows, *(wanted(h, 5, "big") for h in range(1, 6))])
    assert find(store) == []


def test_few_hours_are_no_island(store: Store) -> None:
    write(store, [*starving(), *spare(range(1, 4))])
    assert find(store) == []


def test_of_several_neighbours_the_one_that_could_lend_most_is_told(store: Store) -> None:
    rows = [hour(h, "free_surplus", 3, pool="other") for h in range(1, 6)]
    write(store, [*starving(), *spare(range(1, 6)), *rows])
    assert [f.subject for f in find(store)] == ["c/big>small"]


def test_free_gpus_that_a_quota_closes_are_told_with_the_teams_it_refuses(store: Store) -> None:
    rows: list[Row] = [hour(h, "free_surplus", 8, flags="quota_held") for h in range(1, 6)]
    rows += [wanted(h, 0, "big", refused=4) for h in range(1, 6)]
    write(store, [*rows, job("1", state="pending", reason="Quota", gpus=4)])
    (found,) = find(store)
    assert (found.subject, found.cause, found.team) == ("c/big>quota", "quota", "vision")
    assert found.summary == "4 GPUs of big stay free for 5 hours, for which a quota refuses vision"


def test_its_evidence_can_be_asked(store: Store) -> None:
    write(store, [*starving(), *spare(range(1, 6))])
    (found,) = find(store)
    assert len(store.select(found.evidence)) == 5


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    write(store, [*starving(), *spare(range(1, 6))])
    assert find(store, Span(at(60), at(60))) == []
    assert find(store, Span(at(0), at(600), ("c/x",))) == []


def test_the_same_book_gives_the_same_findings(store: Store) -> None:
    write(store, [*starving(), *spare(range(1, 6))])
    assert find(store) == find(store)
