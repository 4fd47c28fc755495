"""Counters of a card that go on over other ways, resets and silence of parts, and restarts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.counters import Series
from collector.nvml import Answer, Asker
from collector.nvml_counts import COUNTERS, INTEGRATED, Counts
from collector.nvml_fields import Batch, Links, Reading
from gpuledger.catalogue.gpu import GpuHealth, GpuSample
from gpuledger.schema import Kind

LINKS = 18
COLUMN = "nvlink_replays"


def counts(memory: dict[str, str], boot: str = "first") -> Counts:
    return Counts(memory, "counts/GPU-1", boot)


class Node:
    """A column of one card as the agent books it, through readers that come and go."""

    def __init__(self) -> None:
        self.memory: dict[str, str] = {}
        self.series = Series()
        self.counts = counts(self.memory)

    def restart(self) -> None:
        self.counts = counts(self.memory)

    def one(self, way: str, raw: float, *, health: bool = False) -> float:
        return self._booked(self.counts.one("x", way, raw), health=health)

    def sum(self, *raw: float | None, health: bool = False) -> float:
        return self._booked(self.counts.sum("x", "way", raw), health=health)

    def integrate(self, more: float) -> float:
        return self._booked(self.counts.integrate("x", more), health=False)

    def _booked(self, told: float, *, health: bool) -> float:
        self.counts.save(due=health)
        return self.series.correct("x", told)


def test_every_counter_of_a_card_is_looked_after() -> None:
    declared = (*GpuSample.table.columns, *GpuHealth.table.columns)
    assert {c.name for c in declared if c.kind is Kind.COUNTER} == COUNTERS


def test_a_counter_alone_is_told_as_it_is() -> None:
    one = Counts()
    assert [one.one("x", "83.0", raw) for raw in (7, 9, 2)] == [7, 9, 2]


def test_another_way_goes_on_from_what_was_told() -> None:
    one = Counts()
    assert [one.one("x", "a", 100.0), one.one("x", "b", 9e9), one.one("x", "b", 9e9 + 5)] == [
        100.0,
        100.0,
        105.0,
    ]


def test_another_way_after_a_restart_is_no_increase() -> None:
    node = Node()
    assert node.integrate(0.0) == 0.0
    assert node.integrate(1350.0) == 1350.0
    node.restart()
    assert node.one("138", 4_500_075.0) == 1350.0
    assert node.one("138", 4_500_085.0) == 1360.0
    node.restart()
    assert node.one("138", 4_500_095.0) == 1370.0


def test_a_reset_behind_a_base_counts_once() -> None:
    node = Node()
    node.one("a", 100.0)
    node.one("b", 1000.0)
    assert node.one("b", 1010.0) == 110.0
    assert node.one("b", 3.0) == 113.0
    node.restart()
    assert node.one("b", 4.0) == 114.0


def test_a_reset_behind_a_base_while_no_reader_ran_never_counts_history() -> None:
    node = Node()
    node.one("a", 100.0)
    node.one("b", 1000.0, health=True)
    assert node.one("b", 1010.0) == 110.0
    node.restart()
    assert node.one("b", 500.0) == 110.0
    assert node.one("b", 501.0) == 111.0


def test_a_sum_of_rates_survives_a_restart() -> None:
    node = Node()
    node.integrate(5.0)
    node.integrate(5.0)
    node.restart()
    assert node.counts.integrate("x", 2.0) == 12.0


def test_the_reset_of_one_part_is_no_reset_of_the_sum() -> None:
    node = Node()
    assert node.sum(10, 10, 10) == 30
    assert node.sum(10, 0, 10) == 30
    assert node.sum(10, 4, 11) == 35


def test_a_silent_part_stays_counted_over_a_restart() -> None:
    node = Node()
    assert node.sum(10, 10) == 20
    assert node.sum(None, 11) == 21
    node.restart()
    assert node.sum(None, 12) == 22
    assert node.sum(3, 12) == 25


def test_a_part_that_is_reset_or_silent_while_no_reader_ran_never_counts_history() -> None:
    for later in ((0, 10), (None, 10)):
        node = Node()
        node.sum(1000, 1000, health=True)
        node.sum(1005, 1005)
        node.restart()
        assert node.sum(*later) == 2010
        assert node.sum(later[0], 12) == 2012


def test_another_boot_and_damage_begin_anew() -> None:
    node = Node()
    node.one("a", 100.0)
    node.one("b", 1000.0)
    assert counts(node.memory, "second").one("x", "b", 5.0) == 5.0
    node.memory["counts/GPU-1"] = "what?"
    assert counts(node.memory).one("x", "b", 5.0) == 5.0


def test_memory_stays_as_it_is_while_nothing_changes_in_kind() -> None:
    node = Node()
    node.one("83.0", 1.0)
    before = dict(node.memory)
    for raw in range(50):
        node.one("83.0", float(raw), health=raw % 10 == 0)
    assert node.memory == before
    assert len(before["counts/GPU-1"]) < 100


def test_links_that_refuse_after_a_restart_are_still_counted() -> None:
    answers: dict[int, Answer] = dict.fromkeys(range(LINKS), (0, 10.0))
    memory: dict[str, str] = {}
    readings = (Reading(COLUMN, (Links(161),)),)

    class Told(Asker):
        def fields(self, request: object) -> list[Answer]:  # noqa: ARG002 - as Asker has it
            return [answers[link] for link in range(LINKS)]

    def batch() -> tuple[Batch, Counts]:
        own = counts(memory)
        return Batch(Told(None, 1), readings, LINKS, own), own

    one, own = batch()
    assert one.read({}) == {COLUMN: 180}
    answers[3] = (3, None)
    assert one.read({}) == {COLUMN: 180}
    own.save(due=True)
    one, own = batch()
    assert one.read({}) == {COLUMN: 180}
    answers[4] = (0, 0.0)
    assert one.read({}) == {COLUMN: 180}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["go", "way", "reset", "restart", "health"]), st.integers(0, 1000)
        ),
        max_size=40,
    )
)
def test_a_series_never_falls_and_never_counts_more_than_there_was(
    acts: list[tuple[str, int]],
) -> None:
    node, way, raw, history = Node(), 0, 10**6, 10**6
    told = [node.one("0", raw)]
    for act, more in acts:
        if act == "way":
            way, raw = way + 1, 10**9 * (way + 1)
        elif act == "reset":
            raw = 0
        elif act == "restart":
            node.restart()
        raw += more
        history += more
        told.append(node.one(str(way), raw, health=act == "health"))
    assert told == sorted(told)
    assert told[-1] <= history


def test_what_is_integrated_has_a_name_no_field_has() -> None:
    assert not INTEGRATED[0].isdigit()
