"""The batched call: what is asked, what is dropped, and what is made of the answers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.missing import Reason
from collector.nvml import Asker, DriverGone, Lost, reason_of
from collector.nvml_fields import HEALTH, SAMPLE, Batch, Call, Fields, Links, Reading
from gpuledger.catalogue.gpu import GpuHealth, GpuSample

Told = Callable[[tuple[int, int]], tuple[int, int]]


class Binding:
    """Stands for pynvml: `tell((id, scope))` gives return code and value of a field."""

    NVMLError = pynvml.NVMLError

    def __init__(self, tell: Told, **calls: Any) -> None:
        self.tell = tell
        self.asked: list[list[tuple[int, int]]] = []
        self.calls = calls

    def __getattr__(self, name: str) -> Any:
        if name not in self.calls:
            raise AttributeError(name)
        return lambda *_: self.calls[name]

    def nvmlDeviceGetMemoryInfo(self, _: object) -> object:  # noqa: N802 - NVML's name
        return object()

    def nvmlDeviceGetFieldValues(  # noqa: N802 - NVML's name
        self, _: object, request: list[tuple[int, int]]
    ) -> Any:
        self.asked.append(list(request))
        values = (pynvml.c_nvmlFieldValue_t * len(request))()
        for value, part in zip(values, request, strict=True):
            value.nvmlReturn, value.value.ullVal = self.tell(part)
            value.valueType = pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
        return values


def batch(binding: Binding, *readings: Reading, links: int = 0) -> Batch:
    return Batch(Asker(binding, 1), readings, links)


def test_every_reading_fills_a_column_and_no_column_is_filled_twice() -> None:
    for readings, table in ((SAMPLE, GpuSample.table), (HEALTH, GpuHealth.table)):
        names = [r.column for r in readings]
        assert len(names) == len(set(names))
        assert set(names) <= {c.name for c in table.columns}


def test_what_is_refused_for_ever_leaves_the_batch() -> None:
    binding = Binding(lambda part: (3, 0) if part[0] == 1 else (0, 7))
    one = batch(binding, Reading("a", (Fields(((1, 0),)),)), Reading("b", (Fields(((2, 0),)),)))
    why: dict[str, int] = {}
    assert one.read(why) == {"a": None, "b": 7}
    assert why == {"a": 3}
    assert one.read(why) == {"a": None, "b": 7}
    assert binding.asked == [[(1, 0), (2, 0)], [(2, 0)], [(2, 0)]]
    assert (one.is_over("a"), one.is_over("b")) == (True, False)


def test_the_next_way_is_taken_at_once() -> None:
    binding = Binding(lambda _: (2, 0), nvmlDeviceGetPowerUsage=620_000)
    ways = (Fields(((186, 0),)), Fields(((185, 0),)), Call("nvmlDeviceGetPowerUsage", (), 1e-3))
    why: dict[str, int] = {}
    assert batch(binding, Reading("power_watts", ways)).read(why) == {"power_watts": 620.0}
    assert why == {}


def test_what_fails_for_now_stays_and_tells_its_code() -> None:
    codes = [4, 0]
    binding = Binding(lambda _: (codes.pop(0), 5))
    one = batch(binding, Reading("a", (Fields(((1, 0),)),)))
    why: dict[str, int] = {}
    assert one.read(why) == {"a": None}
    assert reason_of(why["a"]) is Reason.DENIED
    assert one.read({}) == {"a": 5}


def test_a_sum_is_missing_while_a_part_is() -> None:
    binding = Binding(lambda part: (0, 1) if part[0] == 1 else (10, 0))
    why: dict[str, int] = {}
    one = batch(binding, Reading("a", (Fields(((1, 0), (2, 0))),)))
    assert one.read(why) == {"a": None}
    assert reason_of(why["a"]) is Reason.TIMEOUT


def test_a_link_that_falls_silent_keeps_what_it_counted() -> None:
    counted = {0: 100, 1: 50}
    binding = Binding(lambda part: (0, counted[part[1]]) if part[1] in counted else (3, 0))
    one = batch(binding, Reading("a", (Links(202),)), links=3)
    assert one.read({}) == {"a": 150}
    del counted[1]
    counted[0] = 110
    assert one.read({}) == {"a": 160}


def test_links_that_all_refuse_are_asked_no_more() -> None:
    binding = Binding(lambda _: (3, 0))
    one = batch(binding, Reading("a", (Links(202),)), links=2)
    assert one.read({}) == {"a": None}
    assert one.read({}) == {"a": None}
    assert len(binding.asked) == 1


def test_what_was_refused_is_asked_again_and_what_was_counted_is_kept() -> None:
    codes = {0: 0, 1: 3}
    binding = Binding(lambda part: (codes[part[1]], 10))
    one = batch(binding, Reading("a", (Links(202),)), links=2)
    assert one.read({}) == {"a": 10}
    codes.update({0: 3, 1: 0})
    one.renew()
    assert one.read({}) == {"a": 20}


def test_all_ones_are_no_value() -> None:
    binding = Binding(lambda _: (0, 2**64 - 1))
    why: dict[str, int] = {}
    assert batch(binding, Reading("a", (Fields(((1, 0),)),))).read(why) == {"a": None}
    assert reason_of(why["a"]) is Reason.MALFORMED


@pytest.mark.parametrize("code", [15, 16])
def test_a_card_that_is_lost_within_an_answer_is_lost(code: int) -> None:
    binding = Binding(lambda _: (code, 0))
    with pytest.raises(Lost):
        batch(binding, Reading("a", (Fields(((1, 0),)),))).read({})


def test_a_binding_without_a_call_has_no_answer() -> None:
    asker = Asker(Binding(lambda _: (0, 0)), 1)
    assert asker.ask("nvmlDeviceGetSomethingNew") is None
    assert reason_of(asker.code) is Reason.UNSUPPORTED


@given(st.lists(st.binary(min_size=40, max_size=40), min_size=1, max_size=4))
def test_garbage_is_a_value_or_a_reason(answers: list[bytes]) -> None:
    class Garbage:
        NVMLError = pynvml.NVMLError

        def nvmlDeviceGetFieldValues(self, _: object, __: Any) -> Any:  # noqa: N802
            return ctypes.create_string_buffer(b"".join(answers), 40 * len(answers))

    asker = Asker(Garbage(), 1)
    try:
        told = asker.fields([(1, 0)] * len(answers))
    except (Lost, DriverGone):
        return
    for code, value in told:
        assert (value is None) == (code != 0)
        assert value is None or value == value  # noqa: PLR0124 - not a number differs from itself
