"""The kernel's log: records of /dev/kmsg, each told once, and what NVIDIA's driver says in them.

Record format: Documentation/ABI/testing/dev-kmsg of Linux. A fresh open begins at the oldest
record that the kernel still has, so what happened before our start is found too.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gpuledger.errors import ReadError, Unavailable

DEVICE = "dev/kmsg"
RECORD_BYTES = 16_384  # larger than any record of any kernel; a smaller buffer makes a read fail
RECORDS_AT_ONCE = 20_000  # of one reading, however fast the log grows
MESSAGE_CHARACTERS = 2_048  # what one printk may say
DETAIL_CHARACTERS = 300
WORDS = (b"Xid", b"fallen off the bus")  # a record without them is not looked into
KERNEL = 0  # the facility; a program that writes to /dev/kmsg cannot use it

PCI = r"(?:PCI:)?((?:[0-9a-fA-F]{1,8}:)?[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2})(?:\.[0-9a-fA-F])?"
HEAD = re.compile(r"(\d{1,10}),(\d{1,20}),(\d{1,20}),[^;]*;(.*)", re.DOTALL)
XID = re.compile(rf"NVRM: Xid \({PCI}(?: GPU-I:(\w+))?\): (\d{{1,9}}),?\s*(.*)", re.DOTALL)
SXID = re.compile(
    rf"(nvidia-nvswitch\d+)?:? ?SXid \({PCI}\): (\d{{1,9}})(?:, (Fatal|Non-fatal))?,?\s*(.*)",
    re.DOTALL,
)
OFF_THE_BUS = re.compile(rf"NVRM:.*?{PCI}.*?fallen off the bus", re.DOTALL)
ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class Record:
    """One record: its number, when (microseconds since boot), and its text."""

    sequence: int
    at_us: int
    text: str


@dataclass(frozen=True)
class Fault:
    """What the driver said: `kind` is xid, sxid or lost; `pci` is domain, bus and device."""

    kind: str
    pci: tuple[int, int, int]
    code: int = 0
    detail: str = ""
    severity: str = ""


class Kmsg:
    """The log below `root`, read without waiting."""

    def __init__(self, root: Path, read: Callable[[int, int], bytes] = os.read) -> None:
        self.overwritten = 0
        self.is_read = False
        self._path = root / DEVICE
        self._read = read
        self._descriptor: int | None = None

    def open(self) -> None:
        """Begin at the oldest record. Unavailable without the device or the right to read it."""
        if self._descriptor is not None:
            return
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            raise Unavailable("/dev/kmsg may not be read: CAP_SYSLOG is missing") from None
        except OSError as e:
            raise Unavailable(f"no /dev/kmsg: {e.strerror}") from None

    def records(self) -> Iterator[Record]:
        """The kernel's new records that may tell of a fault. ReadError where reading fails.

        `overwritten` counts how often records were lost before they were read; `is_read` says
        whether none is left for later.
        """
        self.is_read = False
        for _ in range(RECORDS_AT_ONCE):
            data = self._next()
            if data is None:
                self.is_read = True
                return
            if any(word in data for word in WORDS):
                yield from parse(data)

    def close(self) -> None:
        """Close the device."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _next(self) -> bytes | None:
        """The next record (of a plain file: several); None when there is none for now."""
        assert self._descriptor is not None
        while True:
            try:
                return self._read(self._descriptor, RECORD_BYTES) or None
            except BlockingIOError:
                return None
            except OSError as e:
                if e.errno != errno.EPIPE:
                    self.close()
                    raise ReadError(f"/dev/kmsg: {e.strerror}") from None
                self.overwritten += 1


def parse(data: bytes) -> Iterator[Record]:
    """Records of the kernel in what was read; anything else is left out."""
    for line in data.decode(errors="replace").split("\n"):
        found = HEAD.match(line)  # lines of properties begin with a space
        if found and int(found[1]) >> 3 == KERNEL:
            text = ESCAPE.sub(lambda e: chr(int(e[1], 16)), found[4])
            yield Record(int(found[2]), int(found[3]), text)


def fault(text: str) -> Fault | None:
    """The fault of a GPU or NVSwitch that a message tells of; None for any other message."""
    text = text[:MESSAGE_CHARACTERS]
    if found := XID.search(text):
        slice_ = f"GPU instance {found[2]}: " if found[2] else ""
        return Fault("xid", address(found[1]), int(found[3]), _cut(slice_ + found[4]))
    if found := SXID.search(text):
        said = ", ".join(filter(None, (found[1], found[4], found[5])))
        return Fault("sxid", address(found[2]), int(found[3]), _cut(said), found[4] or "")
    if found := OFF_THE_BUS.search(text):
        return Fault("lost", address(found[1]), detail=_cut(text))
    return None


def address(text: str) -> tuple[int, int, int]:
    """Domain, bus and device of a PCI address; the driver leaves out a domain of 0 at times."""
    domain, bus, device = ("0", *text.split(":"))[-3:]
    return int(domain, 16), int(bus, 16), int(device, 16)


def _cut(text: str) -> str:
    return " ".join(text.split())[:DETAIL_CHARACTERS]
