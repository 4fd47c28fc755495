"""One source's trouble stays its own, and is said once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from collector.runner import Runner
from collector.source import Source
from collector.stamp import Stamp
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.host import SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import gpu_id
from gpuledger.schema import Row
from gpuledger.spool import Changes
from tests.collector.support import MIDNIGHT, FakeClock, Lines, Script, context, host_row


class Bench:
    """A runner with a fake clock; `delivered` and `lines` are what came of it."""

    def __init__(self, source: Source) -> None:
        self.clock = FakeClock()
        self.log = Lines()
        self.delivered: list[Row] = []
        here = context(clock=self.clock, lines=self.log)
        self.runner = Runner("test", source, here, Stamp(here, epoch=7), self.take)

    def take(self, rows: Sequence[Row], _: Changes) -> None:
        self.delivered += rows

    def read(self, times: int = 1) -> list[Row]:
        rows: list[Row] = []
        for _ in range(times):
            self.clock.pass_s(1.0)
            rows = self.runner.read_once()
        return rows


def account(rows: list[Row]) -> SourceRun:
    (run,) = [r for r in rows if isinstance(r, SourceRun)]
    return run


def test_rows_are_stamped_with_time_interval_place_and_epoch() -> None:
    bench = Bench(Script([host_row()], [host_row()]))
    bench.read()
    row = bench.read()[0]
    assert (row.cluster, row.node, row.epoch) == ("c", "n1", 7)  # type: ignore[attr-defined]
    assert row.ts == datetime.fromtimestamp(MIDNIGHT + 2, UTC)  # type: ignore[attr-defined]
    assert row.interval_seconds == 1.0  # type: ignore[attr-defined]


def test_a_gpu_row_gets_the_hash_of_its_place_and_a_fact_its_version() -> None:
    fact = Gpu(slot=3, uuid="GPU-a", memory_bytes=None)
    Bench(Script([fact])).read()
    assert fact.gpu_id == gpu_id("c", "n1", 3)
    assert fact.version > 0
    assert fact.seen_at == datetime.fromtimestamp(MIDNIGHT + 1, UTC)


def test_what_a_source_has_stamped_itself_stays() -> None:
    row = host_row(cluster="other", node="n9", ts=datetime(2020, 1, 1, tzinfo=UTC))
    Bench(Script([row])).read()
    assert (row.cluster, row.node, row.ts.year) == ("other", "n9", 2020)


def test_a_part_of_the_interval_is_never_longer_than_it() -> None:
    columns = {c.name: None for c in GpuSample.table.columns if c.default is ...}
    row = GpuSample(**{**columns, "slot": 0, "uuid": "", "active_seconds": 99.0})
    bench = Bench(Script([], [row]))
    bench.read(2)
    assert row.active_seconds == row.interval_seconds == 1.0


@pytest.mark.parametrize("error", [ReadError("bus error"), ValueError("a bug")])
def test_a_failure_is_counted_each_time_and_said_once(error: Exception) -> None:
    bench = Bench(Script(error, error, error, [host_row()]))
    failures = [account(bench.read()).failures for _ in range(4)]
    assert failures == [1, 1, 1, 0]
    assert len(bench.log.lines) == 2
    assert "fails" in bench.log.lines[0]
    assert str(error) in bench.log.lines[0]
    assert bench.log.lines[1] == "source test reads again"


def test_rows_read_before_the_failure_are_kept() -> None:
    class Half(Script):
        def read(self):  # type: ignore[no-untyped-def]
            yield host_row()
            raise ReadError("the other half")

    rows = Bench(Half([])).read()
    assert len(rows) == 2
    assert account(rows).rows == 1


def test_a_device_that_is_not_here_is_said_once_and_asked_again_only_much_later() -> None:
    bench = Bench(Script(Unavailable("no driver")))
    waits: list[float | None] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return len(waits) > 3

    bench.runner.run(Stop())
    assert bench.log.lines == ["source test is not on this machine: no driver"]
    assert waits[1:] == [600.0, 600.0, 600.0]


def test_a_device_that_comes_later_is_read() -> None:
    bench = Bench(Script(Unavailable("no driver"), [host_row()]))
    bench.read()
    assert not bench.runner.available
    assert account(bench.read()).rows == 1
    assert bench.runner.available


def test_rows_that_cannot_be_taken_do_not_stop_the_source() -> None:
    bench = Bench(Script([host_row()]))
    bench.runner._deliver = lambda *_: (_ for _ in ()).throw(TypeError("bad row"))
    bench.read(2)
    assert "could not be taken" in bench.log.lines[0]


def test_a_reading_that_hangs_is_said_once_and_accounted_for() -> None:
    entered, go = threading.Event(), threading.Event()

    class Hangs(Script):
        def read(self):  # type: ignore[no-untyped-def]
            entered.set()
            go.wait(10)
            return []

    bench = Bench(Hangs([]))
    thread = threading.Thread(target=bench.runner.read_once)
    thread.start()
    assert entered.wait(10)
    bench.runner.check()
    bench.clock.pass_s(11)
    bench.runner.check()
    bench.runner.check()
    go.set()
    thread.join()
    hanging = [r for r in bench.delivered if isinstance(r, SourceRun) and r.runs == 0]
    assert [r.failures for r in hanging] == [1, 1]
    assert len(bench.log.lines) == 1
    assert "hangs for more than 10 s" in bench.log.lines[0]


def test_the_source_is_closed_at_the_end() -> None:
    source = Script([])
    stopped = threading.Event()
    stopped.set()
    Bench(source).runner.run(stopped)
    assert source.closed
