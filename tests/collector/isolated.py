"""A source for tests of isolation: files below its root say what it does at the next reading."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.config import Settings
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row
from tests.collector.support import host_row

HANG_S = 30.0
WAIT_S = 20.0


class ProbeSettings(Settings):
    period_s: Annotated[float, "seconds between readings"] = 1.0
    cpus: Annotated[int, "what it tells"] = 4


class Probe(Source):
    """Counts its readings in memory and tells its process id as the load."""

    def __init__(self, settings: ProbeSettings, context: Context) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context

    def read(self) -> Iterable[Row]:
        memory = self._context.memory
        memory["count"] = str(int(memory.get("count", "0")) + 1)
        memory.pop("old", None)
        yield host_row(cpus=self._settings.cpus, load1=float(os.getpid()))
        yield from self._act()
        yield GpuEvent(
            ts=datetime.fromtimestamp(self._context.clock.wall(), UTC),
            slot=3,
            kind="xid",
            detail=f"{self._context.cluster}/{self._context.node}/{memory['count']}",
        )

    def close(self) -> None:
        (self._context.root / "closed").touch()

    def _act(self) -> Iterator[Row]:
        asked = {path.name for path in self._context.root.iterdir()}
        if "log" in asked:
            self._context.log.warning("all is %s", "well")
        if "hang" in asked:
            (self._context.root / "hanging").write_text(str(os.getpid()))
            time.sleep(HANG_S)
        if "crash" in asked:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "fail" in asked:
            raise ReadError("it failed")
        if "absent" in asked:
            raise Unavailable("it is not here")
        if "bug" in asked:
            raise ZeroDivisionError("a bug")
        yield from ()


kind = SourceKind(ProbeSettings, Probe, isolated=True)


def ends(pid: int) -> bool:
    """Whether that process is gone within a few seconds."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() or is_zombie(pid):
            return True
        time.sleep(0.02)
    return False


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)
