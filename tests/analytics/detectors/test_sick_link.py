"""Network ports that are down, flap or make errors."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.sick_link import LinkSettings, detector
from gpuledger.catalogue import Finding, NetworkSample
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, write

UNTIL = 60
WHOLE = Span(at(0), at(UNTIL))


def port(minute: int, **told: Any) -> NetworkSample:
    known = {"up_ratio": 1.0, **told}
    return NetworkSample.known(
        ts=at(minute + 1),
        interval_seconds=60,
        cluster=CLUSTER,
        node="n0",
        device="mlx5_0",
        kind="infiniband",
        interface="ib0",
        **known,
    )


def find(store: Store, rows: list[NetworkSample]) -> list[Finding]:
    write(store, [asset(0), asset(1), *rows])
    return list(detector.find(store, LinkSettings(), WHOLE))


def down(minutes: range) -> list[NetworkSample]:
    return [port(m, up_ratio=0.0 if m in minutes else 1.0) for m in range(UNTIL)]


@pytest.mark.parametrize(("minutes", "count"), [(3, 0), (4, 1)])
def test_a_port_is_down_after_four_minutes(store: Store, minutes: int, count: int) -> None:
    found = find(store, down(range(10, 10 + minutes)))
    assert [f.cause for f in found] == ["down"] * count


def test_a_port_that_is_down_is_told_with_node_and_gpus(store: Store) -> None:
    (found,) = find(store, down(range(40, UNTIL)))
    assert (found.subject, found.gpus, found.open) == ("c/n0/mlx5_0", 2, 1)
    assert (found.since, found.until) == (at(40), at(60))
    assert found.summary == (
        "infiniband port mlx5_0 of n0 is down: 20 minutes without link; the node has 2 GPUs"
    )
    assert len(store.select(found.evidence)) == 20


def test_a_port_that_never_had_a_link_is_not_in_use(store: Store) -> None:
    assert find(store, down(range(UNTIL))) == []


@pytest.mark.parametrize(
    ("counter", "by", "cause"),
    [("link_downs", 3, "flapping"), ("symbol_errors", 100, "errors")],
)
def test_what_ports_count_is_judged_by_its_growth(
    store: Store, counter: str, by: int, cause: str
) -> None:
    calm = [port(m, **{counter: 7}) for m in range(UNTIL)]
    assert find(store, calm) == []
    first, last = {counter: 7}, {counter: 7 + by}
    half = [
        NetworkSample.known(
            **{**port(9, **values).values(), "ts": at(at_s), "interval_seconds": 30}
        )
        for values, at_s in ((first, 9.5), (last, 10))
    ]
    (found,) = find(store, half)
    assert found.cause == cause


def test_it_finds_the_same_again_and_nothing_in_an_empty_span(store: Store) -> None:
    first = find(store, down(range(40, UNTIL)))
    again = detector.find(store, LinkSettings(), WHOLE)
    assert [f.values() for f in first] == [f.values() for f in again]
    assert list(detector.find(store, LinkSettings(), Span(at(100), at(160)))) == []
