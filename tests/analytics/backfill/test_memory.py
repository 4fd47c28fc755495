"""What goes on from one span of history to the next."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.memory import Memory
from analytics.backfill.wide import Wide
from gpuledger.mapping_load import load

FEEDS = load("dcgm-exporter").feeds
GPU = FEEDS["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"][0].plan
NAN = float("nan")


def wide(at_ms: list[int], energy: list[float], **parts: list[float]) -> Wide:
    columns = {"energy_joules": np.array(energy)}
    told = {"energy_joules": {n: np.array(v) for n, v in parts.items()}} if parts else {}
    return Wide(GPU, {"slot": 0, "node": "n1"}, np.array(at_ms, dtype=np.int64), columns, told)


def corrected(memory: Memory, made: Wide) -> list[float]:
    memory.correct(made)
    return [float(v) for v in made.columns["energy_joules"]]


def test_a_counter_that_begins_again_goes_on() -> None:
    made = wide([1, 2, 3, 4], [5.0, 7.0, 1.0, 2.0])
    assert corrected(Memory(0), made) == [5.0, 7.0, 8.0, 9.0]


def test_it_goes_on_across_spans_and_processes() -> None:
    memory = Memory(0)
    corrected(memory, wide([1, 2], [5.0, 7.0]))
    later = Memory.restored(memory.kept(2))
    assert corrected(later, wide([3, 4], [1.0, 3.0])) == [8.0, 10.0]
    assert later.epoch == 0


def test_what_is_missing_stays_missing() -> None:
    found = corrected(Memory(0), wide([1, 2, 3], [5.0, NAN, 1.0]))
    assert found[0] == 5.0
    assert np.isnan(found[1])
    assert found[2] == 6.0


def test_a_part_of_a_sum_that_is_silent_keeps_what_it_had() -> None:
    memory = Memory(0)
    made = wide([1, 2, 3], [3.0, 3.0, 4.0], a=[1.0, NAN, 2.0], b=[2.0, 3.0, 1.0])
    assert corrected(memory, made) == [3.0, 4.0, 6.0]
    assert corrected(memory, wide([4], [5.0], b=[5.0])) == [10.0]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.data())
def test_no_counter_ever_falls_wherever_history_is_cut(raw: list[int], data: st.DataObject) -> None:
    whole = corrected(Memory(0), wide(list(range(1, len(raw) + 1)), [float(v) for v in raw]))
    at = data.draw(st.integers(0, len(raw)))
    memory = Memory(0)
    pieces: list[float] = []
    for part in (raw[:at], raw[at:]):
        if part:
            times = list(range(len(pieces) + 1, len(pieces) + len(part) + 1))
            pieces += corrected(memory, wide(times, [float(v) for v in part]))
            memory = Memory.restored(memory.kept(times[-1]))
    assert pieces == whole
    assert all(b >= a for a, b in itertools.pairwise(whole))


def test_a_reading_covers_the_time_since_the_one_before() -> None:
    memory = Memory(0)
    at = [100_000, *range(130_000, 500_000, 30_000), 560_000]
    cover = memory.cover_ms(wide(at, [0.0] * len(at))).tolist()
    assert cover == [30_000] * (len(at) - 1) + [70_000]
    assert memory.cover_ms(wide([590_000], [0.0])).tolist() == [30_000]


def test_two_scrapers_of_one_gpu_cover_each_second_once() -> None:
    at = sorted([*range(30_000, 600_000, 30_000), *range(31_000, 600_000, 30_000)])
    cover = Memory(0).cover_ms(wide(at, [0.0] * len(at)))
    assert cover[1:].sum() == at[-1] - at[0]


def test_after_a_long_silence_a_reading_covers_no_more_than_usual() -> None:
    at = [*range(30_000, 300_000, 30_000), 9_000_000]
    assert Memory(0).cover_ms(wide(at, [0.0] * len(at)))[-1] == 30_000


def test_what_was_not_heard_of_for_a_month_is_forgotten() -> None:
    memory = Memory(0)
    memory.cover_ms(wide([1_000], [0.0]))
    assert '"things":{}' in memory.kept(40 * 86_400_000)
