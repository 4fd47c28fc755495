"""How long tasks waited for a resource, as pressure files tell (linux psi.rst)."""

from __future__ import annotations

from collector.files import scaled, whole

MICRO = 1e-6


def stalled_s(text: str, line: str) -> float | None:
    """Seconds behind `total=` in the line `some` or `full` of a pressure file."""
    found = next((row for row in text.splitlines() if row.startswith(f"{line} ")), "")
    return scaled(whole(found.partition("total=")[2]), MICRO)
