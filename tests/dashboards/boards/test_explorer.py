"""The explorer's panels on a book whose every number can be checked by hand."""

from __future__ import annotations

from dashboards.boards.explorer import UID, board
from gpuledger.store import Store
from tests.dashboards.boards.asking import Expected, ask, defects, differences, fill_more
from tests.dashboards.world import HOUR, NOTEBOOK, TRAIN

OF_BEN = {"loose_gpu_hours": 0.5, "loose_value": 2.0, "idle_gpu_hours": 0.5, "gpu_hours": 0.5}
OF_ANA = {"loose_gpu_hours": 0.0, "gpu_hours": 0.5, "utilization_ratio": 1.0}
EXPECTED: Expected = {
    "What is chosen, in numbers": [
        {
            "gpu_hours": 2.0,
            "utilization_ratio": 0.25,
            "activity_ratio": 0.5,
            "loose_gpu_hours": 1.0,
            "unknown_ratio": 0.0,
            "grade": "B",
        }
    ],
    "Does the book close?": [{"booked": 2.0, "owned": 2.0, "closure_error_ratio": 0.0}],
    "States over time": [
        {"time": HOUR, "productive": 1.0, "alloc_idle": 1.0, "free_demand": 1.0, "stranded": 0.0}
    ],
    "By state": [
        {"state": "fault", "who": "hardware operations", "gpu_hours": 0.5, "share_ratio": 0.25},
        {"state": "alloc_idle", "who": "job owner", "capacity_value": 2.0, "currency": "EUR"},
        {"state": "productive", "who": "nobody", "gpu_hours": 0.5},
        {"state": "free_demand", "who": "scheduler admin", "gpu_hours": 0.5},
    ],
    "By cluster and pool": [
        {"pool": "big", "loose_gpu_hours": 0.5, "utilization_ratio": 0.5, "gpu_hours": 1.0},
        {"pool": "small", "loose_gpu_hours": 0.5, "idle_gpu_hours": 0.0, "gpu_hours": 1.0},
    ],
    "By team": [{"team": "speech", **OF_BEN}, {"team": "vision", **OF_ANA}],
    "By user": [{"user": "ben", **OF_BEN}, {"user": "ana", **OF_ANA}],
    "By node": [
        {"node": "n1", "loose_gpu_hours": 0.5, "gpu_hours": 1.0},
        {"node": "n2", "loose_gpu_hours": 0.5, "idle_gpu_hours": 0.0},
    ],
    "By job": [
        {"job": NOTEBOOK, "job_name": "notebook", "activity_ratio": 0.0, **OF_BEN},
        {"job": TRAIN, "job_name": "train", "activity_ratio": 1.0, **OF_ANA},
    ],
    "What each GPU did": [
        {"time": HOUR, "gpu": "n1 GPU 0", "state": "productive"},
        {"time": HOUR, "gpu": "n1 GPU 1", "state": "alloc_idle"},
        {"time": HOUR, "gpu": "n2 GPU 0", "state": "free_demand"},
        {"time": HOUR, "gpu": "n2 GPU 1", "state": "fault"},
    ],
    "By GPU": [
        {"node": "n1", "gpu": 1, "idle_gpu_hours": 0.5, "activity_ratio": 0.0},
        {"node": "n2", "gpu": 0, "loose_gpu_hours": 0.5, "gpu_hours": 0.5},
        {"node": "n1", "gpu": 0, "loose_gpu_hours": 0.0, "utilization_ratio": 1.0},
        {"node": "n2", "gpu": 1, "loose_gpu_hours": 0.0, "gpu_hours": 0.5},
    ],
    "Rows of the book": [
        {"node": "n1", "job": TRAIN, "state": "productive", "hours": 0.5},
        {"node": "n1", "job": NOTEBOOK, "state": "alloc_idle", "hours": 0.5},
        {"node": "n2", "job": "", "state": "fault", "hours": 0.5},
        {"node": "n2", "job": "", "state": "free_demand", "hours": 0.5},
    ],
}


def test_every_panel_is_expected() -> None:
    assert [panel.title for panel in board.panels] == list(EXPECTED)


def test_what_the_panels_show(store: Store) -> None:
    fill_more(store)
    assert differences(store, board, EXPECTED) == {}


def test_an_empty_database_shows_no_rows(store: Store) -> None:
    assert {title: rows for title in EXPECTED if (rows := ask(store, board, title))} == {}


def test_its_words_and_links_are_whole() -> None:
    assert defects(board) == []


def test_each_choice_narrows_the_book(store: Store) -> None:
    fill_more(store)
    chosen = {"cluster": "alpha", "pool": "big", "team": "speech", "user": "ana", "node": "n2"}
    hours = {}
    for name, value in {**chosen, "job": NOTEBOOK}.items():
        [row] = ask(store, board, "What is chosen, in numbers", **{name: [value]}, width_s=3600)
        hours[name] = row["gpu_hours"]
    halves = dict.fromkeys(("team", "user", "job"), 0.5)
    assert hours == {"cluster": 2.0, "pool": 1.0, "node": 1.0, **halves}
    strips = ask(store, board, "What each GPU did", job=[NOTEBOOK])
    assert {row["gpu"] for row in strips} == {"n1 GPU 0", "n1 GPU 1"}


def test_a_strip_has_a_row_for_each_change(store: Store) -> None:
    fill_more(store)
    rows = ask(store, board, "What each GPU did", width_s=60, pool=["small"])
    minutes: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        minutes.setdefault(row["gpu"], []).append((row["time"].minute, row["state"]))
    assert minutes == {
        "n2 GPU 0": [(0, "free_demand")],
        "n2 GPU 1": [(0, "fault"), (1, "free_surplus"), (29, "fault")],
    }


def test_a_click_on_each_level_chooses_it() -> None:
    links = {c.name: c.link for panel in board.panels for c in panel.columns if c.link}
    for level in ("cluster", "pool", "team", "user"):
        assert links[level].startswith(f"/d/{UID}?")
        assert f"var-{level}=${{__data.fields.{level}:percentencode}}" in links[level]
    assert links["job"].startswith("/d/gpuledger-job?")
    assert links["node"].startswith("/d/gpuledger-node?")
