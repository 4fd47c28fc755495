"""The panels about waiting and fairness, on a queue that can be checked by hand."""

from __future__ import annotations

import pytest

from dashboards.boards.queue import board
from gpuledger.catalogue import Job
from gpuledger.store import Store
from tests.dashboards.boards.asking import (
    PENDING,
    Expected,
    ask,
    defects,
    differences,
    fill_more,
)
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK, TRAIN

DAY = HOUR.replace(hour=0)
BOTH = {"wait_p50_seconds": 240, "wait_p90_seconds": 240, "wait_p99_seconds": 240}
EXPECTED: Expected = {
    "Wait of the jobs that started": [{**BOTH, "jobs_started": 2}],
    "Waiting now": [
        {"waiting_jobs": 1, "waiting_gpus": 16.0, "for_gpus": 16.0, "longest_seconds": 1200}
    ],
    "Why does my job wait?": [
        {
            "job": PENDING,
            "name": "big train",
            "user": "ana",
            "gpus": 16.0,
            "waits_for": "free GPUs",
            "reason": "Resources",
            "waited_seconds": 1200,
        }
    ],
    "Wait by size class": [{"size_class": "1 GPU", **BOTH}],
    "Is waiting getting better?": [{"time": DAY, "size": "1 GPU", "wait_p90_seconds": 240}],
    "GPUs that jobs waited for": [
        {"time": HOUR, "unmet_gpu_hours": 0.5, "refused_gpu_hours": 0.25}
    ],
    "Fair share: used against promised": [
        {"team": "speech", "used_ratio": 0.5, "promised_ratio": 0.125},
        {"team": "vision", "used_ratio": 0.5, "promised_ratio": 0.75},
        {"team": "bio", "used_ratio": 0.0, "promised_ratio": 0.125},
    ],
    "Wait by team": [
        {
            "team": "speech",
            "wait_p90_seconds": 240,
            "jobs_started": 1,
            "waited_gpu_hours": 240 / 3600,
        },
        {
            "team": "vision",
            "wait_p90_seconds": 60,
            "jobs_started": 1,
            "waited_gpu_hours": 60 / 3600,
        },
    ],
    "Longest waits of jobs that started": [
        {"job": NOTEBOOK, "user": "ben", "gpus": 1, "wait_seconds": 240},
        {"job": TRAIN, "user": "ana", "gpus": 1, "wait_seconds": 60},
    ],
    "Quota: promised, used, lent and borrowed now": [
        {"team": "vision", "guaranteed": 3.0, "used": 1.0, "waiting": 16.0, "lent": 2.0},
        {"team": "speech", "guaranteed": 0.5, "used": 1.0, "lent": 0.0, "borrowed": 0.5},
        {"team": "bio", "guaranteed": 0.5, "used": 0.0, "lent": 0.5, "borrowed": 0.0},
    ],
    "Starved and borrowing: who waits for what another has": [
        {"team": "vision", "still": "now", "gpus": 3, "fix": "Mend queue_starvation."}
    ],
    "What to do: quotas, lending, buying": [{"title": "Do quota", "gain_gpu_hours": 6.0}],
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


def test_a_pool_of_hardware_chooses_the_jobs_that_had_it(store: Store) -> None:
    fill_more(store)
    waits = "Wait of the jobs that started"
    [row] = ask(store, board, waits, pool=["big"])
    assert row["jobs_started"] == 2
    assert ask(store, board, waits, pool=["small"]) == []
    # The pending job's partition has run on the pool `big` alone.
    assert ask(store, board, "Why does my job wait?", pool=["small"]) == []
    assert len(ask(store, board, "Why does my job wait?", pool=["big"])) == 1


def test_a_share_is_one_of_all_teams_also_where_one_is_chosen(store: Store) -> None:
    fill_more(store)
    [row] = ask(store, board, "Fair share: used against promised", team=["vision"])
    assert (row["used_ratio"], row["promised_ratio"]) == (0.5, 0.75)
    assert ask(store, board, "Fair share: used against promised", cluster=["beta"]) == []


@pytest.mark.parametrize("choice", ["cluster", "pool", "team", "user", "job"])
def test_recommendations_are_of_what_is_chosen(store: Store, choice: str) -> None:
    fill_more(store)
    title = "What to do: quotas, lending, buying"
    its = {"cluster": CLUSTER, "pool": "big", "team": "speech", "user": "ben", "job": NOTEBOOK}
    [row] = ask(store, board, title, **{choice: [its[choice]]})
    assert row["title"] == "Do quota"
    assert ask(store, board, title, **{choice: ["other"]}) == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Priority", "free GPUs"),
        ("QOSGrpGRES", "quota of the team"),
        ("Quota", "quota of the team"),
        ("QOSMaxGRESPerUser", "limit of the user"),
        ("Dependency", "another job"),
        ("JobHeldUser", "release of a hold"),
        ("Licenses", "something else"),
    ],
)
def test_each_reason_is_told_in_words(store: Store, reason: str, words: str) -> None:
    waits = Job(
        job_id="alpha/5",
        cluster=CLUSTER,
        user="ana",
        team="vision",
        state="pending",
        reason=reason,
        gpus_per_node=1,
        memory_bytes=None,
        submitted=HOUR,
        seen_at=HOUR,
        version=1,
    )
    store.insert_rows([waits])
    [row] = ask(store, board, "Why does my job wait?")
    assert row["waits_for"] == words
