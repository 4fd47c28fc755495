"""Whether moves are worth it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from analytics.advice.interval import Expected, Interval
from analytics.advice.offer import KEEP, MOVES, POLICY, WAIT, Case, Policy, keep, weigh
from analytics.advice.waiting import Waiting
from tests.analytics.advice.fleets import NOW

CASE = Case(8.0, NOW, timedelta(hours=24), 10.0, Waiting(None, 0), not_replayed="no job ran")
USED = Interval(96.0, 48.0, 120.0)


def test_moves_are_offered_net_of_lost_work() -> None:
    offer = weigh(CASE, USED)
    assert (offer.best, offer.offered) == (MOVES, True)
    assert offer.net_gpu_hours == Interval(86.0, 38.0, 110.0)
    assert "10 GPU-hours of work are lost, so 86 (38 to 110) GPU-hours are left" in offer.why
    assert "no end is known to bring the same" in offer.why
    assert "another placement policy was not compared (no job ran)" in offer.why


def test_moves_are_ahead_of_waiting_only_until_the_same_comes_by_itself() -> None:
    soon = replace(CASE, waiting=Waiting(NOW + timedelta(hours=2), 3))
    assert soon.hours == 2
    assert replace(CASE, waiting=Waiting(NOW + timedelta(hours=99), 3)).hours == 24


def test_waiting_is_better_where_the_moves_lose_more_than_they_give() -> None:
    soon = replace(CASE, waiting=Waiting(NOW + timedelta(hours=1), 3))
    offer = weigh(soon, Interval(8.0, 4.0, 8.0))
    assert (offer.best, offer.offered) == (WAIT, False)
    assert "the same comes by itself by 2026-03-02 13:00 UTC" in offer.why


def test_another_policy_is_better_where_it_gives_more_than_is_left() -> None:
    policy = Policy("fragmentation (FGD)", 5.0, 14.0)
    better = replace(CASE, policy=policy, by_policy_gpu_hours=87.0)
    assert weigh(better, USED).best == POLICY
    assert "5 GPUs from being stranded in 14 days" in weigh(better, USED).why
    worse = replace(better, by_policy_gpu_hours=86.0)
    assert weigh(worse, USED).best == MOVES


def test_what_may_as_well_lose_as_win_is_not_offered() -> None:
    offer = weigh(CASE, Interval(11.5, 1.7, 16.4))
    assert (offer.best, offer.offered) == (KEEP, False)
    assert offer.why.startswith("not shown to be worth it")
    assert "1.5 (-8.3 to 6.4) GPU-hours are left" in offer.why
    free = replace(CASE, lost_gpu_hours=0.0)
    assert weigh(free, Interval(11.5, 0.0, 16.4)).offered


def test_a_gain_whose_interval_nobody_knows_says_so() -> None:
    offer = weigh(CASE, Expected(96.0))
    assert offer.offered
    assert (offer.net_gpu_hours.expected, offer.net_gpu_hours.low) == (86.0, None)
    assert "86 GPU-hours (interval not known) are left" in offer.why


def test_nothing_is_moved_for_nobody() -> None:
    offer = weigh(replace(CASE, lost_gpu_hours=0.0), Interval(0.0, 0.0, 8.0))
    assert (offer.best, offer.offered) == (KEEP, False)
    assert "nothing waited for them" in offer.why


def test_a_plan_that_gives_nothing_is_no_offer_and_says_why() -> None:
    assert (keep("no move helps").offered, keep("no move helps").why) == (False, "no move helps")
