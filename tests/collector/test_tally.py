"""Sums of counters that begin again, go, and come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector import tally as tally_module
from collector.tally import Tally


def test_a_counter_that_begins_again_goes_on_from_where_it_was() -> None:
    tally = Tally({})
    assert tally.total("k", {"a": 100, "b": 10}) == 110
    assert tally.total("k", {"a": 3, "b": 10}) == 113


def test_a_counter_that_is_missing_once_adds_nothing_when_it_is_back() -> None:
    tally = Tally({})
    told = [{"a": 100, "b": 900}, {"a": 101}, {"a": 102, "b": 905}]
    assert [tally.total("k", values) for values in told] == [1000, 1001, 1007]


def test_sums_go_on_after_a_restart_whatever_happened_meanwhile() -> None:
    memory: dict[str, str] = {}
    Tally(memory).total("k", {"a": 100, "b": 900})
    assert Tally(memory).total("k", {"a": 101}) == 1001
    assert Tally(memory).total("k", {"a": 7, "b": 900}) == 1008


def test_after_another_boot_all_begin_anew() -> None:
    memory: dict[str, str] = {}
    Tally(memory, "one").total("k", {"a": 100})
    assert Tally(memory, "one").total("k", {"a": 100}) == 100
    assert Tally(memory, "two").total("k", {"a": 5}) == 5
    assert Tally(memory, "two").total("k", {"a": 1}) == 6


def test_sums_with_another_prefix_outlive_a_boot() -> None:
    memory: dict[str, str] = {}
    Tally(memory, prefix="there/").total("k", {"a": 100})
    Tally(memory, "one", "here/").total("k", {"a": 1})
    Tally(memory, "two", "here/").total("k", {"a": 1})
    assert Tally(memory, prefix="there/").total("k", {}) == 100


def test_a_sum_is_missing_until_each_counter_was_read_once() -> None:
    tally = Tally({})
    tally.add("k", "a", 5)
    assert tally.sum("k", ["a", "b"]) is None
    tally.add("k", "b", 1)
    assert tally.sum("k", ["a", "b"]) == 6


def test_many_that_left_are_kept_as_a_sum_only() -> None:
    memory: dict[str, str] = {}
    tally, most = Tally(memory), tally_module.MOST_ABSENT
    for number in range(most + 500):
        total = tally.total("k", {f"pod-{number}": 1})
    assert total == most + 500
    assert memory["sum/k"].count("pod-") == most + 1


def test_what_is_forgotten_leaves_no_memory() -> None:
    memory: dict[str, str] = {}
    tally = Tally(memory)
    tally.total("k", {"a": 5})
    tally.total("other", {"a": 5})
    tally.forget(lambda key: key == "other")
    assert list(memory) == ["sum/other"]


def test_counters_that_stand_still_are_not_written_again() -> None:
    memory: dict[str, str] = {}
    tally = Tally(memory)
    tally.total("k", {"a": 5})
    memory.clear()
    tally.total("k", {"a": 5})
    assert memory == {}


Readings = list[dict[str, int]]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 20)), max_size=30))
def test_a_sum_never_falls_and_never_exceeds_what_was_counted(readings: Readings) -> None:
    memory: dict[str, str] = {}
    before, counted, last = 0.0, 0, dict[str, int]()
    for values in readings:
        for name, value in values.items():
            counted += value - last[name] if value >= last.get(name, value + 1) else value
        last |= values
        now = Tally(memory).total("k", values)
        assert before <= now == counted
        before = now
