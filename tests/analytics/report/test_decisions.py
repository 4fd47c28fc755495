"""Decisions: grouped, priced by the week, with what became of earlier ones."""

from __future__ import annotations

from datetime import UTC, date

from analytics.report.decisions import became, decision, grouped, outcomes, proposed
from analytics.report.persons import Persons
from analytics.report.value import Decision
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet

UNTIL = MONDAY + WEEK
KNOWN = Persons(["ada"])


def decided(store: Store) -> list[Decision]:
    return [decision(g, UNTIL, UTC, KNOWN) for g in grouped(proposed(store, UNTIL, UNTIL))]


def test_the_largest_first_and_those_of_one_team_together(store: Store) -> None:
    fleet = Fleet(store)
    for title, gain, team in (("a", 5.0, "x"), ("b", 9.0, "y"), ("c", 7.0, "x"), ("d", None, "z")):
        fleet.recommend(title, gain, team=team)
    fleet.recommend("gone", 99.0, status="expired")
    fleet.recommend("later", 99.0, created=UNTIL + HOUR)
    fleet.write()
    found = decided(store)
    assert [(d.title, d.more, d.owner) for d in found] == [
        ("c", 1, "lead of team x"),
        ("b", 0, "lead of team y"),
        ("d", 0, "lead of team z"),
    ]
    assert [d.cost.gpu_hours for d in found] == [12, 9, None]
    assert found[0].cost.value == 24
    assert {d.due for d in found} == {date(2026, 11, 27)}


def test_costs_are_of_a_week_with_both_ends(store: Store) -> None:
    fleet = Fleet(store)
    more = {"gain_low_gpu_hours": 14.0, "gain_high_gpu_hours": 56.0, "horizon_seconds": 14 * 86_400}
    fleet.recommend("a", 28.0, **more)
    fleet.write()
    (found,) = decided(store)
    assert (found.cost.gpu_hours, found.cost.low, found.cost.high) == (14, 7, 28)
    assert (found.cost.value, found.cost.value_low, found.cost.value_high) == (28, 14, 56)


def test_what_adds_nothing_is_no_decision(store: Store) -> None:
    fleet = Fleet(store)
    fleet.recommend("large", 9.0, resources='{"node/a/n1": 9}')
    fleet.recommend("small", 4.0, "repack", resources='{"node/a/n1": 4}')
    fleet.write()
    assert [d.title for d in decided(store)] == ["large"]


def test_a_small_gain_that_nothing_else_counts_is_a_decision(store: Store) -> None:
    """Regression: a job that had idled for two minutes was left out of the report."""
    fleet = Fleet(store)
    fleet.recommend("large", 9.0, resources='{"node/a/n1": 9}')
    fleet.recommend("early", 0.07, "repack", resources='{"node/a/n2": 0.07}')
    fleet.write()
    assert [d.title for d in decided(store)] == ["large", "early"]


def test_without_a_team_a_role_decides(store: Store) -> None:
    fleet = Fleet(store)
    fleet.recommend("buy", 9.0, "buy", team="")
    fleet.write()
    assert decided(store)[0].owner == "finance with capacity planning"


def test_a_decision_is_seen_as_it_stood_then(store: Store) -> None:
    fleet = Fleet(store)
    fleet.recommend("End it", 9.0, created=MONDAY - HOUR)
    fleet.decide("End it", "accepted", MONDAY + HOUR)
    fleet.decide("End it", "applied", MONDAY + WEEK + HOUR, 2)
    fleet.write()
    (before,) = proposed(store, MONDAY, UNTIL)
    assert became(before, KNOWN).status == "accepted"
    assert proposed(store, UNTIL, UNTIL) == []


def test_outcomes_of_the_period_are_told_against_the_promise(store: Store) -> None:
    fleet = Fleet(store)
    for title in ("won", "unclear", "old"):
        fleet.recommend(title, 50.0, created=MONDAY - WEEK)
        fleet.decide(title, "applied", MONDAY - HOUR)
    fleet.outcome("won", 40.0, MONDAY + HOUR)
    fleet.outcome("unclear", None, MONDAY + HOUR, "only 3 jobs, says ada")
    fleet.outcome("old", 1.0, MONDAY - HOUR)
    fleet.write()
    found = {b.title: b for b in outcomes(store, MONDAY, UNTIL, KNOWN)}
    assert set(found) == {"won", "unclear"}
    measured = found["won"].measured
    assert measured is not None
    assert (found["won"].predicted.gpu_hours, measured.gpu_hours) == (50, 40)
    assert (measured.low, measured.high) == (32, 44)
    assert found["unclear"].measured is None
    assert found["unclear"].said == "only 3 jobs, says owner"
