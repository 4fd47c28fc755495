"""Block devices and local filesystems, from /proc and statvfs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

from collector.files import Files, scaled, whole
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

SECTOR_BYTES = 512  # the kernel's unit in /proc/diskstats, whatever the disk's own is
# Memory, loops and partitions; from prometheus/node_exporter's diskstats collector.
UNWANTED = re.compile(r"^(z?ram|loop|fd|sr|(h|s|v|xv)d[a-z]+|(nvme\d+n|mmcblk)\d+p)\d+$")
# Named, not guessed: statvfs on a dead network mount (nfs, lustre, gpfs, any fuse) never returns.
LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "vfat")
FIELDS = 14
ESCAPE = re.compile(r"\\([0-7]{3})")


class StorageSettings(Settings):
    """Section `[storage]`."""

    period_s: Annotated[float, "seconds between readings"] = 1.0
    filesystems: Annotated[tuple[str, ...], "types to read; only ones that cannot hang"] = LOCAL


class Storage(Source):
    """One row per disk and per mounted filesystem."""

    def __init__(
        self,
        settings: StorageSettings,
        context: Context,
        statvfs: Callable[[str], os.statvfs_result] = os.statvfs,
    ) -> None:
        self.period_s = settings.period_s
        self._types = frozenset(settings.filesystems)
        self._files = Files(context.root, context.clock.monotonic)
        self._statvfs = statvfs

    def read(self) -> Iterable[BlockSample | FilesystemSample]:
        """Disks, then filesystems. Unavailable where /proc tells of neither."""
        disks, mounts = self._files.text("proc/diskstats"), self._files.text("proc/self/mounts")
        if disks is None and mounts is None:
            raise Unavailable("no /proc/diskstats and no /proc/self/mounts")
        yield from block_samples(disks or "")
        for device, mount, kind in local_mounts(mounts or "", self._types):
            yield self._filesystem(device, mount, kind)

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _filesystem(self, device: str, mount: str, kind: str) -> FilesystemSample:
        try:
            told = self._statvfs(str(self._files.root / mount.lstrip("/")))
        except OSError:
            told = None
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


def block_samples(text: str) -> Iterator[BlockSample]:
    """Rows of whole disks in /proc/diskstats (fields: linux, admin-guide/iostats)."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < FIELDS or UNWANTED.match(words[2]):
            continue
        reads, _, read, read_ms, writes, _, written, write_ms, _, busy_ms = map(whole, words[3:13])
        yield BlockSample.known(
            device=words[2],
            read_bytes=scaled(read, SECTOR_BYTES),
            write_bytes=scaled(written, SECTOR_BYTES),
            reads=reads,
            writes=writes,
            read_seconds=scaled(read_ms, 1e-3),
            write_seconds=scaled(write_ms, 1e-3),
            busy_seconds=scaled(busy_ms, 1e-3),
        )


def local_mounts(text: str, types: frozenset[str]) -> list[tuple[str, str, str]]:
    """Device, mount point and type of each local filesystem; of bind mounts only the first."""
    found: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) >= 3 and words[2] in types:
            device, mount = plain(words[0]), plain(words[1])
            found.setdefault(device, (device, mount, words[2]))
    return list(found.values())


def plain(word: str) -> str:
    r"""The word without the octal escapes of /proc/mounts, e.g. `\040` for a space."""
    return ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)


source = SourceKind(StorageSettings, Storage)
