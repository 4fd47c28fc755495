"""The states partition time: for every combination of facts, exactly one is booked."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from gpuledger import states
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.states import (
    ACTIVE,
    BY_NAME,
    EXCLUDED,
    FREE,
    OCCUPIED,
    STATES,
    UNAVAILABLE,
    UNKNOWN,
    UNOCCUPIED,
    LedgerSettings,
    State,
    group_of,
    in_list,
    recoverable_factor,
)
from gpuledger.store import Store

FACTS = (
    *("out_of_service", "in_repair", "powered_down", "allocated", "covered", "lost", "sick"),
    *("node_down", "node_drained", "reserved_for_upkeep", "active", "evidence", "occupied"),
    *("scheduler_fresh", "job_just_ended", "starting", "ending", "stalled", "idle", "low"),
    *("throttled", "kept", "demanded", "unfit"),
)
# Each fact alone and in pairs, and many at once.
SOME = [set(c) for n in range(3) for c in itertools.combinations(FACTS, n)]
DICE = random.Random(5)
SOME += [{f for f in FACTS if DICE.random() < share} for share in (0.15, 0.3, 0.5) * 3000]
USUAL: tuple[set[str], ...] = (
    {"covered", "evidence"},
    {"allocated", "covered", "evidence"},
    {"occupied"},
    set(),
)
COMBINATIONS = [{f: f in some | usual for f in FACTS} for some in SOME for usual in USUAL]
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
    assert state.group in {EXCLUDED, UNAVAILABLE, OCCUPIED, UNOCCUPIED}
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
            assert BY_NAME[name].group == OCCUPIED or name in {"fault", "off_ledger"}
        else:
            assert BY_NAME[name].group != OCCUPIED or name in {"rogue", "unattributed"}


def test_nobody_is_blamed_for_what_nobody_saw() -> None:
    blamed = {"stalled", "alloc_idle", "underused", "throttled", "productive"}
    for facts, name in BOOKED:
        if name in blamed:
            assert facts["covered"]
            assert facts["evidence"]


def test_work_on_a_failing_device_is_still_work() -> None:
    for facts, name in BOOKED:
        if facts["allocated"] and facts["active"]:
            assert name != "fault"


def test_groups_name_their_states_and_no_others() -> None:
    groups = [group_of(g) for g in (EXCLUDED, UNAVAILABLE, OCCUPIED, UNOCCUPIED)]
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


def test_a_pool_has_thresholds_of_its_own_and_the_others_those_of_all() -> None:
    ledger = {"low_ratio": 0.2, "pools": {"shared": {"idle_after_min": 9, "startup_s": 60}}}
    settings = Config({"ledger": ledger}).section("ledger", LedgerSettings)
    shared, other = settings.of_pool("shared"), settings.of_pool("other")
    assert (shared.idle_after_min, shared.startup_s, shared.low_ratio) == (9, 60, 0.2)
    assert (other.idle_after_min, other.startup_s, other.low_ratio) == (5, 600, 0.2)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"idle_after": 9}, "did you mean 'idle_after_min'"),
        ({"provisional_h": 9}, "pool 'shared' cannot set 'provisional_h'"),
        ({"idle_after_min": "long"}, "Expected `int`"),
    ],
)
def test_a_pool_with_a_wrong_threshold_is_refused(changed: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        Config({"ledger": {"pools": {"shared": changed}}}).section("ledger", LedgerSettings)
