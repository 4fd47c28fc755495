"""The typed value: exact numbers of a book that grows under the report's eyes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from analytics.report import weeks
from analytics.report.metrics import FIRST_WEEK
from analytics.report.weekly import WeeklyReport, collect, last_seven_days
from gpuledger import service
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet, report_of
from tests.conftest import empty

Told = dict[str, WeeklyReport]
# When the job that idles in `two_gpus` was found.
FOUND = MONDAY - 3 * HOUR


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


def job_found(fleet: Fleet) -> None:
    fleet.finding("alpha/2", FOUND, MONDAY + WEEK)


def jobs_of_sizes(fleet: Fleet) -> None:
    for number, gpus in enumerate((16, 8, 4), 10):
        started = MONDAY + 2 * HOUR
        fleet.job(f"alpha/{number}", gpus_per_node=gpus, submitted=MONDAY, started=started)


def day_before(fleet: Fleet) -> None:
    fleet.hours(0, "productive", MONDAY - 20 * HOUR, 20, grade="C")


def week_before(fleet: Fleet) -> None:
    """What is left of the week before, and alerts of both weeks."""
    fleet.hours(0, "productive", MONDAY - WEEK, 148, grade="C")
    fleet.hours(1, "productive", MONDAY - WEEK, 168, grade="C")
    fleet.alert("n01", MONDAY - HOUR)
    for hour in (1, 30):
        fleet.alert("n01", MONDAY + hour * HOUR)
    fleet.alert("n02", MONDAY + HOUR, outcome="refused")


def ten_hours_unbooked(fleet: Fleet) -> None:
    fleet.own(MONDAY, 36_000.0)


# In this order, each beside what was there.
ADDED: dict[str, Callable[[Fleet], None]] = {
    "found": job_found,
    "sizes": jobs_of_sizes,
    "after 20 hours": day_before,
    "after a week": week_before,
    "open": ten_hours_unbooked,
}


@pytest.fixture(scope="module")
def told(engine: Store) -> Told:
    """What is told of one book from none on, as prices, jobs and hours are added to it."""
    empty(engine)
    fleet = Fleet(engine)
    told = {"none": report_of(fleet), "none by a service": report_of(fleet, JsonReader(engine))}
    told["plain"] = report_of(two_gpus(fleet))
    told["again"] = report_of(fleet)
    told["plain by a service"] = report_of(fleet, JsonReader(engine))
    for name, worth, energy in (
        ("worth", 2.0, None),
        ("energy", None, 0.25),
        ("priced", 2.0, 0.25),
    ):
        engine.command("TRUNCATE TABLE prices")
        fleet.price(worth, energy)
        told[name] = report_of(fleet)
    for name, add in ADDED.items():
        add(fleet)
        told[name] = report_of(fleet)
    empty(engine)
    return told


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


def test_head_of_the_report(told: Told) -> None:
    report = told["priced"]
    assert (report.clusters, report.week, report.gpus) == (("alpha",), "2026-W47", 2)
    assert (report.gpu_hours, report.booked_hours, report.expected_hours) == (336, 168, 168)
    assert (report.closure_ratio, report.unknown_ratio, report.grade) == (0, 0, "B")
    assert (report.currency, report.capacity_value, report.money_not_shown) == ("EUR", 672, "")
    assert report.cash_avoidable == pytest.approx(12.0)


def test_verdict_names_the_largest_piece_its_team_and_the_unmet_demand(told: Told) -> None:
    assert told["priced"].verdict == (
        "Of 336 GPU-hours paid for (2 GPUs), 30% did productive work;"
        " the largest piece to win back is 68 GPU-hours, worth EUR 136 (allocated and doing"
        " nothing, all of it in team robotics),"
        " and waiting work would have filled 42 GPU-hours that stood free."
    )


def test_ledger_in_hours_and_money(told: Told) -> None:
    rows = {row.state: row for row in told["priced"].ledger}
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


def test_waterfall_loses_what_the_ledger_says(told: Told) -> None:
    steps = told["plain"].waterfall
    assert [(s.name, s.gpu_hours, s.lost_gpu_hours) for s in steps] == [
        ("paid for", 336, 0),
        ("available", 314, 22),
        ("allocated", 188, 126),
        ("active", 120, 68),
        ("productive", 100, 20),
    ]


def test_days_add_up_to_the_ledger(told: Told) -> None:
    days = told["plain"].days
    assert [d.day for d in days] == [date(2026, 11, 16) + timedelta(days=i) for i in range(7)]
    assert days[0].gpu_hours == (("productive", 24), ("free_surplus", 24))
    assert sum(hours for d in days for _, hours in d.gpu_hours) == 336


def test_metrics_of_a_first_week_have_no_change(told: Told) -> None:
    availability, utilization, execution, overhead = told["plain"].metrics
    assert availability.value == 0.75
    assert "2 GPUs: 0%" in availability.detail
    assert "4 GPUs" not in availability.detail
    assert utilization.value == pytest.approx(100 / 336, abs=1e-6)
    assert (utilization.change, utilization.not_shown) == (None, FIRST_WEEK)
    assert execution.value == 7200
    assert overhead.value is None
    assert overhead.not_shown.startswith("no alert was ever delivered")


def test_metrics_against_the_time_before(told: Told) -> None:
    report = told["after a week"]
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


def test_a_day_of_booked_hours_is_no_baseline(told: Told) -> None:
    utilization = told["after 20 hours"].metrics[1]
    assert utilization.not_shown == "only 20 hours of the four weeks before are booked"


def test_wastes_by_team_and_job_name(told: Told) -> None:
    wastes = told["found"].wastes
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
    assert [w.since for w in wastes] == [FOUND, MONDAY + 84 * HOUR, MONDAY + 126 * HOUR]


def test_waits_by_size_class_in_order_of_size(told: Told) -> None:
    waits = told["sizes"].waits
    assert [w.size_class for w in waits] == ["1 GPU", "2-4 GPUs", "5-8 GPUs", "over 8 GPUs"]
    assert (waits[0].jobs, waits[0].p50_seconds, waits[0].p90_seconds) == (3, 7200, 10_800)


def test_no_price_is_no_money_and_never_zero(told: Told) -> None:
    report = told["plain"]
    assert report.currency == ""
    assert report.money_not_shown == "no price configured"
    assert {row.capacity_value for row in report.ledger} == {None}
    assert {row.cash_avoidable for row in report.ledger} == {None}
    assert {w.value for w in report.wastes} == {None}
    assert "worth" not in report.verdict
    assert any("no price configured" in note for note in report.notes)


@pytest.mark.parametrize(("worth", "energy"), [(None, 0.25), (2.0, None)])
def test_one_price_of_two_leaves_the_other_column_null(
    told: Told, worth: float | None, energy: float | None
) -> None:
    report = told["worth" if worth else "energy"]
    assert (report.currency, report.money_not_shown) == ("EUR", "")
    assert report.capacity_value == (worth and 672)
    assert report.cash_avoidable == (energy and pytest.approx(12.0))


def test_no_gpu_is_said_plainly(told: Told) -> None:
    report = told["none"]
    assert report.verdict.startswith("No GPU owned")
    assert (report.gpus, report.gpu_hours, report.ledger, report.days) == (0, 0, (), ())
    assert (report.closure_ratio, report.unknown_ratio) == (None, None)
    assert all(metric.value is None and metric.not_shown for metric in report.metrics)


def test_a_book_that_does_not_close_says_so(told: Told) -> None:
    report = told["open"]
    assert report.closure_ratio == pytest.approx(-10 / 346)
    assert any(n.startswith("The book does not close: 10 GPU-hours lie") for n in report.notes)


def test_the_same_book_gives_the_same_value(told: Told) -> None:
    assert told["again"] == told["plain"]


@pytest.mark.parametrize("book", ["plain", "none"])
def test_a_running_service_answers_the_same(told: Told, book: str) -> None:
    assert told[f"{book} by a service"] == told[book]


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
    assert weeks.bounds(label) == (since, since + WEEK)


@pytest.mark.parametrize("label", ["2027-W53", "2026-W00", "2026-47", "47", "0000-W01", "2026-W4٧"])
def test_a_week_that_does_not_exist_is_refused(label: str) -> None:
    with pytest.raises(ConfigError, match="2026-W47"):
        weeks.bounds(label)


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
