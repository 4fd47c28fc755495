"""The whole agent: threads that do not harm each other, and an end that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.agent import Agent, AgentSettings, Parts, boot_id, memory_of
from collector.pace import ClockWatch
from collector.source import Source
from collector.window import Folded, Profile
from gpuledger.batch import Batch
from gpuledger.errors import ConfigError, ReadError
from gpuledger.schema import Row
from gpuledger.spool import Block, Spool
from tests.collector.support import Context, FakeClock, Lines, Script, host_row, tree
from tests.collector.support import context as fake_context
from tests.components.process import wait_until

FAST = AgentSettings(profile=Profile.FINE, flush_s=0.02)


class Seen:
    """Collects folded rows and tells when there are enough."""

    def __init__(self, enough: int) -> None:
        self.rows: list[Folded] = []
        self.enough = threading.Event()
        self._enough = enough

    def __call__(self, rows: Sequence[Folded]) -> None:
        self.rows += rows
        if sum(r.table.name == "host_samples" for r in self.rows) >= self._enough:
            self.enough.set()


def real_clock(lines: Lines | None = None) -> Context:
    fake = fake_context(lines=lines)
    return Context(fake.cluster, fake.node, root=fake.root, log=fake.log)


def agent(path: Path, sources: dict[str, Source], seen: Seen, lines: Lines | None = None) -> Agent:
    def encode(batch: Batch) -> bytes:
        return f"{len(batch)}".encode()

    parts = Parts(FAST, sources, listeners=(seen,))
    return Agent(parts, real_clock(lines), Spool(path), encode)


def test_one_failing_source_never_stops_another(tmp_path: Path) -> None:
    seen, lines = Seen(3), Lines()
    sources = {
        "bad": Script(ReadError("broken"), period_s=0.02),
        "worse": Script(ZeroDivisionError("a bug"), period_s=0.02),
        "good": Script([host_row()], period_s=0.02),
    }
    collecting = agent(tmp_path / "spool", sources, seen, lines)
    collecting.start()
    assert seen.enough.wait(20)
    collecting.stop()
    failing = {
        r.values["source"]: r.values["failures"] for r in seen.rows if r.table.name == "source_runs"
    }
    assert failing == {"bad": 1, "worse": 1, "good": 0}
    assert sorted(line.split(":")[0] for line in lines.lines) == [
        "source bad fails",
        "source worse fails",
    ]


def test_stopping_hands_every_row_to_the_spool_and_closes_the_sources(tmp_path: Path) -> None:
    seen, source = Seen(1), Script([host_row()], period_s=0.02)
    collecting = agent(tmp_path / "spool", {"good": source}, seen)
    collecting.start()
    assert seen.enough.wait(20)
    collecting.stop()
    assert source.closed
    spool = Spool(tmp_path / "spool").open()
    kept = 0
    while heads := spool.heads():
        entry = spool.entry(heads[0])
        assert entry is not None
        kept += entry.rows
        spool.done([entry.sequence])
    spool.close()
    assert kept == len(seen.rows)


def test_a_spool_in_use_is_said_before_anything_runs(tmp_path: Path) -> None:
    other = Spool(tmp_path / "spool").open()
    with pytest.raises(ConfigError, match="another agent uses it"):
        agent(tmp_path / "spool", {}, Seen(1)).start()
    other.close()


def test_a_moved_wall_clock_is_said_in_one_line_and_makes_nothing_older(tmp_path: Path) -> None:
    lines, clock = Lines(), FakeClock()
    here = fake_context(lines=lines, clock=clock)
    spool = Spool(tmp_path / "spool", clock=here.clock.wall).open()
    spool.put([("jobs", [Block(1, b"x")])])
    collecting, watch = Agent(Parts(FAST, {}), here, spool, lambda _: b""), ClockWatch(here.clock)
    collecting._follow_clock(watch)
    clock.wall_s += 864_000.0
    collecting._follow_clock(watch)
    collecting._follow_clock(watch)
    spool.put([])
    assert (spool.oldest_s(), spool.waiting()) == (0.0, (1, 1))
    assert len(lines.lines) == 1
    assert "moved by +864000.0 s" in lines.lines[0]
    spool.close()


def test_what_breaks_once_beside_the_flush_costs_no_later_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, lines, broken = Seen(3), Lines(), []

    def bug(_: object) -> float:
        broken.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr("collector.agent.ClockWatch.step_s", lambda w: bug(w) if seen.rows else 0.0)
    monkeypatch.setattr("collector.runner.Runner.check", bug)
    collecting = agent(
        tmp_path / "spool", {"good": Script([host_row()], period_s=0.02)}, seen, lines
    )
    collecting.start()
    assert seen.enough.wait(20)
    collecting.stop()
    assert broken
    assert set(lines.lines) <= {
        "the clock could not be watched",
        "the sources could not be watched",
    }


def test_a_flush_that_breaks_is_said_and_the_next_one_has_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, lines, tries = Seen(1), Lines(), []

    class Odd(Spool):
        def put(self, *arguments: Any, **named: Any) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise UnicodeEncodeError("utf-8", "x", 0, 1, "odd")
            super().put(*arguments, **named)

    source = Script([host_row()], [], period_s=0.02)
    parts = Parts(FAST, {"good": source}, listeners=(seen,))
    collecting = Agent(parts, real_clock(lines), Odd(tmp_path / "spool"), lambda b: b"x" * len(b))
    collecting.start()
    wait_until(lambda: len(tries) > 1, 20, "a second flush")
    collecting.stop()
    assert lines.lines == ["rows could not be put into the spool"]
    spool = Spool(tmp_path / "spool").open()
    tables = [e.table for s in spool.heads() if (e := spool.entry(s))]
    spool.close()
    assert "host_samples" in tables


def test_what_a_reading_remembers_that_hung_through_a_change_is_dropped_with_its_rows(
    tmp_path: Path,
) -> None:
    inside, out, ended, read = (threading.Event() for _ in range(4))
    spool = Spool(tmp_path / "spool")

    class Once(Script):
        def read(self) -> Iterator[Row]:
            memory = memory_of("one", spool)
            if not inside.is_set():
                inside.set()
                out.wait()
                memory["told"] = "by the old one"
                ended.set()
                return
            assert ended.wait(20)
            if "told" not in memory:
                yield host_row(load1=2.0)
                memory["told"] = "by the new one"
            read.set()

    seen = Seen(1)
    old, new = ({"one": Once([], period_s=0.02)} for _ in range(2))
    collecting = Agent(
        Parts(FAST, old, listeners=(seen,), made_of={"one": 1}), real_clock(), spool, lambda _: b"x"
    )
    collecting.start()
    assert inside.wait(20)
    collecting.change(Parts(FAST, new, listeners=(seen,), made_of={"one": 2}))
    out.set()
    assert read.wait(20)
    collecting.stop()
    told = [r.values["load1"] for r in seen.rows if r.table.name == "host_samples"]
    assert told == [2.0]
    later = Spool(tmp_path / "spool").open()
    assert later.recall("source/") == {"one/told": "by the new one"}
    later.close()


def test_the_boots_name_is_read_below_the_root(tmp_path: Path) -> None:
    assert boot_id(tmp_path) == ""
    root = tree(tmp_path, {"proc/sys/kernel/random/boot_id": "abc\n"})
    assert boot_id(root) == "abc"


def test_what_was_made_of_the_same_goes_on_through_a_change(tmp_path: Path) -> None:
    seen = Seen(1)
    old = {n: Script([host_row()], period_s=0.02) for n in ("kept", "renewed", "gone")}
    new = {n: Script([host_row()], period_s=0.02) for n in ("kept", "renewed", "fresh")}
    made = {"kept": 1, "renewed": 1, "gone": 1}
    spool = Spool(tmp_path / "spool")
    collecting = Agent(
        Parts(FAST, old, listeners=(seen,), made_of=made), real_clock(), spool, lambda _: b"x"
    )
    collecting.start()
    assert seen.enough.wait(20)
    remade = {"kept": 1, "renewed": 2, "fresh": 1}
    collecting.change(Parts(FAST, new, listeners=(seen,), made_of=remade))
    assert {n: s.closed for n, s in old.items()} == {"kept": False, "renewed": True, "gone": True}
    collecting.stop()
    assert old["kept"].closed
    assert {n: s.closed for n, s in new.items()} == {"kept": False, "renewed": True, "fresh": True}


def test_what_a_reading_brings_that_hung_through_a_change_is_dropped(tmp_path: Path) -> None:
    inside, out = threading.Event(), threading.Event()

    class Hangs(Script):
        def read(self) -> list[Row]:
            inside.set()
            out.wait()
            return [host_row(load1=1.0)]

    hung, lines = Hangs([], period_s=0.02), Lines()
    seen = Seen(1)
    collecting = agent(tmp_path / "spool", {"one": hung}, seen, lines)
    collecting.start()
    assert inside.wait(20)
    collecting.change(Parts(FAST, {}, listeners=(seen,)))
    out.set()
    collecting.stop()
    assert [r for r in seen.rows if r.table.name == "host_samples"] == []


class Endpoint:
    """A service that may refuse to start."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.runs = False

    def start(self) -> None:
        if not self.works:
            raise ConfigError("port in use")
        self.runs = True

    def stop(self) -> None:
        self.runs = False


def test_where_a_service_cannot_start_the_old_ones_come_back(tmp_path: Path) -> None:
    old, good, bad = Endpoint(), Endpoint(), Endpoint(works=False)
    here, spool = real_clock(), Spool(tmp_path / "spool")
    collecting = Agent(Parts(FAST, {}, services=(old,)), here, spool, lambda _: b"")
    collecting.start()
    with pytest.raises(ConfigError, match="port in use"):
        collecting.change(Parts(FAST, {}, services=(good, bad)))
    assert (old.runs, good.runs, bad.runs) == (True, False, False)
    collecting.change(Parts(FAST, {}, services=(good,)))
    assert (old.runs, good.runs) == (False, True)
    collecting.stop()
    assert not good.runs


def test_a_change_bounds_the_spool_anew(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    collecting = Agent(Parts(FAST, {}), real_clock(), spool, lambda _: b"")
    collecting.change(Parts(AgentSettings(spool_bytes=5, spool_age_s=7.0), {}))
    assert (spool.capacity_bytes, spool.age_s) == (5, 7.0)
