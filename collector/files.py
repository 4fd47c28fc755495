"""Files of /proc and /sys: opened once, read often, and never a reason to fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collector.missing import Reason

CHUNK_BYTES = 1 << 16
ALL_ONES = (1 << 64) - 1
DIGITS = len(str(ALL_ONES))
# No counter comes that far, but one that went below 0 is printed without its sign.
TOO_LARGE = 1 << 63
# A restricted InfiniBand port writes to the kernel log at every read of its counters
# (prometheus/node_exporter#3434): ask a file that keeps failing once an hour.
FAILURES_UNTIL_REST = 3
REST_S = 3600.0
# Anything else is a failed reading. EINVAL: switch-mode ports and unused table entries.
REASONS = {
    errno.ENOENT: Reason.UNSUPPORTED,
    errno.ENOTDIR: Reason.UNSUPPORTED,
    errno.EINVAL: Reason.UNSUPPORTED,
    errno.EOPNOTSUPP: Reason.UNSUPPORTED,
    errno.EACCES: Reason.DENIED,
    errno.EPERM: Reason.DENIED,
    errno.ENODEV: Reason.LOST,
    errno.ENXIO: Reason.LOST,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    errno.EAGAIN: Reason.TIMEOUT,
}


@dataclass
class _Failing:
    times: int = 0
    until: float = 0.0
    reason: Reason = Reason.UNREADABLE


class Files:
    """Texts by path below `root`. Descriptors stay open: reading again is ten times cheaper.

    With `keep=False` a file is closed again: for what is read rarely, or comes and goes, since
    a process may have 1024 descriptors only.
    """

    def __init__(self, root: Path, monotonic: Callable[[], float]) -> None:
        self.root = root
        self._monotonic = monotonic
        self._open: dict[str, int] = {}
        self._failing: dict[str, _Failing] = {}

    def text(self, path: str, *, keep: bool = True) -> str | None:
        """The whole file, or None where it cannot be read."""
        failing = self._failing.get(path)
        if failing and failing.until > self._monotonic():
            return None
        try:
            data = self._read(path) if keep else self._read_once(path)
        except OSError as error:
            self._fail(path, reason_of(error))
            return None
        if failing:
            del self._failing[path]
        return data.decode(errors="replace")

    def number(self, path: str, *, keep: bool = True) -> int | None:
        """The file's whole number, or None where it holds none."""
        return whole(self.text(path, keep=keep))

    def why(self, path: str) -> Reason:
        """Why the last reading of this file gave no number."""
        failing = self._failing.get(path)
        if failing:
            return failing.reason
        # Ports without performance management say `N/A (no PMA)` (prometheus/node_exporter#966),
        # interfaces without a speed say -1.
        text = (self.text(path, keep=False) or "").strip()
        says_none = text.startswith("N/A") or text == "-1"
        return Reason.UNSUPPORTED if says_none else Reason.MALFORMED

    def forget(self, folder: str) -> None:
        """Let go of every file below this folder: its device is gone, or another one now."""
        below = f"{folder}/"
        for path in [p for p in self._open if p.startswith(below)]:
            os.close(self._open.pop(path))
        for path in [p for p in self._failing if p.startswith(below)]:
            del self._failing[path]

    def names(self, path: str) -> list[str]:
        """Names in a folder, sorted; none where there is no such folder."""
        try:
            return sorted(unicode(entry.name) for entry in (self.root / path).iterdir())
        except OSError:
            return []

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, sorted; none where there is no such folder."""
        try:
            with os.scandir(self.root / path) as entries:
                return sorted(unicode(e.name) for e in entries if e.is_dir(follow_symlinks=False))
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        try:
            return (self.root / path).exists()
        except OSError:
            return False

    def close(self) -> None:
        """Close every descriptor."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _read(self, path: str) -> bytes:
        descriptor = self._open.get(path)
        if descriptor is None:
            descriptor = self._open[path] = self._descriptor(path)
        return _all(descriptor, path)

    def _read_once(self, path: str) -> bytes:
        descriptor = self._descriptor(path)
        try:
            return _all(descriptor, path)
        finally:
            os.close(descriptor)

    def _descriptor(self, path: str) -> int:
        # A pipe or a terminal in the place of a file must not stop the agent.
        return os.open(self.root / path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def _fail(self, path: str, reason: Reason) -> None:
        """Forget the descriptor (the device may have come back) and remember the failure."""
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)
        failing = self._failing.setdefault(path, _Failing())
        failing.times += 1
        failing.reason = reason
        if failing.times >= FAILURES_UNTIL_REST:
            failing.until = self._monotonic() + REST_S


def _all(descriptor: int, path: str) -> bytes:
    data = chunk = os.pread(descriptor, CHUNK_BYTES, 0)
    # A file of a device fits its one page; those of /proc and of control groups come in pieces.
    while chunk and path.startswith(("proc/", "sys/fs/")):
        chunk = os.pread(descriptor, CHUNK_BYTES, len(data))
        data += chunk
    return data


def unicode(name: str) -> str:
    """A name as the system gave it, fit for a row: bytes that are no UTF-8 are replaced."""
    return os.fsencode(name).decode(errors="replace")


def boot_id(root: Path) -> str:
    """The kernel's name for this boot; empty where it gives none."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return ""


def reason_of(error: OSError) -> Reason:
    """What a failed system call says of the device."""
    return REASONS.get(error.errno or 0, Reason.UNREADABLE)


def whole(text: str | None) -> int | None:
    """A whole number from 0 to 2^63 - 1, or None for anything else (`N/A (no PMA)`, -1).

    All ones is what a bus answers when its device has left, and a little less is a count below 0
    without its sign: either would stay in a counter for ever.
    """
    stripped = text.strip() if text else ""
    if not stripped.isascii() or not stripped.isdigit() or len(stripped) > DIGITS:
        return None
    number = int(stripped)
    return number if number < TOO_LARGE else None


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
