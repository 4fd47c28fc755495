"""Rows and what their source remembers reach the disk together, or neither does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.agent import Agent, AgentSettings, Parts, memory_of
from collector.counters import Counters
from collector.occupancy import Occupancy
from collector.outbox import Outbox
from collector.runner import Runner
from collector.source import Context, Source
from collector.stamp import Stamp
from collector.window import Profile, Windows
from gpuledger.batch import Batch
from gpuledger.catalogue.work import Allocation
from gpuledger.errors import StoreError
from gpuledger.schema import FOREVER, Row
from gpuledger.spool import Spool
from tests.collector.slurm import NOW, Cluster, at, states
from tests.collector.support import Lines, Script, context, host_row
from tests.collector.test_occupancy import uses


def encode(batch: Batch) -> bytes:
    return repr(batch.columns.get("valid_to")).encode()


class Life:
    """One life of an agent with one source; `die` ends it as kill -9 does."""

    def __init__(self, path: Path, here: Context, make: Callable[[Context], Source]) -> None:
        self.spool = Spool(path).open()
        memory = memory_of("test", self.spool)
        self.memory = memory
        self.outbox = Outbox(
            self.spool, Windows(Profile.FINE), Counters(), encode=encode, log=here.log
        )
        self.runner = Runner(
            "test",
            make(replace(here, memory=memory)),
            here,
            Stamp(here, epoch=1),
            self.outbox.accept,
            memory.take,
        )

    def read(self) -> list[Row]:
        return self.runner.read_once()

    def die(self) -> None:
        """What is in RAM is gone, what is on disk stays."""
        self.spool.close()


class Listening(Cluster):
    """A Slurm, and the lives of the agents that listen to it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def live(self) -> Life:
        return Life(self.path, self.here, self._listen)

    def _listen(self, here: Context) -> Source:
        self.here = here
        self.restart()
        return self.source

    def finish(self, native: int) -> None:
        self.clock.pass_s(30)
        job = self.job(native)
        job.update(job_state=["COMPLETED"], gres_detail=[])
        job["end_time"]["number"] = round(NOW) + 20


@pytest.fixture
def slurm(tmp_path: Path) -> Listening:
    return Listening(tmp_path / "spool")


def closed(rows: Iterable[Row]) -> list[Allocation]:
    return [a for a in rows if isinstance(a, Allocation) and a.valid_to != FOREVER]


def flushed(life: Life) -> Life:
    life.outbox.flush()
    return life


def test_an_end_that_did_not_reach_the_disk_comes_again(slurm: Listening) -> None:
    first = slurm.live()
    first.read()
    flushed(first)
    slurm.finish(101)
    assert len(closed(first.read())) == 10
    first.die()
    second = slurm.live()
    assert [a.valid_to for a in closed(second.read())] == [at(NOW + 20)] * 10
    second.die()


def test_an_end_that_reached_the_disk_does_not_come_again(slurm: Listening) -> None:
    first = slurm.live()
    first.read()
    slurm.finish(101)
    first.read()
    flushed(first).die()
    second = slurm.live()
    assert closed(second.read()) == []
    second.die()


def test_a_vanished_job_that_did_not_reach_the_disk_comes_again(slurm: Listening) -> None:
    first = slurm.live()
    first.read()
    flushed(first)
    slurm.clock.pass_s(30)
    slurm.vanish(101)
    first.read()
    first.die()
    second = slurm.live()
    assert [a.valid_to for a in closed(second.read())] == [at(NOW)] * 10
    second.die()


def test_a_nodes_change_that_did_not_reach_the_disk_comes_again(slurm: Listening) -> None:
    first = slurm.live()
    first.read()
    flushed(first)
    slurm.clock.pass_s(30)
    slurm.nodes["nodes"].pop(0)
    first.read()
    first.die()
    second = slurm.live()
    assert [n.node for n in states(second.read()) if n.valid_to != FOREVER] == ["n1"]
    second.die()


def test_the_end_of_a_process_that_did_not_reach_the_disk_comes_again(tmp_path: Path) -> None:
    class Processes(Source):
        period_s = 1.0
        slots: tuple[int, ...] = (0,)

        def __init__(self, here: Context) -> None:
            self.occupancy = Occupancy(here)

        def read(self) -> Iterator[Row]:
            return self.occupancy.rows(uses(*self.slots))

    here = context()
    first = Life(tmp_path / "spool", here, Processes)
    first.read()
    flushed(first)
    Processes.slots = ()
    assert len(closed(first.read())) == 1
    first.die()
    second = Life(tmp_path / "spool", here, Processes)
    assert len(closed(second.read())) == 1
    assert len(closed(second.read())) == 0
    flushed(second)
    second.die()
    third = Life(tmp_path / "spool", here, Processes)
    assert closed(third.read()) == []
    third.die()


def test_while_the_disk_is_full_neither_is_written_and_then_both_are(
    slurm: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = slurm.live()
    life.read()
    flushed(life)
    slurm.finish(101)
    entries, remembered = life.spool.waiting(), life.spool.recall("source/")

    def full(*_: object) -> None:
        raise StoreError("disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(life.spool, "put", full)
        life.read()
        flushed(life)
    assert (life.spool.waiting(), life.spool.recall("source/")) == (entries, remembered)
    flushed(life)
    assert life.spool.waiting() > entries
    assert '"state": "completed"' in life.spool.recall("source/test/job/")["c/101"]
    life.die()


class Stubborn(dict[str, str]):
    """A memory that cannot be written at times."""

    stuck = False

    def __setitem__(self, key: str, value: str) -> None:
        if self.stuck:
            raise StoreError("disk is full")
        super().__setitem__(key, value)


def test_a_snapshot_that_could_not_be_remembered_is_told_by_the_next_one() -> None:
    cluster, memory = Cluster(), Stubborn()
    cluster.here = replace(cluster.here, memory=memory)
    cluster.restart()
    cluster.read()
    cluster.vanish(101)
    memory.stuck = True
    with pytest.raises(StoreError):
        cluster.read()
    memory.stuck = False
    assert len(closed(cluster.read())) == 10


def test_a_refresh_that_could_not_be_remembered_is_made_up_for() -> None:
    cluster, memory = Cluster(), Stubborn()
    cluster.here = replace(cluster.here, memory=memory)
    cluster.restart()
    everything = len(cluster.read())
    memory.stuck = True
    with pytest.raises(StoreError):
        cluster.read(600)
    memory.stuck = False
    assert len(cluster.read()) == everything


def test_what_a_reading_remembers_waits_for_its_rows(tmp_path: Path) -> None:
    class Half(Script):
        def __init__(self, here: Context) -> None:
            super().__init__([])
            self.here = here

        def read(self) -> Iterator[Row]:
            self.here.memory["told"] = "yes"
            flushed(life)
            assert life.spool.recall("source/") == {}
            yield host_row()

    lines = Lines()
    life = Life(tmp_path / "spool", context(lines=lines), Half)
    life.read()
    flushed(life)
    assert lines.lines == []
    assert life.spool.recall("source/") == {"test/told": "yes"}
    life.die()


def test_the_agent_keeps_what_its_sources_remember(tmp_path: Path) -> None:
    spool, read = Spool(tmp_path / "spool"), threading.Event()

    class Remembers(Script):
        def read(self) -> Iterable[Row]:
            memory_of("one", spool)["told"] = "yes"
            read.set()
            return []

    settings = AgentSettings(profile=Profile.FINE, flush_s=60.0)
    here = replace(context(), clock=Context("c", "n1").clock)
    agent = Agent(Parts(settings, {"one": Remembers([])}), here, spool, encode)
    agent.start()
    assert read.wait(20)
    agent.stop()
    assert dict(memory_of("one", Spool(tmp_path / "spool").open())) == {"told": "yes"}
