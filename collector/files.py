"""Files of /proc and /sys: opened once, read often, and never a reason to fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 16
# A restricted InfiniBand port writes to the kernel log at every read of its counters
# (prometheus/node_exporter#3434): ask a file that keeps failing once an hour.
FAILURES_UNTIL_REST = 3
REST_S = 3600.0


@dataclass
class _Failing:
    times: int = 0
    until: float = 0.0


class Files:
    """Texts by path below `root`. Descriptors stay open: reading again is ten times cheaper."""

    def __init__(self, root: Path, monotonic: Callable[[], float]) -> None:
        self.root = root
        self._monotonic = monotonic
        self._open: dict[str, int] = {}
        self._failing: dict[str, _Failing] = {}

    def text(self, path: str) -> str | None:
        """The whole file, or None where it cannot be read."""
        failing = self._failing.get(path)
        if failing and failing.until > self._monotonic():
            return None
        try:
            data = self._read(path)
        except OSError:
            self._fail(path)
            return None
        if failing:
            del self._failing[path]
        return data.decode(errors="replace")

    def number(self, path: str) -> int | None:
        """The file's whole number, or None where it holds none."""
        return whole(self.text(path))

    def names(self, path: str) -> list[str]:
        """Names in a folder, sorted; none where there is no such folder."""
        try:
            return sorted(entry.name for entry in (self.root / path).iterdir())
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return (self.root / path).exists()

    def close(self) -> None:
        """Close every descriptor."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _read(self, path: str) -> bytes:
        descriptor = self._open.get(path)
        if descriptor is None:
            descriptor = self._open[path] = os.open(self.root / path, os.O_RDONLY | os.O_CLOEXEC)
        data = chunk = os.pread(descriptor, CHUNK_BYTES, 0)
        # A file of /sys fits its one page; those of /proc come in pieces, however short.
        while chunk and path.startswith("proc/"):
            chunk = os.pread(descriptor, CHUNK_BYTES, len(data))
            data += chunk
        return data

    def _fail(self, path: str) -> None:
        """Forget the descriptor (the device may have come back) and remember the failure."""
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
        failing = self._failing.setdefault(path, _Failing())
        failing.times += 1
        if failing.times >= FAILURES_UNTIL_REST:
            failing.until = self._monotonic() + REST_S


def whole(text: str | None) -> int | None:
    """A whole number of at least 0, or None for anything else (`N/A (no PMA)`, -1)."""
    stripped = text.strip() if text else ""
    return int(stripped) if stripped.isascii() and stripped.isdigit() else None


def real(text: str | None) -> float | None:
    """A finite number of at least 0, or None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def total(*parts: int | None) -> int | None:
    """The sum, missing where a part is missing."""
    known = [p for p in parts if p is not None]
    return sum(known) if len(known) == len(parts) else None


def scaled(value: float | None, factor: float) -> float | None:
    """The value times the factor; missing stays missing."""
    return None if value is None else value * factor
