"""The store's own past as a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.replay import Scenario, compare, history
from gpuledger.store import Store
from tests.analytics.advice.test_demand import hour
from tests.analytics.replay.world import node
from tests.analytics.world import START, at, job, write

UNTIL = START + timedelta(hours=3)


@pytest.fixture
def site(store: Store) -> Store:
    """A job from before, one that waited, one still running, one that waits, one of long ago."""
    write(
        store,
        [
            job("old", gpus=2, eligible=at(-60), started=at(-30), ended=at(30)),
            job("next", gpus=2, eligible=at(10), started=at(30), ended=at(60), priority=3),
            job("runs", gpus=1, nodes=2, eligible=at(60), started=at(90), ended=at(999)),
            job("waits", state="pending", eligible=at(100)),
            job("gone", eligible=at(-90), started=at(-90), ended=at(-80)),
        ],
    )
    return store


def test_jobs_of_the_span_are_tasks(site: Store) -> None:
    told = history(site, [node("c/n0", 2)], START, UNTIL)
    found = {t.name: (t.arrives_s - told.since_s, t.runs_s, t.shape.nodes) for t in told.tasks}
    assert found == {
        "c/old": (0, 1800, 1),
        "c/next": (600, 1800, 1),
        "c/runs": (3600, 5400, 2),
    }
    assert told.notes == ("1 jobs never started: how long they would run is not known",)
    assert told.until_s - told.since_s == 3 * 3600


def test_a_past_is_compared_with_more_nodes(site: Store) -> None:
    few = history(site, [node("c/n0", 2)], START, UNTIL)
    more = history(site, [node("c/n0", 2), node("c/n1", 2)], START, UNTIL)
    found = compare(few, Scenario(), Scenario(), after_trace=more)
    assert found.saved_s["2"].mean == pytest.approx(600)
    assert {w.size: w.never for w in found.before.waits}["all"] == 1


def test_an_empty_store_has_no_past(store: Store) -> None:
    assert history(store, [node()], START, UNTIL).tasks == ()


def test_no_more_is_replayed_than_the_book_has(site: Store) -> None:
    write(site, [hour(at(0)), hour(at(60))])
    told = history(site, [node("c/n0", 2)], START - timedelta(days=11), UNTIL)
    assert (told.since_s, told.until_s) == (at(0).timestamp(), at(120).timestamp())
    assert told.notes[0].startswith("only 0.0833 days are replayed: the book has 2026-03-02 ")
