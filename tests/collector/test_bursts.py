"""Bursts: one event of a thousand, and of two tellers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collector.bursts import Bursts
from collector.window import Profile, Windows
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.gpu import GpuEvent

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOW_MS = to_milliseconds(START)


def event(at_s: float = 0.0, told_by: str = "nvml", **values: Any) -> GpuEvent:
    known = {"slot": 0, "kind": "xid", "code": 79, "cluster": "c", "node": "n1", **values}
    return GpuEvent(ts=START + timedelta(seconds=at_s), told_by=told_by, **known)


def folded(*rows: GpuEvent) -> list[dict[str, Any]]:
    bursts = Bursts()
    for row in rows:
        bursts.add(row)
    return [values for _, values in bursts.take()]


def test_a_thousand_xids_are_one_row_with_a_count() -> None:
    (row,) = folded(*(event(n / 100, code=13, detail="pid=7") for n in range(1000)))
    assert (row["count"], row["ts"], row["detail"]) == (1000, START, "pid=7")


def test_a_row_that_counts_already_is_added_with_its_count() -> None:
    (row,) = folded(event(0, count=400), event(1, count=600))
    assert row["count"] == 1000


def test_cards_codes_and_kinds_stay_apart() -> None:
    rows = folded(event(), event(slot=1), event(code=48), event(kind="ecc"), event(node="n2"))
    assert len(rows) == 5


def test_one_event_from_both_tellers_is_one_with_both_words() -> None:
    (row,) = folded(
        event(1.8, cause="hardware", detail="GPU has fallen off the bus"),
        event(0, "kmsg", recovery="reboot node", detail="pid=7"),
    )
    assert (row["count"], row["ts"], row["told_by"]) == (1, START, "nvml")
    assert (row["cause"], row["recovery"]) == ("hardware", "reboot node")
    assert row["detail"] == "GPU has fallen off the bus; pid=7"


def test_a_burst_from_both_tellers_counts_once() -> None:
    kernel = [event(n / 1000, "kmsg") for n in range(1000)]
    (row,) = folded(*kernel, event(1.5, count=1000))
    assert row["count"] == 1000


def test_what_only_one_teller_saw_is_counted_too() -> None:
    (row,) = folded(event(0, count=3), event(0.5, "kmsg", count=5), event(9, "kmsg"))
    assert row["count"] == 6


def test_events_further_apart_than_two_seconds_are_two() -> None:
    (row,) = folded(event(0), event(2.5, "kmsg"))
    assert row["count"] == 2


def test_a_late_word_of_the_other_teller_is_dropped_once() -> None:
    bursts = Bursts()
    bursts.add(event(0))
    assert len(list(bursts.take(NOW_MS + 500))) == 1
    bursts.add(event(1.5, "kmsg"))
    assert list(bursts.take(NOW_MS + 10_500)) == []
    bursts.add(event(1.7, "kmsg"))
    assert [values["count"] for _, values in bursts.take(NOW_MS + 20_500)] == [1]


def test_of_a_late_burst_only_the_surplus_is_told() -> None:
    bursts = Bursts()
    bursts.add(event(0, count=10))
    list(bursts.take(NOW_MS))
    bursts.add(event(1, "kmsg", count=14))
    assert [values["count"] for _, values in bursts.take(NOW_MS)] == [4]


def test_a_gpu_that_is_lost_twice_is_told_twice() -> None:
    rows = folded(
        event(0, kind="lost", code=15),
        event(3, kind="recovered", code=0),
        event(5, kind="lost", code=15),
        event(5.5, "kmsg", kind="lost", code=15),
    )
    assert [row["kind"] for row in rows] == ["lost", "recovered", "lost"]
    assert [row["count"] for row in rows] == [1, 1, 1]


def test_details_fit_their_room() -> None:
    (row,) = folded(*(event(0, detail=f"pid={n} " + "x" * 100) for n in range(9)))
    assert len(row["detail"]) <= 300
    assert row["detail"].startswith("pid=0 ")


def test_who_told_is_forgotten_after_a_minute() -> None:
    bursts = Bursts()
    bursts.add(event(0))
    list(bursts.take(NOW_MS))
    assert bursts._told
    list(bursts.take(NOW_MS + 61_000))
    assert not bursts._told


def test_windows_fold_events_and_hand_them_over_at_every_flush() -> None:
    for profile in Profile:
        windows = Windows(profile)
        windows.add([event(n / 100, code=31) for n in range(100)])
        (row,) = windows.take(NOW_MS + 1_000)
        assert (row.table.name, row.values["count"]) == ("gpu_events", 100)
        assert windows.take() == []


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["nvml", "kmsg"]), st.integers(1, 5)),
        max_size=40,
    ),
    st.sets(st.integers(0, 40)),
)
def test_no_teller_is_ever_told_less_than_it_said(
    said: list[tuple[int, str, int]], flushes: set[int]
) -> None:
    bursts, total = Bursts(), 0
    for number, (at_s, teller, count) in enumerate(said):
        bursts.add(event(at_s, teller, count=count))
        if number in flushes:
            total += sum(values["count"] for _, values in bursts.take())
    total += sum(values["count"] for _, values in bursts.take())
    each = [sum(c for _, t, c in said if t == teller) for teller in ("nvml", "kmsg")]
    assert max(each) <= total <= sum(each)


def test_nvml_that_was_late_means_what_the_kernel_told_long_before() -> None:
    (row,) = folded(event(0, "kmsg", detail="pid=7"), event(12.5))
    assert (row["count"], row["ts"]) == (1, START)


def test_late_word_of_nvml_means_the_nearest_of_the_kernels() -> None:
    bursts = Bursts()
    for row in (event(0, "kmsg"), event(20, "kmsg"), event(21), event(22.5)):
        bursts.add(row)
    assert [values["count"] for _, values in bursts.take()] == [2]
    assert not any(bursts._told.values())
