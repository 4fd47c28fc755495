"""How well the kernel's clock is kept, by adjtimex(2); reading it needs no right."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

UNSYNCHRONIZED = 0x40  # STA_UNSYNC in linux/timex.h
MICRO = 1e-6
LONG = ctypes.c_long


class Timex(ctypes.Structure):
    """`struct timex` of linux/timex.h as the C library has it; `modes` 0 only reads."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", LONG),
        ("freq", LONG),
        ("maxerror", LONG),
        ("esterror", LONG),
        ("status", ctypes.c_int),
        # Room for the fields that are not asked for, and for those of kernels to come.
        ("rest", ctypes.c_byte * 512),
    )


@dataclass(frozen=True)
class Discipline:
    """Whether something (NTP, PTP) sets the clock, and the bound of its error in seconds."""

    is_synchronized: bool
    error_s: float


def discipline() -> Discipline | None:
    """The kernel's word; None where it may not be asked (seccomp) or there is no adjtimex."""
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    timex = Timex()
    if adjtimex is None or adjtimex(ctypes.byref(timex)) < 0:
        return None
    return Discipline(not timex.status & UNSYNCHRONIZED, max(0, timex.maxerror) * MICRO)
