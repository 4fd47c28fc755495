"""Teams that wait for their quota, week after week, while another has it."""

from __future__ import annotations

from typing import Any

from analytics.book import Span
from analytics.detectors.quota_borrowing import QuotaBorrowingSettings, detector
from gpuledger.catalogue import Finding, Job
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.test_queue_starvation import quota
from tests.analytics.world import at, job, write

DAY_MIN = 1440
WEEK = Span(at(13 * DAY_MIN), at(14 * DAY_MIN))


def done(native: str, day: int, team: str, gpus: int, wait_h: int, run_h: int) -> Job:
    began = day * DAY_MIN
    made = job(native, state="completed", team=team, gpus=gpus, pool="big", eligible=at(began))
    made.submitted, made.started = at(began), at(began + 60 * wait_h)
    made.ended = at(began + 60 * (wait_h + run_h))
    return made


def lent(days: int = 5, guaranteed: int = 8) -> list[Row]:
    """Each day vision waits 6 hours for 4 GPUs while nlp runs 16 on a quota of 8."""
    out: list[Row] = [quota("vision", guaranteed), quota("nlp", 8)]
    for day in range(14 - days, 14):
        out.append(done(f"v{day}", day, "vision", 4, 6, 1))
        out.append(done(f"n{day}", day, "nlp", 16, 0, 12))
    return out


def find(store: Store, span: Span = WEEK, **changed: Any) -> list[Finding]:
    return list(detector.find(store, QuotaBorrowingSettings(**changed), span))


def test_what_was_lent_while_its_owner_waited_is_told_of_two_weeks(store: Store) -> None:
    write(store, lent())
    (found,) = find(store)
    assert (found.subject, found.team, found.cause) == ("c/vision>nlp", "vision", "lent")
    assert (found.gpus, found.gpu_seconds, found.open) == (4, 0, 1)
    assert found.summary.endswith(
        "of the last 14 days vision waited for GPUs of its guarantee (8) while nlp ran above its"
        " own (8): 4 GPUs on average, 120 GPU-hours"
    )


def test_a_few_days_are_lending_as_it_is_meant(store: Store) -> None:
    write(store, lent(days=1))
    assert find(store) == []


def test_who_has_all_of_its_guarantee_is_owed_nothing(store: Store) -> None:
    rows = [*lent(), *(done(f"o{d}", d, "vision", 8, 0, 12) for d in range(14))]
    write(store, rows)
    assert find(store) == []


def test_queues_of_other_cohorts_do_not_lend_to_each_other(store: Store) -> None:
    rows = lent()
    for row, parent in zip(rows[:2], "ab", strict=True):
        row.parent = parent  # type: ignore[attr-defined] # the first two are quotas
    write(store, rows)
    assert find(store) == []


def test_one_quota_alone_has_nobody_to_lend_to(store: Store) -> None:
    write(store, lent()[1:])
    assert find(store) == []


def test_its_evidence_can_be_asked(store: Store) -> None:
    write(store, lent())
    (found,) = find(store)
    store.select(found.evidence)


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    write(store, lent())
    assert find(store, Span(WEEK.until, WEEK.until)) == []
    assert find(store, Span(WEEK.since, WEEK.until, ("c/x",))) == []


def test_the_same_work_gives_the_same_findings(store: Store) -> None:
    write(store, lent())
    assert find(store) == find(store)
