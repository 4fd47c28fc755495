"""Jobs that wait although GPUs enough are free, in crumbs."""

from __future__ import annotations

from typing import Any

from analytics.book import Span
from analytics.detectors.fragmentation import FragmentationSettings, detector
from gpuledger.catalogue import AccountHour, DemandMinute, Finding
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.repacking.test_figures import crumbs
from tests.analytics.world import CLUSTER, MODEL, at, job, price, write

DAY = Span(at(0), at(300))


def hour(number: int, state: str, gpus: float, cause: str = "", **told: Any) -> AccountHour:
    values: dict[str, Any] = {
        "cluster": CLUSTER,
        "node": "n0",
        "pool": "big",
        "model": MODEL,
        "job": "",
        "job_name": "",
        "user": "",
        "team": "",
        "flags": "",
        "grade": "A",
        "energy_joules": None,
        "recoverable_seconds": 0,
        **told,
    }
    return AccountHour(
        hour=at(60 * number), state=state, cause=cause, gpu_seconds=3600 * gpus, **values
    )


def wanted(number: int, gpus: float, pool: str = "big", refused: float = 0) -> DemandMinute:
    return DemandMinute(
        cluster=CLUSTER,
        pool=pool,
        minute=at(60 * number),
        unmet_seconds=3600 * gpus,
        refused_seconds=3600 * refused,
        jobs=1,
    )


def stranded(hours: range, gpus: float = 6, waited: float = 4) -> list[Row]:
    out: list[Row] = [price()]
    for h in hours:
        out += [hour(h, "stranded", gpus, "gpu_count_on_node"), wanted(h, waited)]
    return out


def find(store: Store, span: Span = DAY, **changed: Any) -> list[Finding]:
    return list(detector.find(store, FragmentationSettings(**changed), span))


def test_crumbs_that_somebody_waits_for_are_found_up_to_what_is_waited_for(store: Store) -> None:
    write(store, stranded(range(1, 4)))
    (found,) = find(store)
    assert (found.subject, found.pool, found.cause) == ("c/big", "big", "gpu_count_on_node")
    assert (found.since, found.until, found.open) == (at(60), at(240), 0)
    assert (found.gpus, found.gpu_seconds, found.capacity_value) == (6, 3 * 4 * 3600, 36.0)
    assert found.summary == ("6 GPUs of big free in crumbs while jobs waited for 4 GPUs, for 3.0 h")


def test_the_blocked_job_and_the_largest_that_fits_are_told(store: Store) -> None:
    waits = job("7", state="pending", reason="Resources", gpus=8, eligible=at(120))
    write(store, [*crumbs(), waits, *stranded(range(1, 5))])
    (found,) = find(store)
    assert found.open == 1
    assert found.summary.startswith(
        "c/7 for 8 GPUs on one node waits since 3.0 h; largest job that could start now on big:"
        " 4 GPUs; with all crumbs together: 8; 6 GPUs of big free in crumbs"
    )


def test_a_job_larger_than_all_that_is_free_is_not_blocked_by_crumbs(store: Store) -> None:
    waits = job("7", state="pending", reason="Resources", gpus=8, nodes=2, eligible=at(120))
    write(store, [*crumbs(), waits, *stranded(range(1, 5))])
    (found,) = find(store)
    assert "c/7" not in found.summary


def test_crumbs_that_nobody_waits_for_are_none(store: Store) -> None:
    write(store, stranded(range(1, 4), waited=0.5))
    assert find(store) == []


def test_one_hour_is_no_episode(store: Store) -> None:
    write(store, stranded(range(1, 2)))
    assert find(store) == []
    assert len(find(store, after_h=1)) == 1


def test_only_what_is_asked_for_is_told(store: Store) -> None:
    write(store, stranded(range(1, 4)))
    assert find(store, Span(at(0), at(300), ("c/other",))) == []


def test_its_evidence_can_be_asked(store: Store) -> None:
    write(store, stranded(range(1, 4)))
    (found,) = find(store)
    assert len(store.select(found.evidence)) == 3


def test_an_empty_store_and_an_empty_span_have_no_findings(store: Store) -> None:
    assert find(store) == []
    write(store, stranded(range(1, 4)))
    assert find(store, Span(at(60), at(60))) == []


def test_the_same_book_gives_the_same_findings(store: Store) -> None:
    write(store, stranded(range(1, 4)))
    assert find(store) == find(store)
