"""What the collector's tests share: a clock that stands still, and machines made of files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from collector.source import Clock, Context, Source
from gpuledger.catalogue.host import HostSample
from gpuledger.schema import Row

MIDNIGHT = 1_800_000_000.0 - 1_800_000_000 % 86_400


class FakeClock:
    """Wall and monotonic time that move only when told."""

    def __init__(self, wall: float = MIDNIGHT, monotonic: float = 1000.0) -> None:
        self.wall_s = wall
        self.monotonic_s = monotonic

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.wall_s, lambda: self.monotonic_s)

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds


class Lines(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def context(
    root: Path = Path("/nowhere"), clock: FakeClock | None = None, lines: Lines | None = None
) -> Context:
    log = logging.Logger("test")  # noqa: LOG001 - each test has its own
    log.setLevel(logging.INFO)
    log.addHandler(lines or Lines())
    return Context("c", "n1", root=root, clock=(clock or FakeClock()).clock, log=log)


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write files by path below `root`."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


class Script(Source):
    """A source that plays a list: rows to give, or an error to raise."""

    def __init__(self, *acts: Iterable[Row] | Exception, period_s: float = 1.0) -> None:
        self.period_s = period_s
        self.acts = list(acts)
        self.closed = False

    def read(self) -> Iterable[Row]:
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        if isinstance(act, Exception):
            raise act
        return act

    def close(self) -> None:
        self.closed = True


def host_row(**values: Any) -> HostSample:
    """A host's row of which only the named values are known."""
    columns = {c.name: None for c in HostSample.table.columns if c.default is ...}
    return HostSample(**{**columns, **values})
