"""Block devices and local filesystems, from /proc and statvfs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Annotated

from collector.files import Files, reason_of, scaled, whole
from collector.missing import Missing, Reason
from collector.mountstats import plain
from collector.patience import Patience
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

SECTOR_BYTES = 512  # the kernel's unit in /proc/diskstats, whatever the disk's own is
MILLI = 1e-3
# Memory, loops and partitions; from prometheus/node_exporter's diskstats collector.
UNWANTED = re.compile(r"^(z?ram|loop|fd|sr|(h|s|v|xv)d[a-z]+|(nvme\d+n|mmcblk)\d+p)\d+$")
# Named, not guessed: statvfs on a dead network mount (nfs, lustre, gpfs, any fuse) never returns.
LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "vfat")
FIELDS = 14  # Linux 4.18 added four of discards, Linux 5.5 two of flushes
# Column, its word in a line, what one of it is (linux, admin-guide/iostats).
COLUMNS = (
    ("reads", 3, 1),
    ("read_bytes", 5, SECTOR_BYTES),
    ("read_seconds", 6, MILLI),
    ("writes", 7, 1),
    ("write_bytes", 9, SECTOR_BYTES),
    ("write_seconds", 10, MILLI),
    ("in_flight", 11, 1),
    ("busy_seconds", 12, MILLI),
    ("queue_seconds", 13, MILLI),
    ("discards", 14, 1),
    ("flushes", 18, 1),
    ("flush_seconds", 19, MILLI),
)
MOST_IN_FLIGHT = 1 << 31  # more is a count below 0, printed without its sign

Statvfs = Callable[[str], os.statvfs_result]
Rows = Iterator[BlockSample | FilesystemSample | MissingValue]


class StorageSettings(Settings):
    """Section `[storage]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    filesystems: Annotated[tuple[str, ...], "types to read; only local ones"] = LOCAL
    timeout_s: Annotated[float, "longest wait for one filesystem, in seconds"] = 2.0


class Storage(Source):
    """One row per disk and per mounted filesystem."""

    def __init__(
        self, settings: StorageSettings, context: Context, statvfs: Statvfs = os.statvfs
    ) -> None:
        self.period_s = settings.period_s
        self._types = frozenset(settings.filesystems)
        self._files = Files(context.root, context.clock.monotonic)
        self._ask = Patience(statvfs, settings.timeout_s)
        self._missing = Missing("storage")

    def read(self) -> Rows:
        """Disks, then filesystems. Unavailable where /proc tells of neither."""
        disks, mounts = self._text("proc/diskstats"), self._text("proc/self/mounts")
        if disks is None and mounts is None:
            raise Unavailable("no /proc/diskstats and no /proc/self/mounts")
        yield from block_samples(disks or "", self._missing)
        for device, mount, kind in local_mounts(mounts or "", self._types):
            yield self._filesystem(device, mount, kind)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files, and let the thread end."""
        self._files.close()
        self._ask.close()

    def _text(self, path: str) -> str | None:
        text = self._files.text(path)
        if text is None:
            self._missing.note("", path, Reason.UNREADABLE)
        else:
            self._missing.found("", path)
        return text

    def _filesystem(self, device: str, mount: str, kind: str) -> FilesystemSample:
        told = self._statvfs(mount)
        return FilesystemSample(
            mount=mount,
            device=device,
            filesystem=kind,
            size_bytes=told and told.f_blocks * told.f_frsize,
            available_bytes=told and told.f_bavail * told.f_frsize,
            # Filesystems without a table of inodes (btrfs) say 0 of 0.
            inodes=(told and told.f_files) or None,
            inodes_free=told.f_ffree if told and told.f_files else None,
        )

    def _statvfs(self, mount: str) -> os.statvfs_result | None:
        """What the filesystem says of itself, or None and a reason."""
        try:
            told = self._ask(str(self._files.root / mount.lstrip("/")))
        except OSError as e:
            self._missing.note(mount, "statvfs", reason_of(e), e.strerror or "")
            return None
        self._missing.found(mount, "statvfs")
        if not told.f_files:
            self._missing.note(mount, "inodes", Reason.UNSUPPORTED)
        return told


def block_samples(text: str, missing: Missing) -> Iterator[BlockSample]:
    """Rows of whole disks in /proc/diskstats; what a row lacks is noted in `missing`."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 3 or UNWANTED.match(words[2]):
            continue
        name = words[2]
        if len(words) < FIELDS:
            missing.note(name, "proc/diskstats", Reason.MALFORMED, f"{len(words)} words")
            continue
        missing.found(name, "proc/diskstats")
        yield BlockSample.known(device=name, **_values(name, words, missing))


def _values(name: str, words: list[str], missing: Missing) -> dict[str, float | None]:
    """The columns of one disk's line."""
    values: dict[str, float | None] = {}
    for column, place, factor in COLUMNS:
        values[column] = value = scaled(_count(column, words, place), factor)
        if value is None:
            reason = Reason.MALFORMED if place < len(words) else Reason.UNSUPPORTED
            missing.note(name, column, reason)
        else:
            missing.found(name, column)
    return values


def _count(column: str, words: list[str], place: int) -> int | None:
    value = whole(words[place]) if place < len(words) else None
    underflow = column == "in_flight" and value is not None and value >= MOST_IN_FLIGHT
    return None if underflow else value


def local_mounts(text: str, types: frozenset[str]) -> list[tuple[str, str, str]]:
    """Device, mount point and type of each local filesystem; of bind mounts only the first."""
    found: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) >= 3 and words[2] in types:
            device, mount = plain(words[0]), plain(words[1])
            found.setdefault(device, (device, mount, words[2]))
    return list(found.values())


source = SourceKind(StorageSettings, Storage)
