"""Targets: what their scrapes tell of the time between them."""

from __future__ import annotations

from pathlib import Path

from tests.analytics.ingest.site import NOW_MS, PERIOD_MS, Site, scrape


def test_a_long_silence_after_the_first_scrape_is_not_taken_for_a_period(tmp_path: Path) -> None:
    with Site(tmp_path / "journal") as site:
        for at_ms in (NOW_MS - 300 * PERIOD_MS, NOW_MS - PERIOD_MS, NOW_MS):
            site.send(scrape(at_ms))
            site.wait(200)
        assert site.covers() == [(-300, 0), (-1, 0), (0, PERIOD_MS)]


def test_a_period_of_many_minutes_is_known_after_three_scrapes(tmp_path: Path) -> None:
    with Site(tmp_path / "journal") as site:
        for step in range(4):
            site.send(scrape(NOW_MS + 600_000 * (step - 4)))
            site.wait(200)
        site.wait(2000)
        rows = site.rows()
        assert sum(r["interval_ms"] for r in rows) == 2 * 600_000
