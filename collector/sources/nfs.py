"""NFS mounts of this node: operations, latency and bytes as its client counts them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from collector.files import Files, scaled
from collector.missing import Missing, Reason
from collector.mountstats import MILLI, NFS, Mount, Operation, parse, superblocks
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NetfsSample
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable

STATS = "proc/self/mountstats"
# What programs read and wrote, most of it perhaps from the page cache: not to be added to the
# bytes of the other operations, which are those on the wire.
APPLICATION = "application"


class NfsSettings(Settings):
    """Section `[nfs]`."""

    period_s: Annotated[float, "seconds between readings; all values count on meanwhile"] = 10.0
    mounts: Annotated[int, "filesystems to tell of at most; nodes with automounts have many"] = 64


class Nfs(Source):
    """One row per operation that was used, and one of what programs asked for, of each mount."""

    def __init__(self, settings: NfsSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._most = settings.mounts
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("nfs")

    def read(self) -> Iterator[NetfsSample | MissingValue]:
        """Every NFS filesystem once. Unavailable where the kernel has no NFS client.

        Nothing asks the mounts themselves: a server that is gone does not stop the reading.
        """
        text = self._files.text(STATS)
        if text is None and self._files.exists(STATS):
            raise ReadError(f"/{STATS} cannot be read")
        mounts = list(parse(text or ""))
        if not mounts and not self._has_client():
            raise Unavailable("no NFS client in this kernel")
        if text and not text.endswith("\n"):
            self._missing.note("", STATS, Reason.MALFORMED, "the last line is cut off")
        else:
            self._missing.found("", STATS)
        for mount in self._chosen(mounts):
            yield from self._rows(mount)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _has_client(self) -> bool:
        """Whether a mount may come: automounts come and go."""
        return not set(NFS).isdisjoint((self._files.text("proc/filesystems") or "").split())

    def _chosen(self, mounts: list[Mount]) -> list[Mount]:
        """One mount of each superblock: they all show its counts, whatever part they mount."""
        numbers = superblocks(self._files.text("proc/self/mountinfo") or "") if mounts else {}
        found: dict[object, Mount] = {}
        points: set[str] = set()
        for mount in mounts:
            key = numbers.get(mount.point) or mount.transport
            if key not in found and mount.point not in points:
                found[key] = mount
                points.add(mount.point)
        if len(found) > self._most:
            detail = f"{len(found)} filesystems: see [nfs] mounts"
            self._missing.note("", "mounts", Reason.UNSUPPORTED, detail)
        else:
            self._missing.found("", "mounts")
        return list(found.values())[: self._most]

    def _rows(self, mount: Mount) -> Iterator[NetfsSample]:
        for reading in mount.malformed:
            self._missing.note(mount.point, reading, Reason.MALFORMED)
        if mount.read_bytes or mount.write_bytes:
            yield NetfsSample.known(
                kind="nfs",
                mount=mount.point,
                device=mount.export,
                operation=APPLICATION,
                read_bytes=mount.read_bytes,
                write_bytes=mount.write_bytes,
            )
        for operation in mount.operations:
            if operation.operations != 0:
                yield self._row(mount, operation)

    def _row(self, mount: Mount, told: Operation) -> NetfsSample:
        values = {
            "operations": told.operations,
            "errors": told.errors,
            "retransmits": told.retransmits,
            "timeouts": told.timeouts,
            "read_bytes": told.received_bytes,
            "write_bytes": told.sent_bytes,
            "queue_seconds": scaled(told.queue_ms, MILLI),
            "server_seconds": scaled(told.round_trip_ms, MILLI),
            "total_seconds": scaled(told.execute_ms, MILLI),
        }
        for column, value in values.items():
            self._judge(mount, told, column, value)
        return NetfsSample.known(
            kind="nfs", mount=mount.point, device=mount.export, operation=told.name, **values
        )

    def _judge(self, mount: Mount, told: Operation, column: str, value: float | None) -> None:
        """Note why the value is missing, or that it is there."""
        if column == "errors" and not told.tells_errors:
            self._missing.note(mount.point, column, Reason.UNSUPPORTED)
        elif value is None:
            self._missing.note(mount.point, f"{told.name}.{column}", Reason.MALFORMED)
        else:
            self._missing.found(mount.point, f"{told.name}.{column}")


source = SourceKind(NfsSettings, Nfs)
