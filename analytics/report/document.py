"""The weekly report as JSON: for programs, and as what a frozen week is kept as."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from analytics.report.teams import TeamReport
from analytics.report.value import WeeklyReport
from gpuledger.errors import StoreError

T = TypeVar("T")

# Rises when a field of the value changes its meaning; new fields with a default leave it.
FORM = 1


def to_json(report: object) -> str:
    """The value as JSON: fields in their order, units in their names, times RFC 3339 UTC.

    StoreError where it could not be read again: no report may be frozen for good.
    """
    if isinstance(report, WeeklyReport):
        # A whole number that stands for a ratio is written as it will be read: 0.0, not 0.
        report = from_json(msgspec.json.encode(report))
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"


def from_json(text: str | bytes, form: int = FORM) -> WeeklyReport:
    """The report that was kept so. StoreError where another version of us kept it."""
    return _decoded(text, form, WeeklyReport)


def page_from_json(text: str | bytes, form: int) -> TeamReport:
    """The same of a team's page."""
    return _decoded(text, form, TeamReport)


def _decoded(text: str | bytes, form: int, kind: type[T]) -> T:
    try:
        if form != FORM:
            raise ValueError(f"its form is {form}, not {FORM}")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as e:
        raise StoreError(
            f"this report was frozen by another version of gpuledger ({e}): its numbers are in"
            " report_snapshots.value"
        ) from None


def sha256(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
