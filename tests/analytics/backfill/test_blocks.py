"""Blocks of rows, and names of their very content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analytics.backfill.blocks import MOST_ROWS, block, blocks, token
from analytics.backfill.fold import Rows
from gpuledger.catalogue import GpuSample
from gpuledger.identity import gpu_id


def rows(slot: int = 0, size: int = 3, power: float = 100.0) -> Rows:
    at_ms = 1_772_445_600_000 + 60_000 * np.arange(1, size + 1)
    return Rows(
        GpuSample.table,
        {"cluster": "c", "node": "n1", "slot": slot, "uuid": f"GPU-{slot}"},
        at_ms,
        np.full(size, 60_000),
        {"power_watts": np.full(size, power), "power_watts_max": np.full(size, 2 * power)},
    )


def test_a_block_says_whose_rows_are_and_what_is_missing() -> None:
    made = block([rows(0), rows(1, 2)], "dcgm-exporter", 7)
    columns = {name: list(values) for name, values in made.columns.items()}
    assert len(made) == 5
    assert columns["slot"] == [0, 0, 0, 1, 1]
    assert columns["gpu_id"][3] == gpu_id("c", "n1", 1)
    assert (set(columns["source"]), set(columns["epoch"])) == ({"dcgm-exporter"}, {7})
    assert (columns["power_mw"][0], columns["power_mw_max"][0]) == (100_000, 200_000)
    assert np.ma.getmaskarray(made.columns["energy_mj"]).all()


def test_a_token_is_of_the_content_and_its_place() -> None:
    first = token(block([rows()], "x", 0), "c", 1)
    assert token(block([rows()], "x", 0), "c", 1) == first
    changed = [
        token(block([rows()], "x", 0), "c", 2),
        token(block([rows()], "x", 1), "c", 1),
        token(block([rows(power=101.0)], "x", 0), "c", 1),
        token(block([rows(slot=1)], "x", 0), "c", 1),
        token(block([replace(rows(), columns={})], "x", 0), "c", 1),
    ]
    assert len({first, *changed}) == 6


def test_no_block_is_longer_than_it_must_be() -> None:
    made = list(blocks([rows(n, MOST_ROWS // 2) for n in range(5)], "x", 0))
    assert [len(b) for b in made] == [MOST_ROWS, MOST_ROWS, MOST_ROWS // 2]
