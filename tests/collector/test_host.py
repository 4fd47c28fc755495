"""The host source on machines made of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.pressure import stalled_s
from collector.sources.host import Host, HostSettings, jiffies, meminfo, swap_used
from collector.timekeeping import Discipline, discipline
from gpuledger.catalogue.host import HostSample, MissingValue
from gpuledger.errors import Unavailable
from tests.collector.support import context, tree

STAT = "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 50 0 50 350 50 0 0 0 0 0\ncpu1 50 0 50 350 50 0\n"
MACHINE = {
    "proc/stat": STAT + "intr 1\nbtime 1700000000\n",
    "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n"
    "SwapTotal: 100 kB\nSwapFree: 40 kB\nHuge: 3\n",
    "proc/loadavg": "0.42 0.50 0.60 1/100 1234\n",
    "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n",
    "proc/pressure/io": "some avg10=0.0 total=1000\nfull avg10=0.0 total=7\n",
    "proc/pressure/irq": "full avg10=0.0 total=9\n",
}

SYNCHRONIZED = Discipline(is_synchronized=True, error_s=0.0015)


def read(source: Host) -> HostSample:
    (row,) = (r for r in source.read() if isinstance(r, HostSample))
    return row


def reasons(source: Host) -> dict[str, str]:
    return {r.reading: r.reason for r in source.read() if isinstance(r, MissingValue)}


def test_shares_of_processor_time_are_differences(tmp_path: Path) -> None:
    source = Host(HostSettings(), context(tree(tmp_path, MACHINE)))
    first = read(source)
    assert (first.cpus, first.cpu_busy_ratio, first.cpu_iowait_ratio) == (2, None, None)
    tree(tmp_path, {"proc/stat": STAT.replace("cpu  100 0 100 700 100", "cpu  150 0 100 730 120")})
    second = read(source)
    assert second.cpu_busy_ratio == pytest.approx(0.5)
    assert second.cpu_iowait_ratio == pytest.approx(0.2)


def test_memory_load_and_pressure_are_in_base_units(tmp_path: Path) -> None:
    row = read(Host(HostSettings(), context(tree(tmp_path, MACHINE))))
    assert (row.memory_total_bytes, row.memory_available_bytes) == (1 << 20, 1 << 19)
    assert row.load1 == 0.42
    assert row.cpu_pressure_seconds == pytest.approx(2.5)
    assert row.io_pressure_seconds == pytest.approx(0.001)


def test_without_psi_pressure_is_missing_and_the_rest_is_there(tmp_path: Path) -> None:
    row = read(Host(HostSettings(), context(tree(tmp_path, MACHINE))))
    assert row.memory_pressure_seconds is None
    assert row.load1 is not None


def test_stalls_are_those_of_every_task(tmp_path: Path) -> None:
    row = read(Host(HostSettings(), context(tree(tmp_path, MACHINE))))
    assert row.io_stall_seconds == pytest.approx(7e-6)
    assert row.interrupt_stall_seconds == pytest.approx(9e-6)
    assert row.memory_stall_seconds is None


def test_what_this_kernel_does_not_tell_is_noted_once(tmp_path: Path) -> None:
    source = Host(HostSettings(), context(tree(tmp_path, MACHINE)), lambda: SYNCHRONIZED)
    assert reasons(source) == {
        "memory_pressure_seconds": "unsupported",
        "memory_stall_seconds": "unsupported",
    }
    assert reasons(source) == {}


def test_swap_in_use_is_what_is_not_free(tmp_path: Path) -> None:
    assert read(Host(HostSettings(), context(tree(tmp_path, MACHINE)))).swap_used_bytes == 60 * 1024
    assert swap_used({"SwapTotal": 1, "SwapFree": 2}) == 0
    assert swap_used({"SwapTotal": 1}) is None


@pytest.mark.parametrize(
    ("told", "synchronized", "error"),
    [
        (SYNCHRONIZED, 1.0, 0.0015),
        (Discipline(is_synchronized=False, error_s=16.0), 0.0, None),
        (None, None, None),
    ],
)
def test_a_clock_that_nobody_sets_has_no_known_error(
    tmp_path: Path, told: Discipline | None, synchronized: float | None, error: float | None
) -> None:
    row = read(Host(HostSettings(), context(tree(tmp_path, MACHINE)), lambda: told))
    assert (row.clock_synchronized, row.clock_error_seconds) == (synchronized, error)


def test_the_kernel_tells_of_its_clock_without_any_right() -> None:
    told = discipline()
    assert told is not None
    assert told.error_s >= 0


def test_processor_time_that_runs_backwards_is_no_share(tmp_path: Path) -> None:
    source = Host(HostSettings(), context(tree(tmp_path, MACHINE)))
    read(source)
    tree(tmp_path, {"proc/stat": "cpu  900 0 100 700 90 0 0 0\n"})
    assert read(source).cpu_busy_ratio is None


def test_garbage_in_one_file_leaves_the_others(tmp_path: Path) -> None:
    broken = {**MACHINE, "proc/stat": "\x00\xff garbage", "proc/loadavg": "?"}
    row = read(Host(HostSettings(), context(tree(tmp_path, broken))))
    assert (row.cpus, row.load1, row.cpu_busy_ratio) == (None, None, None)
    assert row.memory_total_bytes == 1 << 20


def test_a_machine_without_proc_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="/proc/stat"):
        list(Host(HostSettings(), context(tmp_path)).read())


@given(st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    assert jiffies(text) is None or len(jiffies(text) or []) == 8
    assert all(v >= 0 for v in meminfo(text).values())
    assert (stalled_s(f"some {text}", "some") or 0) >= 0
