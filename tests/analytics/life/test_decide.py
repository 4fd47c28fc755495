"""Decisions: what they need, what they lead to, and that one of several wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from analytics import book
from analytics.life import events
from analytics.life.decide import decide, find
from analytics.life.events import NEXT, Step
from gpuledger.catalogue.verdict import STANDINGS
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.life.world import life, proposal, statuses, step, tick
from tests.analytics.world import HOSTILE, at, write


def test_a_proposal_is_accepted(store: Store) -> None:
    tick(store, 0, proposal())
    assert step(store, "accepted", 1).title == "End it"
    assert (statuses(store), life(store)) == ({1: "accepted"}, ["accepted"])
    assert [r["recommendation_id"] for r in book.recommendations(store, status="accepted")] == [
        f"{1:016x}"
    ]
    assert book.recommendations(store) == []


def test_what_a_person_says_was_applied_was_accepted_too(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "applied", 1, reason=HOSTILE)
    assert life(store) == ["accepted", "applied"]
    (_, last) = book.recommendation(store, f"{1:016x}")["life"]
    assert (last["by"], last["reason"]) == ("lea", HOSTILE)


def test_only_one_of_many_deciders_wins_and_each_other_is_told_in_one_line(store: Store) -> None:
    tick(store, 0, proposal())
    row, before = find(store, f"{1:016x}"), None

    def decided(i: int) -> str:
        try:
            events.take(store, row, before, Step(("accepted", "snoozed")[i % 2], f"p{i}", at(1)))
        except ConfigError as e:
            return str(e)
        return ""

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(decided, range(8)))
    winner = told.index("")
    lost = [line for line in told if line]
    assert len(lost) == 7
    assert all(f"p{winner} was first" in line and "\n" not in line for line in lost)
    (kept,) = store.select("SELECT by, turn FROM v_recommendation_events")
    assert kept == {"by": f"p{winner}", "turn": 1}


def test_whoever_decides_on_what_another_one_decided_is_told_so(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "accepted", 1)
    with pytest.raises(ConfigError, match="is accepted: it can only become applied, not dismissed"):
        step(store, "dismissed", 2, reason="x", until=at(9))


@pytest.mark.parametrize("standing", STANDINGS)
def test_a_life_has_no_other_steps(standing: str) -> None:
    for status in STANDINGS:
        if status in NEXT[standing]:
            events.check(1, standing, status)
        else:
            with pytest.raises(ConfigError, match=f"is {standing}: "):
                events.check(1, standing, status)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (Step("dismissed", "a", at(1), " ", at(9)), "a dismissal needs a reason"),
        (Step("dismissed", "a", at(1), "x", at(1)), "not in the future"),
        (Step("snoozed", "a", at(1), "", at(0)), "not in the future"),
        (Step("measured", "a", at(1)), "is proposed: it can only become accepted or dismissed"),
    ],
)
def test_what_makes_no_sense_is_refused(store: Store, wrong: Step, complaint: str) -> None:
    tick(store, 0, proposal())
    with pytest.raises(ConfigError, match=complaint):
        decide(store, f"{1:016x}", wrong)
    assert (statuses(store), life(store)) == ({1: "proposed"}, [])


@pytest.mark.parametrize(
    ("beginning", "complaint"),
    [
        ("abce", "no recommendation begins with 'abce'; did you mean 'abcd'"),
        ("", "no recommendation begins with ''"),
        ("zz", "no recommendation begins with 'zz': see 'gpuledger recommend list'"),
        ("abcd", "several recommendations begin with 'abcd': write more of its id"),
    ],
)
def test_an_id_that_names_none_or_several_is_said(
    store: Store, beginning: str, complaint: str
) -> None:
    ids = [0xABCD_0000_0000_0001] + ([0xABCD_0000_0000_0002] if "several" in complaint else [])
    write(store, [proposal(i) for i in ids])
    with pytest.raises(ConfigError, match=complaint):
        find(store, beginning)


def test_one_is_found_by_how_its_id_begins(store: Store) -> None:
    write(store, [proposal(0xABCD_0000_0000_0001), proposal(2)])
    found: dict[str, Any] = find(store, "ABCD")
    assert found["recommendation_id"] == 0xABCD_0000_0000_0001
