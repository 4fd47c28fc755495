"""The agent's account of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.account import Account, Family
from gpuledger.batch import Batch
from gpuledger.catalogue.host import AgentSample, MissingValue, SpoolLoss
from gpuledger.errors import ReadError
from gpuledger.native import encode, read_blocks
from gpuledger.spool import Block, Spool
from tests.collector.support import FakeClock, tree

SPIN = """
import sys, time
while time.process_time() < 0.2:
    pass
print("done", flush=True)
sys.stdin.read()
"""


def stat(user: int, system: int = 0, waited: int = 0) -> str:
    return f"1 (a name) with (braces)) S 1 1 1 0 -1 0 0 0 0 0 {user} {system} {waited} 0 20 0 1 0\n"


def family(root: Path, pid: int, children: str = "", pss_kib: int = 100, ticks: int = 10) -> None:
    tree(
        root,
        {
            f"{pid}/task/{pid}/children": children,
            f"{pid}/stat": stat(ticks),
            f"{pid}/smaps_rollup": f"Rss: 5 kB\nPss: {pss_kib} kB\nPss_Anon: 3 kB\n",
        },
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool").open()
    yield opened
    opened.close()


def test_children_and_their_children_count(tmp_path: Path) -> None:
    family(tmp_path, 1, "2 3 ")
    family(tmp_path, 2, "4 ")
    family(tmp_path, 3)
    family(tmp_path, 4, "9 ")  # which is gone by now
    found = Family(tmp_path, 1)
    assert found.pids() == [1, 2, 3, 4, 9]
    assert found.pss_bytes() == 400 * 1024
    assert found.cpu_s() == pytest.approx(40 / os.sysconf("SC_CLK_TCK"))


def test_a_real_child_is_found_and_its_time_stays_when_it_has_ended() -> None:
    before = Family().cpu_s()
    command = [sys.executable, "-S", "-c", SPIN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        ours = Family()
        assert child.pid in ours.pids()
        assert ours.pss_bytes() > Family(pid=child.pid).pss_bytes() > 1_000_000
        assert ours.cpu_s() - before >= 0.15
        child.communicate()
    assert child.pid not in ours.pids()
    assert ours.cpu_s() - before >= 0.15


def account(spool: Spool, root: Path, clock: FakeClock | None = None) -> Account:
    return Account(spool, 10.0, (clock or FakeClock()).clock.monotonic, Family(root, 1))


def test_the_row_says_what_the_agent_costs_and_what_waits(tmp_path: Path, spool: Spool) -> None:
    family(tmp_path, 1, ticks=300)
    spool.put([("jobs", [Block(1, b"abc")])])
    (row,) = account(spool, tmp_path).read()
    assert isinstance(row, AgentSample)
    assert (row.waiting_entries, row.waiting_bytes) == (1, 3)
    assert row.memory_bytes == 100 * 1024
    assert row.cpu_seconds == pytest.approx(300 / os.sysconf("SC_CLK_TCK"))
    assert row.oldest_waiting_seconds is not None
    read_blocks(encode(Batch.of_rows([row])))


def test_memory_is_looked_at_once_a_minute(tmp_path: Path, spool: Spool) -> None:
    family(tmp_path, 1)
    clock = FakeClock()
    source = account(spool, tmp_path, clock)
    list(source.read())
    family(tmp_path, 1, pss_kib=200)
    told = []
    for _ in range(3):
        clock.pass_s(30)
        told += [r.memory_bytes for r in source.read() if isinstance(r, AgentSample)]
    assert told == [100 * 1024, 200 * 1024, 200 * 1024]


def test_processor_time_never_runs_back(tmp_path: Path, spool: Spool) -> None:
    family(tmp_path, 1, ticks=300)
    source = account(spool, tmp_path)
    (before,) = source.read()
    family(tmp_path, 1, ticks=200)
    (after,) = source.read()
    assert after == before


def test_lost_rows_are_told_by_table(tmp_path: Path, spool: Spool) -> None:
    family(tmp_path, 1)
    spool.put([("jobs", [Block(3, b"abc")])], lost={"gpus": 4})
    spool.reject(1, "no")
    losses = [r for r in account(spool, tmp_path).read() if isinstance(r, SpoolLoss)]
    assert [(r.of, r.dropped_rows, r.rejected_rows) for r in losses] == [
        ("gpus", 4, 0),
        ("jobs", 0, 3),
    ]


def test_a_kernel_that_tells_no_children_leaves_the_cost_missing(
    tmp_path: Path, spool: Spool
) -> None:
    row, *missing = account(spool, tmp_path).read()
    assert isinstance(row, AgentSample)
    assert (row.cpu_seconds, row.memory_bytes) == (None, None)
    assert [(m.reading, m.reason) for m in missing if isinstance(m, MissingValue)] == [
        ("cpu_seconds", "unsupported"),
        ("memory_bytes", "unsupported"),
    ]


def test_a_spool_that_fails_is_a_failed_reading(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is closed"):
        list(account(Spool(tmp_path / "spool"), tmp_path).read())
