"""Errors by what the caller does: four, and no more.

GpuledgerError
├── ConfigError   stop: wrong flag, key, path or port; says which, offers the nearest (exit 2)
│   ├── Unknown       there is nothing of that name: look at the list
│   └── Conflict      it stands elsewhere by now: look at it again, then decide
├── Unavailable   this machine lacks it: say so once, disable
├── ReadError     a reading failed: count it, retry next period
└── StoreError    the store refused or did not answer: keep the rows, back off (exit 3)
    ├── Refused         it will never take these rows: set them apart
    └── BookNotClosed   the booked window does not add up: keep the previous book, alert
"""

from collections.abc import Iterable


class GpuledgerError(Exception):
    """Base of every error that gpuledger raises on purpose; its text is one line for people."""

    exit_code = 1


class ConfigError(GpuledgerError):
    """Wrong use or configuration; nothing was started."""

    exit_code = 2


class Unknown(ConfigError):
    """Nothing has the name or id that was asked for."""


class Conflict(ConfigError):
    """Where the thing stands, this step is not possible, or somebody else was first."""


class Unavailable(GpuledgerError):
    """A device, file or program that this machine does not have."""

    exit_code = 3


class ReadError(GpuledgerError):
    """A reading that failed this time."""

    exit_code = 3


class StoreError(GpuledgerError):
    """The store refused, timed out, or cannot be reached."""

    exit_code = 3


class Refused(StoreError):
    """The store took nothing of these rows and never will."""


class BookNotClosed(StoreError):
    """States of a window do not add up to the GPU-seconds owned in it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known name, or an empty string."""
    import difflib  # noqa: PLC0415 - only what is misspelt needs it: an agent keeps the memory

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
