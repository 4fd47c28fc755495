"""Disks and filesystems; nothing here may hang on a dead mount."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.missing import Missing
from collector.sources.storage import (
    LOCAL,
    Storage,
    StorageSettings,
    block_samples,
    local_mounts,
)
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
from gpuledger.errors import Unavailable
from tests.collector.support import context, tree

DISK = "10 0 200 30 40 0 500 60 7 70 90 11 0 0 0 13 140"
NAMES = ["nvme0n1", "nvme0n1p1", "sda", "sda1", "loop0", "ram0", "zram0", "dm-0", "vda", "sr0"]
MOUNTS = r"""/dev/nvme0n1p1 / ext4 rw 0 0
/dev/nvme0n1p1 /bind ext4 rw 0 0
/dev/sda1 /my\040data xfs rw 0 0
proc /proc proc rw 0 0
nas:/home /home nfs4 rw 0 0
10.0.0.1@tcp:/l /lustre lustre rw 0 0
fs /gpfs gpfs rw 0 0
s3fs /bucket fuse.s3fs rw 0 0
"""


def statvfs(path: str) -> os.statvfs_result:
    assert not path.endswith(("/home", "/lustre", "/gpfs", "/bucket")), "it would hang"
    return os.statvfs_result((4096, 1024, 1000, 500, 400, 90, 80, 80, 0, 255))


def blocks(text: str) -> tuple[list[BlockSample], list[tuple[str, str, str]]]:
    """Rows of that text, and subject, reading and reason of what they lack."""
    missing = Missing("storage")
    rows = list(block_samples(text, missing))
    return rows, reasons(missing.rows())


def reasons(rows: Iterable[object]) -> list[tuple[str, str, str]]:
    return [(r.subject, r.reading, r.reason) for r in rows if isinstance(r, MissingValue)]


def test_whole_disks_are_read_partitions_loops_and_memory_are_not() -> None:
    rows, lacks = blocks("\n".join(f" 8 0 {name} {DISK}" for name in NAMES))
    assert [row.device for row in rows] == ["nvme0n1", "sda", "dm-0", "vda"]
    assert lacks == []


def test_sectors_are_512_bytes_and_times_are_seconds() -> None:
    (row,), _ = blocks(f"259 0 nvme0n1 {DISK}")
    assert (row.reads, row.read_bytes, row.read_seconds) == (10, 102_400, 0.03)
    assert (row.writes, row.write_bytes, row.write_seconds) == (40, 256_000, 0.06)
    assert (row.in_flight, row.discards, row.flushes) == (7, 11, 13)
    assert row.busy_seconds == pytest.approx(0.07)
    assert row.queue_seconds == pytest.approx(0.09)
    assert row.flush_seconds == pytest.approx(0.14)


@pytest.mark.parametrize(
    ("words", "lacked"),
    [(11, ["discards", "flushes", "flush_seconds"]), (15, ["flushes", "flush_seconds"])],
)
def test_what_an_older_kernel_does_not_tell_is_missing_not_0(words: int, lacked: list[str]) -> None:
    rows, lacks = blocks("8 0 sda " + " ".join(DISK.split()[:words]))
    assert lacks == [("sda", name, "unsupported") for name in lacked]
    assert {n for n, v in rows[0].values().items() if v is None} == set(lacked)


def test_a_word_that_is_no_number_costs_its_column_only() -> None:
    rows, lacks = blocks(f"8 0 sda {DISK.replace('500', '-5')}\n8 16 sdb {DISK}")
    assert lacks == [("sda", "write_bytes", "malformed")]
    assert (rows[0].write_bytes, rows[0].writes, rows[1].write_bytes) == (None, 40, 256_000)


def test_a_count_in_flight_below_0_is_missing() -> None:
    rows, lacks = blocks(f"8 0 sda {DISK.replace(' 7 ', ' 4294967295 ')}")
    assert lacks == [("sda", "in_flight", "malformed")]
    assert rows[0].in_flight is None


def test_a_line_cut_off_costs_its_disk_only_and_its_return_is_told() -> None:
    missing = Missing("storage")
    (row,) = block_samples(f"8 0 sda {DISK}\n8 16 sdb 10 0 2", missing)
    assert row.device == "sda"
    assert reasons(missing.rows()) == [("sdb", "proc/diskstats", "malformed")]
    assert len(list(block_samples(f"8 16 sdb {DISK}", missing))) == 1
    assert reasons(missing.rows()) == [("sdb", "proc/diskstats", "")]


def test_only_local_filesystems_are_asked_each_once(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/diskstats": "", "proc/self/mounts": MOUNTS})
    source = Storage(StorageSettings(), context(root), statvfs)
    rows = [r for r in source.read() if isinstance(r, FilesystemSample)]
    assert [(r.mount, r.filesystem) for r in rows] == [("/", "ext4"), ("/my data", "xfs")]
    assert (rows[0].size_bytes, rows[0].available_bytes) == (1_024_000, 409_600)
    assert (rows[0].inodes, rows[0].inodes_free) == (90, 80)


def test_a_filesystem_that_cannot_be_asked_has_missing_values(tmp_path: Path) -> None:
    def broken(path: str) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    root = tree(tmp_path, {"proc/diskstats": f"8 0 sda {DISK}", "proc/self/mounts": MOUNTS})
    rows = list(Storage(StorageSettings(), context(root), broken).read())
    disks = [r for r in rows if isinstance(r, BlockSample)]
    assert len(disks) == 1
    assert [r.size_bytes for r in rows if isinstance(r, FilesystemSample)] == [None, None]
    assert reasons(rows) == [(m, "statvfs", "unreadable") for m in ("/", "/my data")]


def test_a_filesystem_without_a_table_of_inodes_says_so(tmp_path: Path) -> None:
    def btrfs(path: str) -> os.statvfs_result:
        return os.statvfs_result((4096, 1024, 1000, 500, 400, 0, 0, 0, 0, 255))

    root = tree(tmp_path, {"proc/self/mounts": "/dev/sda1 / btrfs rw 0 0\n"})
    rows = list(Storage(StorageSettings(), context(root), btrfs).read())
    (row,) = (r for r in rows if isinstance(r, FilesystemSample))
    assert (row.size_bytes, row.inodes, row.inodes_free) == (1_024_000, None, None)
    assert ("/", "inodes", "unsupported") in reasons(rows)


def test_a_filesystem_that_hangs_stops_no_other(tmp_path: Path) -> None:
    freed = threading.Event()

    def hanging(path: str) -> os.statvfs_result:
        if not path.endswith("/my data"):
            freed.wait()
        return statvfs(path)

    root = tree(tmp_path, {"proc/diskstats": f"8 0 sda {DISK}", "proc/self/mounts": MOUNTS})
    source = Storage(StorageSettings(timeout_s=0.05), context(root), hanging)
    rows = list(source.read())
    sizes = [r.size_bytes for r in rows if isinstance(r, FilesystemSample)]
    assert sizes == [None, 1_024_000]
    assert reasons(rows) == [("/", "statvfs", "timeout")]
    freed.set()
    source.close()


def test_one_file_that_cannot_be_read_costs_its_rows_only(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/diskstats/a folder": "", "proc/self/mounts": MOUNTS})
    rows = list(Storage(StorageSettings(), context(root), statvfs).read())
    assert len([r for r in rows if isinstance(r, FilesystemSample)]) == 2
    assert reasons(rows) == [("", "proc/diskstats", "unreadable")]


def test_a_machine_without_proc_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(Storage(StorageSettings(), context(tmp_path)).read())


@given(st.lists(st.sampled_from([*DISK.split(), *NAMES, "-1", "x", "\n", str(1 << 70)])))
def test_no_words_upset_the_parser_of_disks(words: list[str]) -> None:
    rows, _ = blocks(" ".join(words))
    assert all(
        (value or 0) >= 0
        for r in rows
        for value in r.values().values()
        if not isinstance(value, str | datetime)
    )


@given(st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    blocks(text)
    local_mounts(text, frozenset(LOCAL))
