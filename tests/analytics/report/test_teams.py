"""The part of one team: its numbers alone, its users, and hostile names shown and harmless."""

from __future__ import annotations

import pytest

from analytics.report import team_page, teams, weeks
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, Fleet
from tests.analytics.report.office import W47, accounts
from tests.conftest import empty

HOSTILE = "<script>alert(1)</script> =cmd() 'q' \"d\" 🚀 **b** [x](y)".ljust(300, "Ω")
UTC = weeks.zone_of("UTC")


def of(store: Store, team: str) -> teams.TeamReport:
    return teams.collect(store, team, *weeks.bounds(W47), UTC)


def world(store: Store, name: str = "notebook", team: str = "vision") -> Fleet:
    """One GPU: 100 hours at work, 68 idle, of two users."""
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.price()
    fleet.job("alpha/1", team, "train", user="ada", started=MONDAY)
    fleet.job("alpha/2", team, name, user="bob", started=MONDAY + 100 * HOUR)
    fleet.hours(0, "productive", MONDAY, 100, "alpha/1")
    fleet.hours(0, "alloc_idle", MONDAY + 100 * HOUR, 68, "alpha/2")
    fleet.finding("alpha/2", MONDAY + 100 * HOUR, MONDAY + 168 * HOUR, action="End it.")
    fleet.recommend("End notebook", 50.0, team=team)
    fleet.recommend("Of others", 90.0, team="robotics")
    fleet.write()
    return fleet


@pytest.fixture(scope="module")
def twice(engine: Store) -> tuple[teams.TeamReport, teams.TeamReport]:
    """What team vision is told of `world`, asked for two times."""
    empty(engine)
    world(engine)
    one, other = of(engine, "vision"), of(engine, "vision")
    empty(engine)
    return one, other


@pytest.fixture
def report(twice: tuple[teams.TeamReport, teams.TeamReport]) -> teams.TeamReport:
    return twice[0]


def test_a_team_gets_its_part_of_the_book_with_users_and_what_to_do(
    report: teams.TeamReport,
) -> None:
    assert (report.week, report.jobs, report.gpu_hours) == (W47, 2, 168)
    assert report.utilization_ratio == pytest.approx(100 / 168, abs=1e-6)
    assert (report.loose_gpu_hours, report.loose_value, report.currency) == (68, 136, "EUR")
    assert [(s.state, s.gpu_hours) for s in report.states] == [
        ("productive", 100),
        ("alloc_idle", 68),
    ]
    (waste,) = report.wastes
    assert (waste.job_name, waste.user, waste.first_job) == ("notebook", "bob", "alpha/2")
    assert (waste.gpu_hours, waste.action) == (68, "End it.")
    (advice,) = report.advice
    assert advice.title == "End notebook"
    assert advice.accept == f"gpuledger recommend accept {advice.recommendation_id[:8]}"


def test_the_week_before_is_told_where_there_is_one(store: Store) -> None:
    accounts(store)
    assert of(store, "vision").gpu_hours_before is None
    after = teams.collect(store, "vision", MONDAY + 24 * HOUR, MONDAY + 150 * HOUR, UTC)
    assert (after.week, after.gpu_hours, after.gpu_hours_before) == ("", 96, 96)
    assert after.utilization_ratio_before == 1


def test_a_team_that_held_nothing_is_refused_with_those_that_did(store: Store) -> None:
    accounts(store)
    with pytest.raises(ConfigError, match="teams that did: robotics, vision"):
        of(store, "zzz")


def test_hostile_names_are_shown_in_full_and_do_nothing(store: Store) -> None:
    world(store, HOSTILE, HOSTILE)
    report = of(store, HOSTILE)
    page, text = team_page.render_html(report), team_page.render_markdown(report)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; =cmd()" in page
    assert "🚀" in page
    assert "**b**" not in text
    assert "[x](y)" not in text
    assert "<script>" not in text


def test_the_same_part_gives_the_same_bytes(
    twice: tuple[teams.TeamReport, teams.TeamReport],
) -> None:
    one, other = twice
    assert one == other
    assert team_page.render_html(one) == team_page.render_html(other)


def test_the_page_says_how_to_remark_until_there_is_a_remark(
    report: teams.TeamReport,
) -> None:
    page = team_page.render_html(report)
    assert "gpuledger report note --week 2026-W47 --team &#34;vision&#34;" in page
