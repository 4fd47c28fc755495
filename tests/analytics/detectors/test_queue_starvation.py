"""Teams that wait too long, or while another runs above its quota."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.queue_starvation import QueueStarvationSettings, detector
from gpuledger.catalogue import Finding, Job, Quota
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, at, job, write

DAY = Span(at(0), at(24 * 60))


def waited(number: int, at_minute: float, minutes: float, **told: Any) -> Job:
    """A job of one GPU that waited so long from then on."""
    began = at(at_minute)
    made = job(f"{number}", state="completed", eligible=began, **told)
    made.submitted = began
    made.started = began + timedelta(minutes=minutes)
    made.ended = made.started + timedelta(hours=1)
    return made


def usual(minutes: float = 10, team: str = "vision") -> list[Job]:
    """Four weeks of jobs, one a day, that waited so long."""
    return [waited(n, -1440 * (n + 1), minutes, team=team) for n in range(28)]


def today(minutes: float, count: int = 6) -> list[Job]:
    return [waited(100 + n, 60 * n, minutes) for n in range(count)]


def find(store: Store, span: Span = DAY, **changed: Any) -> list[Finding]:
    return list(detector.find(store, QueueStarvationSettings(**changed), span))


def test_a_team_that_waits_far_longer_than_usual_is_found(store: Store) -> None:
    write(store, [*usual(), *today(90)])
    (found,) = find(store)
    assert (found.subject, found.team, found.cause) == ("c/vision/1 GPU", "vision", "slow")
    assert (found.owner, found.gpu_seconds, found.open) == ("scheduler admin", 0, 0)
    assert found.summary.startswith(
        "vision (1 GPU) waits 90 min (p90 of 6 jobs), usually 10 min: 0 still wait"
    )


@pytest.mark.parametrize(("minutes", "count"), [(19, 0), (21, 1)])
def test_twice_the_norm_is_the_limit(store: Store, minutes: int, count: int) -> None:
    write(store, [*usual(), *today(minutes)])
    assert len(find(store)) == count


def test_short_waits_are_never_too_long(store: Store) -> None:
    write(store, [*usual(1), *today(10)])
    assert find(store) == []


def test_few_jobs_make_no_norm(store: Store) -> None:
    write(store, [*usual()[:10], *today(90)])
    assert find(store) == []


def test_jobs_that_still_wait_count_with_their_wait_so_far(store: Store) -> None:
    waiting = [
        job(f"{200 + n}", state="pending", reason="Resources", eligible=at(20 * 60 + n))
        for n in range(6)
    ]
    write(store, [*usual(), *waiting])
    (found,) = find(store)
    assert (found.open, found.gpus, found.since) == (1, 6, at(20 * 60))


def test_jobs_that_wait_for_something_else_do_not_starve(store: Store) -> None:
    held = [
        job(f"{200 + n}", state="pending", reason="Dependency", eligible=at(60)) for n in range(6)
    ]
    write(store, [*usual(), *held])
    assert find(store) == []


def quota(team: str, gpus: int, **told: Any) -> Quota:
    return Quota(
        cluster=CLUSTER,
        scheduler="slurm",
        team=team,
        guaranteed_milli=1000 * gpus,
        seen_at=at(0),
        version=1,
        **told,
    )


def pair(guaranteed: int = 8, pool: str = "big") -> list[Any]:
    """Team vision waits for 4 GPUs it is guaranteed; nlp runs 16 on a quota of 8."""
    waiting = job("1", state="pending", reason="Priority", gpus=4, pool="big", eligible=at(60))
    return [
        quota("vision", guaranteed),
        quota("nlp", 8),
        waiting,
        job("2", gpus=16, team="nlp", user="bo", pool=pool, started=at(0)),
    ]


def test_a_team_that_waits_for_its_guarantee_is_found_with_who_has_it(store: Store) -> None:
    write(store, pair())
    (found,) = find(store)
    assert (found.subject, found.cause, found.gpus, found.since) == ("c/vision", "lent", 4, at(60))
    assert found.summary.endswith(
        "holds 0 of its 8 guaranteed GPUs and waits for 4 since 23.0 h, while nlp runs 16 on a"
        " quota of 8"
    )
    assert found.action.startswith("Let vision have 4 of the GPUs that nlp runs above its quota")


def test_a_team_above_its_guarantee_does_not_starve(store: Store) -> None:
    write(store, [*pair(8), job("3", gpus=8, pool="big", started=at(0))])
    assert find(store) == []


def test_a_borrower_of_another_pool_has_nothing_of_theirs(store: Store) -> None:
    write(store, pair(pool="small"))
    assert find(store) == []


def test_queues_of_one_cohort_share_what_they_have(store: Store) -> None:
    rows = pair(pool="small")
    for row in rows[:2]:
        row.parent = "cohort"
    write(store, rows)
    assert [f.cause for f in find(store)] == ["lent"]


def test_a_wait_of_minutes_is_none(store: Store) -> None:
    write(store, pair())
    assert find(store, Span(at(0), at(70))) == []


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    write(store, pair())
    assert find(store, Span(at(600), at(600))) == []


def test_the_same_queue_gives_the_same_findings(store: Store) -> None:
    write(store, [*usual(), *today(90), *pair()])
    assert find(store) == find(store)


def test_a_wait_that_goes_on_keeps_its_id(store: Store) -> None:
    write(store, pair())
    (early,) = find(store, Span(at(0), at(120)))
    (late,) = find(store)
    assert early.finding_id == late.finding_id


def test_the_evidence_is_a_query_for_the_jobs_behind_it(store: Store) -> None:
    write(store, [*usual(), *today(90), *pair()])
    assert all(store.select(f.evidence) for f in find(store))
