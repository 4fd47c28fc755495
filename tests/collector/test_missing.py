"""Reasons for missing values are told once, and again when they change."""

from __future__ import annotations

from collector.missing import Missing, Reason


def told(missing: Missing) -> list[tuple[str, str, str]]:
    return [(r.subject, r.reading, r.reason) for r in missing.rows()]


def test_a_reason_is_told_once_however_often_it_is_noted() -> None:
    missing = Missing("nvml")
    missing.note("GPU-a", "energy_joules", Reason.UNSUPPORTED)
    assert told(missing) == [("GPU-a", "energy_joules", "unsupported")]
    missing.note("GPU-a", "energy_joules", Reason.UNSUPPORTED, "again")
    assert told(missing) == []


def test_another_reason_is_news() -> None:
    missing = Missing("nvml")
    missing.note("GPU-a", "energy_joules", Reason.TIMEOUT)
    told(missing)
    missing.note("GPU-a", "energy_joules", Reason.LOST)
    assert told(missing) == [("GPU-a", "energy_joules", "lost")]


def test_a_value_that_is_there_again_is_told_with_an_empty_reason() -> None:
    missing = Missing("network")
    missing.found("eth0", "speed")
    assert told(missing) == []
    missing.note("eth0", "speed", Reason.UNREADABLE)
    told(missing)
    missing.found("eth0", "speed")
    assert told(missing) == [("eth0", "speed", "")]
