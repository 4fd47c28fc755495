"""A TPU runtime that answers over real gRPC, and one that is gone."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sources.tpu import Tpu, TpuSettings, spread
from collector.tpu import DUTY_CYCLE, MEMORY_TOTAL, MEMORY_USED, METHOD, _values, messages
from gpuledger.catalogue import Gpu, GpuSample, MissingValue
from gpuledger.errors import Unavailable
from gpuledger.schema import Row
from tests.collector.support import FakeClock, context, tree

GIB = 1 << 30
Told = dict[str, list[tuple[Any, dict[str, float]]]]
USED, TOTAL, DUTY = {"as_int": 8 * GIB}, {"as_int": 16 * GIB}, {"as_double": 75.0}
TWO_CHIPS: Told = {
    MEMORY_USED: [(0, USED), (1, USED)],
    MEMORY_TOTAL: [(0, TOTAL), (1, TOTAL)],
    DUTY_CYCLE: [(0, DUTY), (1, {"as_double": 0.0})],
}


def attribute(device: Any) -> dict[str, Any]:
    """As older runtimes name a device, by a number, or newer ones, among others and as text."""
    if isinstance(device, int):
        return {"key": "device-id", "value": {"int_attr": device}}
    nested = [
        {"key": "core_type", "value": {"string_attr": "TENSOR"}},
        {"key": "device_ordinal", "value": {"string_attr": device}},
    ]
    return {"key": "", "value": {"kvlist_attr": {"attributes": nested}}}


def answer(told: list[tuple[Any, dict[str, float]]]) -> Any:
    metrics = [{"attribute": attribute(d), "gauge": g} for d, g in told]
    return messages()["MetricResponse"](metric={"name": "x", "metrics": metrics})


class Runtime(grpc.GenericRpcHandler):
    """Serves the one method."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.act: Callable[[Any], None] = lambda _: None

    def service(self, call: Any) -> Any:
        if call.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.reply,
            request_deserializer=messages()["MetricRequest"].FromString,
            response_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
        )

    def reply(self, request: Any, call: Any) -> Any:
        self.act(call)
        told = self.told.get(request.metric_name)
        if told is None:
            call.abort(grpc.StatusCode.NOT_FOUND, "no such metric")
        return told if isinstance(told, bytes) else answer(told or [])


@pytest.fixture
def runtime() -> Iterator[tuple[Runtime, str]]:
    handler = Runtime(dict(TWO_CHIPS))
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=(handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    return tree(tmp_path, {"sys/bus/pci/devices/0000:00:04.0/vendor": "0x1ae0\n"})


def source(address: str, root: Path, clock: FakeClock | None = None, **more: Any) -> Tpu:
    told = {"address": address, "timeout_s": 5.0, "model": "v5e", **more}
    return Tpu(TpuSettings(**told), context(root, clock))


def samples(rows: list[Row]) -> list[GpuSample]:
    return [row for row in rows if isinstance(row, GpuSample)]


def missing(rows: list[Row]) -> dict[str, str]:
    return {r.reading: r.reason for r in rows if isinstance(r, MissingValue)}


def test_chips_are_told_with_duty_cycle_and_memory(
    runtime: tuple[Runtime, str], machine: Path
) -> None:
    clock = FakeClock()
    tpu = source(runtime[1], machine, clock)
    first = list(tpu.read())
    clock.pass_s(10)
    busy, idle = samples(list(tpu.read()))
    tpu.close()
    assert (busy.slot, busy.utilization_ratio, busy.active_seconds) == (0, 0.75, 10.0)
    assert (busy.memory_used_bytes, busy.memory_total_bytes) == (8 * GIB, 16 * GIB)
    assert (idle.slot, idle.utilization_ratio, idle.active_seconds) == (1, 0.0, 0.0)
    assert busy.source == "tpu"
    inventory = [row for row in first if isinstance(row, Gpu)]
    assert [(g.slot, g.vendor, g.model) for g in inventory] == [
        (0, "google", "v5e"),
        (1, "google", "v5e"),
    ]
    assert missing(first) == {}


def test_the_inventory_is_told_once_in_ten_minutes(
    runtime: tuple[Runtime, str], machine: Path
) -> None:
    clock = FakeClock()
    tpu = source(runtime[1], machine, clock)
    counts = []
    for _ in range(3):
        counts.append(sum(isinstance(row, Gpu) for row in tpu.read()))
        clock.pass_s(300)
    tpu.close()
    assert counts == [2, 0, 2]


def test_without_a_workload_everything_is_missing_and_nothing_failed(machine: Path) -> None:
    tpu = source("127.0.0.1:9", machine, timeout_s=0.5)
    rows = list(tpu.read())
    tpu.close()
    assert samples(rows) == []
    assert set(missing(rows)) == {DUTY_CYCLE, MEMORY_USED, MEMORY_TOTAL}


def test_a_workload_that_begins_later_is_seen(runtime: tuple[Runtime, str], machine: Path) -> None:
    handler, address = runtime
    told, handler.told = handler.told, {}
    tpu = source(address, machine)
    assert missing(list(tpu.read()))[DUTY_CYCLE] == "unreadable"
    handler.told = told
    rows = list(tpu.read())
    tpu.close()
    assert len(samples(rows)) == 2
    assert set(missing(rows).values()) == {""}


def test_a_metric_that_the_runtime_lacks_leaves_the_others(
    runtime: tuple[Runtime, str], machine: Path
) -> None:
    handler, address = runtime
    del handler.told[DUTY_CYCLE]
    tpu = source(address, machine)
    rows = list(tpu.read())
    tpu.close()
    assert [(s.utilization_ratio, s.memory_used_bytes) for s in samples(rows)] == [
        (None, 8 * GIB)
    ] * 2
    assert missing(rows) == {DUTY_CYCLE: "unreadable"}


def test_a_runtime_that_hangs_is_missing_by_timeout(
    runtime: tuple[Runtime, str], machine: Path
) -> None:
    handler, address = runtime
    handler.act = until_the_client_gives_up
    tpu = source(address, machine, timeout_s=0.2)
    rows = list(tpu.read())
    tpu.close()
    assert set(missing(rows).values()) == {"timeout"}


def until_the_client_gives_up(call: Any) -> None:
    gone = threading.Event()
    if call.add_callback(gone.set):
        gone.wait(10)


def test_nonsense_is_missing(runtime: tuple[Runtime, str], machine: Path) -> None:
    handler, address = runtime
    handler.told = {DUTY_CYCLE: b"\xff\xff", MEMORY_USED: [], MEMORY_TOTAL: [("x", TOTAL)]}
    tpu = source(address, machine)
    rows = list(tpu.read())
    tpu.close()
    assert samples(rows) == []
    assert missing(rows) == {
        DUTY_CYCLE: "unreadable",
        MEMORY_USED: "unsupported",
        MEMORY_TOTAL: "unsupported",
    }


def test_newer_runtimes_name_devices_as_text(runtime: tuple[Runtime, str], machine: Path) -> None:
    handler, address = runtime
    handler.told = {n: [("8", v[0][1]), ("9", v[1][1])] for n, v in TWO_CHIPS.items()}
    tpu = source(address, machine)
    rows = list(tpu.read())
    tpu.close()
    assert [s.slot for s in samples(rows)] == [8, 9]


def test_duty_cycle_of_a_chip_is_that_of_its_cores() -> None:
    assert spread({0: 50.0, 1: 10.0}, [0, 1, 2, 3]) == {0: 50.0, 1: 50.0, 2: 10.0, 3: 10.0}
    assert spread({0: 50.0, 1: 10.0}, [0, 1]) == {0: 50.0, 1: 10.0}
    assert spread({}, [0, 1]) == {}


def test_a_machine_without_tpus_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Google TPU"):
        list(source("localhost:8431", tmp_path).read())


def test_a_machine_without_grpc_says_so(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "grpc":
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Unavailable, match="gpuledger\\[tpu\\]"):
        list(source("localhost:8431", machine).read())


@given(st.binary(max_size=100))
@settings(max_examples=300, deadline=None)
def test_any_answer_is_values_or_cannot_be_read(body: bytes) -> None:
    from google.protobuf.message import DecodeError

    try:
        told = messages()["MetricResponse"].FromString(body)
    except DecodeError:
        return
    assert all(0 <= device < 1 << 16 and value >= 0 for device, value in _values(told))
