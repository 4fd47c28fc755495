"""The typed value of books that are small, strange or incomplete."""

from __future__ import annotations

import pytest

from analytics.report.weekly import last_booked
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet, report_of


@pytest.fixture
def fleet(store: Store) -> Fleet:
    return Fleet(store)


def test_jobs_of_one_name_are_one_waste(fleet: Fleet) -> None:
    fleet.gpus(2)
    for gpu in range(2):
        fleet.job(f"alpha/{gpu}", "vision", "sweep", user=f"user{gpu}", started=MONDAY)
        fleet.hours(gpu, "alloc_idle", MONDAY, 24, f"alpha/{gpu}")
    (waste,) = report_of(fleet).wastes
    assert (waste.jobs, waste.job, waste.count, waste.gpu_hours) == (2, "", "2 jobs", 48)


def test_what_broken_hardware_held_up_is_no_teams_waste(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.job("alpha/1", "vision", "train", started=MONDAY)
    fleet.hours(0, "stalled", MONDAY, 24, "alpha/1", cause="peer_fault")
    report = report_of(fleet)
    (waste,) = report.wastes
    assert (waste.team, waste.owner, waste.cause) == ("", "hardware operations", "peer_fault")
    assert "cause: peer fault" in report.verdict
    assert "hardware operations can act" in report.verdict


def test_persons_are_never_named(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.job("alpha/1", "vision", "ada-notebook", user="ada", started=MONDAY)
    fleet.hours(0, "alloc_idle", MONDAY, 24, "alpha/1")
    fleet.recommend("Ask Ada to end her canada run", 5.0, because="ada left", command="scancel 1")
    report = report_of(fleet)
    assert report.wastes[0].job_name == "owner-notebook"
    advice = report.decisions[0]
    assert (advice.title, advice.because) == ("Ask owner to end her canada run", "owner left")


def test_jobs_left_waiting_are_unmet_demand(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 24)
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


def test_amounts_of_several_currencies_are_not_added(fleet: Fleet) -> None:
    fleet.gpus(2, "H100", "A100")
    fleet.price()
    fleet.price(model="A100", currency="USD")
    for gpu in range(2):
        fleet.hours(gpu, "productive", MONDAY, 24)
    report = report_of(fleet)
    assert (report.capacity_value, report.ledger[0].capacity_value) == (None, None)
    assert report.money_not_shown == "prices in several currencies"
    assert "Money is not shown: prices are in EUR and USD." in report.notes


def test_hours_without_a_price_are_told(fleet: Fleet) -> None:
    fleet.gpus(2, "H100", "L4")
    fleet.price()
    for gpu in range(2):
        fleet.hours(gpu, "productive", MONDAY, 24)
    report = report_of(fleet)
    assert report.capacity_value == 48
    assert any(n.startswith("50% of the GPU-hours have no price") for n in report.notes)


def test_gpus_without_a_booked_hour_are_not_enough_data(fleet: Fleet) -> None:
    fleet.gpus(3)
    report = report_of(fleet)
    assert report.verdict == (
        "Not enough data: 3 GPUs owned, but no hour of this period is booked."
    )
    assert report.notes[0].startswith("Nothing is booked yet")


def test_unknown_time_makes_a_range_and_a_note(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 12)
    fleet.hours(0, "alloc_unknown", MONDAY + 12 * HOUR, 6, grade="D")
    fleet.hours(0, "free_surplus", MONDAY + 18 * HOUR, 6)
    report = report_of(fleet)
    assert "between 50% and 75% did productive work" in report.verdict
    assert report.grade == "A"
    assert any(n.startswith("For 25% of the time nobody saw") for n in report.notes)


def test_mostly_unknown_time_is_not_enough_data(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "unalloc_unknown", MONDAY, 24)
    assert report_of(fleet).verdict.startswith("Not enough data: for 100% of 24 GPU-hours")


def test_a_running_week_says_how_far_the_book_goes(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 50)
    report = report_of(fleet)
    assert report.notes[0] == (
        "50 of 168 hours of this period are booked; the book ends at Wed 18 Nov, 02:00 UTC."
    )


def test_an_unknown_state_is_shown_and_never_dropped(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.hours(0, "off_grid", MONDAY, 24)
    (row,) = report_of(fleet).ledger
    assert (row.state, row.help, row.gpu_hours) == ("off_grid", "off grid", 24)


def test_last_booked_minute(fleet: Fleet) -> None:
    assert last_booked(fleet.store) is None
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 3)
    fleet.write()
    assert last_booked(fleet.store) == MONDAY + 3 * HOUR
