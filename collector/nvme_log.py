"""The SMART log of an NVMe controller: how it is asked for, and what its bytes say."""

from __future__ import annotations

import fcntl
import os
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = 512
# NVM Express base specification 2.0, section 5.16.1.3 (log page 02h), little-endian.
HEAD = struct.Struct("<BHBBB")  # warnings, kelvin, spare, its threshold, life used
DATA_UNITS_READ, DATA_UNITS_WRITTEN = 32, 48
UNSAFE_SHUTDOWNS, MEDIA_ERRORS, ERROR_LOG_ENTRIES = 144, 160, 176
WIDE_BYTES = 16
DATA_UNIT_BYTES = 512_000  # a thousand sectors of 512 bytes, whatever the format is
KELVIN = 273  # whole degrees, as the specification and the kernel's hwmon driver count
MOST_PERCENT = 100

# linux/nvme_ioctl.h: struct nvme_passthru_cmd, and _IOWR('N', 0x41, that).
COMMAND = struct.Struct("<BBHIIIQQII6III")
ADMIN_CMD = 0xC0000000 | COMMAND.size << 16 | ord("N") << 8 | 0x41
GET_LOG_PAGE = 0x02
SMART_LOG = 0x02
EVERY_NAMESPACE = 0xFFFFFFFF
TIMEOUT_MS = 5_000


@dataclass(frozen=True)
class SmartLog:
    """Health as the controller tells it, in base units; None where it says nothing sensible."""

    critical_warning: int
    temperature_celsius: int | None
    spare_ratio: float | None
    spare_threshold_ratio: float | None
    used_ratio: float
    read_bytes: int | None
    write_bytes: int | None
    unsafe_shutdowns: int | None
    media_errors: int | None
    error_log_entries: int | None


def ask(device: Path) -> bytes:
    """The log page of that controller (`/dev/nvme0`), 512 bytes; the process needs CAP_SYS_ADMIN.

    OSError where it cannot be had; the device's own refusal is an EIO that says its status.
    """
    page = array("B", bytes(PAGE_BYTES))
    address, _ = page.buffer_info()
    words = PAGE_BYTES // 4 - 1  # counted from 0
    command = bytearray(
        COMMAND.pack(
            *(GET_LOG_PAGE, 0, 0, EVERY_NAMESPACE, 0, 0, 0, address, 0, PAGE_BYTES),
            *(words << 16 | SMART_LOG, 0, 0, 0, 0, 0),
            *(TIMEOUT_MS, 0),
        )
    )
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = fcntl.ioctl(descriptor, ADMIN_CMD, command)
    finally:
        os.close(descriptor)
    if status:
        raise OSError(5, f"the controller answers with status {status:#x}")
    return page.tobytes()


def parse(page: bytes) -> SmartLog:
    """What the page says. ValueError for one that is cut off, or that no controller wrote."""
    if len(page) < PAGE_BYTES:
        raise ValueError(f"{len(page)} bytes instead of {PAGE_BYTES}")
    if page.count(page[0]) == len(page):
        raise ValueError(f"every byte is {page[0]:#x}")
    warning, kelvin, spare, threshold, used = HEAD.unpack_from(page)
    return SmartLog(
        critical_warning=warning,
        temperature_celsius=kelvin - KELVIN if kelvin >= KELVIN else None,
        spare_ratio=_ratio(spare),
        spare_threshold_ratio=_ratio(threshold),
        used_ratio=used / 100,
        read_bytes=_wide(page, DATA_UNITS_READ, DATA_UNIT_BYTES),
        write_bytes=_wide(page, DATA_UNITS_WRITTEN, DATA_UNIT_BYTES),
        unsafe_shutdowns=_wide(page, UNSAFE_SHUTDOWNS),
        media_errors=_wide(page, MEDIA_ERRORS),
        error_log_entries=_wide(page, ERROR_LOG_ENTRIES),
    )


def _ratio(percent: int) -> float | None:
    """Of what cannot be more than the whole."""
    return percent / 100 if percent <= MOST_PERCENT else None


def _wide(page: bytes, at: int, factor: int = 1) -> int | None:
    """One of the 128-bit counts; None for one that no disk reaches and no column holds."""
    value = int.from_bytes(page[at : at + WIDE_BYTES], "little") * factor
    return value if value < 1 << 64 else None
