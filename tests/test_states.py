"""The states partition time: for every combination of facts, exactly one is booked."""

from __future__ import annotations

import itertools
import re

import pytest

from gpuledger import states
from gpuledger.states import (
    ACTIVE,
    BY_NAME,
    FREE,
    OCCUPIED,
    STATES,
    UNAVAILABLE,
    UNKNOWN,
    UNOCCUPIED,
    State,
    group_of,
    in_list,
    recoverable_factor,
)
from gpuledger.store import Store

FACTS = (
    *("allocated", "covered", "lost", "node_down", "node_drained", "active", "evidence"),
    *("occupied", "starting", "ending", "idle", "low", "demanded"),
)
COMBINATIONS = [
    dict(zip(FACTS, values, strict=True))
    for values in itertools.product((False, True), repeat=len(FACTS))
]
# Predicates are plain enough to be read as Python, too.
PREDICATES = {
    s.name: compile(
        re.sub(r"\b(AND|OR|NOT)\b", lambda m: m[0].lower(), s.predicate), s.name, "eval"
    )
    for s in STATES[:-1]
}


def booked(facts: dict[str, bool]) -> str:
    """The first state whose predicate holds."""
    holds = (name for name, code in PREDICATES.items() if eval(code, {}, facts))
    return next(holds, STATES[-1].name)


BOOKED = [(facts, booked(facts)) for facts in COMBINATIONS]


def by_name(state: State) -> str:
    return state.name


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(STATES)


def test_colours_can_be_told_apart() -> None:
    assert len({s.colour for s in STATES}) == len(STATES)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", s.colour) for s in STATES)


@pytest.mark.parametrize("state", STATES, ids=by_name)
def test_a_state_says_what_it_is_and_who_can_act(state: State) -> None:
    assert state.help
    assert state.who
    assert state.group in {UNAVAILABLE, OCCUPIED, UNOCCUPIED}
    assert 0 <= state.recoverable <= 1
    assert state.title == state.name.replace("_", " ")


@pytest.mark.parametrize("state", STATES, ids=by_name)
def test_a_predicate_rests_on_declared_facts_only(state: State) -> None:
    words = set(re.findall(r"\w+", state.predicate)) - {"AND", "OR", "NOT", "true"}
    assert words <= set(FACTS)


def test_facts_are_explained_where_the_states_are() -> None:
    assert states.__doc__
    assert set(FACTS) <= set(re.findall(r"\w+", states.__doc__))


def test_the_last_state_takes_whatever_is_left() -> None:
    assert STATES[-1].predicate == "true"


def test_every_state_can_be_booked() -> None:
    assert {name for _, name in BOOKED} == set(BY_NAME)


def test_allocated_time_is_never_free_and_free_time_never_somebodys() -> None:
    for facts, name in BOOKED:
        if facts["allocated"]:
            assert BY_NAME[name].group == OCCUPIED or name == "fault"
        else:
            assert BY_NAME[name].group != OCCUPIED or name == "unattributed"


def test_nobody_is_blamed_for_what_nobody_saw() -> None:
    blamed = {"alloc_idle", "underused", "productive"}
    for facts, name in BOOKED:
        if name in blamed:
            assert facts["covered"]
            assert facts["evidence"]


def test_work_on_a_failing_device_is_still_work() -> None:
    for facts, name in BOOKED:
        if facts["allocated"] and facts["active"]:
            assert name != "fault"


def test_groups_name_their_states_and_no_others() -> None:
    groups = [group_of(g) for g in (UNAVAILABLE, OCCUPIED, UNOCCUPIED)]
    assert sorted(itertools.chain(*groups)) == sorted(BY_NAME)
    for names in (UNKNOWN, ACTIVE, FREE):
        assert set(names) <= set(BY_NAME)


def test_lists_and_factors_are_sql(engine: Store) -> None:
    names = list(BY_NAME)
    found = engine.select(
        f"SELECT s, {recoverable_factor('s')} AS f, s IN {in_list(FREE)} AS free"
        " FROM (SELECT {names:Array(String)} AS names) ARRAY JOIN names AS s",
        names=names,
    )
    assert {r["s"]: r["f"] for r in found} == {s.name: s.recoverable for s in STATES}
    assert {r["s"] for r in found if r["free"]} == set(FREE)
