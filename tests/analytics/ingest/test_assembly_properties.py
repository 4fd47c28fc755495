"""What holds for rows of scraped series in whatever pieces, order and copies they come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.ingest.site import PERIOD_MS, Site, moments, scrape

COLUMNS = ("power_mw", "energy_mj", "utilization_pct", "memory_used_mib")


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_pieces_copies_order_and_crashes_do_not_change_the_sum(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    told = [s for n, at in enumerate(moments(5)) for s in scrape(at, gpus=2, energy=1e6 * (n + 1))]
    pieces = data.draw(st.permutations([told[i : i + 3] for i in range(0, len(told), 3)]))
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    with Site(tmp_path_factory.mktemp("site") / "journal") as site:
        for piece in [*pieces, *again]:
            site.send(piece)
            if data.draw(st.booleans()):
                site.crash()
        for _ in range(4):
            site.wait(200)
        for slot in (0, 1):
            rows = [r for r in site.rows() if r["slot"] == slot]
            for column in COLUMNS:
                assert [r["ts"] for r in rows if column in r] == moments(5)
            assert sum(r["interval_ms"] for r in rows) == 5 * PERIOD_MS
            assert [r["energy_mj"] for r in rows if "energy_mj" in r] == [
                1e6 * n for n in range(1, 6)
            ]


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_rows_made_before_all_came_say_nothing_twice_and_nothing_false(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    told = [s for n, at in enumerate(moments(5)) for s in scrape(at, energy=1e6 * (n + 1))]
    pieces = data.draw(st.permutations([told[i : i + 3] for i in range(0, len(told), 3)]))
    with Site(tmp_path_factory.mktemp("site") / "journal") as site:
        for piece in pieces:
            site.send(piece)
            site.wait(data.draw(st.sampled_from([0, 1, 40, 200])))
            if data.draw(st.booleans()):
                site.crash()
        site.wait(1000)
        site.wait(1000)
        rows = site.rows()
    for column in COLUMNS:
        # A row that covers a gap is cut at the minute, where no moment of these is.
        at = [r["ts"] for r in rows if column in r and r["ts"] % 60_000]
        assert len(at) == len(set(at))
        assert column == "energy_mj" or at == moments(5)
    covers = sorted((r["ts"] - r["interval_ms"], r["ts"]) for r in rows if r["interval_ms"])
    assert all(until <= since for (_, until), (since, _) in pairwise(covers))
    energy = [r["energy_mj"] for r in rows if "energy_mj" in r]
    assert all(before < after for before, after in pairwise(energy))
