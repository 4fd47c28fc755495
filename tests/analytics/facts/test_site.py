"""A site that runs only exporters: its book says what truly happened."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.assets import discover
from analytics.ledger import Ledger, Window
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.facts.world import Book, samples, scrape, times
from tests.analytics.world import write
from tests.fakes.site import Site

HOURS = {
    "productive": ("productive",),
    "alloc_idle": ("alloc_idle",),
    "maintenance": ("maintenance",),
    "free": ("free_surplus", "free_demand"),
}
BY_TEAM = """
SELECT j.team AS team, sum(gpu_ms) / 3600000 AS hours FROM ledger_1h AS l
JOIN (SELECT alloc_id, job_id FROM allocations FINAL) AS a ON a.alloc_id = l.alloc_id
JOIN (SELECT job_id, team FROM jobs FINAL) AS j ON j.job_id = a.job_id
GROUP BY team
"""
BY_STATE = "SELECT state, sum(gpu_ms) / 3600000 AS hours FROM ledger_1h GROUP BY state"


def book(store: Store, site: Site) -> None:
    """Scrape two nodes of eight GPUs every minute; book all of the site's time."""
    heard, told = Book(), list[Row]()
    until = site.end + timedelta(minutes=15)
    for at in times(site.start, until):
        page = scrape(site, at)
        told += samples(page) if at > site.start else []
        told += heard.take(page, at)
    write(store, told)
    discover(store, until)
    Ledger(store).book(Window(site.start, site.end), until)


@pytest.mark.parametrize("relabelled", [False, True], ids=["honor_labels", "exported_pod"])
def test_hours_of_teams_and_states_are_the_truth(store: Store, relabelled: bool) -> None:
    site = Site(seed=1, hours=4, relabelled=relabelled, cordoned_h=(1, 2.5))
    book(store, site)
    truth = site.truth(site.start, site.end)
    teams = {r["team"]: r["hours"] for r in store.select(BY_TEAM)}
    assert teams == pytest.approx({t: h for t, h in truth.teams.items() if h})
    states = {r["state"]: r["hours"] for r in store.select(BY_STATE)}
    found = {name: sum(states.pop(s, 0.0) for s in group) for name, group in HOURS.items()}
    assert found == pytest.approx(dict(truth.states))
    assert states == {}
