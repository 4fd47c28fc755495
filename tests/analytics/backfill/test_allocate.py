"""GPUs that runs had: told, exact, or assumed; none is given twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.allocate import Allocator, Fit, Given, Told, spread
from analytics.backfill.sacct import Run
from gpuledger.schema import FOREVER

START = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = START + timedelta(days=1)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def run(native: str, gpus: int, begin: int, end: int | None, *hosts: str) -> Run:
    return Run(
        native=native,
        name="train",
        user="ana",
        team="vision",
        pool="gpu",
        qos="",
        state="completed",
        reason="",
        submitted=at(begin),
        eligible=at(begin),
        started=at(begin),
        ended=FOREVER if end is None else at(end),
        ends_by=FOREVER,
        nodes=len(hosts) or 1,
        hosts=hosts or ("n1",),
        gpus=gpus,
        model="",
        cpu_milli=0,
        memory_bytes=None,
        priority=0,
        gang="",
        again=False,
    )


def unknown(_node: str, _slot: int, _start: datetime, _end: datetime) -> float:
    return 0.0


def allocator(told: Told | None = None, fit: Fit = unknown, size: int = 4) -> Allocator:
    places = {name: list(range(size)) for name in ("n1", "n2")}
    return Allocator(places, told or {}, fit, UNTIL)


def slots(found: Sequence[Given]) -> list[tuple[str, str, tuple[int, ...], bool]]:
    return [(g.run.native, g.node, g.slots, g.told) for g in found]


def test_a_run_with_all_of_a_node_is_exact() -> None:
    found = list(allocator().given([run("1", 8, 0, 10, "n1", "n2")]))
    assert slots(found) == [("1", "n1", (0, 1, 2, 3), True), ("1", "n2", (0, 1, 2, 3), True)]


def test_without_any_sign_the_lowest_free_gpus_are_assumed() -> None:
    found = list(allocator().given([run("1", 1, 0, 10), run("2", 2, 5, 20), run("3", 1, 10, 20)]))
    assert slots(found) == [
        ("1", "n1", (0,), False),
        ("2", "n1", (1, 2), False),
        ("3", "n1", (0,), False),
    ]


def test_an_exporter_that_names_the_job_is_believed() -> None:
    told = {("2", "n1"): frozenset({3})}
    assert slots(list(allocator(told).given([run("2", 1, 0, 10)]))) == [("2", "n1", (3,), True)]


def test_a_gpu_whose_use_began_with_the_run_is_taken_first() -> None:
    def fit(_node: str, slot: int, _start: datetime, _end: datetime) -> float:
        return 1.0 if slot == 2 else 0.0

    assert slots(list(allocator(fit=fit).given([run("1", 1, 0, 10)]))) == [("1", "n1", (2,), False)]


def test_what_runs_on_holds_its_gpus_until_the_end_of_what_is_known() -> None:
    (found,) = allocator().given([run("1", 1, 0, None)])
    assert found.ended == UNTIL


def test_a_node_goes_by_its_name_with_and_without_a_domain() -> None:
    made = Allocator({"n1.example.org": [0, 1]}, {}, unknown, UNTIL)
    (found,) = made.given([run("1", 2, 0, 10, "n1")])
    assert (found.node, found.slots) == ("n1.example.org", (0, 1))


def test_nodes_that_nobody_told_of_are_named() -> None:
    made = allocator()
    assert list(made.given([run("1", 2, 0, 10, "n9")])) == []
    assert made.lacks.unknown_nodes == {"n9": 2}


def test_gpus_beyond_what_a_node_has_free_are_counted() -> None:
    made = allocator()
    found = list(made.given([run("1", 3, 0, 10), run("2", 3, 5, 10)]))
    assert [len(g.slots) for g in found] == [3, 1]
    assert made.lacks.too_many == 2


def test_gpus_are_spread_evenly_over_nodes() -> None:
    assert spread(6, [4, 4]) == [3, 3]
    assert spread(7, [4, 4]) == [4, 3]
    assert spread(6, [2, 4, 4]) == [2, 2, 2]
    assert spread(9, [4, 4]) == [4, 4]


runs = st.lists(
    st.tuples(st.integers(1, 8), st.integers(0, 100), st.integers(1, 60), st.booleans()),
    max_size=30,
)


@given(runs, st.integers(1, 8))
def test_no_gpu_is_given_twice_and_none_that_a_node_lacks(
    told: list[tuple[int, int, int, bool]], size: int
) -> None:
    made = [
        run(str(n), gpus, begin, begin + length, *(("n1", "n2") if both else ("n1",)))
        for n, (gpus, begin, length, both) in enumerate(told)
    ]
    found = list(allocator(size=size).given(made))
    held: dict[tuple[str, int], list[Given]] = {}
    for one in found:
        for slot in one.slots:
            assert slot < size
            before = held.setdefault((one.node, slot), [])
            assert all(b.ended <= one.run.started for b in before)
            before.append(one)
