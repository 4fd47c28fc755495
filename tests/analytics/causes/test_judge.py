"""Verdicts over features: the best cause by a margin, and none where none is clear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.causes.judge import judge, score
from analytics.causes.rules import CAUSES, Cause, Group, Signal

LEAST, MARGIN = 0.5, 0.1
QUIET: dict[str, float | None] = {
    "job_io_pressure": 0.0,
    "job_cpu_pressure": 0.0,
    "cpus_used_ratio": 0.2,
    "pcie_ratio": 0.01,
    "nvlink_ratio": 0.0,
}
LOW: dict[str, float | None] = {
    "sm": 0.15,
    "use": 0.15,
    "utilization": 0.2,
    "gaps": 0.8,
    "dram": 0.05,
    "computing": 0.05,
}
WAITING: dict[str, float | None] = {
    **QUIET,
    **LOW,
    "waiting": 0.6,
    "intermittent": 0.6,
    "memory_ratio": 0.6,
}
STEADY: dict[str, float | None] = {
    **QUIET,
    **LOW,
    "utilization": 0.9,
    "gaps": 0.1,
    "waiting": 0.0,
    "intermittent": 0.0,
    "occupancy": 0.05,
    "memory_ratio": 0.1,
}
KNOWN: dict[str, dict[str, float | None]] = {
    "input_bound": {**WAITING, "job_io_pressure": 0.6},
    "cpu_bound": {**WAITING, "cpus_used_ratio": 0.97, "job_cpu_pressure": 0.6},
    "communication_bound": {**STEADY, "nvlink_ratio": 0.7, "memory_ratio": 0.7},
    "small_batch": STEADY,
    "memory_hoarding": {**WAITING, "memory_ratio": 0.95},
    "no_tensor": {**STEADY, "sm": 0.7, "use": 0.7, "tensor": 0.0, "fp32": 0.5, "fp32_share": 0.7,
                  "occupancy": 0.4},
    "checkpoint_bound": {**WAITING, "write_match": 0.9, "pause_write": 1e9, "pause_ratio": 0.6,
                         "job_io_pressure": 0.4},
    "host_device_copies": {**WAITING, "waiting": 0.0, "intermittent": 0.0, "pcie_ratio": 0.6},
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_each_cause_is_told_by_its_signals(name: str) -> None:
    best = judge(KNOWN[name], LEAST, MARGIN).best
    assert best is not None
    assert best.cause.name == name


def test_every_cause_has_an_example_here() -> None:
    assert set(KNOWN) == {cause.name for cause in CAUSES}


def test_nothing_known_is_no_cause() -> None:
    verdict = judge({}, LEAST, MARGIN)
    assert (verdict.best, verdict.next) == (None, None)


def test_two_causes_that_speak_alike_are_no_verdict_but_a_runner_up() -> None:
    both = {**WAITING, "job_io_pressure": 0.6, "job_cpu_pressure": 0.6, "cpus_used_ratio": 0.99}
    verdict = judge({**both, "iowait": 0.0}, LEAST, MARGIN)
    assert verdict.best is None
    assert verdict.next is not None
    assert verdict.next.cause.name in {"input_bound", "cpu_bound"}


def test_a_kernel_that_spins_is_no_small_batch() -> None:
    spins = {**STEADY, "utilization": 1.0, "computing": 0.0, "dram": 0.0}
    assert judge(spins, LEAST, MARGIN).best is None


def test_memory_alone_is_no_hoarding_where_data_is_waited_for() -> None:
    best = judge({**KNOWN["input_bound"], "memory_ratio": 0.95}, LEAST, MARGIN).best
    assert best is not None
    assert best.cause.name == "input_bound"


def test_a_card_that_does_not_tell_of_tensor_cores_is_never_told_to_use_them() -> None:
    untold = {**KNOWN["no_tensor"], "tensor": None}
    best = judge(untold, LEAST, MARGIN).best
    assert best is None or best.cause.name != "no_tensor"


def test_double_precision_needs_no_tensor_cores() -> None:
    science = {**KNOWN["no_tensor"], "fp64": 0.4}
    best = judge(science, LEAST, MARGIN).best
    assert best is None or best.cause.name != "no_tensor"


def test_the_words_name_the_numbers() -> None:
    best = judge({**KNOWN["input_bound"], "read": 2.9e9}, LEAST, MARGIN).best
    assert best is not None
    assert "tasks of the job wait for I/O 60 %" in best.words
    assert "2.9 GB/s" in best.words


@pytest.mark.parametrize(
    ("value", "strength"), [(0.05, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 1.0), (9.0, 1.0)]
)
def test_a_signal_speaks_by_degrees(value: float, strength: float) -> None:
    assert Signal("x", 0.1, 0.3).strength(value) == pytest.approx(strength)


def test_a_signal_may_speak_by_being_low() -> None:
    assert Signal("x", 0.3, 0.1).strength(0.15) == pytest.approx(0.75)


def cause(*groups: Group) -> Cause:
    """A cause of these groups."""
    return Cause("c", "is so", "do so", groups)


def test_what_is_not_known_makes_a_cause_less_sure_and_not_impossible() -> None:
    groups = (Group(0.6, (Signal("a", 0, 1),), needed=True), Group(0.4, (Signal("b", 0, 1),)))
    told = score(cause(*groups), {"a": 1.0})
    assert [told.score, told.known] == pytest.approx([0.6, 0.6])


@pytest.mark.parametrize(("value", "found"), [(None, 0.5), (0.0, 0.0), (1.0, 1.0)])
def test_a_group_that_refutes_counts_only_where_it_is_known(
    value: float | None, found: float
) -> None:
    groups = (Group(0.5, (Signal("a", 0, 1),)), Group(0.5, (Signal("b", 0, 1),), refutes=True))
    told = score(cause(*groups), {"a": 1.0, "b": value})
    assert told.score == pytest.approx(found)


def test_of_a_group_of_conditions_the_weakest_counts() -> None:
    group = Group(1.0, (Signal("a", 0, 1), Signal("b", 0, 1)), every=True)
    assert score(cause(group), {"a": 0.9, "b": 0.4}).score == pytest.approx(0.4)


FEATURES = sorted({s.feature for c in CAUSES for g in c.groups for s in g.signals})


@given(st.dictionaries(st.sampled_from(FEATURES), st.none() | st.floats(-1, 1e12)))
def test_scores_stay_within_their_bounds(features: dict[str, float | None]) -> None:
    for found in (score(c, features) for c in CAUSES):
        assert 0 <= found.score <= found.known + 1e-9 <= 1 + 2e-9


@given(
    st.dictionaries(st.sampled_from(FEATURES), st.floats(0, 1)),
    st.sampled_from(FEATURES),
)
def test_forgetting_a_signal_that_spoke_makes_no_cause_surer(
    features: dict[str, float], forgotten: str
) -> None:
    less = {k: v for k, v in features.items() if k != forgotten}
    for c in CAUSES:
        alone = [g for g in c.groups if any(s.feature == forgotten for s in g.signals)]
        if any(g.every or g.refutes for g in alone):
            continue
        assert score(c, less).score <= score(c, features).score + 1e-9
