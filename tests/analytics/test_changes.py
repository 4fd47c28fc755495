"""What was changed on the fleet, told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics import changes
from analytics.book import Span
from gpuledger.catalogue import Gpu, NodeState, Pool, Quota
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, at, write

ALWAYS = Span(at(-600), at(100_000))


def card(minute: float, **said: object) -> Gpu:
    known = {"driver": "570.1", "vbios": "96.00", "uuid": "GPU-a", "mig": "disabled", **said}
    return Gpu(
        gpu_id=7,
        cluster=CLUSTER,
        node="n0",
        slot=0,
        memory_bytes=None,
        seen_at=at(minute),
        version=round(minute) + 1000,
        **known,
    )


def quota(minute: float, guaranteed: int) -> Quota:
    return Quota(
        cluster=CLUSTER,
        scheduler="kueue",
        queue="research",
        guaranteed_milli=guaranteed * 1000,
        seen_at=at(minute),
        version=round(minute),
    )


def pool(minute: float, nodes: str) -> Pool:
    return Pool(
        cluster=CLUSTER,
        pool="big",
        scheduler="slurm",
        state="up",
        nodes=nodes,
        longest_seconds=None,
        seen_at=at(minute),
        version=round(minute),
    )


def statement(since: float, state: str, reason: str = "") -> NodeState:
    return NodeState(
        cluster=CLUSTER,
        node="n0",
        scheduler="slurm",
        state=state,
        reason=reason,
        gpus=8,
        memory_bytes=None,
        valid_from=at(since),
        valid_to=FOREVER,
        seen_at=at(since),
        version=1,
    )


def told(store: Store) -> list[tuple[str, str | None, str | None]]:
    return [(r["kind"], r["before"], r["after"]) for r in changes.between(store, ALWAYS)]


def test_what_is_seen_for_the_first_time_is_no_change(store: Store) -> None:
    write(store, [card(0), quota(0, 8), pool(0, "n0"), statement(0, "up")])
    changes.note(store, at(1))
    assert told(store) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (card(0), card(60, driver="580.2"), ("driver", "570.1", "580.2")),
        (card(0), card(60, vbios="97.10"), ("vbios", "96.00", "97.10")),
        (card(0), card(60, uuid="GPU-b"), ("card", "GPU-a", "GPU-b")),
        (card(0), card(60, mig="enabled"), ("mig", "disabled", "enabled")),
        (
            quota(0, 8),
            quota(60, 4),
            ("quota", "guaranteed 8, no limit", "guaranteed 4, no limit"),
        ),
        (pool(0, "n0,n1"), pool(60, "n0"), ("nodes", "n0,n1", "n0")),
    ],
)
def test_what_is_another_than_before_is_told_once(
    store: Store, before: Row, after: Row, expected: tuple[str, str, str]
) -> None:
    write(store, [before])
    changes.note(store, at(1))
    write(store, [after])
    for minute in (61, 62):
        changes.note(store, at(minute))
    assert told(store) == [expected]


def test_every_turn_of_a_node_is_told_with_its_reason(store: Store) -> None:
    write(store, [statement(0, "up"), statement(5, "drained", "bad fan"), statement(9, "up")])
    for minute in (10, 11):
        changes.note(store, at(minute))
    assert told(store) == [("resume", "drained", "up"), ("drain", "up", "drained: bad fan")]


def test_an_older_reading_that_comes_late_changes_nothing(store: Store) -> None:
    write(store, [card(60)])
    changes.note(store, at(61))
    write(store, [card(0, driver="535.9")])
    changes.note(store, at(62))
    assert told(store) == []


def test_it_can_be_limited_to_a_node_a_kind_and_a_time(store: Store) -> None:
    write(store, [statement(5, "drained"), statement(9, "up")])
    changes.note(store, at(10))
    assert len(changes.between(store, ALWAYS, node="n0")) == 2
    assert changes.between(store, ALWAYS, node="n1") == []
    assert [r["kind"] for r in changes.between(store, ALWAYS, kinds=["drain"])] == ["drain"]
    late = replace(ALWAYS, since=at(9) - timedelta(seconds=1))
    assert [r["kind"] for r in changes.between(store, late)] == ["resume"]
