"""Slurm's spellings of one thing, old and new, and of nothing."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.slurm_json import instant, node_state, number
from collector.slurm_rows import Snapshot, allocation_rows, job_row, node_row
from gpuledger.batch import Batch
from gpuledger.slurm_words import Gres, gpus, job_state, text, tres


@pytest.mark.parametrize(
    ("told", "plain"),
    [
        (7, 7),
        ({"set": True, "infinite": False, "number": 7}, 7),
        ({"set": False, "infinite": False, "number": 0}, None),
        ({"set": True, "infinite": True, "number": 0}, None),
        (None, None),
        ("7", None),
        (True, None),
        ([], None),
    ],
)
def test_numbers(told: Any, plain: int | None) -> None:
    assert number(told) == plain


def test_times() -> None:
    assert instant(0) is None
    assert instant({"set": True, "number": 60}) == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("RUNNING", "running"),
        (["RUNNING", "CONFIGURING"], "running"),
        (["COMPLETED", "COMPLETING"], "completed"),
        ("COMPLETING", "running"),
        (["PENDING", "REQUEUED"], "pending"),
        ("OUT_OF_MEMORY", "failed"),
        (["PREEMPTED"], "cancelled"),
        ("DEADLINE", "timeout"),
        (["RUNNING", "POWER_UP_NODE"], "running"),
        (["LAUNCH_FAILED"], "pending"),
        (["FAILED", "LAUNCH_FAILED"], "failed"),
        (["PENDING", "RECONFIG_FAIL"], "pending"),
        (["EXPEDITING"], "pending"),
        (["CANCELLED", "UPDATE_DB"], "cancelled"),
        ("SOMETHING_NEW", None),
        ([], None),
    ],
)
def test_job_states(told: Any, state: str | None) -> None:
    assert job_state(told) == state


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"state": "idle", "state_flags": []}, "up"),
        ({"state": "mixed", "state_flags": ["DRAIN"]}, "drained"),
        ({"state": ["ALLOCATED", "DRAIN"]}, "drained"),
        ({"state": ["DOWN", "DRAIN", "NOT_RESPONDING"]}, "down"),
        ({"state": "idle", "state_flags": ["MAINTENANCE"]}, "drained"),
        ({"state": ["IDLE", "POWERED_DOWN"]}, "up"),
        ({"state": "IDLE+CLOUD"}, "up"),
        ({}, None),
    ],
)
def test_node_states(told: dict[str, Any], state: str | None) -> None:
    assert node_state(told) == state


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("gpu:h100:4(IDX:0-3)", [Gres("h100", 4, (0, 1, 2, 3))]),
        ("gpu:2(IDX:0,5),nic:1(IDX:0)", [Gres("", 2, (0, 5))]),
        ("gpu:a100:1(IDX:3),gpu:h100:1(IDX:0)", [Gres("a100", 1, (3,)), Gres("h100", 1, (0,))]),
        ("gpu:h100:8(S:0-1)", [Gres("h100", 8)]),
        ("gres:gpu:h100:4", [Gres("h100", 4)]),
        ("gres/gpu:h100=8", [Gres("h100", 8)]),
        ("gres:gpu", [Gres("", 1)]),
        ("gpu:h100:0(IDX:N/A)", []),
        ("cpu=8,mem=16G,gres/gpu=8", [Gres("", 8)]),
        ("shard:4(0/8,4/8)", []),
        ("(null)", []),
        (None, []),
    ],
)
def test_gpus(told: Any, found: list[Gres]) -> None:
    assert gpus(told) == found


def test_amounts() -> None:
    assert tres("cpu=8,mem=16.5G,node=2") == {"cpu": 8, "mem": int(16.5 * (1 << 30)), "node": 2}
    assert tres("mem=100") == {"mem": 100 << 20}
    assert tres("") == {}


def test_nothing() -> None:
    assert [text(t) for t in ("(null)", "None", None, 3, "x")] == ["", "", "", "", "x"]


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["set", "infinite", "number", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
SNAPSHOT = Snapshot("c", datetime(2026, 11, 22, tzinfo=UTC))
FIELDS = [
    *("job_id", "job_state", "submit_time", "node_count", "tres_req_str", "start_time"),
    *("gres_detail", "nodes", "tres_per_node", "priority", "time_limit", "name", "state"),
    *("gres", "reason_changed_at", "real_memory", "tasks", "cpus", "restart_cnt"),
]


@given(st.dictionaries(st.sampled_from(FIELDS), NOISE))
def test_nonsense_is_refused_in_a_way_that_the_source_expects(told: dict[str, Any]) -> None:
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
        node_row(told, SNAPSHOT)
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
        row = job_row(told, SNAPSHOT)
        list(allocation_rows(told, row, SNAPSHOT) or ())


@given(st.dictionaries(st.sampled_from(FIELDS), NOISE | st.just("gres/gpu=99999999")))
def test_whatever_numbers_are_told_the_rows_fit_their_table(told: dict[str, Any]) -> None:
    sane = {"job_id": 1, "job_state": "PENDING", "submit_time": 9, "name": "n1", "state": "IDLE"}
    for read in (job_row, node_row):
        try:
            row = read({**told, **sane}, SNAPSHOT)
        except (ValueError, OverflowError):
            continue
        assert len(Batch.of_rows([row])) == 1
