"""Overlapping gains: each GPU-hour counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.life.netting import NET, net, overlap, total


def row(id_: int, gain: float | None, told: Any = "", subject: str = "") -> dict[str, Any]:
    return {
        "recommendation_id": id_,
        "subject": subject or f"c/{id_}",
        "resources": told if isinstance(told, str) else json.dumps(told),
        "gain_gpu_hours": gain,
        "gain_capacity_value": gain,
        "gain_cash_avoidable": None,
    }


def nets(*rows: dict[str, Any]) -> dict[int, float | None]:
    return {r["recommendation_id"]: r[NET] for r in net(rows)}


def test_a_job_to_be_reclaimed_and_made_smaller_counts_once() -> None:
    assert nets(row(1, 10, subject="c/1"), row(2, 4, {"c/1": 4})) == {1: 10, 2: 0}


def test_a_node_that_is_drained_and_powered_down_counts_once() -> None:
    repack = row(1, 16, {"node/c/n0": 8, "node/c/n1": 8})
    down = row(2, 12, {"node/c/n1": 6, "node/c/n2": 6})
    assert nets(repack, down) == {1: 16, 2: 6}


def test_of_a_resource_is_left_what_the_larger_gain_did_not_take() -> None:
    assert nets(row(1, 10, {"a": 2, "b": 8}), row(2, 9, {"a": 9})) == {1: 10, 2: 7}


def test_a_gain_that_nobody_knows_stays_unknown() -> None:
    assert nets(row(1, None), row(2, 1.0)) == {1: None, 2: 1}


@pytest.mark.parametrize("told", ["", "no json", "[1]", '{"a": "x"}', '{"a": 0}', "null"])
def test_without_resources_it_is_the_subject(told: str) -> None:
    assert nets(row(1, 5, told, "s"), row(2, 3, told, "s")) == {1: 5, 2: 0}


def test_what_was_counted_before_is_told() -> None:
    told = [overlap(r) for r in net([row(1, 10, {"a": 1}), row(2, 8, {"a": 3, "b": 1})])]
    assert told == ["", "only 2 GPU-hours of it are beyond those above"]
    assert [overlap(r) for r in net([row(1, None)])] == [""]


RESOURCES = st.dictionaries(st.sampled_from("abcd"), st.floats(0.1, 9), max_size=3)


@given(st.lists(st.tuples(st.floats(0, 100), RESOURCES), max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_net_gain_exceeds_its_gain_and_their_sum_no_resource(
    told: list[tuple[float, dict[str, float]]],
) -> None:
    rows = net([row(i, gain, made) for i, (gain, made) in enumerate(told)])
    assert all(-1e-9 <= r[NET] <= r["gain_gpu_hours"] + 1e-9 for r in rows)
    assert total(rows) <= total(rows, "gain_gpu_hours") + 1e-6
    largest = max((gain for gain, _ in told), default=0.0)
    assert total(rows) >= largest - 1e-6
