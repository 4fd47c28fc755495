"""A trace driven by its events: who starts when, what is held, and what advice changes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.placing.shapes import WHOLE
from analytics.replay import Scenario, Task, Trace, drive
from analytics.replay.drive import Drive
from analytics.replay.policy import POLICIES
from gpuledger.errors import ConfigError
from tests.analytics.replay.world import node, task, trace

HOUR = 3600.0


def waits(told: Trace, **how: object) -> dict[str, float]:
    return dict(drive(told, Scenario(**how)).wait_s)  # type: ignore[arg-type] # any of its fields


def test_a_task_waits_until_one_ends() -> None:
    told = trace([node(gpus=1)], task("a", runs=100), task("b", at=10))
    assert waits(told) == {"a": 0, "b": 90}


def test_priority_goes_before_age_and_age_before_names() -> None:
    told = trace(
        [node(gpus=1)],
        task("first", runs=100),
        task("b", at=10),
        task("a", at=10),
        task("old", at=5),
        task("urgent", at=20, priority=1),
    )
    assert waits(told) == {"first": 0, "urgent": 80, "old": 195, "a": 290, "b": 390}


def test_what_does_not_fit_is_passed_over() -> None:
    told = trace([node(gpus=2)], task("a", runs=50), task("big", 2, at=1), task("small", at=2))
    assert waits(told) == {"a": 0, "small": 0, "big": 101}


def test_a_gang_starts_as_a_whole() -> None:
    told = trace(
        [node(gpus=2)],
        task("a", runs=50),
        task("g1", at=1, gang="g"),
        task("g2", at=1, gang="g"),
    )
    assert waits(told) == {"a": 0, "g1": 49, "g2": 49}


def test_a_gang_arrives_with_the_last_of_its_tasks() -> None:
    told = trace([node()], task("g1", gang="g"), task("g2", at=30, gang="g"))
    assert waits(told) == {"g1": 30, "g2": 0}


def test_what_no_node_takes_never_starts() -> None:
    told = trace([node(gpus=2)], task("a"), task("huge", 4), task("other", model="B200"))
    found = drive(told, Scenario())
    assert set(found.wait_s) == {"a"}
    by_size = {w.size: w for w in found.waits}
    assert (by_size["all"].tasks, by_size["all"].never, by_size["3-4"].mean_s) == (3, 2, None)


def test_a_quota_holds_its_team_back_and_nobody_else() -> None:
    told = trace(
        [node()],
        *(task(f"v{i}", team="vision", runs=100) for i in range(4)),
        task("n", team="nlp", at=1),
    )
    found = waits(told, quotas={"vision": 2})
    assert [found[n] for n in ("v0", "v1", "v2", "v3", "n")] == [0, 0, 100, 100, 0]


def test_gpu_hours_are_those_from_the_first_arrival_to_the_last_end() -> None:
    told = trace([node(gpus=4)], task("a", 2, runs=HOUR / 2), task("b", at=HOUR, runs=HOUR))
    found = drive(told, Scenario())
    assert (found.gpu_hours, found.allocated_gpu_hours) == (8, 2)
    assert found.unallocated_gpu_hours == 6


def test_what_arrives_at_one_time_has_gpu_hours_too() -> None:
    found = drive(trace([node(gpus=2)], task("a", 2, runs=HOUR), task("b")), Scenario())
    assert (found.gpu_hours, found.allocated_gpu_hours) == (2, 2)


def test_stranded_is_what_tasks_of_the_trace_cannot_use() -> None:
    nodes = [node("a", 1), node("b", 2)]
    told = trace(nodes, task("x", 2, runs=HOUR / 2), task("y", 2, at=HOUR))
    assert drive(told, Scenario()).stranded_gpu_hours == pytest.approx(1 + 100 / 3600)


def crumbs() -> Trace:
    """Two nodes with one GPU held of each, spread; then one comes that wants two."""
    nodes = [node("a", 2), node("b", 2)]
    small = [task("s1", runs=100 * HOUR), task("s2", runs=100 * HOUR)]
    return trace(nodes, *small, task("big", 2, at=7 * HOUR), task("big2", 2, at=8 * HOUR))


def test_advice_makes_room_at_its_epochs() -> None:
    before = drive(crumbs(), Scenario(policy="spread"))
    after = drive(crumbs(), Scenario(policy="spread", moves=1, every_h=6))
    assert before.wait_s["big"] > 90 * HOUR
    assert after.wait_s["big"] == 0
    assert (after.moves, after.lost_gpu_hours) == (1, pytest.approx(300 / HOUR))
    assert after.stranded_gpu_hours < before.stranded_gpu_hours


def test_a_moved_task_ends_later() -> None:
    played = Drive(crumbs(), Scenario(policy="spread", moves=1, every_h=6, move_pause_s=60))
    ends = {name: at for at in played.events() for name in list(played.running)}
    assert max(ends[name] for name in ("s1", "s2")) >= 100 * HOUR
    assert played.outcome().moves == 1


def test_two_tasks_of_one_name_are_an_error() -> None:
    with pytest.raises(ConfigError, match="two tasks of the trace have the same name"):
        drive(trace([node()], task("a"), task("a")), Scenario())


@pytest.mark.parametrize("how", [{"moves": -1}, {"every_h": 0}, {"every_h": float("nan")}])
def test_epochs_that_cannot_be_are_an_error(how: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="moves are 0 or more"):
        drive(trace([node()], task("a")), Scenario(**how))  # type: ignore[arg-type] # wrong on purpose


def test_nothing_to_replay_is_nothing() -> None:
    found = drive(Trace((), (), 0, 0), Scenario())
    assert (found.gpu_hours, found.waits) == (0, ())


tasks = st.lists(
    st.builds(
        task,
        name=st.just(""),
        gpus=st.integers(0, 4),
        at=st.integers(0, 50),
        runs=st.integers(0, 40),
        cpu=st.sampled_from([0, 4000, 20_000]),
        hosts=st.integers(1, 2),
        priority=st.integers(0, 1),
        team=st.sampled_from(["t", "u"]),
        gang=st.sampled_from(["", "", "g"]),
    )
    | st.builds(task, name=st.just(""), share=st.sampled_from([250, 600]), at=st.integers(0, 50)),
    max_size=14,
)


@settings(max_examples=60)
@given(
    found=tasks, policy=st.sampled_from(sorted(POLICIES)), quota=st.sampled_from([{}, {"t": 4.0}])
)
def test_nothing_is_ever_overfilled_and_every_task_is_placed_once(
    found: list[Task], policy: str, quota: dict[str, float]
) -> None:
    named = [replace(t, name=f"t{i}", team="u" if t.gang else t.team) for i, t in enumerate(found)]
    told = trace([node("a", 4, cpu_milli=32_000), node("b", 3), node("c", 0, "")], *named)
    played = Drive(told, Scenario(policy=policy, quotas=quota))
    room, empty = played.room, played.room.free.copy()
    cpu = room.cpu.copy()
    for _ in played.events():
        assert (room.free >= 0).all()
        assert (room.cpu >= 0).all()
        held = defaultdict[str, float](float)
        taken = np.zeros_like(empty)
        for run in played.running.values():
            assert len({row for row, _ in run.places}) == run.task.shape.nodes
            held[run.task.team] += run.task.gpus
            for row, gpus in run.places:
                taken[row, list(gpus)] += run.task.shape.share_milli
        assert (room.free == empty - taken).all()
        assert held["t"] <= quota.get("t", 7.0)
    assert (room.free == empty).all()
    assert (room.cpu == cpu).all()
    assert room.held_milli == 0
    assert room.free.sum() == WHOLE * 7
    assert set(played.started_s) <= {t.name for t in named}
    waited = [played.started_s[t.name] - t.arrives_s for t in named if t.name in played.started_s]
    assert all(wait >= 0 for wait in waited)
