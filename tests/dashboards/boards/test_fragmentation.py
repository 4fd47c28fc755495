"""The panels about free GPUs that nobody can use, on a book that can be checked by hand."""

from __future__ import annotations

from datetime import timedelta

from dashboards.boards.fragmentation import board
from gpuledger.catalogue import CellHour
from gpuledger.store import Store
from tests.dashboards.boards.asking import (
    Expected,
    ask,
    book_again,
    defects,
    differences,
    fill_more,
)
from tests.dashboards.world import CLUSTER, FREE, HOUR

BEFORE = HOUR - timedelta(hours=1)
OF_NODE = {"node": "n2", "free_gpus": 1.0, "fragmented_gpus": 0.5, "lacks_gpu_gpus": 0.5}
EXPECTED: Expected = {
    "Free now, and of what use": [
        {
            "pool_free_gpus": 1.0,
            "pool_fragmented_gpus": 0.5,
            "fragmented_ratio": 0.5,
            "startable_gpus": 1,
            "startable_repacked_gpus": 2,
        }
    ],
    "Stranded, and waited for": [
        {
            "stranded_gpu_hours": 0.25,
            "capacity_value": 1.0,
            "currency": "EUR",
            "unmet_gpu_hours": 0.5,
            "refused_gpu_hours": 0.25,
        }
    ],
    "Fragmented share of the free GPUs": [
        {"time": BEFORE, "pool": "small", "fragmented_ratio": 0.5},
        {"time": HOUR, "pool": "small", "fragmented_ratio": 0.5},
    ],
    "Largest job that could start": [
        {"time": BEFORE, "pool": "small", "startable_gpus": 2},
        {"time": HOUR, "pool": "small", "startable_gpus": 1},
    ],
    "Stranded GPUs by cause": [{"time": HOUR, "why": "gpu count on node", "gpus": 0.5}],
    "Free GPUs: kept, wanted, stranded or surplus": [
        {"time": HOUR, "free_demand": 0.5, "stranded": 0.5, "held": 0.0, "free_surplus": 0.0}
    ],
    "What fits now, by pool": [
        {"pool": "small", "gpus": 2, "slots_1": 1, "repacked_1": 2, "largest_gpus": 1}
    ],
    "Why free GPUs are fragments": [
        {"pool": "small", "too few GPUs beside it": 0.5, "no processors left": 0.0}
    ],
    "Most fragmented nodes": [{**OF_NODE, "largest_gpus": 1}],
    "Map: nodes and their GPUs": [
        {"node": "n2", "GPU 0": "free_demand", "GPU 1": "fault", "free": 1, "gpus": 2},
        {"node": "n1", "GPU 0": "productive", "GPU 1": "alloc_idle", "free": 0, "gpus": 2},
    ],
    "Islands and crumbs that were found": [
        {"kind": "islands", "still": "now", "gpus": 2, "hours": 2.0, "fix": "Mend islands."}
    ],
    "What to do: moves, lending, power, buying": [
        {"title": "Do repack", "gain_gpu_hours": 6.0, "confidence_ratio": 0.9}
    ],
}


def stranded(store: Store) -> None:
    """The wanted GPU was wanted for a quarter of an hour, and stranded for another."""
    fill_more(store)
    cells = [
        CellHour(
            cluster=CLUSTER,
            gpu_id=FREE,
            hour=HOUR,
            alloc_id=0,
            state=state,
            cause=cause,
            grade="B",
            gpu_seconds=900,
            energy_joules=0.0,
        )
        for state, cause in (("free_demand", ""), ("stranded", "gpu_count_on_node"))
    ]
    book_again(store, cells)


def test_every_panel_is_expected() -> None:
    assert [panel.title for panel in board.panels] == list(EXPECTED)


def test_what_the_panels_show(store: Store) -> None:
    stranded(store)
    assert differences(store, board, EXPECTED) == {}


def test_an_empty_database_shows_no_rows(store: Store) -> None:
    assert {title: rows for title in EXPECTED if (rows := ask(store, board, title))} == {}


def test_its_words_and_links_are_whole() -> None:
    assert defects(board) == []


def test_another_pool_has_no_fragments(store: Store) -> None:
    stranded(store)
    for title in ("Free now, and of what use", "What fits now, by pool", "Most fragmented nodes"):
        assert ask(store, board, title, pool=["big"]) == []
    [row] = ask(store, board, "Map: nodes and their GPUs", pool=["big"])
    assert row["node"] == "n1"


def test_stranded_gpus_are_stacked_without_gaps(store: Store) -> None:
    stranded(store)
    rows = ask(store, board, "Stranded GPUs by cause")
    booked = store.value("SELECT count() FROM v_booked_hours")
    assert len(rows) == booked
