"""GPFS filesystems of this node: operations and bytes, as mmpmon tells; only where named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from collector.missing import Missing, Reason
from collector.mmpmon import (
    FILESYSTEM,
    Command,
    Filesystem,
    Program,
    TookTooLong,
    filesystems,
    state,
)
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NetfsSample
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable

QUESTION = b"fs_io_s\n"
ACTIVE = "active"

Run = Callable[[Command, bytes, float], bytes]


class GpfsSettings(Settings):
    """Section `[gpfs]`."""

    period_s: Annotated[float, "seconds between readings, each of them a program run"] = 180.0
    programs: Annotated[str, "folder of mmpmon and mmgetstate"] = "/usr/lpp/mmfs/bin"
    sudo: Annotated[bool, "run them through `sudo -n`: they answer to root only"] = False
    timeout_s: Annotated[float, "longest wait for a program, in seconds"] = 120.0


class Gpfs(Source):
    """One row per operation of each filesystem that is mounted."""

    def __init__(self, settings: GpfsSettings, context: Context, run: Run | None = None) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._run = run or Program()
        self._missing = Missing("gpfs")

    def read(self) -> Iterator[NetfsSample | MissingValue]:
        """Every filesystem. Unavailable without mmpmon, ReadError where it does not answer."""
        try:
            printed = self._ask("mmpmon", "-s", "-p").decode(errors="replace")
        except ReadError as e:
            late = isinstance(e, TookTooLong)
            yield from self._explain(Reason.TIMEOUT if late else Reason.UNREADABLE, str(e))
            raise
        told = list(filesystems(printed))
        if FILESYSTEM in printed:  # with a filesystem, or to say that none is mounted
            self._missing.found("", "mmpmon")
            self._missing.found("", "state")
        else:
            yield from self._explain(Reason.MALFORMED, " ".join(printed.split())[:200])
        for filesystem in told:
            yield from self._rows(filesystem)
        yield from self._missing.rows()

    def _ask(self, program: str, *words: str) -> bytes:
        path = str(Path(self._settings.programs) / program)
        before = ("sudo", "-n") if self._settings.sudo else ()
        return self._run((*before, path, *words), QUESTION, self._settings.timeout_s)

    def _explain(self, reason: Reason, said: str) -> Iterator[MissingValue]:
        """Why there is nothing: the daemon is down, or mmpmon does not do its work."""
        self._missing.note("", "mmpmon", reason, said)
        try:
            now = state(self._ask("mmgetstate", "-Y").decode(errors="replace"))
        except (ReadError, Unavailable) as e:
            self._missing.note("", "state", Reason.UNREADABLE, str(e))
        else:
            if now == ACTIVE:
                self._missing.found("", "state")
            else:
                self._missing.note("", "state", Reason.LOST, now or "mmgetstate tells none")
        yield from self._missing.rows()

    def _rows(self, told: Filesystem) -> Iterator[NetfsSample]:
        operations: dict[str, dict[str, float | None]] = {
            "read": {"operations": told.reads, "read_bytes": told.read_bytes},
            "write": {"operations": told.writes, "write_bytes": told.write_bytes},
            "open": {"operations": told.opens},
            "close": {"operations": told.closes},
            "readdir": {"operations": told.readdirs},
            "inode_update": {"operations": told.inode_updates},
        }
        for operation, values in operations.items():
            for column, value in values.items():
                if value is None:
                    self._missing.note(told.name, f"{operation}.{column}", Reason.MALFORMED)
                else:
                    self._missing.found(told.name, f"{operation}.{column}")
            yield NetfsSample.known(
                kind="gpfs",
                mount=told.name,
                device=told.cluster,
                operation=operation,
                **values,
            )


source = SourceKind(
    GpfsSettings,
    Gpfs,
    optional=True,
    privilege="root, or sudo without a password, for mmpmon; runs a program",
)
