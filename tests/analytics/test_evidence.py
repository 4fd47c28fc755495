"""What detectors share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import evidence
from analytics.book import Span
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep, running, state
from tests.analytics.world import at, price, write

SPAN = Span(at(0), at(60))


@pytest.mark.parametrize(
    ("minutes", "words"), [(30, "30 min"), (119, "119 min"), (150, "2.5 h"), (4320, "3.0 days")]
)
def test_a_length_of_time_is_told_in_words(minutes: int, words: str) -> None:
    assert evidence.duration(timedelta(minutes=minutes)) == words


def test_many_places_are_told_by_the_first_few() -> None:
    assert evidence.places(["n1", "n2"]) == "n1, n2"
    assert evidence.places(["n1", "n2", "n3", "n4", "n5"]) == "n1, n2, n3 and 2 more"


@pytest.mark.parametrize(
    ("one", "other", "total"), [(1.0, 2.0, 3.0), (None, 2.0, 2.0), (1.0, None, 1.0)]
)
def test_what_is_missing_adds_nothing(one: float | None, other: float | None, total: float) -> None:
    assert evidence.added(one, other) == total
    assert evidence.added(None, None) is None


def test_a_quoted_text_is_one_text(store: Store) -> None:
    hostile = "a\\' OR 1=1 -- \\"
    assert store.value(f"SELECT {evidence.quoted(hostile)}") == hostile


def jobs(store: Store, span: Span = SPAN, **changed: float) -> list[str]:
    sql = evidence.jobs_sql(("alloc_idle",), **changed)  # type: ignore[arg-type]
    return sorted(r["job"] for r in store.select(sql, **evidence.parameters(span)))


def test_candidates_are_jobs_with_enough_of_the_states_in_the_span(store: Store) -> None:
    told = [
        *state("alloc_idle", range(20), range(1)),
        *state("productive", range(20, 60), range(1)),
        *state("productive", range(60), range(1, 2), native="2"),
    ]
    rows = [*inventory(2), *running("1", slots=1), *running("2", slots=2)]
    keep(store, rows, told, 60)
    assert jobs(store) == ["c/1"]
    assert jobs(store, least_seconds=1200) == ["c/1"]
    assert jobs(store, least_seconds=1201) == []
    assert jobs(store, share=0.3) == ["c/1"]
    assert jobs(store, share=0.4) == []
    assert jobs(store, Span(at(0), at(60), ("c/2",))) == []
    assert jobs(store, Span(at(60), at(120))) == []


def test_a_job_is_worth_what_its_gpus_cost_an_hour(store: Store) -> None:
    keep(store, [*inventory(1), *running(slots=1)], state("productive", range(60), range(1)), 60)
    (without,) = evidence.worth(store, ["c/1"], SPAN).values()
    assert evidence.priced(without, 3600)["capacity_value"] is None
    write(store, [price()])
    worth = evidence.worth(store, ["c/1"], SPAN)
    assert evidence.priced(worth["c/1"], 3600)["capacity_value"] == pytest.approx(3.0)


def islands(
    store: Store, rows: list[tuple[str, int, bool]], gap: int, after: int
) -> set[tuple[str, int, int, int, int, int]]:
    """What SQL makes of minutes (job, minute, hit): times in minutes, then the three counts."""
    told = [(job, minute, int(hit)) for job, minute, hit in rows]
    minutes = (
        "SELECT told.1 AS job, toDateTime64(told.2 * 60, 3, 'UTC') AS at, told.3 AS hit,"
        f" NOT hit AS unknown FROM (SELECT arrayJoin({told}) AS told)"
    )
    found = store.select(evidence.islands_sql(minutes), gap=gap, after=after)
    return {
        (
            *(r["job"], int(r["since"].timestamp()) // 60, int(r["until"].timestamp()) // 60),
            *(r["hits"], r["unknown_after"], r["unknown_within"]),
        )
        for r in found
    }


def expected(
    job: str, told: dict[int, bool], gap: int, after: int
) -> set[tuple[str, int, int, int, int, int]]:
    """The same, minute by minute."""
    groups: list[list[int]] = []
    for minute in sorted(m for m, hit in told.items() if hit):
        last = groups[-1][-1] if groups else None
        others = [m for m in range(last + 1, minute) if m not in told] if last is not None else []
        if last is None or len(others) > gap:
            groups.append([])
        groups[-1].append(minute)
    unknown = [m for m, hit in told.items() if not hit]
    out = set()
    for group in groups:
        since, until = group[0], group[-1] + 1
        within = sum(since < m < until for m in unknown)
        left = sum(m >= until for m in unknown)
        if until - since >= after and len(group) >= evidence.DENSE * (until - since - within):
            out.add((job, since, until, len(group), left, within))
    return out


@given(
    st.lists(
        st.dictionaries(st.integers(100, 140), st.booleans(), min_size=1), min_size=1, max_size=3
    ),
    st.integers(0, 3),
    st.integers(1, 5),
)
def test_islands_are_those_of_a_walk_through_the_minutes(
    engine: Store, told: list[dict[int, bool]], gap: int, after: int
) -> None:
    rows = [(f"j{i}", m, hit) for i, minutes in enumerate(told) for m, hit in minutes.items()]
    walked = [expected(f"j{i}", minutes, gap, after) for i, minutes in enumerate(told)]
    assert islands(engine, rows, gap, after) == set().union(*walked)


def test_a_job_that_nobody_saw_has_no_island(engine: Store) -> None:
    assert islands(engine, [("j", 100, False), ("j", 101, False)], 2, 1) == set()
