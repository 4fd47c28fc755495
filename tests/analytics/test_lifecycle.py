"""What becomes of findings and recommendations from tick to tick."""

from __future__ import annotations

from datetime import datetime

from analytics.book import Span
from analytics.lifecycle import close_findings, keep_ids, older
from gpuledger.catalogue import Finding
from gpuledger.store import Store
from tests.analytics.world import at, write


def finding(
    id_: int, since: datetime, until: datetime, *, subject: str = "c/1", open_: int = 1
) -> Finding:
    return Finding(
        finding_id=id_,
        kind="idle",
        subject=subject,
        since=since,
        until=until,
        open=open_,
        gpus=1,
        gpu_seconds=(until - since).total_seconds(),
        capacity_value=None,
        cash_avoidable=None,
        grade="A",
        confidence_ratio=0.95,
        summary="",
        evidence="",
        version=1,
    )


def ids(findings: list[Finding]) -> list[int]:
    return [f.finding_id for f in findings]


def test_an_episode_that_overlaps_a_stored_one_keeps_its_id(store: Store) -> None:
    write(store, [finding(1, at(10), at(20))])
    assert ids(keep_ids(store, [finding(2, at(5), at(30))], at(0))) == [1]


def test_a_later_episode_of_the_same_job_is_another_finding(store: Store) -> None:
    write(store, [finding(1, at(10), at(20), open_=0)])
    assert ids(keep_ids(store, [finding(2, at(30), at(40))], at(0))) == [2]


def test_another_jobs_episode_is_another_finding(store: Store) -> None:
    write(store, [finding(1, at(10), at(20))])
    assert ids(keep_ids(store, [finding(2, at(10), at(20), subject="c/2")], at(0))) == [2]


def test_an_episode_that_fell_apart_leaves_its_id_to_one_part_alone(store: Store) -> None:
    write(store, [finding(1, at(10), at(60))])
    parts = [finding(2, at(30), at(60)), finding(3, at(10), at(20))]
    assert ids(keep_ids(store, parts, at(0))) == [1, 3]


def test_an_episode_that_the_span_cuts_short_leaves_the_stored_one_alone(store: Store) -> None:
    write(store, [finding(1, at(10), at(60), open_=0)])
    assert keep_ids(store, [finding(2, at(30), at(60), open_=0)], at(30)) == []


def states(store: Store) -> dict[int, int]:
    return {r["finding_id"]: r["open"] for r in store.select("SELECT * FROM v_findings")}


def test_only_findings_that_nobody_reports_any_more_are_closed(store: Store) -> None:
    write(store, [finding(1, at(0), at(9)), finding(2, at(0), at(9)), finding(3, at(0), at(9))])
    close_findings(store, {2}, 2)
    assert states(store) == {1: 0, 2: 1, 3: 0}
    close_findings(store, set(), 3)
    assert states(store) == {1: 0, 2: 0, 3: 0}


def test_only_episodes_that_reach_into_a_span_are_looked_at_from_before_it(store: Store) -> None:
    write(
        store,
        [
            finding(1, at(0), at(10), subject="c/1", open_=0),
            finding(2, at(5), at(20), subject="c/2"),
            finding(3, at(7), at(35), subject="c/3", open_=0),
            finding(4, at(40), at(50), subject="c/4"),
        ],
    )
    assert older(store, Span(at(30), at(60))) == Span(at(5), at(60), ("c/2", "c/3"))
    assert older(store, Span(at(0), at(60))) is None
