"""Disks and filesystems; nothing here may hang on a dead mount."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.storage import (
    LOCAL,
    Storage,
    StorageSettings,
    block_samples,
    local_mounts,
    plain,
)
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
from gpuledger.errors import Unavailable
from tests.collector.support import context, tree

DISK = "10 0 200 30 40 0 500 60 0 70 90 0 0 0 0 0 0"
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


def test_whole_disks_are_read_partitions_loops_and_memory_are_not() -> None:
    text = "\n".join(f" 8 0 {name} {DISK}" for name in NAMES)
    assert [row.device for row in block_samples(text)] == ["nvme0n1", "sda", "dm-0", "vda"]


def test_sectors_are_512_bytes_and_times_are_seconds() -> None:
    (row,) = block_samples(f"259 0 nvme0n1 {DISK}")
    assert (row.reads, row.read_bytes, row.read_seconds) == (10, 102_400, 0.03)
    assert (row.writes, row.write_bytes, row.write_seconds) == (40, 256_000, 0.06)
    assert row.busy_seconds == pytest.approx(0.07)


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


def test_a_machine_without_proc_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        list(Storage(StorageSettings(), context(tmp_path)).read())


def test_octal_escapes_are_undone() -> None:
    assert plain(r"/a\040b\011c\134d") == "/a b\tc\\d"


@given(st.text())
def test_no_text_upsets_the_parsers(text: str) -> None:
    list(block_samples(text))
    local_mounts(text, frozenset(LOCAL))
