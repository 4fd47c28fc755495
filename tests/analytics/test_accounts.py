"""The accounts say what the cells say, whoever is asked and over whatever span."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from analytics import accounts
from gpuledger.store import Store
from gpuledger.views import book_between, startable_sql
from tests.analytics.world import START, asset, at, booked, cells, given, job, write

JOBS = ("1", "2", "3")
STATES = ("productive", "alloc_idle", "underused")


@pytest.fixture
def history(store: Store) -> Store:
    """Three GPUs over 60 hours, each minute of some job or free, as a seed has it."""
    rng = random.Random(4)
    minutes: list[tuple[int, int, str, str]] = []
    for slot in range(3):
        for hour in range(60):
            native = rng.choice(("", *JOBS))
            state = rng.choice(STATES) if native else "free_surplus"
            minutes += [(slot, hour * 60 + m, state, native) for m in rng.sample(range(60), 3)]
    told = [cells(state, [m], slot, native=native) for slot, m, state, native in minutes]
    rows = [
        *(asset(slot) for slot in range(3)),
        *(job(native, user=f"u{native}", team=f"t{native}") for native in JOBS),
        *(given(native, slot) for native in JOBS for slot in range(3)),
        *booked([cell for group in told for cell in group], at(60 * 60)),
    ]
    write(store, rows)
    return store


KEYS = "team, user, job, node, pool, state, grade"
SUMS = "round(sum(gpu_seconds), 3) AS s, round(sum(energy_joules), 3) AS e"


@pytest.mark.parametrize(
    ("since", "until"),
    [(0, 60 * 60), (17, 61), (5, 50), (90, 59 * 60 + 7), (13 * 60 + 59, 40 * 60), (60, 120)],
)
def test_any_span_of_the_book_is_the_sum_of_its_minutes(
    history: Store, since: int, until: int
) -> None:
    asked = {"since": at(since), "until": at(until)}
    within = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"
    ask = f"SELECT {KEYS}, {SUMS} FROM {{}} GROUP BY {KEYS} ORDER BY {KEYS}".format
    expected = history.select(ask(f"v_book_1m WHERE {within}"), **asked)
    assert history.select(ask(f"{book_between()}"), **asked) == expected
    assert expected


def test_writing_a_day_again_changes_nothing(history: Store) -> None:
    ask = "SELECT * FROM accounts_1h ORDER BY ALL"
    before = history.select(ask), history.select(ask.replace("1h", "1d"))
    accounts.write(history, [START.date(), (START + timedelta(days=1)).date()])
    assert (history.select(ask), history.select(ask.replace("1h", "1d"))) == before


def test_days_booked_before_there_were_accounts_are_added_up(history: Store) -> None:
    ask = "SELECT * FROM accounts_1d ORDER BY ALL"
    before = history.select(ask)
    history.command("TRUNCATE TABLE accounts_1h")
    history.command("TRUNCATE TABLE accounts_1d")
    accounts.catch_up(history)
    assert history.select(ask) == before


def test_every_booked_minute_has_its_largest_free_block(history: Store) -> None:
    [said] = history.select(startable_sql(), since=at(0), until=at(60 * 60))
    [expected] = history.select(
        "SELECT uniqExact(minute) AS minutes, uniqExactIf(minute, state = 'free_surplus') AS free"
        " FROM ledger_1m"
    )
    assert said["minutes"] == expected["minutes"]
    assert said["startable_1"] == pytest.approx(expected["free"] / expected["minutes"])
