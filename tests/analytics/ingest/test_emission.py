"""Counters made of several series, whatever becomes of the labels of these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.analytics.ingest.site import Site, card, moments

PARTS = tuple(f"DCGM_FI_DEV_NVLINK_CRC_{kind}_ERROR_COUNT_TOTAL" for kind in ("FLIT", "DATA"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "journal") as one:
        yield one


def errors(site: Site, told: list[tuple[str, int]]) -> list[int]:
    """The sum after each scrape: its replica, and what each of two counters said."""
    for at_ms, (replica, count) in zip(moments(len(told), -len(told)), told, strict=True):
        site.send([card(name, count, at_ms, 0, replica=replica) for name in PARTS])
        site.wait(60)
    site.wait(200)
    return [row["nvlink_crc_errors"] for row in site.rows("gpu_health_samples")]


def test_a_label_that_is_added_to_all_series_does_not_count_their_past_again(site: Site) -> None:
    told = errors(site, [("", 500), ("", 501), ("new", 501), ("new", 502)])
    assert told == [1000, 1002, 1002, 1004]


def test_two_servers_whose_label_nobody_knows_count_once(site: Site) -> None:
    told = errors(site, [("a", 500), ("b", 500), ("a", 501), ("b", 502)])
    assert told == [1000, 1000, 1002, 1004]


def test_series_with_other_labels_that_begin_at_nothing_go_on(site: Site) -> None:
    told = errors(site, [("old", 500), ("new", 1), ("new", 3)])
    assert told == [1000, 1002, 1006]


def test_counters_of_two_targets_that_fill_one_row_are_added(site: Site) -> None:
    for place, at_ms in enumerate(moments(6, -6)):
        here = f"node-7:{9400 + place % 2}"
        site.send([card(name, 500 + place, at_ms, 0, instance=here) for name in PARTS])
        site.wait(60)
    site.wait(200)
    told = [row["nvlink_crc_errors"] for row in site.rows("gpu_health_samples")]
    assert told == sorted(told)
    assert told[-1] == 2 * (504 + 505)
