"""Sources in child processes: what passes between them, and what happens when they hang or die."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector import run
from collector.child import Answer, Birth, Order
from collector.runner import Runner
from collector.source import Context, SourceKind
from collector.stamp import Stamp
from collector.supervised import Child, Supervised
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.catalogue.host import HostSample
from gpuledger.config import Config
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row
from tests.collector.isolated import Probe, ProbeSettings, ends, is_zombie, kind, until
from tests.collector.support import MIDNIGHT, FakeClock, Lines, context

REPOSITORY = Path(__file__).parents[2]
# Long for a loaded machine, short for a test: only readings that hang wait for it.
LIMIT_S, WAIT_S = 0.5, 20.0


class Probed:
    """A supervised probe, the machine it looks at, and the clock of both."""

    def __init__(self, root: Path) -> None:
        self.clock, self.lines, self.root = FakeClock(), Lines(), root
        self.context = context(root, self.clock, self.lines)
        self.source = self.supervised()

    def supervised(self, **arguments: Any) -> Supervised:
        settings = ProbeSettings(cpus=8)
        arguments = {"limit_s": WAIT_S, **arguments}
        return Supervised("probe", kind, settings, self.context, period_s=1.0, **arguments)

    def read(self) -> list[Row]:
        return list(self.source.read())

    def pid(self) -> int:
        (row,) = [r for r in self.read() if isinstance(r, HostSample)]
        assert row.load1
        return int(row.load1)

    def impatient(self) -> None:
        """From now on a reading that takes half a second is stuck."""
        self.source._limit_s = LIMIT_S

    def act(self, name: str) -> None:
        (self.root / name).touch()

    def stop(self, name: str) -> None:
        (self.root / name).unlink()


@pytest.fixture
def probed(tmp_path: Path) -> Iterator[Probed]:
    made = Probed(tmp_path)
    yield made
    made.source.close()


def test_rows_come_through_as_the_source_made_them(probed: Probed) -> None:
    host, event = probed.read()
    assert isinstance(host, HostSample)
    assert (host.cpus, host.memory_total_bytes, host.cluster) == (8, None, "")
    assert isinstance(event, GpuEvent)
    assert (event.slot, event.kind, event.count, event.detail) == (3, "xid", 1, "c/n1/1")
    assert host.load1 != os.getpid()


def test_the_contexts_clock_travels(probed: Probed) -> None:
    _, first = probed.read()
    probed.clock.pass_s(3600.0)
    _, second = probed.read()
    assert isinstance(first, GpuEvent)
    assert isinstance(second, GpuEvent)
    assert first.ts.tzinfo is not None
    assert (first.ts - datetime.fromtimestamp(MIDNIGHT, UTC)).total_seconds() < WAIT_S
    assert 3600.0 - WAIT_S < (second.ts - first.ts).total_seconds() < 3600.0 + WAIT_S


def test_memory_goes_to_the_child_and_comes_back(probed: Probed) -> None:
    probed.context.memory.update(count="41", old="x", kept="y")
    probed.read()
    assert probed.context.memory == {"count": "42", "kept": "y"}


def test_log_lines_of_the_child_are_the_parents(probed: Probed) -> None:
    probed.act("log")
    probed.read()
    assert probed.lines.lines == ["all is well"]


def test_a_failed_reading_keeps_the_rows_before_it_and_its_memory(probed: Probed) -> None:
    probed.act("fail")
    rows: list[Row] = []
    with pytest.raises(ReadError, match="it failed"):
        rows.extend(probed.source.read())
    reading = probed.supervised().read()
    assert isinstance(next(iter(reading)), HostSample)
    assert probed.context.memory["count"] == "2"
    with pytest.raises(ReadError):
        list(reading)


def test_a_failed_reading_ends_the_child_and_a_fresh_one_reads_again(probed: Probed) -> None:
    before = probed.pid()
    probed.act("fail")
    with pytest.raises(ReadError, match="it failed"):
        probed.read()
    assert ends(before)
    probed.stop("fail")
    probed.clock.pass_s(1.0)
    assert probed.pid() != before


def test_a_bug_in_a_source_is_a_failed_reading(probed: Probed) -> None:
    probed.act("bug")
    with pytest.raises(ReadError, match="ZeroDivisionError: a bug"):
        probed.read()


def test_a_device_that_is_not_here_leaves_no_process_behind(probed: Probed) -> None:
    probed.act("absent")
    with pytest.raises(Unavailable, match="it is not here"):
        probed.read()
    assert probed.source._child is None
    probed.stop("absent")
    assert probed.pid()


def test_a_device_that_was_here_once_is_asked_again_soon(probed: Probed) -> None:
    pid = probed.pid()
    probed.act("absent")
    with pytest.raises(ReadError, match="it is not here"):
        probed.read()
    assert ends(pid)
    probed.stop("absent")
    probed.clock.pass_s(1.0)
    assert probed.pid() != pid


def test_a_reading_that_hangs_is_said_and_its_child_replaced(probed: Probed) -> None:
    before = probed.pid()
    probed.act("hang")
    probed.impatient()
    with pytest.raises(ReadError, match=r"probe reader stuck: probe did not answer for \d+ s"):
        probed.read()
    assert ends(before)
    with pytest.raises(ReadError, match="stuck"):
        probed.read()
    probed.stop("hang")
    probed.clock.pass_s(1.0)
    probed.source._limit_s = WAIT_S
    assert probed.pid() != before
    assert probed.context.memory["count"] == "2"


def test_a_stuck_gpu_reader_is_called_so(tmp_path: Path) -> None:
    probed = Probed(tmp_path)
    probed.act("hang")
    source = Supervised(
        "nvml", kind, ProbeSettings(), probed.context, period_s=1.0, limit_s=LIMIT_S, opening_s=0.0
    )
    with pytest.raises(ReadError, match=r"^gpu reader stuck: nvml did not answer for \d+ s$"):
        list(source.read())
    source.close()


def test_a_hanging_reading_is_told_once_in_the_log_and_in_every_account(probed: Probed) -> None:
    accounts: list[Row] = []
    here = probed.context
    runner = Runner(
        "probe", probed.source, here, Stamp(here, 0), lambda rows, _: accounts.append(rows[-1])
    )
    runner.read_once()
    probed.act("hang")
    probed.impatient()
    for _ in range(3):
        runner.read_once()
    probed.stop("hang")
    probed.clock.pass_s(1.0)
    probed.source._limit_s = WAIT_S
    runner.read_once()
    assert ["stuck" in str(vars(a)["reason"]) for a in accounts] == [False, True, True, True, False]
    assert [line.split(":")[0] for line in probed.lines.lines] == [
        "source probe fails",
        "source probe reads again",
    ]


def test_opening_a_device_may_take_longer_than_a_reading(tmp_path: Path) -> None:
    probed = Probed(tmp_path)
    probed.source = probed.supervised(limit_s=LIMIT_S)
    probed.act("hang")
    with pytest.raises(ReadError, match="stuck"):
        probed.read()
    until((tmp_path / "hanging").exists)
    with pytest.raises(ReadError, match="stuck"):
        probed.read()
    assert not is_zombie(int((tmp_path / "hanging").read_text()))
    probed.source.close()


def test_a_child_killed_in_mid_reading_is_replaced(probed: Probed) -> None:
    probed.read()
    probed.act("hang")

    def kill() -> None:
        until(lambda: bool((probed.root / "hanging").exists()))
        until(lambda: bool((probed.root / "hanging").read_text()))
        os.kill(int((probed.root / "hanging").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ReadError, match="probe reader ended by signal 9"):
        probed.read()
    killer.join()
    probed.stop("hang")
    probed.clock.pass_s(1.0)
    assert len(probed.read()) == 2


def test_a_driver_library_that_crashes_takes_only_the_child_along(probed: Probed) -> None:
    probed.act("crash")
    with pytest.raises(ReadError, match="ended by signal 11"):
        probed.read()


def test_memory_survives_the_death_of_the_child(probed: Probed) -> None:
    os.kill(probed.pid(), signal.SIGKILL)
    with pytest.raises(ReadError, match="signal 9"):
        probed.read()
    probed.clock.pass_s(1.0)
    probed.read()
    assert probed.context.memory["count"] == "2"


def test_closing_ends_the_child_within_a_second(probed: Probed) -> None:
    pid, began = probed.pid(), time.monotonic()
    probed.source.close()
    assert is_zombie(pid)
    assert time.monotonic() - began < 1.5
    assert (probed.root / "closed").exists()


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "hang").touch()
    code = (
        "import sys; from pathlib import Path; from tests.collector.test_supervised import Probed;"
        "list(Probed(Path(sys.argv[1])).source.read())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY) as parent:
        until((tmp_path / "hanging").exists)
        until(lambda: bool((tmp_path / "hanging").read_text()))
        child = int((tmp_path / "hanging").read_text())
        assert not is_zombie(child)
        parent.kill()
    assert ends(child)


class Process:
    """A process that can be made unkillable."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.killable = False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.returncode = -9 if self.killable else None

    def wait(self, seconds: float) -> int:
        if self.returncode is None:
            raise subprocess.TimeoutExpired("child", seconds)
        return self.returncode


class SilentChild(Child):
    """Never answers."""

    def __init__(self) -> None:
        self.double = Process()
        super().__init__(self.double, self)  # type: ignore[arg-type]

    def send(self, _: object) -> None:
        """Take anything."""

    def receive(self, _: float) -> bytes:
        raise TimeoutError

    def close(self) -> None:
        """Nothing is open."""


def test_there_are_never_two_children_waiting_in_a_driver(tmp_path: Path) -> None:
    probed, started = Probed(tmp_path), list[SilentChild]()

    def start(_: Birth) -> Child:
        started.append(SilentChild())
        return started[-1]

    source = probed.supervised(start=start, opening_s=0.0)
    for _ in range(3):
        with pytest.raises(ReadError, match="stuck"):
            list(source.read())
        probed.clock.pass_s(100.0)
    assert len(started) == 1
    with pytest.raises(ReadError, match="its process cannot be killed"):
        list(source.read())
    started[0].double.returncode = -9
    with pytest.raises(ReadError, match="stuck"):
        list(source.read())
    assert len(started) == 2


def test_children_are_started_ever_more_rarely_up_to_once_a_minute(tmp_path: Path) -> None:
    probed, starts = Probed(tmp_path), list[float]()

    def start(_: Birth) -> Child:
        starts.append(probed.clock.monotonic_s)
        raise OSError(12, "Cannot allocate memory")

    source = probed.supervised(start=start)
    for _ in range(300):
        with pytest.raises(ReadError, match="cannot be started: Cannot allocate memory"):
            list(source.read())
        probed.clock.pass_s(1.0)
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60]


class Stranger(SilentChild):
    """Speaks of a table as another version of this program has it."""

    def answer(self, timeout_s: float) -> Answer:  # noqa: ARG002 - as its parent has it
        return Answer([], {"host_samples": ["load99"]}, {"count": "9"}, [], None)


def test_a_child_of_another_version_says_to_restart_the_agent(tmp_path: Path) -> None:
    probed = Probed(tmp_path)
    source = probed.supervised(start=lambda _: Stranger())
    with pytest.raises(ReadError, match="of another version: restart the agent"):
        list(source.read())
    assert probed.context.memory == {}


def test_an_isolated_source_reads_in_process_where_that_is_set() -> None:
    def made(config: dict[str, Any], kind: SourceKind) -> object:
        return run.make(Config(config), "probe", kind, Context("c", "n"))

    assert isinstance(made({}, kind), Supervised)
    assert isinstance(made({"agent": {"isolate": False}}, kind), Probe)
    assert isinstance(made({}, replace(kind, isolated=False)), Probe)


def test_the_childs_modules_are_few() -> None:
    heavy = "clickhouse_connect", "urllib3", "prometheus_client", "sqlite3", "yaml", "numpy"
    code = (
        "import sys, collector.child, collector.sources.nvml;"
        f"print(*(n for n in {heavy!r} if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_an_order_is_not_given_twice(tmp_path: Path) -> None:
    orders = list[object]()

    class Hearing(SilentChild):
        def send(self, order: object) -> None:
            orders.append(order)

    child = Hearing()
    child.ask(Order(1.0, 1.0))
    child.ask(Order(2.0, 2.0))
    assert orders == [Order(1.0, 1.0)]
