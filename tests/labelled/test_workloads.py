"""What can be checked of the real GPU's workloads without one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labelled.truth import LABELS
from tests.labelled.workloads import WORKLOADS, Outcome, Workload, markdown, outcome, shorter

IDLE, *_ = WORKLOADS


def cells(*states: str) -> list[dict[str, Any]]:
    return [{"state": state} for state in states]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
def test_each_program_is_python_and_says_when_it_is_ready(workload: Workload) -> None:
    compile(workload.program, workload.name, "exec")
    assert "ready()" in workload.source
    assert workload.label in LABELS


def test_the_longest_held_state_is_what_a_workload_is_booked_as() -> None:
    booked = cells("productive", "alloc_idle", "startup_teardown", "alloc_idle", "rogue")
    found = [{"kind": "notebook", "cause": ""}]
    told = outcome(IDLE, booked, found)
    assert told.minutes == {"alloc_idle": 2, "startup_teardown": 1}
    assert (told.state_right, told.kind_right, told.cause_right) == (True, True, None)


def test_a_hang_is_judged_by_the_time_after_its_busy_phase() -> None:
    hung = next(w for w in WORKLOADS if w.label == "hung")
    booked = cells(*["productive"] * 3, *["stalled"] * 5)
    assert outcome(hung, booked, [{"kind": "stalled", "cause": ""}]).state_right


def test_a_finding_about_a_full_load_is_wrong() -> None:
    full = next(w for w in WORKLOADS if w.label == "working")
    assert outcome(full, cells(*["productive"] * 5), []).kind_right
    assert not outcome(full, cells(*["productive"] * 5), [{"kind": "idle", "cause": ""}]).kind_right


def test_a_workload_that_nobody_saw_is_not_right() -> None:
    told = outcome(IDLE, [], [])
    assert (told.minutes, told.state_right, told.kind_right) == ({}, False, False)


def test_shorter_runs_ask_for_shorter_conditions_that_the_book_knows() -> None:
    assert shorter(300, ["idle_after_min", "startup_s"]) == {"idle_after_min": 3, "startup_s": 75}
    assert shorter(3600, ["idle_after_min", "low_after_min"]) == {
        "idle_after_min": 5,
        "low_after_min": 15,
    }


def test_the_page_says_what_was_right_and_what_was_not() -> None:
    told = Outcome("x", "hung", {"stalled": 4}, ("stalled",), (), True, False, None)
    page = markdown([told], "NVIDIA H200", 300)
    assert "| x | hung | stalled 4 | stalled |  | state yes, finding NO |" in page
