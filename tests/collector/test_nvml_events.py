"""NVML's events and a driver that hangs, above the real binding, the fake driver and a child."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.runner import Runner
from collector.sources.nvml import NvmlSettings, source
from collector.stamp import Stamp
from collector.supervised import Supervised
from collector.window import Windows
from gpuledger.catalogue.gpu import GpuEvent, GpuSample, ProcessSample
from gpuledger.errors import ReadError
from gpuledger.schema import Row
from tests.collector.support import FakeClock, Lines, Script, context, host_row
from tests.fakes import nvml

SBE, DBE, XID, RETIREMENT, UNAVAILABLE, RECOVERY = 0x1, 0x2, 0x8, 0x400, 0x4000, 0x8000
SUPPORTED = "nvmlDeviceGetSupportedEventTypes"
STALLED = "nvmlDeviceGetMemoryInfo_v2"
WAIT_S = 20.0


class Node:
    """A GPU node: its scenario, and the source that reads it in a child process."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock, self.lines = path, FakeClock(), Lines()
        self.context = context(Path("/"), self.clock, self.lines)
        self.source = Supervised(
            "nvml", source, NvmlSettings(), self.context, period_s=1.0, limit_s=WAIT_S
        )

    def read(self) -> list[Row]:
        self.clock.pass_s(1.0)
        return list(self.source.read())

    def events(self) -> list[GpuEvent]:
        return [row for row in self.read() if isinstance(row, GpuEvent)]

    def slots(self) -> list[int]:
        return [int(row.slot) for row in self.read() if isinstance(row, GpuSample)]

    @property
    def pid(self) -> int:
        child = self.source._child
        assert child
        return child.process.pid

    def happen(self, world: nvml.Scenario, slot: int = 0, **event: int) -> None:
        """Write the scenario with one event of that card, after it was registered."""
        world.gpus[slot].events = [nvml.Event(**event)]
        world.write(self.path)


Start = Callable[..., Node]


@pytest.fixture
def start(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    started: list[Node] = []

    def begin(world: nvml.Scenario, *, old_driver: bool = False) -> Node:
        library, path = nvml.build(folder, old_driver=old_driver), tmp_path / "scenario"
        world.write(path)
        for name, value in nvml.environment(library, path).items():
            monkeypatch.setenv(name, value)
        started.append(Node(path))
        started[-1].read()
        return started[-1]

    yield begin
    for node in started:
        node.source.close()


def known(event: GpuEvent) -> tuple[Any, ...]:
    return event.slot, event.kind, event.code, event.cause, event.recovery, event.count


def test_an_xid_is_told_with_its_class_and_what_helps(start: Start) -> None:
    world = nvml.healthy(2)
    node = start(world)
    node.happen(world, 1, type=XID, data=79)
    (event,) = node.events()
    assert known(event) == (1, "xid", 79, "hardware", "reboot node", 1)
    assert (event.told_by, event.detail) == ("nvml", "GPU has fallen off the bus")
    assert node.events() == []


def test_what_happened_before_the_start_is_not_nvmls_to_tell(start: Start) -> None:
    world = nvml.healthy(1)
    world.gpus[0].events = [nvml.Event(XID, 79)]
    node = start(world)
    assert node.events() == []


def test_a_burst_of_a_thousand_xids_is_one_row_with_a_count(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world)
    node.happen(world, type=XID, data=13, count=1000)
    windows = Windows()
    windows.add(node.read())
    (event,) = [row for row in windows.take() if row.table is GpuEvent.table]
    assert (event.values["code"], event.values["count"]) == (13, 1000)


def test_an_xid_in_both_tellers_is_one_event(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world)
    node.happen(world, type=XID, data=79)
    (event,) = node.events()
    kernel = GpuEvent(ts=event.ts, slot=0, kind="xid", code=79, told_by="kmsg", detail="pid=7")
    windows = Windows()
    for told in (event, kernel):
        told.cluster, told.node = "c", "n1"
    windows.add([event, kernel])
    (row,) = windows.take()
    assert (row.values["count"], row.values["told_by"]) == (1, "nvml")
    assert row.values["detail"] == "GPU has fallen off the bus; pid=7"


@pytest.mark.parametrize(
    ("type_", "kind", "cause"),
    [
        (SBE, "ecc", "information"),
        (DBE, "ecc", "hardware"),
        (RETIREMENT, "retirement", "information"),
        (UNAVAILABLE, "reset", "hardware"),
    ],
)
def test_memory_errors_and_retirements_have_kinds_of_their_own(
    start: Start, type_: int, kind: str, cause: str
) -> None:
    world = nvml.healthy(1)
    node = start(world)
    node.happen(world, type=type_)
    (event,) = node.events()
    assert known(event)[:4] == (0, kind, type_, cause)


def test_a_changed_recovery_action_says_what_the_driver_asks_for(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world)
    world.gpus[0].recovery_action = 4
    node.happen(world, type=RECOVERY)
    (event,) = node.events()
    assert known(event) == (0, "recovery", RECOVERY, "information", "drain and reset", 1)


def test_an_event_of_a_slice_says_which(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world)
    node.happen(world, type=XID, data=43, gpu_instance=3, compute_instance=0)
    (event,) = node.events()
    assert event.detail.startswith("GPU instance 3, compute instance 0: ")


def test_a_lost_card_does_not_silence_the_others_and_is_heard_when_it_is_back(start: Start) -> None:
    world = nvml.healthy(2)
    node = start(world)
    world.gpus[0].state = "lost"
    world.write(node.path)
    node.read()
    node.read()
    node.happen(world, 1, type=XID, data=48)
    assert [e.code for e in node.events() if e.kind == "xid"] == [48]
    world.gpus[0].state, world.gpus[1].events = "ok", []
    world.write(node.path)
    node.read()
    node.happen(world, 0, type=XID, data=31)
    assert [(e.slot, e.code) for e in node.events() if e.kind == "xid"] == [(0, 31)]


def test_the_xid_that_came_with_the_loss_of_its_card_is_told(start: Start) -> None:
    world = nvml.healthy(2)
    node = start(world)
    world.gpus[1].state = "lost"
    node.happen(world, 1, type=XID, data=79)
    told = [(e.slot, e.kind, e.code) for _ in range(3) for e in node.events()]
    assert told == [(1, "lost", 15), (1, "xid", 79)]


def test_an_older_driver_tells_what_it_can(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world, old_driver=True)
    node.happen(world, type=XID, data=79)
    assert [e.code for e in node.events()] == [79]


def test_a_card_without_events_is_read_like_any_other(start: Start) -> None:
    world = nvml.healthy(2)
    world.gpus[0].not_supported = (SUPPORTED,)
    node = start(world)
    node.happen(world, 0, type=XID, data=79)
    assert node.events() == []
    world.gpus[0].events = []
    node.happen(world, 1, type=XID, data=79)
    assert [e.slot for e in node.events()] == [1]


def test_a_call_that_hangs_is_said_others_go_on_and_readings_resume(start: Start) -> None:
    world = nvml.healthy(2)
    node = start(world)
    here, accounts = node.context, list[Row]()
    stamp = Stamp(here, 0)
    gpus = Runner("nvml", node.source, here, stamp, lambda rows, _: accounts.append(rows[-1]))
    host = Runner("host", Script([host_row()]), here, stamp, lambda *_: None)
    world.gpus[1].stall_call, world.gpus[1].stall_s = STALLED, 30.0
    world.write(node.path)
    hanging = node.pid
    node.source._limit_s = 0.5
    gpus.read_once()
    assert len(host.read_once()) == 2
    world.gpus[1].stall_s = 0.0
    world.write(node.path)
    node.clock.pass_s(1.0)
    node.source._limit_s = WAIT_S
    rows = gpus.read_once()
    assert [int(r.slot) for r in rows if isinstance(r, GpuSample)] == [0, 1]
    assert node.pid != hanging
    assert ["stuck" in str(vars(a)["reason"]) for a in accounts] == [True, False]
    assert [line.split(":")[1] for line in node.lines.lines if "fails" in line] == [
        " gpu reader stuck"
    ]


def test_a_driver_that_was_replaced_is_read_by_a_fresh_process(start: Start) -> None:
    world = nvml.healthy(2)
    node = start(world)
    before = node.pid
    node.path.unlink()
    with pytest.raises(ReadError):
        node.read()
    world.write(node.path)
    assert node.slots() == [0, 1]
    assert node.pid != before


def test_a_reader_that_was_killed_is_replaced(start: Start) -> None:
    world = nvml.healthy(1)
    node = start(world)
    os.kill(node.pid, signal.SIGKILL)
    with pytest.raises(ReadError, match="gpu reader ended by signal 9"):
        node.read()
    assert node.slots() == [0]


def test_a_program_whose_name_is_no_text_stops_no_reading(start: Start, tmp_path: Path) -> None:
    program = os.fsencode(tmp_path) + b"/ev\xffil"
    shutil.copy(b"/bin/sleep", program)
    with subprocess.Popen([program, b"60"]) as process:
        try:
            world = nvml.healthy(1)
            world.gpus[0].processes = [nvml.Process(process.pid)]
            rows = start(world).read()
        finally:
            process.kill()
    assert [r.executable for r in rows if isinstance(r, ProcessSample)] == ["ev\ufffdil"]


def test_the_source_is_isolated() -> None:
    assert replace(source, isolated=True) == source


def test_closing_ends_the_reader_within_a_second(start: Start) -> None:
    node, began = start(nvml.healthy(1)), time.monotonic()
    pid = node.pid
    node.source.close()
    assert time.monotonic() - began < 2.0
    assert not Path(f"/proc/{pid}").exists()
