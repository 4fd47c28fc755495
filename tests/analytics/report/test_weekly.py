"""The typed value: exact numbers of a small book."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from analytics.report.metrics import FIRST_WEEK
from analytics.report.weekly import (
    WeeklyReport,
    collect,
    last_booked,
    last_seven_days,
    week_bounds,
)
from gpuledger import service
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet


@pytest.fixture
def fleet(store: Store) -> Fleet:
    return Fleet(store)


def two_gpus(fleet: Fleet) -> Fleet:
    """336 GPU-hours of 2026-W47: 100 productive, 68 idle, 20 underused, 126 free, 22 in fault."""
    fleet.gpus(2)
    for number, (team, name, start) in enumerate(
        (("vision", "train", 0), ("robotics", "notebook", 100), ("vision", "train", 126)), 1
    ):
        at = MONDAY + start * HOUR
        fleet.job(f"alpha/{number}", team, name, submitted=at - number * HOUR, started=at)
    fleet.hours(0, "productive", MONDAY, 100, "alpha/1")
    fleet.hours(0, "alloc_idle", MONDAY + 100 * HOUR, 68, "alpha/2", grade="B")
    fleet.hours(1, "free_surplus", MONDAY, 84)
    fleet.hours(1, "free_demand", MONDAY + 84 * HOUR, 42)
    fleet.hours(1, "underused", MONDAY + 126 * HOUR, 20, "alpha/3")
    fleet.hours(1, "fault", MONDAY + 146 * HOUR, 22)
    return fleet


def report_of(fleet: Fleet) -> WeeklyReport:
    fleet.write()
    return collect(fleet.store, *week_bounds("2026-W47"))


def test_head_of_the_report(fleet: Fleet) -> None:
    two_gpus(fleet).price()
    report = report_of(fleet)
    assert (report.clusters, report.week, report.gpus) == (("alpha",), "2026-W47", 2)
    assert (report.gpu_hours, report.booked_hours, report.expected_hours) == (336, 168, 168)
    assert (report.closure_ratio, report.unknown_ratio, report.grade) == (0, 0, "B")
    assert (report.currency, report.capacity_value, report.money_not_shown) == ("EUR", 672, "")
    assert report.cash_avoidable == pytest.approx(12.0)


def test_verdict_names_the_largest_piece_its_team_and_the_unmet_demand(fleet: Fleet) -> None:
    two_gpus(fleet).price()
    assert report_of(fleet).verdict == (
        "Of 336 GPU-hours paid for (2 GPUs), 30% did productive work;"
        " the largest piece to win back is 68 GPU-hours, worth EUR 136 (allocated and doing"
        " nothing, all of it in team robotics),"
        " and waiting work would have filled 42 GPU-hours that stood free."
    )


def test_ledger_in_hours_and_money(fleet: Fleet) -> None:
    two_gpus(fleet).price()
    rows = {row.state: row for row in report_of(fleet).ledger}
    assert list(rows) == [
        "productive", "underused", "alloc_idle", "free_surplus", "free_demand", "fault"
    ]  # fmt: skip
    hours = {state: row.gpu_hours for state, row in rows.items()}
    assert list(hours.values()) == [100, 20, 68, 84, 42, 22]
    assert sum(row.share for row in rows.values()) == pytest.approx(1)
    idle = rows["alloc_idle"]
    assert (idle.capacity_value, idle.cash_avoidable, idle.grade) == (136, 6.8, "B")
    assert rows["underused"].loose_gpu_hours == 10
    assert rows["productive"].cash_avoidable == 0


def test_waterfall_loses_what_the_ledger_says(fleet: Fleet) -> None:
    steps = report_of(two_gpus(fleet)).waterfall
    assert [(s.name, s.gpu_hours, s.lost_gpu_hours) for s in steps] == [
        ("paid for", 336, 0),
        ("available", 314, 22),
        ("allocated", 188, 126),
        ("active", 120, 68),
        ("productive", 100, 20),
    ]


def test_days_add_up_to_the_ledger(fleet: Fleet) -> None:
    days = report_of(two_gpus(fleet)).days
    assert [d.day for d in days] == [date(2026, 11, 16) + timedelta(days=i) for i in range(7)]
    assert days[0].gpu_hours == (("productive", 24), ("free_surplus", 24))
    assert sum(hours for d in days for _, hours in d.gpu_hours) == 336


def test_metrics_of_a_first_week_have_no_change(fleet: Fleet) -> None:
    availability, utilization, execution, overhead = report_of(two_gpus(fleet)).metrics
    assert availability.value == 0.75
    assert "2 GPUs: 0%" in availability.detail
    assert "4 GPUs" not in availability.detail
    assert utilization.value == pytest.approx(100 / 336, abs=1e-6)
    assert (utilization.change, utilization.not_shown) == (None, FIRST_WEEK)
    assert execution.value == 7200
    assert overhead.value is None
    assert overhead.not_shown.startswith("no alert was ever delivered")


def test_metrics_against_the_time_before(fleet: Fleet) -> None:
    two_gpus(fleet)
    for gpu in range(2):
        fleet.hours(gpu, "productive", MONDAY - WEEK, 168, grade="C")
    fleet.alert("n01", MONDAY - HOUR)
    for hour in (1, 30):
        fleet.alert("n01", MONDAY + hour * HOUR)
    fleet.alert("n02", MONDAY + HOUR, outcome="refused")
    report = report_of(fleet)
    assert report.baseline is not None
    assert (report.baseline.since, report.baseline.until) == (MONDAY - WEEK, MONDAY)
    assert report.baseline.words == "mean of the 7 days before"
    availability, utilization, execution, overhead = report.metrics
    assert (availability.baseline, availability.value) == (0, 0.75)
    assert availability.change == pytest.approx(0.75)
    assert utilization.baseline == 1
    assert utilization.detail.endswith("(compared at evidence grade C)")
    assert execution.not_shown == "not known of the baseline"
    assert overhead.value == pytest.approx(2 / 0.336, abs=1e-5)
    assert overhead.baseline == pytest.approx(1 / 0.336, abs=1e-5)
    assert overhead.not_shown.startswith("may be chance (95%: ")


def test_a_day_of_booked_hours_is_no_baseline(fleet: Fleet) -> None:
    two_gpus(fleet).hours(0, "productive", MONDAY - 20 * HOUR, 20)
    utilization = report_of(fleet).metrics[1]
    assert utilization.not_shown == "only 20 hours of the four weeks before are booked"


def test_wastes_by_team_and_job_name(fleet: Fleet) -> None:
    two_gpus(fleet).price()
    began = MONDAY - 3 * HOUR
    fleet.finding("alpha/2", began, MONDAY + WEEK)
    wastes = report_of(fleet).wastes
    assert [(w.team, w.owner, w.gpu_hours, w.value, w.grade) for w in wastes] == [
        ("robotics", "job owner", 68, 136, "B"),
        ("", "scheduler admin", 42, 84, "A"),
        ("vision", "job owner", 10, 20, "A"),
    ]
    assert [(w.job_name, w.job, w.jobs, w.open) for w in wastes] == [
        ("notebook", "alpha/2", 1, True),
        ("", "", 0, False),
        ("train", "alpha/3", 1, False),
    ]
    assert [w.since for w in wastes] == [began, MONDAY + 84 * HOUR, MONDAY + 126 * HOUR]


def test_jobs_of_one_name_are_one_waste(fleet: Fleet) -> None:
    fleet.gpus(2)
    for gpu in range(2):
        fleet.job(f"alpha/{gpu}", "vision", "sweep", user=f"user{gpu}", started=MONDAY)
        fleet.hours(gpu, "alloc_idle", MONDAY, 168, f"alpha/{gpu}")
    (waste,) = report_of(fleet).wastes
    assert (waste.jobs, waste.job, waste.count, waste.gpu_hours) == (2, "", "2 jobs", 336)


def test_what_broken_hardware_held_up_is_no_teams_waste(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.job("alpha/1", "vision", "train", started=MONDAY)
    fleet.hours(0, "stalled", MONDAY, 168, "alpha/1", cause="peer_fault")
    report = report_of(fleet)
    (waste,) = report.wastes
    assert (waste.team, waste.owner, waste.cause) == ("", "hardware operations", "peer_fault")
    assert "cause: peer fault" in report.verdict
    assert "hardware operations can act" in report.verdict


def test_persons_are_never_named(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.job("alpha/1", "vision", "ada-notebook", user="ada", started=MONDAY)
    fleet.hours(0, "alloc_idle", MONDAY, 168, "alpha/1")
    fleet.recommend("Ask Ada to end her canada run", 5.0, because="ada left", command="scancel 1")
    report = report_of(fleet)
    assert report.wastes[0].job_name == "owner-notebook"
    advice = report.decisions[0]
    assert (advice.title, advice.because) == ("Ask owner to end her canada run", "owner left")


def test_waits_by_size_class_in_order_of_size(fleet: Fleet) -> None:
    two_gpus(fleet)
    for number, gpus in enumerate((16, 8, 4), 10):
        started = MONDAY + 2 * HOUR
        fleet.job(f"alpha/{number}", gpus_per_node=gpus, submitted=MONDAY, started=started)
    waits = report_of(fleet).waits
    assert [w.size_class for w in waits] == ["1 GPU", "2-4 GPUs", "5-8 GPUs", "over 8 GPUs"]
    assert (waits[0].jobs, waits[0].p50_seconds, waits[0].p90_seconds) == (3, 7200, 10_800)


def test_jobs_left_waiting_are_unmet_demand(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 168)
    fleet.job("alpha/1", gpus_per_node=8, nodes=2)
    fleet.job("alpha/2", ended=MONDAY + HOUR, state="cancelled")
    fleet.job("alpha/3", submitted=MONDAY + WEEK)
    report = report_of(fleet)
    assert (report.demand.waiting_jobs, report.demand.waiting_gpus) == (1, 16)
    assert report.verdict.endswith("1 job for 16 GPUs was still waiting at the end.")


def test_one_gpu_is_singular(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 1)
    assert report_of(fleet).verdict.startswith("Of 1 GPU-hour paid for (1 GPU), 100% did")


def test_no_price_is_no_money_and_never_zero(fleet: Fleet) -> None:
    report = report_of(two_gpus(fleet))
    assert report.currency == ""
    assert report.money_not_shown == "no price configured"
    assert {row.capacity_value for row in report.ledger} == {None}
    assert {row.cash_avoidable for row in report.ledger} == {None}
    assert {w.value for w in report.wastes} == {None}
    assert "worth" not in report.verdict
    assert any("no price configured" in note for note in report.notes)


def test_amounts_of_several_currencies_are_not_added(fleet: Fleet) -> None:
    fleet.gpus(2, "H100", "A100")
    fleet.price()
    fleet.price(model="A100", currency="USD")
    for gpu in range(2):
        fleet.hours(gpu, "productive", MONDAY, 168)
    report = report_of(fleet)
    assert (report.capacity_value, report.ledger[0].capacity_value) == (None, None)
    assert report.money_not_shown == "prices in several currencies"
    assert "Money is not shown: prices are in EUR and USD." in report.notes


def test_hours_without_a_price_are_told(fleet: Fleet) -> None:
    fleet.gpus(2, "H100", "L4")
    fleet.price()
    for gpu in range(2):
        fleet.hours(gpu, "productive", MONDAY, 168)
    report = report_of(fleet)
    assert report.capacity_value == 336
    assert any(n.startswith("50% of the GPU-hours have no price") for n in report.notes)


@pytest.mark.parametrize(("worth", "energy"), [(None, 0.25), (2.0, None)])
def test_one_price_of_two_leaves_the_other_column_null(
    fleet: Fleet, worth: float | None, energy: float | None
) -> None:
    two_gpus(fleet).price(worth, energy)
    report = report_of(fleet)
    assert (report.currency, report.money_not_shown) == ("EUR", "")
    assert report.capacity_value == (worth and 672)
    assert report.cash_avoidable == (energy and pytest.approx(12.0))


def test_no_gpu_is_said_plainly(store: Store) -> None:
    report = collect(store, *week_bounds("2026-W47"))
    assert report.verdict.startswith("No GPU owned")
    assert (report.gpus, report.gpu_hours, report.ledger, report.days) == (0, 0, (), ())
    assert (report.closure_ratio, report.unknown_ratio) == (None, None)
    assert all(metric.value is None and metric.not_shown for metric in report.metrics)


def test_gpus_without_a_booked_hour_are_not_enough_data(fleet: Fleet) -> None:
    fleet.gpus(3)
    report = report_of(fleet)
    assert report.verdict == (
        "Not enough data: 3 GPUs owned, but no hour of this period is booked."
    )
    assert report.notes[0].startswith("Nothing is booked yet")


def test_unknown_time_makes_a_range_and_a_note(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 84)
    fleet.hours(0, "alloc_unknown", MONDAY + 84 * HOUR, 42, grade="D")
    fleet.hours(0, "free_surplus", MONDAY + 126 * HOUR, 42)
    report = report_of(fleet)
    assert "between 50% and 75% did productive work" in report.verdict
    assert report.grade == "A"
    assert any(n.startswith("For 25% of the time nobody saw") for n in report.notes)


def test_mostly_unknown_time_is_not_enough_data(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "unalloc_unknown", MONDAY, 168)
    assert report_of(fleet).verdict.startswith("Not enough data: for 100% of 168 GPU-hours")


def test_a_book_that_does_not_close_says_so(fleet: Fleet) -> None:
    two_gpus(fleet)
    fleet.owned[MONDAY] += 36_000.0
    report = report_of(fleet)
    assert report.closure_ratio == pytest.approx(-10 / 346)
    assert any(n.startswith("The book does not close: 10 GPU-hours lie") for n in report.notes)


def test_a_running_week_says_how_far_the_book_goes(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 50)
    report = report_of(fleet)
    assert report.notes[0] == (
        "50 of 168 hours of this period are booked; the book ends at Wed 18 Nov, 02:00 UTC."
    )


def test_the_same_book_gives_the_same_value(fleet: Fleet) -> None:
    report = report_of(two_gpus(fleet))
    assert collect(fleet.store, *week_bounds("2026-W47")) == report


class JsonReader:
    """The store as a command sees it beside a running service: parameters and rows as JSON."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        sent = {name: service._sent(value) for name, value in parameters.items()}
        rows = self._store.select(sql, **sent)
        answer = json.dumps(rows, allow_nan=False, default=lambda at: at.isoformat())
        times = {n for row in rows for n, value in row.items() if isinstance(value, datetime)}
        return [
            {n: datetime.fromisoformat(v) if n in times and v else v for n, v in row.items()}
            for row in json.loads(answer)
        ]

    def value(self, sql: str, **parameters: Any) -> Any:
        rows = self.select(sql, **parameters)
        return next(iter(rows[0].values())) if rows else None


@pytest.mark.parametrize("booked", [True, False])
def test_a_running_service_answers_the_same(fleet: Fleet, booked: bool) -> None:
    report = report_of(two_gpus(fleet) if booked else fleet)
    assert collect(JsonReader(fleet.store), *week_bounds("2026-W47")) == report


def test_an_unknown_state_is_shown_and_never_dropped(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "off_grid", MONDAY, 168)
    (row,) = report_of(fleet).ledger
    assert (row.state, row.help, row.gpu_hours) == ("off_grid", "off grid", 168)


@pytest.mark.parametrize(
    ("label", "since"),
    [
        ("2026-W47", datetime(2026, 11, 16, tzinfo=UTC)),
        ("2026-W01", datetime(2025, 12, 29, tzinfo=UTC)),
        ("2026-W53", datetime(2026, 12, 28, tzinfo=UTC)),
        ("2027-W01", datetime(2027, 1, 4, tzinfo=UTC)),
    ],
)
def test_iso_weeks_around_the_end_of_the_year(label: str, since: datetime) -> None:
    assert week_bounds(label) == (since, since + WEEK)


@pytest.mark.parametrize("label", ["2027-W53", "2026-W00", "2026-47", "47", "0000-W01", "2026-W4٧"])
def test_a_week_that_does_not_exist_is_refused(label: str) -> None:
    with pytest.raises(ConfigError, match="2026-W47"):
        week_bounds(label)


def test_last_booked_minute(fleet: Fleet) -> None:
    assert last_booked(fleet.store) is None
    report_of(two_gpus(fleet))
    assert last_booked(fleet.store) == MONDAY + WEEK


def test_last_seven_days_are_168_hours_of_the_book() -> None:
    until = datetime(2026, 11, 22, 14, 37, tzinfo=UTC)
    assert last_seven_days(until) == (datetime(2026, 11, 15, 15, tzinfo=UTC), until)
    whole = datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert last_seven_days(whole) == (whole - WEEK, whole)
    abroad = until.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert last_seven_days(abroad)[1].tzinfo is UTC


def test_a_period_that_is_no_week_says_what_it_is(store: Store) -> None:
    since, until = last_seven_days(datetime(2026, 11, 22, 14, 37, tzinfo=UTC))
    report = collect(store, since, until)
    assert (report.week, report.expected_hours) == ("7 days to 2026-11-22 14:37", 168)
