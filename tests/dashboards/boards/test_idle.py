"""The panels about idle and underused GPUs, on a book that can be checked by hand."""

from __future__ import annotations

from datetime import timedelta

from dashboards.boards.idle import board
from gpuledger.catalogue import Job
from gpuledger.store import Store
from tests.dashboards.boards.asking import Expected, ask, defects, differences, fill_more, found
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK

DAY = HOUR.replace(hour=0)
OF_BEN = {"user": "ben", "team": "speech", "currency": "EUR"}
OF_JOB = {"user": "ben", "job": NOTEBOOK, "name": "notebook", "grade": "B"}
EXPECTED: Expected = {
    "Held, but idle or underused": [
        {
            "idle_gpu_hours": 0.5,
            "underused_gpu_hours": 0.0,
            "loose_gpu_hours": 0.5,
            "loose_value": 2.0,
            "cash_avoidable": 0.1,
            "currency": "EUR",
            "grade": "B",
        }
    ],
    "In the last booked minute": [
        {"alloc_idle": 1.0, "stalled": 0.0, "underused": 0.0, "idle_jobs": 1}
    ],
    "GPUs held and not used over time": [
        {"time": HOUR, "alloc_idle": 1.0, "stalled": 0.0, "underused": 0.0}
    ],
    "Is it getting better? Idle share by team": [
        {"time": DAY, "team": "speech", "idle_ratio": 1.0},
        {"time": DAY, "team": "vision", "idle_ratio": 0.0},
    ],
    "Who holds them now": [
        {
            **OF_JOB,
            "kind": "idle",
            "why": "memory held",
            "gpus": 1,
            "lasts_seconds": 1800,
            "hours": 0.5,
            "worth": 2.0,
            "fix": "Mend idle.",
        }
    ],
    "Owners over the whole range": [
        {
            **OF_BEN,
            "loose_gpu_hours": 0.5,
            "cash_avoidable": 0.1,
            "why": "memory held",
            "grade": "B",
            "fix": "Mend idle.",
        }
    ],
    "Chronic: the same again and again": [
        {**OF_BEN, "days": 2, "episodes": 2, "found_gpu_hours": 1.5, "found_value": 6.0}
    ],
    "Why: GPU-hours by cause": [
        {"why": "idle: memory held", "found_gpu_hours": 1.5},
        {"why": "underused: small batch", "found_gpu_hours": 0.25},
    ],
    "Notebooks and sessions that hold GPUs": [
        {**OF_JOB, "still": "now", "hours": 1 / 3, "fix": "Mend notebook."}
    ],
    "Jobs that use only some of their GPUs": [
        {**OF_JOB, "still": "now", "hours": 1 / 6, "fix": "Mend partial_idle."}
    ],
    "Underused: busy, but with little": [{**OF_JOB, "hours": 0.25, "fix": "Mend underused."}],
    "What to do: reclaim and right-size": [
        {"title": "Do reclaim", "gain_gpu_hours": 6.0, "gain_capacity_value": 24.0}
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


def test_a_team_that_holds_nothing_has_no_rows(store: Store) -> None:
    fill_more(store)
    for title in EXPECTED:
        rows = ask(store, board, title, team=["vision"])
        # Whose GPUs all work has zeros over time, and no one to write to.
        assert not rows or {row.get("team", "vision") for row in rows} == {"vision"}, title
    assert ask(store, board, "Who holds them now", user=["ana"]) == []
    assert ask(store, board, "Underused: busy, but with little", job=["alpha/1"]) == []


def test_a_finding_outside_the_range_is_not_shown(store: Store) -> None:
    fill_more(store)
    long_ago = HOUR - timedelta(days=30)
    ended = long_ago + timedelta(hours=1)
    old = found("underused", 99, subject="alpha/old", since=long_ago, until=ended, open=0)
    store.insert_rows([old])
    rows = ask(store, board, "Underused: busy, but with little")
    assert {row["job"] for row in rows} == {NOTEBOOK}


def test_hostile_names_come_as_they_are(store: Store) -> None:
    fill_more(store)
    name = "<script>alert('x')</script> " + "\U0001f431" * 80
    hostile = Job(
        job_id="alpha/9",
        cluster=CLUSTER,
        name=name,
        user="eve",
        state="running",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=HOUR,
        started=HOUR,
        seen_at=HOUR,
        version=1,
    )
    store.insert_rows([hostile])
    store.insert_rows([found("idle", 98, subject="alpha/9", user="it's \\ <b>")])
    [row] = ask(store, board, "Who holds them now", user=["it's \\ <b>"])
    assert row["name"] == name


def test_the_main_cause_of_an_owner_is_of_what_is_chosen(store: Store) -> None:
    fill_more(store)
    title = "Owners over the whole range"
    [row] = ask(store, board, title)
    elsewhere = found("idle", 90, cause="crash_loop", subject="beta/1", gpu_seconds=90_000.0)
    store.insert_rows([elsewhere])
    [other] = ask(store, board, title)
    assert other["why"] == "crash loop"
    [same] = ask(store, board, title, cluster=[CLUSTER])
    assert same["why"] == row["why"] != "crash loop"
