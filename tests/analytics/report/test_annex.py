"""The appendix: health, energy, cost, forecast, asset list and fairness, on small books."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.asset_list import IMPORTED
from analytics.report.costs import FLEET, NO_CENTRE, NO_QUOTE, costs
from analytics.report.energy import NO_FACTOR, NO_READING, energy
from analytics.report.fairness import team_waits
from analytics.report.health import health
from analytics.report.inventory import FOUND, LISTED, SILENT, grades, reconciled
from analytics.report.options import Quote
from analytics.report.outlooks import outlooks
from analytics.report.persons import Persons
from analytics.report.value import Amount
from gpuledger.catalogue import Asset, Forecast, PriceEntry, Rate, Team
from gpuledger.catalogue.work import version
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, LONG_AGO, MONDAY, WEEK, Fleet

UNTIL = MONDAY + WEEK


@pytest.fixture
def fleet(store: Store) -> Fleet:
    return Fleet(store)


def test_health_by_cause_and_nodes_that_fail_again(fleet: Fleet, store: Store) -> None:
    fleet.gpus(9)
    fleet.hours(0, "fault", MONDAY, 2, cause="xid")
    fleet.hours(0, "productive", MONDAY + 2 * HOUR, 20)
    fleet.hours(0, "fault", MONDAY + 22 * HOUR, 3, cause="device_lost")
    fleet.hours(8, "fault", MONDAY, 4, cause="xid")
    fleet.write()
    found = health(store, MONDAY, UNTIL)
    assert [(x.cause, x.gpu_hours, x.nodes) for x in found.losses] == [
        ("xid", 6, 2),
        ("device_lost", 3, 1),
    ]
    (offender,) = found.offenders
    assert (offender.node, offender.failures, offender.gpu_hours) == ("alpha/n01", 2, 5)
    assert offender.causes == "device lost, xid"
    assert (found.failures, found.mtbf_hours) == (3, pytest.approx(29 / 3))


def test_energy_with_and_without_a_factor(fleet: Fleet, store: Store) -> None:
    fleet.gpus(1)
    fleet.job("alpha/1", started=MONDAY)
    fleet.hours(0, "productive", MONDAY, 10, "alpha/1", watts=500.0)
    fleet.hours(0, "free_surplus", MONDAY + 10 * HOUR, 10, watts=100.0)
    fleet.write()
    found = energy(store, MONDAY, UNTIL)
    assert (found.kwh, found.unproductive_kwh, found.per_productive) == (6, 1, 0.6)
    assert (found.carbon_kg, found.site_kwh) == (None, None)
    assert NO_FACTOR in found.not_shown
    place = {"cluster": "alpha", "node": "n01", "pool": "main", "model": "H100"}
    store.insert_rows(
        [Rate.known(**place, pue=1.5, carbon_per_kwh=0.4, valid_from=LONG_AGO, version=1)]
    )
    store.insert_rows(
        [
            PriceEntry.known(
                provider="", pool="", model="*", source="CO2: grid", valid_from=LONG_AGO, version=1
            )
        ]
    )
    told = energy(store, MONDAY, UNTIL)
    assert (told.pue, told.carbon_factor, told.source) == (1.5, 0.4, "CO2: grid")
    assert (told.site_kwh, told.carbon_kg) == (9, pytest.approx(3.6))
    assert told.not_shown == ""
    assert [(t.team, t.kwh) for t in told.teams] == [("vision", 5)]


def test_energy_that_nobody_read_is_no_zero(fleet: Fleet, store: Store) -> None:
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 10, watts=None)
    fleet.write()
    found = energy(store, MONDAY, UNTIL)
    assert (found.kwh, found.not_shown, found.unread_ratio) == (None, NO_READING, 1)


def _worked(fleet: Fleet) -> None:
    fleet.gpus(1)
    fleet.price(2.0)
    fleet.job("alpha/1", "vision", started=MONDAY)
    fleet.job("alpha/2", "speech", started=MONDAY)
    fleet.hours(0, "productive", MONDAY, 10, "alpha/1")
    fleet.hours(0, "alloc_idle", MONDAY + 10 * HOUR, 10, "alpha/1")
    fleet.hours(0, "productive", MONDAY + 20 * HOUR, 5, "alpha/2")
    fleet.hours(0, "free_surplus", MONDAY + 25 * HOUR, 5)


def test_cost_by_team_against_a_quote(fleet: Fleet, store: Store) -> None:
    _worked(fleet)
    fleet.write()
    quote = Quote((("H100", 3.5),), None, "EUR", "a cloud, Nov 2026")
    found = costs(store, MONDAY, UNTIL, "EUR", quote)
    assert found.by == "team"
    assert [(c.who, c.gpu_hours, c.per_productive, c.quote) for c in found.rows] == [
        (FLEET, 30, 4, 3.5),
        ("vision", 20, 4, 3.5),
        ("speech", 5, 2, 3.5),
    ]
    other = costs(store, MONDAY, UNTIL, "USD", quote).not_shown
    assert other == "the cloud quote is in EUR, the book is in USD"
    assert costs(store, MONDAY, UNTIL, "EUR", Quote()).not_shown == NO_QUOTE
    assert costs(store, MONDAY, UNTIL, "", Quote()).rows[0].per_productive is None


def test_cost_by_cost_centre_where_teams_have_one(fleet: Fleet, store: Store) -> None:
    _worked(fleet)
    fleet.rows.append(
        Team(
            kind="account",
            name="vision",
            team="vision",
            department="Perception",
            valid_from=LONG_AGO,
            version=1,
        )
    )
    fleet.write()
    found = costs(store, MONDAY, UNTIL, "EUR", Quote())
    assert found.by == "cost centre"
    assert [c.who for c in found.rows] == [FLEET, "Perception", NO_CENTRE]


def test_asset_list_against_what_reports(fleet: Fleet, store: Store) -> None:
    fleet.gpus(2)
    fleet.hours(0, "productive", MONDAY, 100)
    fleet.hours(1, "alloc_unknown", MONDAY, 100, grade="D")
    fleet.rows.append(
        Asset(
            gpu_id=1,
            asset_id="alpha/n01/0",
            cluster="alpha",
            node="n01",
            slot=0,
            valid_from=LONG_AGO,
            version=version(IMPORTED, 1),
        )
    )
    fleet.write()
    told = {r.what: (r.gpus, r.gpu_hours) for r in reconciled(store, MONDAY, UNTIL)}
    assert told == {LISTED: (1, 168), FOUND: (1, 168), SILENT: (2, 336)}
    assert [(g.grade, g.share) for g in grades(store, MONDAY, UNTIL)] == [("A", 0.5), ("D", 0.5)]


def test_teams_that_waited_most_and_who_is_starved(fleet: Fleet, store: Store) -> None:
    for number, (team, hours) in enumerate((("a", 1), ("b", 5), ("a", 2))):
        at = MONDAY + HOUR
        fleet.job(f"alpha/{number}", team, submitted=at, started=at + hours * HOUR, gpus_per_node=4)
    fleet.finding("c/a/1", MONDAY, UNTIL, kind="queue_starvation", team="a")
    fleet.write()
    found = team_waits(store, MONDAY, UNTIL, Persons(()))
    assert [(w.team, w.jobs, w.waited_gpu_hours, w.starved) for w in found] == [
        ("a", 2, 12, "idle"),
        ("b", 1, 20, ""),
    ]


def _forecast(store: Store, demand: tuple[float, ...]) -> None:
    for measure, values in (("demand", demand), ("usable", (10.0,) * len(demand))):
        store.insert_rows(
            [
                Forecast(
                    cluster="alpha",
                    measure=measure,
                    horizon_days=28,
                    at=UNTIL + timedelta(days=day),
                    step_seconds=86_400,
                    low=value - 2,
                    expected=value,
                    high=value + 2,
                    method="seasonal-naive",
                    error_ratio=0.1,
                    naive_error_ratio=0.2,
                    cover_ratio=0.8,
                    origins=4,
                    history_days=30,
                    made=UNTIL,
                    version=1,
                )
                for day, value in enumerate(values)
            ]
        )


def test_reclaiming_equals_buying_by_the_first_day_that_lacks(store: Store) -> None:
    _forecast(store, (8.0, 9.0, 12.0, 14.0))
    found = outlooks(store, UNTIL, Amount(504.0, 0.0, 1008.0))
    assert found.equals == (
        "Reclaiming 504 GPU-hours a week equals buying 3 GPUs (0 to 6) by Wed 25 Nov,"
        " when demand is expected to exceed what is usable."
    )
    assert [(o.measure, o.expected, o.low) for o in found.rows] == [
        ("demand", 10.75, 8.75),
        ("usable", 10, 8),
    ]


def test_nothing_lacks_and_nothing_can_be_told(store: Store) -> None:
    assert outlooks(store, UNTIL, Amount(20.0)).equals == (
        "Reclaiming 20 GPU-hours a week equals buying less than one GPU;"
        " by when they would be needed, nobody can tell without a forecast."
    )
    assert outlooks(store, UNTIL, None).not_shown == (
        "a forecast needs 14 whole days, the book has 0 days"
    )
    _forecast(store, (8.0, 9.0))
    assert "none need be bought by then" in outlooks(store, UNTIL, Amount(200.0)).equals
